"""A run as JSON: a run in, plain data out, and the JSON Schema of that data.

What the commands print with `--json`, what FastAPI makes of a returned run, and what web interfaces
of an application's own can send.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from longterm._codec import can_be_written_out, describe
from longterm.errors import CorruptData, LongtermError
from longterm.run import Run, RunState, context_of

if TYPE_CHECKING:
    from longterm.history import HistoryEntry

TEXT: Final = "$text"
"""The name under which text stands for a value that JSON has no form for."""

_OWN: Final = frozenset(field.name for field in fields(Run))

_TEXT_OR_NULL: Final = {"type": ["string", "null"]}
_MOMENT_OR_NULL: Final = {"type": ["string", "null"], "format": "date-time"}
_PROPERTIES: Final[dict[str, Any]] = {
    "id": {"type": "string"},
    "flow": {"type": "string", "description": "module:qualname"},
    "state": {"type": "string", "enum": [state.value for state in RunState]},
    "turn": {"type": "integer"},
    "revision": {"type": "integer"},
    "waiting_for": _TEXT_OR_NULL,
    "awaits": {"type": "array", "items": {"type": "string"}},
    "unread": {"type": "array", "items": {"type": "string"}},
    "deadline": _MOMENT_OR_NULL,
    "claimed_until": _MOMENT_OR_NULL,
    "created_at": _MOMENT_OR_NULL,
    "updated_at": _MOMENT_OR_NULL,
    "attempts": {"type": "integer"},
    "index": {"type": "object"},
    "parent": _TEXT_OR_NULL,
    "children": {"type": "array", "items": {"type": "string"}},
    "wants": {"type": ["object", "null"]},
    "position": _TEXT_OR_NULL,
    "queue": _TEXT_OR_NULL,
    "partition": {"type": "string"},
    "response": {"type": "array"},
    "result": {},
    "error": _TEXT_OR_NULL,
}
JSON_SCHEMA: Final[dict[str, Any]] = {
    "title": "Run",
    "type": "object",
    "properties": _PROPERTIES,
    "required": [*_PROPERTIES],
    "description": f'A value that JSON has no form for is {{"{TEXT}": "..."}}.',
}


def run_as_json(run: Run) -> dict[str, Any]:
    """Return a run as JSON can hold it; see `Run.to_dict`."""
    added = [field.name for field in fields(run) if field.name not in _OWN]
    return {
        "id": run.id,
        "flow": run.flow,
        "state": run.state.value,
        "turn": run.turn,
        "revision": run.revision,
        "waiting_for": run.waiting_for,
        "awaits": list(run.awaits),
        "unread": list(run.unread),
        "deadline": _moment(run.deadline),
        "claimed_until": _moment(run.claimed_until),
        "created_at": _moment(run.created_at),
        "updated_at": _moment(run.updated_at),
        "attempts": run.attempts,
        "index": {_name(name): plain(fact) for name, fact in run.index.items()},
        "parent": run.parent,
        "children": list(run.children),
        "wants": None if run.wants is None else plain(run.wants),
        "position": run.position,
        "queue": run.queue,
        "partition": run.partition,
        "response": _response(run),
        "result": _result(run),
        "error": run.error,
        **{name: plain(getattr(run, name)) for name in added},
    }


def entry_as_json(entry: HistoryEntry) -> dict[str, Any]:
    """Return an entry of a history as JSON can hold it; see `HistoryEntry.to_dict`."""
    return {
        "run_id": entry.run_id,
        "turn": entry.turn,
        "number": entry.number,
        "event": entry.event,
        "value": _decoded(entry.encoded_value, entry, "value"),
        "actor": entry.actor,
        "sent_at": _moment(entry.sent_at),
        "saved_at": _moment(entry.saved_at),
        "outcome": entry.outcome,
        "waiting_for": entry.waiting_for,
        "response": _decoded(entry.encoded_response, entry, "response") or [],
        "error": _error(entry),
        "revision": entry.revision,
        "has_frames": entry.has_frames,
    }


def _decoded(data: bytes | None, entry: HistoryEntry, column: str) -> Any:
    """Return what bytes hold as JSON; as text what has no form there, or cannot be decoded here."""
    from longterm.history import entry_context

    if data is None:
        return None
    context = entry_context(entry, column)
    try:
        if can_be_written_out(data, context):
            return plain(getattr(entry, column))
    except LongtermError:
        pass
    try:
        return {TEXT: describe(data, context).rstrip()}
    except CorruptData as error:
        return {TEXT: f"({error})"}


def _error(entry: HistoryEntry) -> str | None:
    try:
        return entry.error
    except CorruptData as error:
        return f"(the error cannot be read: {error})"


def _result(run: Run) -> Any:
    try:
        if _can_be_written_out(run, "result"):
            return plain(run.result)
    except LongtermError:
        pass
    return {TEXT: described(run, "result")}


def _response(run: Run) -> list[Any]:
    try:
        if _can_be_written_out(run, "response"):
            return [plain(value) for value in run.response]
    except LongtermError:
        pass
    return [{TEXT: described(run, "response")}]


def _can_be_written_out(run: Run, column: str) -> bool:
    data = _BYTES[column](run)
    return data is None or can_be_written_out(data, context_of(run, column))


_BYTES: Final[Mapping[str, Callable[[Run], bytes | None]]] = {
    "stack": attrgetter("stack"),
    "response": attrgetter("encoded_response"),
    "result": attrgetter("encoded_result"),
}


def described(run: Run, column: str) -> str | None:
    """Return what a column of a run holds as text, without the code of its classes.

    Args:
        run: the run.
        column: `stack`, `response` or `result`. None is returned if there is none.
    """
    data = _BYTES[column](run)
    if data is None:
        return None
    try:
        return describe(data, context_of(run, column)).rstrip()
    except CorruptData as error:
        return f"({error})"


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _name(name: str) -> str:
    """Return a name as UTF-8 can hold it."""
    return name.encode("utf-8", "backslashreplace").decode()


def plain(value: Any) -> Any:
    """Return a value as it comes back from JSON; what stands inside and has no form is text."""
    try:
        # As bytes: half a surrogate pair would be refused only where it is sent.
        written = json.dumps(value, default=_shown, allow_nan=False, ensure_ascii=False).encode()
        return json.loads(written, object_pairs_hook=_without_doubles)
    except (TypeError, ValueError, RecursionError):
        return _shown(value)


def _shown(value: object) -> dict[str, str]:
    try:
        return {TEXT: _name(repr(value))}
    except Exception as error:  # of the application's own `__repr__`
        return {TEXT: f"a {type(value).__qualname__}, whose repr raised {type(error).__qualname__}"}


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a dict, unless JSON took two of its keys for one, such as `1` and `"1"`."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("two keys are one in JSON")
    return found


def pydantic_schema(cls: type[Run]) -> Any:
    """Return how pydantic takes a run (as it is), and how it writes one as JSON."""
    from pydantic_core import core_schema

    return core_schema.is_instance_schema(
        cls,
        serialization=core_schema.plain_serializer_function_ser_schema(cls.to_dict),
    )
