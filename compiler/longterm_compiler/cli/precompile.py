"""Write the compile cache of files ahead of time, for `longterm-compile --cache`.

A file in; its cache out, with the body of every flow and the resume body of every point, as the
runtime would write them one by one. What imported names stand for is told by their sources; if the
runtime finds otherwise, it compiles that flow again.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from longterm._abi import NEEDS_COLUMNS, keeps_columns
from longterm._flows.cache import (
    Entry,
    add_resume,
    cache_path,
    new_entry,
    write_cache,
)
from longterm_compiler.analysis.modules import Located
from longterm_compiler.analysis.names import ModuleNames
from longterm_compiler.cli.targets import names_in
from longterm_compiler.compiled import flow_data, resume_data
from longterm_compiler.pipeline import compile_flow
from longterm_compiler.syntax.source import Definition, SourceFile

_FUTURE_FLAGS = 0x1FF0000  # the bits of co_flags that `from __future__` imports set


class CannotCache(Exception):
    """Raised when a cache cannot be written; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: how much of it, and where."""

    flows: int
    points: int
    path: str


def check_cache_is_on() -> None:
    """Make sure that there shall be a cache, and that it would be of use.

    Raises:
        CannotCache: the environment turns it off, or Python compiles without columns.
    """
    if cache_path("any.py") is None:
        raise CannotCache("LONGTERM_CACHE turns the cache off (unset it, or set it to a folder)")
    if not keeps_columns():
        raise CannotCache(NEEDS_COLUMNS)


def precompile(located: Located) -> Written | None:
    """Write the cache of a file, or return None if it has no flows.

    Raises:
        Refused: a flow of it cannot be compiled; nothing was written.
        CannotCache: the file cannot be written.
    """
    # The code names the file as an import will.
    source_path = os.path.abspath(located.path)
    names = _as_imported(names_in(located, source_path))
    flows = names.flows()
    if not flows:
        return None
    flags = compile(names.source.text, source_path, "exec", dont_inherit=True).co_flags
    entries = {
        f"{definition.qualname}@{definition.first_line}": _entry(
            definition, names, flags & _FUTURE_FLAGS
        )
        for definition in flows
    }
    path = cache_path(source_path)
    assert path is not None
    try:
        text = names.source.text.encode("utf-8", "surrogatepass")
        write_cache(path, source_path, text, entries)
    except OSError as error:
        why = str(error)  # of ours, with a remedy of its own
        if error.strerror:
            remedy = "make its folder writable, or set LONGTERM_CACHE to one that is"
            why = f"{error.strerror} ({remedy})"
        raise CannotCache(f"cannot write {path}: {why}") from error
    return Written(len(entries), sum(len(entry["resumes"]) for entry in entries.values()), path)


def _as_imported(names: ModuleNames) -> ModuleNames:
    """Give the text the line end that the runtime finds at the end of every file."""
    source = names.source
    if source.text.endswith("\n"):
        return names
    whole = SourceFile.parse(source.path, f"{source.text}\n")
    return ModuleNames(whole, names.module, names.package, names.resolve)


def _entry(definition: Definition, names: ModuleNames, flags: int) -> Entry:
    # Of its own, so that it tells what this flow's imports were taken for.
    own = ModuleNames(names.source, names.module, names.package, names.resolve)
    flow = compile_flow(definition, own, flags)
    entry = new_entry(flow_data(flow), flags, own.imported_names())
    for point in flow.points:
        add_resume(entry, point.number, (), resume_data(flow, point.number))
    return entry
