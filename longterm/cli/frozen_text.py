"""Make the text of a module that holds a flow as it was in one version."""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.util import resolve_name
from typing import Final

from longterm._flows.sources import Source, compiled
from longterm.errors import CompileError

_IMPORTS: Final = (ast.Import, ast.ImportFrom)
_WIDTH: Final = 100


class CannotFreeze(Exception):
    """Raised when a flow cannot stand in a file of its own; the message says why."""


@dataclass(frozen=True, slots=True)
class FrozenText:
    """The text of a file that keeps a flow."""

    text: str
    imports: tuple[tuple[str, str], ...]
    """What it imports: module and name; the name is empty where the module itself is."""


def frozen_text(source: Source, home: str) -> FrozenText:
    """Return the text of a module with a flow as it was.

    Args:
        source: the source that a store keeps; it is compiled, and never executed.
        home: the module in which the flow stands today, for what its own module held.

    Raises:
        CannotFreeze: the flow is no function at the top of a module, or needs to be in its own.
        CompileError: the source does not compile to the version.
    """
    if ".<locals>." in source.qualname:
        raise CannotFreeze("it is defined inside a function, whose variables a file cannot have")
    if "." in source.qualname:
        raise CannotFreeze("it is a method, and a file cannot have its class")
    if source.is_part:
        raise CannotFreeze("it was defined in a notebook, and its other cells are not kept")
    function = _cut(source)
    module = ast.parse(source.text)
    future = _future(module)
    names = _names_read(f"{future}{function}", source.qualname)
    found = list(_imported(module, names, source, home))
    spelled = "frozen" if "frozen" not in names else "longterm_frozen"
    found.append(_Name("longterm", "frozen", spelled))
    mark = f'@{spelled}("{source.flow}", version="{source.version}")\n'
    head = (
        f'"""{source.flow} as it was in version {source.version}, for the runs that wait in it.\n\n'
        'Delete this file when `longterm check` says that no run needs it.\n"""\n\n'
    )
    text = f"{head}{future}{_written(found)}\n\n{mark}{function}"
    return FrozenText(text, tuple((name.module, name.name) for name in found))


def _cut(source: Source) -> str:
    """Return the text of the function without `@deflow`.

    Raises:
        CannotFreeze: it has other decorators, flows inside, or stands in another statement.
    """
    flow = compiled(source)
    node, lines = flow.definition.node, source.text.split("\n")
    if node.col_offset:
        raise CannotFreeze("its def is indented, inside an `if` or another statement")
    inside = (n for n in ast.walk(node) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    if any(each is not node and flow.names.is_flow(each) for each in inside):
        raise CannotFreeze("there is a flow inside it, whose runs know it by the name around")
    kept = lines[source.first_line - 1 : node.end_lineno]
    deflow = node.decorator_list[-1]
    if len(node.decorator_list) > 1:
        # They count in the version, so they cannot be left out.
        other = ast.unparse(node.decorator_list[0])
        raise CannotFreeze(f"@{other} stands above its @deflow, and would be run again by the file")
    del kept[deflow.lineno - source.first_line : (deflow.end_lineno or 0) - source.first_line + 1]
    return "\n".join(kept) + "\n"


def _future(module: ast.Module) -> str:
    found = [n for n in module.body if isinstance(n, ast.ImportFrom) and n.module == "__future__"]
    return "".join(f"{ast.unparse(node)}\n" for node in found) + ("\n" if found else "")


def _names_read(text: str, own: str) -> set[str]:
    """Return the global names that a function reads, its own left out.

    Raises:
        CannotFreeze: it assigns some, or reads what each module has of its own.
    """
    names: set[str] = set()
    tables = [symtable.symtable(text, "<frozen>", "exec")]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        is_module = table.get_type() == "module"
        for symbol in table.get_symbols():
            if not is_module and symbol.is_declared_global() and symbol.is_assigned():
                raise CannotFreeze(
                    f"it assigns `global {symbol.get_name()}`, which would be another one in a file"
                )
            if symbol.is_global() or (is_module and symbol.is_referenced()):
                names.add(symbol.get_name())
    special = sorted(name for name in names if name.startswith("__") and name.endswith("__"))
    special = [name for name in special if name != "__debug__" and name != "__import__"]
    if special:
        raise CannotFreeze(f"it reads {special[0]}, which is another one in a file")
    return names - {own, "annotations"}


@dataclass(frozen=True, slots=True, order=True)
class _Name:
    """A name that a file imports."""

    module: str
    name: str
    bound: str


def _imported(module: ast.Module, names: set[str], source: Source, home: str) -> Iterator[_Name]:
    """Yield how a file gets the names of a module: by its imports, else from the module itself."""
    bound = _bound(module)
    for name in sorted(names):
        imports = [node for node in module.body if isinstance(node, _IMPORTS)]
        found = [each for node in imports for each in _of_import(node, source) if _is(each, name)]
        if found and len(found) == bound[name]:
            yield from found
        elif name in bound or not hasattr(builtins, name):
            yield _Name(home, name, name)


def _is(imported: _Name, name: str) -> bool:
    return (imported.bound or imported.module.partition(".")[0]) == name


def _bound(module: ast.Module) -> dict[str, int]:
    """Return the names that a text may bind at its top level, and how often."""
    found: dict[str, int] = {}
    for node in ast.walk(module):
        names: list[str] = []
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names = [node.id]
        elif isinstance(node, _IMPORTS):
            names = [each.asname or each.name.partition(".")[0] for each in node.names]
        for name in names:
            found[name] = found.get(name, 0) + 1
    return found


def _of_import(node: ast.Import | ast.ImportFrom, source: Source) -> Iterator[_Name]:
    for each in node.names:
        if isinstance(node, ast.Import):
            yield _Name(each.name, "", each.asname or "")
        elif each.name != "*":
            relative = "." * node.level + (node.module or "")
            module = resolve_name(relative, source.package) if node.level else relative
            yield _Name(module, each.name, each.asname or each.name)


def _written(imports: Iterable[_Name]) -> str:
    """Return import statements: those of modules, then those of names."""
    modules: dict[str, list[str]] = {}
    lines = []
    for each in sorted(set(imports)):
        if each.name:
            alias = "" if each.bound == each.name else f" as {each.bound}"
            modules.setdefault(each.module, []).append(f"{each.name}{alias}")
        else:
            lines.append(f"import {each.module}" + (f" as {each.bound}" if each.bound else ""))
    for module, names in modules.items():
        line = f"from {module} import {', '.join(names)}"
        if len(line) > _WIDTH:
            line = f"from {module} import (\n" + "".join(f"    {n},\n" for n in names) + ")"
        lines.append(line)
    return "\n".join(lines) + "\n"


def prove(text: str, source: Source) -> None:
    """Make sure that a text holds a version, with what its imports stand for today.

    Raises:
        CannotFreeze: it does not.
    """
    node = ast.parse(text).body[-1]
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    first = min(each.lineno for each in node.decorator_list)
    place = replace(source, text=text, first_line=first, module="frozen", package="")
    try:
        compiled(replace(place, verdicts=()))
    except CompileError as error:
        raise CannotFreeze(
            f"with what its names stand for today it is another version: {error}"
        ) from error
