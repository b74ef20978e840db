"""Every worked example in the docstrings of `lower/` is what lowering makes of it.

An example has two columns: to the left what an author writes, to the right what becomes of it.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from longterm_compiler import ModuleNames, SourceFile, Verdict, compile_flow, lower

FOLDER = Path(lower.__file__).parent
TWO_COLUMNS = re.compile(r" {4}\S.*?\s{2,}(?=\S)")
ASKS_AGAIN = (3, 12) <= sys.version_info < (3, 14)
"""Whether Python asks for a truth that it has known, so that nothing is lowered to remember it."""


def examples() -> Iterator[tuple[str, str, str]]:
    """Yield the file, the author's text and the lowered text of each example."""
    for path in sorted(FOLDER.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                for block in inspect.cleandoc(ast.get_docstring(node) or "").split("\n\n"):
                    first = TWO_COLUMNS.match(block)
                    if first is not None:
                        lines = block.split("\n")
                        left = "\n".join(line[: first.end()].rstrip() for line in lines)
                        right = "\n".join(line[first.end() :] for line in lines)
                        yield path.stem, dedent(left).rstrip(), right


EXAMPLES = list(examples())


def lowered(text: str) -> str:
    """Lower statements whose names are parameters, but `ask`, a flow, and other callees."""
    nodes = list(ast.walk(ast.parse(text)))
    called = {n.func.id for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    names = {node.id for node in nodes if isinstance(node, ast.Name)} - called
    source = ["from longterm import deflow, suspend", "@deflow", "def ask(question): ..."]
    source += [
        f"def {name}(*args): ..." for name in sorted(called - {"ask", "suspend", *dir(builtins)})
    ]
    define = "async def" if any(isinstance(node, ast.Await) for node in nodes) else "def"
    source += ["@deflow", f"{define} main({', '.join(sorted(names))}):"]
    source += [f"    {line}" for line in text.split("\n")]
    file = SourceFile.parse("example.py", "\n".join(source))
    module = ModuleNames(file, "example", "", lambda *_: Verdict.MAY)
    main = file.find_qualname("main")
    assert main is not None
    flow = compile_flow(main, module)
    return ast.unparse(ast.Module(flow.fresh_body, []))


@pytest.mark.parametrize(("file", "before", "after"), EXAMPLES)
def test_example_is_true(file: str, before: str, after: str) -> None:
    if "_lt_truth" in after and ASKS_AGAIN:
        pytest.skip("this Python asks again, and so does what is lowered")

    assert lowered(before) == ast.unparse(ast.parse(after))
