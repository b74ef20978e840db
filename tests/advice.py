"""What the code advises when it refuses something, and tests that do what it says.

A remedy stands in parentheses in a message, or is a text of its own that begins with a verb. Here
a star stands for what is computed: `(set {name}={value})` is `set *=*`.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
_VERB = re.compile(
    "(add|allow|apply|await|begin|call|cancel|catch|change|check|choose|close|create|"
    "define|del|end|free|get|give|grant|hold|if it|import|install|keep|leave|let|look|"
    "make|move|name|open|pass|process|put|raise|release|remove|rename|restore|retry|"
    "return|see|send|set|start|take|unset|upgrade|use|wait|write) "
)
_SQL = re.compile(r"SELECT\s|INSERT INTO|FROM |ORDER BY|NOT NULL|%s|= [?]")
_NOT_PRINTED_WHEN_REFUSED = frozenset({"help", "description", "epilog", "metavar", "prog"})
_SHORTEST = 2
"""Words that a remedy has at least."""


def printed(remedy: str) -> AbstractContextManager[pytest.ExceptionInfo[BaseException]]:
    """Expect an error whose text holds the remedy."""
    return pytest.raises(BaseException, match=pattern_of(remedy))


def pattern_of(remedy: str) -> str:
    """Return a pattern of the texts that a remedy may be printed as."""
    return ".*".join(map(re.escape, remedy.split("*")))


def is_told(remedy: str, text: str) -> bool:
    """Tell whether what a process or a log says holds the remedy."""
    return re.search(pattern_of(remedy), text) is not None


def tried_in(test: str) -> set[str]:
    """Return the remedies that a file of tests names in its calls of `printed` and `is_told`."""
    calls = [node for node in ast.walk(ast.parse(Path(test).read_text("utf-8")))
             if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
             and node.func.id in ("printed", "is_told")]  # fmt: skip
    return {text for call in calls for text in [_text(call.args[0])] if text is not None}


def said_by_python(*arguments: str, cwd: Path | str = ".", **env: str) -> str:
    """Return what Python prints, started as it is told, whether it ends well or not."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "compiler")])
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": paths, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def advice_of(*places: Path, but: Iterable[Path] = ()) -> set[str]:
    """Return all advice in the code of files and folders, but for some of them."""
    files = [
        file
        for place in places
        for file in (place.rglob("*.py") if place.is_dir() else [place])
        if not any(file.is_relative_to(each) for each in but)
    ]
    return {remedy for file in files for remedy in _advice_in(file.read_text("utf-8"))}


def _advice_in(code: str) -> Iterator[str]:
    for text in _texts(ast.parse(code)):
        if _SQL.search(text):
            continue
        yield from _parenthesised(text)
        for part in (text, *text.split(": ")[1:]):
            is_whole = " (" not in part and part.count("(") == part.count(")")
            if is_whole and _VERB.match(part) and _is_long(part):
                yield part


def _texts(tree: ast.AST) -> Iterator[str]:
    """Yield the strings of code that can be printed: no docstrings, and no help of a command."""
    for field, value in ast.iter_fields(tree):
        for node in value if isinstance(value, list) else [value]:
            if not isinstance(node, ast.AST):
                continue
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue
            if isinstance(node, ast.keyword) and node.arg in _NOT_PRINTED_WHEN_REFUSED:
                continue
            text = _text(node)
            if text is not None and not (isinstance(tree, ast.JoinedStr) and field == "values"):
                yield text
            yield from _texts(node)


def _text(node: ast.AST) -> str | None:
    """Return the text of a string, a template or an f-string, with a star for each value."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = re.sub(r"(?<!{){\w+}(?!})", "*", node.value)
        return text.replace("{{", "{").replace("}}", "}")
    if isinstance(node, ast.JoinedStr):
        parts = [each.value if isinstance(each, ast.Constant) else "*" for each in node.values]
        return "".join(map(str, parts))
    return None


def _parenthesised(text: str) -> Iterator[str]:
    """Yield what stands in parentheses, but for the arguments of a call."""
    depth, start = 0, -1
    for place, character in enumerate(text):
        if character == "(":
            if depth == 0 and (place == 0 or text[place - 1] in " \n"):
                start = place + 1
            depth += 1
        elif character == ")" and depth:
            depth -= 1
            if depth == 0 and start >= 0:
                if text[start] not in "\n " and _is_long(text[start:place]):
                    yield text[start:place]
                start = -1


def _is_long(text: str) -> bool:
    return len(re.findall(r"\w\S*", text)) >= _SHORTEST
