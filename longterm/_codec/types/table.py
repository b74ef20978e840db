"""The table of all that can be stored, as Markdown, made of what the codec knows.

`python -m longterm._codec.types.table docs/storing-values.md` writes it between the marks of a
page.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from longterm._codec.types.kinds import Row
from longterm._codec.types.registry import load_all

BEGIN: Final = "<!-- table of types: begin (made by python -m longterm._codec.types.table) -->"
END: Final = "<!-- table of types: end -->"

_MSGPACK: Final = ("None", "bool", "int", "float", "str", "bytes", "list", "dict")
_GROUPS: Final = (
    "numbers",
    "text",
    "binary",
    "singletons",
    "containers",
    "views",
    "dates and times",
    "identifiers, paths and addresses",
    "callables and modules",
    "iterators",
    "exceptions",
    "frames",
)
_CLASSES: Final = (
    (
        "plain classes",
        "their `__dict__` and `__slots__`; `dataclass`, `attrs` and pydantic 2 models are such "
        "classes",
    ),
    (
        "subclasses of builtins",
        "of `int`, `float`, `complex`, `str`, `bytes`, `bytearray`, `list`, `tuple` (named tuples "
        "too), `dict`, `set`, `frozenset`, `deque`, `OrderedDict`, `defaultdict`, `Counter`, with "
        "their attributes",
    ),
    ("`Enum`, `Flag` and their kin", "members by name, combinations of flags by value"),
    (
        "exceptions and groups",
        "arguments, attributes, notes, cause, context, traceback; whatever their constructors ask",
    ),
    ("registered types", "by the functions that they are registered with"),
)


def table() -> str:
    """Return the table."""
    lines = ["| family | types | note |", "|---|---|---|"]
    lines.append(
        f"| plain | {', '.join(f'`{name}`' for name in _MSGPACK)} | of any size and text |"
    )
    groups: dict[str, list[Row]] = {group: [] for group in _GROUPS}
    for row in all_rows():
        groups.setdefault(row.group, []).append(row)
    for group, rows in groups.items():
        lines += [_line(group, row) for row in _merged(rows)]
    lines += [f"| classes | {types} | {note} |" for types, note in _CLASSES]
    return "\n".join(lines) + "\n"


def all_rows() -> list[Row]:
    """Return the rows of all families, in their order."""
    return [row for family in load_all().values() for row in family.rows]


def _merged(rows: list[Row]) -> list[Row]:
    """Return rows of a group that say the same of their types as one."""
    notes: dict[str, list[type]] = {}
    for row in rows:
        notes.setdefault(row.note, []).extend(row.types)
    first = rows[0]
    return [
        Row(*types, dump=first.dump, group=first.group, note=note) for note, types in notes.items()
    ]


def _line(group: str, row: Row) -> str:
    names = dict.fromkeys(_name(cls) for cls in row.types)
    return f"| {group} | {', '.join(names)} | {row.note} |"


def _name(cls: type) -> str:
    # Where a type lives privately differs between versions of Python; its own name does not.
    return f"`{cls.__name__.lstrip('_')}`"


def write(page: Path) -> None:
    """Write the table between its marks in a page."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{table()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
