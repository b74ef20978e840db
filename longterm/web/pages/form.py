"""A form: a tree of fields, each where a value, or a part of one, is written. No HTTP, no HTML.

    form = draw(schema, submitted)     # what to show: with defaults, or with what was submitted
    value = read(form)                 # plain data, or `BadForm`, and messages beside the fields
    blame(form, error.errors)          # messages of what the type itself has refused

A field is named by where its value stands, as a JSON Pointer is (RFC 6901): `value/lines/0/price`.
Names of controls that are no value have a `#`: the rows of a list, the kind that was chosen. What
has no form of its own is written as JSON. Nothing is cut or guessed: what is left blank is left
out, or None, or asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

Kind: TypeAlias = Literal[
    "text",  # one line
    "lines",  # several
    "integer",
    "number",
    "date",
    "moment",
    "time",
    "choice",
    "group",  # of fields with names
    "rows",  # of fields of one kind, as many as wanted
    "either",  # one of several kinds
    "json",
    "nothing",  # None
    "unsaid",  # left out, so that the type's own default stands
]
ROOT: Final = "value"
MOST_ROWS: Final = 200
"""In one list, whatever was submitted."""

BLANK: Final = object()
"""Stands for a default that there is not."""


@dataclass
class Choice:
    """One of the values, or kinds of value, among which somebody chooses."""

    written: str
    label: str
    value: Any = None
    is_chosen: bool = False


@dataclass
class Field:
    """Where somebody writes a value, or a part of one."""

    name: str
    kind: Kind
    label: str
    help: str = ""
    is_required: bool = True
    is_nullable: bool = False
    default: Any = BLANK
    text: str = ""
    """What stands in it: what was submitted, else the default."""
    zone: str = ""
    """Of a moment: how far from UTC the text is, such as `+02:00`; empty: not at all."""
    input_type: str = "text"
    limits: dict[str, str] = field(default_factory=dict)
    """Attributes of an HTML input, for a browser's own checks."""
    choices: list[Choice] = field(default_factory=list)
    parts: list[Field] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    """Of a group, the name of each part; of rows, the number; of `either`, what was written."""
    is_tuple: bool = False
    """Whether the parts of a group are a list, each of a kind of its own."""
    messages: list[str] = field(default_factory=list)
    id: str = ""
    """Its id in the page: names may hold what an id may not."""
    is_in_doubt: bool = False
    """Whether it stands in one of several kinds, so that it may be none of them that is chosen."""

    @property
    def is_blank(self) -> bool:
        """Whether nothing stands in it."""
        return not self.text.strip()

    @property
    def has_default(self) -> bool:
        """Whether the type says what it is if it is left out."""
        return self.default is not BLANK


def blame(form: Field, errors: Any) -> None:
    """Put messages beside the fields whose values a type has refused, as near as there is one.

    Args:
        form: the form, as it was submitted.
        errors: what pydantic found, as `InvalidValue.errors` has it.
    """
    for error in errors:
        _field_at(form, [str(part) for part in error["loc"]]).messages.append(str(error["msg"]))


def _field_at(form: Field, place: list[str]) -> Field:
    """Return the field of a place; parts of it that name kinds of a union are no fields."""
    if form.kind == "either":
        chosen = [part for part, c in zip(form.parts, form.choices, strict=True) if c.is_chosen]
        return _field_at(chosen[0], place) if chosen else form
    if not form.parts or not place:
        return form
    rows = form.kind == "rows"
    keys = [str(number) for number in range(len(form.keys))] if rows else form.keys
    for skipped, part in enumerate(place):
        if part in keys:
            return _field_at(form.parts[keys.index(part)], place[skipped + 1 :])
    return form
