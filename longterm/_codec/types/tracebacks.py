"""Tracebacks, as text: file, line and function of each entry; no frames and no locals.

A decoded traceback has as many entries, and prints as the stored one did, but without carets, and
of a statement over several lines only the line that it names. Its source lines are read only from
files of modules that are imported here.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from types import CodeType, FrameType, TracebackType
from typing import Any, Final

from longterm._codec.decode.decoding import Decoding
from longterm._codec.types.kinds import Family, Kind, Parts, Row

_ENDS: Final = 50
"""Of a longer traceback, so many entries of its beginning and of its end are kept."""


def _dump(traceback: TracebackType) -> Parts:
    entries: list[TracebackType] = []
    entry: TracebackType | None = traceback
    while entry is not None:
        entries.append(entry)
        entry = entry.tb_next
    if len(entries) > 2 * _ENDS:
        entries[_ENDS:-_ENDS] = []
    parts: Parts = [TRACEBACK.tag]
    for entry in entries:
        code = entry.tb_frame.f_code
        parts += (code.co_filename, entry.tb_lineno, code.co_name)
    return parts


def _load(parts: Parts, decoding: Decoding) -> TracebackType | None:
    rows = list(zip(parts[::3], parts[1::3], parts[2::3], strict=True))
    made: TracebackType | None = None
    for file, line, name in reversed(rows[: decoding.entries_left()]):
        if type(file) is not str or type(line) is not int or type(name) is not str:
            raise TypeError("an entry of a traceback is a file, a line and a function")
        made = TracebackType(made, _frame(_shown(file), name), 0, line)
    decoding.count_entries(len(rows))
    return made


def _shown(file: str) -> str:
    """Return the file as it is, or in brackets if its lines are not to be read from the disk."""
    if file.startswith("<") or file in _files_of_modules(len(sys.modules)):
        return file
    return f"<{file}>"


@lru_cache(maxsize=1)
def _files_of_modules(count: int) -> frozenset[str]:
    files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    return frozenset(file for file in files if isinstance(file, str))


def _frame(file: str, name: str) -> FrameType:
    """Return the frame of a function of this name that did nothing."""
    code: CodeType = _TEMPLATE.replace(co_filename=file, co_name=name, co_qualname=name)
    namespace: dict[str, Any] = {"this_frame": sys._getframe}
    # The code is always the line below; only its names are other.
    exec(code, namespace)
    frame: FrameType = namespace["frame"]
    namespace.clear()
    return frame


def _placeless_at_first(code: CodeType) -> CodeType:
    """Return the code with no place for its first instruction, and the first line for the others.

    Entries stand at the first: their lines are their own, and there is nothing to print carets by.
    """
    others = len(code.co_code) // 2 - 1
    return code.replace(co_linetable=b"\xf8" + b"\xe8\x00" * others)


_TEMPLATE: Final = _placeless_at_first(compile("frame = this_frame()", "<stored>", "exec"))

TRACEBACK: Final = Kind("traceback", _load)

FAMILY: Final = Family(
    kinds=(TRACEBACK,),
    rows=(
        Row(
            TracebackType,
            dump=_dump,
            group="exceptions",
            is_value=True,
            is_tagged=True,
            note="files, lines and functions, without frames",
        ),
    ),
)
