"""The compiler's scopes against CPython's own, over the functions of the standard library.

`symtable` and code objects count the variables of inlined comprehensions as the function's from
3.12 on, and name mangling is theirs; both are taken off before comparing.

That liveness keeps enough needs no test of its own: a frame is rebuilt from its live names and from
nothing else, so a name too few would fail the properties of `tests/property`.
"""

from __future__ import annotations

import ast
import os
import symtable
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from longterm_compiler.analysis.scope import (
    comprehension_variables,
    free_in_comprehension,
    free_names,
    scope_of,
)
from longterm_compiler.syntax.source import Definition, SourceFile
from longterm_compiler.syntax.tree import children, in_blocks

_LIBRARY = Path(sysconfig.get_paths()["stdlib"])
_FOLDERS = [
    "",
    "asyncio",
    "collections",
    "concurrent/futures",
    "email",
    "http",
    "importlib",
    "json",
]
_IN_BLOCKS = (ast.stmt, ast.ExceptHandler, ast.match_case)
_FOLDERS += ["logging", "multiprocessing", "unittest", "urllib", "xml/dom", "xml/sax"]


def files() -> list[Path]:
    """Return the library's files; in the quick profile a tenth of them."""
    found = [path for folder in _FOLDERS for path in sorted((_LIBRARY / folder).glob("*.py"))]
    found = [path for path in found if path.stat().st_size < 300_000]
    return found if os.environ.get("LONGTERM_PROFILE") == "long" else found[::10]


@pytest.mark.parametrize("folder", _FOLDERS)
def test_names_of_functions_are_those_that_cpython_finds(folder: str) -> None:
    for path in files():
        if path.parent == _LIBRARY / folder:
            check_file(path)


def check_file(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = path.read_text(encoding="utf-8", errors="replace")
        try:
            source = SourceFile.parse(str(path), text)
            table = symtable.symtable(text, str(path), "exec")
        except (SyntaxError, ValueError):
            return
    tables = {(each.get_name(), each.get_lineno()): each for each in functions(table)}
    for definition in source.definitions:
        # Some versions count a decorated function from its `def`, others from its decorator.
        lines = (definition.node.lineno, definition.first_line)
        found = [tables.get((definition.node.name, line)) for line in lines]
        known = next((each for each in found if each is not None), None)
        if known is not None and unique(source, definition):
            compare(path, definition, known)


def unique(source: SourceFile, definition: Definition) -> bool:
    """Tell whether no other function has this name and line: two on one line look alike."""
    alike = [
        each
        for each in source.definitions
        if each.node.name == definition.node.name and each.first_line == definition.first_line
    ]
    return len(alike) == 1


def functions(table: symtable.SymbolTable) -> Iterator[symtable.Function]:
    for each in table.get_children():
        if isinstance(each, symtable.Function):
            yield each
        yield from functions(each)


def compare(path: Path, definition: Definition, known: symtable.Function) -> None:
    scope = scope_of(definition.node)
    place = f"{path}:{definition.node.lineno} {definition.qualname}"
    symbols = known.get_symbols()
    comprehended = {
        each.id
        for node in ast.walk(definition.node)
        if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp)
        for generator in node.generators
        for each in ast.walk(generator.target)
        if isinstance(each, ast.Name)
    }
    local = {each.get_name() for each in symbols if each.is_local() and not is_made_up(each)}
    mangled = {definition_name(definition, each) for each in scope.local - {"__class__"}}
    assert local - comprehended == mangled - comprehended, place
    free = {each.get_name() for each in symbols if each.is_free()}
    ours = {definition_name(definition, each) for each in free_names(definition.node)}
    around = {
        definition_name(definition, name)
        for each in definition.enclosing
        if not isinstance(each, ast.ClassDef)
        for name in scope_of(each).local
    }
    assert free - {"__class__"} == ours & around - {"__class__"}, place
    declared = {each.get_name() for each in symbols if each.is_declared_global()}
    assert declared == {definition_name(definition, each) for each in scope.declared_global}, place
    inner = {name for each in known.get_children() for name in free_in(each)}
    captured = {definition_name(definition, each) for each in scope.captured - {"__class__"}}
    assert (inner & local) - comprehended == captured - comprehended, place


def is_made_up(symbol: symtable.Symbol) -> bool:
    return symbol.get_name().startswith(".") or symbol.get_name() == "__class__"


def free_in(table: symtable.SymbolTable) -> set[str]:
    """Return the free names of a scope inside; comprehensions are looked through.

    A comprehension has run before anything can suspend, and a generator cannot be stored.
    """
    if table.get_name() in ("listcomp", "setcomp", "dictcomp", "genexpr"):
        return {name for each in table.get_children() for name in free_in(each)}
    return {each.get_name() for each in table.get_symbols() if each.is_free()}


def definition_name(definition: Definition, name: str) -> str:
    """Return a name as CPython spells it in this function."""
    owner = definition.class_name
    if owner is None or not name.startswith("__") or name.endswith("__"):
        return name
    return f"_{owner.lstrip('_')}{name}" if owner.strip("_") else name


@pytest.mark.parametrize(
    ("text", "variables", "free"),
    [
        ("[a for a in xs]", ["a"], set()),
        ("[f(a, b) for a, (b, *c) in xs for d in b]", ["a", "b", "c", "d"], {"f"}),
        ("[0 for a[i] in xs]", [], {"a", "i"}),
        ("[i for a.b, i in xs]", ["i"], {"a"}),
        ("{i: 0 for a[i], i in xs}", ["i"], {"a"}),
    ],
)
def test_comprehension_binds_the_names_that_it_stores_to(
    text: str, variables: list[str], free: set[str]
) -> None:
    node = ast.parse(text, mode="eval").body
    assert isinstance(node, ast.ListComp | ast.DictComp)

    assert comprehension_variables(node) == variables
    assert free_in_comprehension(node) == free


def test_parts_are_the_child_nodes_without_operators_and_contexts() -> None:
    nothing = (ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop)
    for path in files():
        for node in ast.walk(ast.parse(path.read_bytes())):
            parts = [each for each in ast.iter_child_nodes(node) if not isinstance(each, nothing)]
            assert children(node) == parts, path
            if isinstance(node, ast.stmt):
                assert in_blocks(node) == [e for e in parts if isinstance(e, _IN_BLOCKS)], path


@pytest.mark.parametrize(
    ("body", "captured", "hidden"),
    [
        ("x = [lambda: x for x in y]", set(), {"x"}),
        ("x = [lambda: x for y in (lambda: x, y)]", {"x"}, set()),
        ("x = y = [[lambda: (x, y) for x in y] for y in x]", set(), {"x", "y"}),
        ("x = [x for x in y if (lambda: y)()]", {"y"}, set()),
        ("x = 1\ndef f(a=[lambda: x for x in y]): return x", {"x"}, {"x"}),
        ("x = {x: 1 for x in y}", set(), set()),
        ("x = [(lambda x: x, y) for x in y]", set(), set()),
    ],
)
def test_captured_variable_of_comprehension_is_not_the_functions(
    body: str, captured: set[str], hidden: set[str]
) -> None:
    text = "\n    ".join(["def f(y):", *body.split("\n")])
    scope = scope_of(SourceFile.parse("case.py", text).definitions[0].node)

    assert scope.captured == captured
    assert scope.hidden_captures == hidden
