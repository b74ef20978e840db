"""What may be a name, or a fact: text that every store can hold, and index.

A name that is refused here is refused before anything happens. One that a store refused would undo
a turn whose effects are there, again and again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, TypeGuard

from longterm._event_names import CHILD, RESERVED, joined
from longterm.child import Child
from longterm.errors import (
    InvalidActor,
    InvalidDeliveryKey,
    InvalidEventId,
    InvalidFact,
    InvalidQueue,
    InvalidRunId,
    UnknownRun,
)

LONGEST: Final = 500
"""Characters of a name: 2,000 bytes as UTF-8, at most. An index of Postgres holds 2,700."""

_LONGEST_QUEUE: Final = 100
_LONGEST_PARTITION: Final = 200
"""Characters; both stand in one index, 1,200 bytes at most."""
_KNOWN_NAMES: Final = 1_000
"""How many names of events are remembered as good ones."""
_NAMES_BYTES: Final = 100_000
"""Of several names together; those of the thousand children that a run may gather take 37,000."""
_FACT_NAME_BYTES: Final = 100
_FACT_TEXT_BYTES: Final = 2_000
"""As JSON. What cannot stand as it is takes up to six times the room."""
_FACT_INTEGER_BITS: Final = 2_000
"""Python writes, and reads, no integer of more than 4,300 digits."""


def is_text(value: object) -> TypeGuard[str]:
    """Tell whether every store can hold a value as text: no NUL, and no half of a character."""
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def event_name(value: object) -> str:
    """Return an event's name as a plain string; that of an enumeration or another `str` is taken.

    Raises:
        InvalidEventId: it is no name.
    """
    return _checked_name(value) if type(value) is str else _name_of(value)


def _name_of(value: object) -> str:
    if not is_text(value) or "\n" in value:
        raise InvalidEventId(value)
    name = str.__str__(value)
    if not 0 < len(name) <= LONGEST or name.startswith((RESERVED, CHILD)):
        raise InvalidEventId(value)
    return name


_checked_name: Final = lru_cache(_KNOWN_NAMES)(_name_of)
"""The same for plain strings, most of which come again and again."""


def awaited_name(value: object) -> str:
    """Return the name of the event that a flow waits for, given as a name, or as a child.

    Raises:
        InvalidEventId: it is no name.
    """
    return value.event_id if type(value) is Child else event_name(value)


def event_names(values: Iterable[object]) -> str:
    """Return the names of several events, all of which a run waits for, as one text.

    Raises:
        InvalidEventId: one is no name, or stands twice, or they take too much room together.
    """
    names = [awaited_name(value) for value in values]
    if len(set(names)) < len(names):
        name = next(name for name in names if names.count(name) > 1)
        raise InvalidEventId(name, f"event {name!r} is waited for twice (give each name once)")
    text = joined(names)
    if len(text.encode()) > _NAMES_BYTES:
        raise InvalidEventId(
            names[0],
            f"{len(names)} events are waited for at once, and their names take "
            f"{len(text.encode()):,} bytes, more than {_NAMES_BYTES:,} "
            "(wait for fewer, or give them shorter names)",
        )
    return text


def delivery_key(value: object) -> str:
    """Return the key of a delivery as a plain string.

    Raises:
        InvalidDeliveryKey: it is none.
    """
    key = str.__str__(value) if is_text(value) else ""
    if not 0 < len(key) <= LONGEST or key.startswith(RESERVED):
        raise InvalidDeliveryKey(value)
    return key


def actor_name(value: object) -> str:
    """Return the name of somebody who acts as a plain string.

    Raises:
        InvalidActor: it is none.
    """
    name = str.__str__(value) if is_text(value) else ""
    if not 0 < len(name) <= LONGEST:
        raise InvalidActor(value)
    return name


def revision_of(value: object) -> int:
    """Return the number of a save.

    Raises:
        TypeError: it is none.
    """
    if type(value) is not int:
        raise TypeError(f"revision={value!r} is no number of a save (give `run.revision`)")
    return value


def new_id_of_run(value: object) -> str:
    """Return the id that a caller has chosen for a new run, as a plain string; a `UUID` is taken.

    It stands in logs, in URLs and on command lines.

    Raises:
        InvalidRunId: it is no printable text of 1 to 500 characters.
    """
    uuid = sys.modules.get("uuid")
    if uuid is not None and isinstance(value, uuid.UUID):
        return str(value).replace("-", "")
    run_id = str.__str__(value) if isinstance(value, str) else ""
    if not 0 < len(run_id) <= LONGEST or not run_id.isprintable():
        raise InvalidRunId(value, is_new=True)
    return run_id


def queue_name(value: object, argument: str = "queue") -> str:
    """Return the name of a queue as a plain string.

    Raises:
        InvalidQueue: it is no printable text of 1 to 100 characters.
    """
    name = str.__str__(value) if isinstance(value, str) else ""
    if not 0 < len(name) <= _LONGEST_QUEUE or not name.isprintable():
        hint = f"give it a printable name of 1 to {_LONGEST_QUEUE} characters, such as 'mail'"
        raise InvalidQueue(argument, value, hint)
    return name


def partition_name(value: object) -> str:
    """Return the name of a share of a queue as a plain string; None is nobody's.

    Raises:
        InvalidQueue: it is no printable text of up to 200 characters.
    """
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _LONGEST_PARTITION or not value.isprintable():
        hint = f"give printable text of up to {_LONGEST_PARTITION} characters, such as str(tenant)"
        raise InvalidQueue("partition", value, hint)
    return str.__str__(value)


def id_of_run(value: object) -> str:
    """Return a run's id as a plain string; a `UUID` is taken too.

    Raises:
        InvalidRunId: it is neither.
        UnknownRun: no store holds a run of such an id.
    """
    if type(value) is str and value.isprintable():  # most often
        return value
    uuid = sys.modules.get("uuid")  # who has not imported it has no UUID either
    if uuid is not None and isinstance(value, uuid.UUID):
        value = str(value).replace("-", "")
    if not isinstance(value, str):
        raise InvalidRunId(value)
    if not is_text(value):
        raise UnknownRun(value)
    return str.__str__(value)


def check_fact(name: str, value: object) -> None:
    """Make sure that a run can be found by a fact.

    Raises:
        InvalidFact: it is no plain value, or takes too much room.
    """
    if type(value) not in (str, int, float, bool, type(None)):
        raise InvalidFact(name, value)
    if _size(name) > _FACT_NAME_BYTES:
        raise InvalidFact(name, value, f"give it a name of at most {_FACT_NAME_BYTES} bytes")
    if type(value) is str and _json_size(value) > _FACT_TEXT_BYTES:
        raise InvalidFact(name, value, f"set a text of at most {_FACT_TEXT_BYTES} bytes")
    if type(value) is int and value.bit_length() > _FACT_INTEGER_BITS:
        raise InvalidFact(name, value, f"set an integer of at most {_FACT_INTEGER_BITS} bits")


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _json_size(text: str) -> int:
    if len(text) * 6 <= _FACT_TEXT_BYTES:
        return 0  # small, whatever it holds
    import json

    return _size(json.dumps(text, ensure_ascii=not is_text(text.replace("\0", " "))))
