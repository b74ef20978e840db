"""The value that somebody has written into a form: a tree of fields in, plain data out.

Only what a text cannot say is refused here, such as a number that is none. Whether the value is of
its type, the wait itself checks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any, Final

from longterm.web.json_text import value_in
from longterm.web.pages.form import MOST_ROWS, Field

_LEFT_OUT: Final = object()
_MOST_DIGITS: Final = 1_000
_INTEGER: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", re.ASCII)
_ZONE: Final = re.compile(r"[+-][0-9]{2}:[0-9]{2}", re.ASCII)

_NEEDED: Final = "This is needed."


class BadForm(Exception):
    """Raised when what was written into a form is no value; the fields have the messages."""


def read(form: Field) -> Any:
    """Return the value that a form holds, as JSON can hold it.

    Raises:
        BadForm: some fields hold none; their `messages` say why.
    """
    value = _read(form)
    if _has_messages(form):
        raise BadForm
    return None if value is _LEFT_OUT else value


def _has_messages(form: Field) -> bool:
    if form.kind == "either":
        return bool(form.messages) or any(map(_has_messages, _chosen(form)))
    return bool(form.messages) or any(map(_has_messages, form.parts))


def _chosen(form: Field) -> list[Field]:
    pairs = zip(form.parts, form.choices, strict=True)
    return [part for part, choice in pairs if choice.is_chosen]


def _read(form: Field) -> Any:
    match form.kind:
        case "group":
            return _group(form)
        case "rows":
            return _rows(form)
        case "either":
            return _either(form)
        case "nothing":
            return None
        case "unsaid":
            return _LEFT_OUT
        case "choice":
            return _choice(form)
    if form.text == "" or (form.is_blank and form.kind not in ("text", "lines")):
        return _blank(form)
    try:
        return _READERS[form.kind](form)
    except ValueError as error:
        form.messages.append(str(error))
    return _LEFT_OUT


def _group(form: Field) -> Any:
    pairs = [(key, _read(part)) for key, part in zip(form.keys, form.parts, strict=True)]
    if form.is_tuple:
        return [value for _, value in pairs]
    return {key: value for key, value in pairs if value is not _LEFT_OUT}


def _rows(form: Field) -> Any:
    values = [_read(part) for part in form.parts]
    if len(values) >= MOST_ROWS:
        form.messages.append(f"A form takes fewer than {MOST_ROWS} rows.")
    if not values and not form.is_required and not form.has_default:
        return _LEFT_OUT
    return values


def _either(form: Field) -> Any:
    for part in _chosen(form):
        return _read(part)
    if form.is_required:
        form.messages.append("Choose one of these.")
    return _LEFT_OUT


def _choice(form: Field) -> Any:
    for choice in form.choices:
        if choice.is_chosen:
            return choice.value
    if form.text:
        form.messages.append("Choose one of these.")
        return _LEFT_OUT
    return _blank(form)


def _blank(form: Field) -> Any:
    """Return what a field means in which nothing stands."""
    if form.is_nullable:
        return None
    if not form.is_required:
        # Somebody has emptied it, where leaving it out would bring the default back.
        is_emptied = form.kind in ("text", "lines") and form.has_default and form.default
        return "" if is_emptied else _LEFT_OUT
    form.messages.append(_NEEDED)
    return _LEFT_OUT


def _text(form: Field) -> str:
    return form.text.replace("\r\n", "\n")  # as browsers send the end of a line


def _integer(form: Field) -> int:
    text = form.text.strip()
    if not _INTEGER.fullmatch(text) or len(text) > _MOST_DIGITS:
        raise ValueError("Write a whole number, such as 5.")
    return int(text)


def _number(form: Field) -> int | float:
    text = form.text.strip()
    number = float(text) if _NUMBER.fullmatch(text) else None
    if number is None or number - number != 0:
        raise ValueError("Write a number, such as 2.5.")
    return number


def _date(form: Field) -> str:
    try:
        return date.fromisoformat(form.text.strip()).isoformat()
    except ValueError:
        raise ValueError("Write a day, such as 2027-03-31.") from None


def _time(form: Field) -> str:
    try:
        return time.fromisoformat(form.text.strip()).isoformat()
    except ValueError:
        raise ValueError("Write a time, such as 17:30.") from None


def _moment(form: Field) -> str:
    try:
        moment = datetime.fromisoformat(form.text.strip())
        zone = form.zone if _ZONE.fullmatch(form.zone) else "+00:00"
        if moment.tzinfo is None:
            moment = datetime.fromisoformat(f"{moment.isoformat()}{zone}")
    except ValueError:
        raise ValueError("Write a day and a time, such as 2027-03-31 17:30.") from None
    return moment.isoformat()


def _json(form: Field) -> Any:
    try:
        return value_in(form.text)
    except ValueError as error:
        raise ValueError(f'This is no JSON (a text stands in quotes: "yes"): {error}.') from None


_READERS: Final[dict[str, Callable[[Field], Any]]] = {
    "text": _text,
    "lines": _text,
    "integer": _integer,
    "number": _number,
    "date": _date,
    "time": _time,
    "moment": _moment,
    "json": _json,
}
