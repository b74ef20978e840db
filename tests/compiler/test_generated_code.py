"""Every example of `docs/generated-code.md` is what the compiler makes of it."""

from __future__ import annotations

import ast
import builtins
import re
import textwrap
from pathlib import Path

import pytest

from longterm_compiler import ModuleNames, SourceFile, Verdict, compile_flow
from longterm_compiler.listing import listing
from tests.compiler.golden import ROOT

PAGE = ROOT / "docs" / "generated-code.md"
EXAMPLE = re.compile(
    r"^## (?P<title>.+?)$[^#]*?^```py\n(?P<before>.*?)^```$"
    r"(?P<becomes>\n\nbecomes\n\n)```py\n(?P<after>.*?)^```$"
    r"(?:(?P<resumed>\n\nand, resumed at point 1,\n\n)```py\n(?P<resume>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
EXAMPLES = list(EXAMPLE.finditer(PAGE.read_text()))
ABOVE = 2  # the lines of the flow above its body


def title(example: re.Match[str]) -> str:
    return example["title"]


def test_every_section_has_an_example() -> None:
    assert len(EXAMPLES) == len(re.findall(r"^## ", PAGE.read_text(), re.MULTILINE))


def test_page_is_current(update_golden: bool) -> None:
    current = EXAMPLE.sub(with_current_code, PAGE.read_text())
    if update_golden:
        PAGE.write_text(current)

    assert PAGE.read_text() == current


@pytest.mark.parametrize("example", EXAMPLES, ids=title)
def test_example_suspends(example: re.Match[str]) -> None:
    assert "# point 1, line" in bodies_of(example["before"])[0]


def with_current_code(example: re.Match[str]) -> str:
    """The section with what the compiler makes now in the place of what it shows."""
    fresh, resume = bodies_of(example["before"])
    text = example[0][: example.start("after") - example.start()] + f"{fresh}```"
    if example["resumed"] is None:
        return text
    return f"{text}{example['resumed']}```py\n{resume}```"


def bodies_of(before: str) -> tuple[str, str]:
    """The text of the fresh body of some statements, and of the resume body of the first point."""
    tree = ast.parse(before)
    names = [each for each in ast.walk(tree) if isinstance(each, ast.Name)]
    bound = {each.id for each in names if isinstance(each.ctx, ast.Store)}
    bound |= {each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)}
    bound |= {each.name for each in ast.walk(tree) if isinstance(each, ast.MatchAs) and each.name}
    calls = [each.func for each in ast.walk(tree) if isinstance(each, ast.Call)]
    plain = sorted({each.id for each in calls if isinstance(each, ast.Name)} - bound)
    plain = [each for each in plain if each not in ("suspend", "respond", "any")]
    counted = {each.target.id for each in ast.walk(tree) if is_counted(each)}  # type: ignore[attr-defined]
    read = {each.id for each in names} - (bound - counted) - set(plain) - set(dir(builtins))
    parameters = ", ".join(sorted(read - {"suspend", "respond"}))
    lines = [f"@deflow\ndef flow({parameters}):", textwrap.indent(before, "    ")]
    lines += ["from longterm import deflow, respond, suspend"]
    lines += [f"def {each}(): pass" for each in plain]
    source = SourceFile.parse("example.py", "\n".join(lines))
    names_of = ModuleNames(source, "example", "", lambda module, path: Verdict.MAY)
    text = listing(compile_flow(source.definitions[0], names_of))
    text = re.sub(r"(oint \d+, line )(\d+)", lambda m: f"{m[1]}{int(m[2]) - ABOVE}", text)
    _, fresh, *resumes = text.split("\n\n\n")
    body = textwrap.dedent(fresh.split("\n", ABOVE)[ABOVE])
    return body.rstrip() + "\n", resumes[0].rstrip() + "\n"


def is_counted(node: ast.AST) -> bool:
    """Whether a node reads a name before it binds it."""
    return isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name)


def test_page_names_only_options_that_exist() -> None:
    named = set(re.findall(r"--[\w-]+", Path(PAGE).read_text()))

    assert {"--points", "--check", "--color"} <= named
