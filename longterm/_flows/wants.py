"""What a wait asks for: of whom, what, and values of which type. It is checked at the suspend."""

from __future__ import annotations

import json
from typing import Any, Final

from longterm import _validation
from longterm._names import LONGEST, is_text
from longterm._type_shapes import shape_of
from longterm.child import Child
from longterm.errors import InvalidWait
from longterm.event import Event
from longterm.wait import MISSING, Wait

_MOST_PEOPLE: Final = 100
_LONGEST_ASK: Final = 64 * 2**10
"""Bytes, as JSON: a page of text and what a form needs; it is written with every wait."""
_DEEPEST_ASK: Final = 50

_TYPED: Final = "type= is for one event without a type (declare each: vote = Event('vote', int))"
_RESULT: Final = "check what a child returns in its own flow"
_TO: Final = (
    f"name whom it is for: a text of 1 to {LONGEST} characters, or a list of 1 to {_MOST_PEOPLE}"
)
_ASK: Final = (
    "give a text, or plain data as JSON has it: dicts with texts for keys, lists, texts, finite "
    f"numbers, bools and None; of at most {_LONGEST_ASK:,} bytes, {_DEEPEST_ASK} levels deep"
)


def add_wants(wait: Wait, events: tuple[object, ...], wanted: Any, to: Any, ask: Any) -> None:
    """Note in a wait what it asks for.

    Args:
        wait: the wait, for one event or several.
        events: what the author gave for each.
        wanted: the type of the value of one event without a type of its own; None: any.
        to: whom it is for; None: nobody in particular.
        ask: what is asked; None: that is said elsewhere.

    Raises:
        InvalidWait: one of these is not what it should be.
        CannotCheck: values of the type cannot be checked here.
    """
    types = {
        str.__str__(event): event.value_type
        for event in events
        if isinstance(event, Event) and event.value_type is not object
    }
    if wanted is not None:
        if isinstance(events[0], Child):
            raise InvalidWait("type", wanted, _RESULT)
        if types or len(events) > 1:
            raise InvalidWait("type", wanted, _TYPED)
        _validation.check_possible(wanted)
        types = {wait.event_id: wanted}
        wait.check = shape_of(wanted)
    elif types and _validation.is_possible():
        wait.check = events[0] if len(events) == 1 else True
    schemas = {} if wait.check is MISSING else {name: _form(types[name]) for name in types}
    if schemas or to is not None or ask is not None:
        wait.wants = {"ask": _asked(ask), "to": _audience(to), "events": schemas}


def _form(wanted: Any) -> dict[str, Any]:
    """Return what a form for the values of a type is drawn from."""
    schema = _validation.schema_of(wanted)
    return {"title": schema.get("title") or _validation.title_of(wanted), "schema": schema}


def _audience(to: Any) -> list[str]:
    if to is None:
        return []
    people = [to] if isinstance(to, str) else to
    if not isinstance(people, list | tuple) or not 0 < len(people) <= _MOST_PEOPLE:
        raise InvalidWait("to", to, _TO)
    for person in people:
        if not is_text(person) or not 0 < len(str.__str__(person)) <= LONGEST:
            raise InvalidWait("to", person, _TO)
    return [str.__str__(person) for person in people]


def _asked(ask: Any) -> Any:
    try:
        plain = _plain(ask, _DEEPEST_ASK)
        size = len(json.dumps(plain, ensure_ascii=False).encode())
    except ValueError:  # an integer of too many digits too
        raise InvalidWait("ask", ask, _ASK) from None
    if size > _LONGEST_ASK:
        raise InvalidWait("ask", ask, _ASK)
    return plain


def _plain(value: Any, levels: int) -> Any:
    """Return a copy of what JSON can hold, and every store.

    Raises:
        ValueError: it cannot.
    """
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str) and is_text(value):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float) and value - value == 0:  # neither infinite nor no number
        return float.__float__(value)
    if levels and isinstance(value, list | tuple):
        return [_plain(each, levels - 1) for each in value]
    if levels and isinstance(value, dict) and all(map(is_text, value)):
        return {str.__str__(name): _plain(each, levels - 1) for name, each in value.items()}
    raise ValueError
