"""What the command line is asked to look at: `shop/orders.py:approve` in, the flows of a file out.

Reads files; imports and executes nothing of the author's.
"""

from __future__ import annotations

import ast
import os
import re
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from longterm._abi import WRITTEN
from longterm._flows.resolve import resolve
from longterm_compiler.analysis.modules import Located, locate, read_source, root_of
from longterm_compiler.analysis.names import ModuleNames
from longterm_compiler.analysis.resolve import SourceResolver
from longterm_compiler.syntax.source import Definition, SourceFile

_FLOW = re.compile(r"[^\W\d][\w.<>]*")
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


class BadTarget(Exception):
    """Raised when a target does not exist, or cannot be read; the message says what to do."""


class NoFlows(BadTarget):
    """Raised when a file has no flows; the message says what to do if it should."""

    def __init__(self, path: str) -> None:
        """Keep the file's path."""
        self.path = path
        super().__init__(f"{path} has no flows (write `@deflow`, from longterm, above a function)")


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """A file, what its module binds, and the flows of it that were asked for."""

    names: ModuleNames
    flows: list[Definition]


def find_target(text: str) -> Target:
    """Find a target as written on the command line.

    Raises:
        BadTarget: it cannot be used.
        NoFlows: it is a file without flows.
    """
    place, flow = _split(text)
    located = _located(place)
    names = names_in(located)
    flows = names.flows()
    if not flows and flow is None:
        raise NoFlows(names.source.path)
    return Target(names, flows if flow is None else _named(flow, flows, names.source.path))


def methods_in(targets: Iterable[str]) -> dict[str, str]:
    """Return the names of the methods that are flows in some files, each with where one is.

    A target that cannot be used has none; who looks at that says so.
    """
    found: dict[str, str] = {}
    for text in targets:
        try:
            target = find_target(text)
        except BadTarget:
            continue
        for flow in target.names.flows():
            if flow.is_method:
                where = f"the flow {_short(flow)} of {target.names.source.path}"
                found.setdefault(flow.node.name, where)
    return found


def find_files(text: str) -> list[Located]:
    """Find the whole files that a target means: of a folder or a package all that is below it.

    Raises:
        BadTarget: it cannot be used.
    """
    place, flow = _split(text)
    if flow is not None:
        raise BadTarget(f"{text} is one flow, and this is done to whole files (name {place})")
    folder = Path(place)
    if not folder.is_dir():
        located = _located(place)
        if located.module != located.package:
            return [located]
        folder = located.path.parent
    files = [path for path in sorted(folder.rglob("*.py")) if not _is_hidden(path, folder)]
    if not files:
        raise BadTarget(f"there is no Python file in {place} (name one with flows in it)")
    return [Located.of_file(path) for path in files]


def _is_hidden(path: Path, folder: Path) -> bool:
    """Tell whether a file is in a folder such as `.venv`, which is nobody's application."""
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def names_in(located: Located, path: str | None = None) -> ModuleNames:
    """Read a file; `path` is what tracebacks and diagnostics call it.

    Raises:
        BadTarget: it cannot be read.
    """
    shown = _shown(located.path) if path is None else path
    try:
        source = read_source(located.path, shown)
    except SyntaxError as error:
        raise BadTarget("".join(traceback.format_exception_only(error)).rstrip()) from None
    except OSError as error:
        raise BadTarget(f"cannot read {shown}: {error.strerror} (let this user read it)") from None
    except (RecursionError, MemoryError):
        raise BadTarget(
            f"{shown} is nested too deeply for Python's own parser "
            "(give parts of its longest expression names)"
        ) from None
    if WRITTEN in source.text and _is_written(source):
        raise BadTarget(
            f"{shown} was written by `longterm-compile --output` (name the file it was made of)"
        )
    resolver = SourceResolver([str(root_of(located.path)), *sys.path], resolve)
    return ModuleNames(source, located.module, located.package, resolver)


def _is_written(source: SourceFile) -> bool:
    assigned = [
        statement.targets for statement in source.tree.body if isinstance(statement, ast.Assign)
    ]
    return any(isinstance(target, ast.Name) and target.id == WRITTEN for [target, *_] in assigned)


def _split(text: str) -> tuple[str, str | None]:
    """Split off the flow's name; the colon of a drive, as in `C:/orders.py`, does not count."""
    place, colon, flow = text.rpartition(":")
    if not colon or not place or not _FLOW.fullmatch(flow):
        return text, None
    return place, flow


def _located(place: str) -> Located:
    path = Path(place)
    if path.is_file():
        return Located.of_file(path)
    looks_like_file = place.endswith(".py") or any(
        separator in place for separator in (os.sep, "/")
    )
    if path.is_dir() and looks_like_file:
        raise BadTarget(f"{place} is a folder (name its files, as in {Path(place, '*.py')})")
    if looks_like_file:
        raise BadTarget(f"there is no file {place}{_did_you_mean_file(path)}")
    if not _MODULE.fullmatch(place):
        raise BadTarget(
            f"{place!r} is neither a file nor a module's name (write module.py, module.py:flow, "
            "package.module or package.module:flow)"
        )
    located = locate(place, [os.getcwd(), *sys.path])
    if located is None:
        raise BadTarget(_no_module(place))
    return located


def _no_module(place: str) -> str:
    if Path(f"{place}.py").is_file():
        return f"there is no module {place} (for the file, write {place}.py)"
    first = place.partition(".")[0]
    if place != first and locate(first, [os.getcwd(), *sys.path]) is not None:
        return (
            f"there is no module {place} written in Python, though there is a package {first} "
            "(check the name, or name its file)"
        )
    return (
        f"there is no module {place} written in Python (run this where `import {place}` works, or "
        "name its file)"
    )


def _did_you_mean_file(path: Path) -> str:
    try:
        near = [file.name for file in path.parent.iterdir() if file.suffix == ".py"]
    except OSError:
        return f" (nor a folder {path.parent})"
    found = get_close_matches(path.name, near, n=1)
    return f" (did you mean {path.with_name(found[0])}?)" if found else ""


def _shown(path: Path) -> str:
    """Return a path as people here would write it."""
    if not path.is_absolute():
        return path.as_posix()
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(path)


def _named(flow: str, flows: list[Definition], path: str) -> list[Definition]:
    exact = [definition for definition in flows if definition.qualname == flow]
    if exact:
        return exact
    short = [
        definition
        for definition in flows
        if _short(definition).endswith(f".{flow}") or _short(definition) == flow
    ]
    if short:
        return short
    known = [_short(definition) for definition in flows]
    near = get_close_matches(flow, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known) or 'none'}"
    raise BadTarget(f"{path} has no flow {flow} ({hint})")


def _short(definition: Definition) -> str:
    return definition.qualname.replace(".<locals>", "")
