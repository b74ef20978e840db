"""The name of an event, with the type of its values, for those who wait and those who send.

    approve = Event("approve", Approval)

Plain data. It can be stored wherever a text can; bytes hold where it was declared.
"""

from __future__ import annotations

import sys
from typing import Any, Generic, TypeVar, overload

from longterm._names import event_name
from longterm._type_shapes import shape_of, type_of

T = TypeVar("T")


class Event(str, Generic[T]):
    """An event's name, of which type checkers know what `suspend` returns for it.

    It is a `str`: equal to its name, and as good wherever a name is wanted. Where pydantic is
    installed the values are checked, by those who send them and before the flow sees them. Declare
    events at the top of a module: what a run holds of one is then the one that is declared there,
    also after its type has changed.
    """

    __slots__ = ("_module", "value_type")

    value_type: Any
    """The type of its values; `object` if they can be anything."""
    _module: str

    @overload
    def __new__(cls, name: str, type: None) -> Event[None]: ...
    @overload
    def __new__(cls, name: str, type: type[T]) -> Event[T]: ...
    @overload
    def __new__(cls, name: str, type: Any = object) -> Event[Any]: ...

    def __new__(cls, name: str, type: Any = object) -> Event[Any]:
        """Declare an event.

        Raises:
            InvalidEventId: it cannot have this name.
        """
        event = super().__new__(cls, event_name(name))
        event.value_type = type
        event._module = sys._getframe(1).f_globals.get("__name__", "")
        return event

    def __repr__(self) -> str:
        """Return it as it was declared."""
        kind = (
            self.value_type.__qualname__
            if isinstance(self.value_type, type)
            else repr(self.value_type)
        )
        return f"Event({str.__repr__(self)}, {kind})"


def as_stored(event: Event[Any]) -> list[Any]:
    """Return what is stored of an event: where it was declared, else its type."""
    is_declared = declared(event._module, str(event)) is event
    return [
        str(event),
        event._module if is_declared else None,
        None if is_declared else shape_of(event.value_type),
    ]


def as_declared(stored: list[Any]) -> Event[Any]:
    """Return the event that was stored; one that is declared no more has any value."""
    name, module, value_type = stored
    if module is None:
        return Event(name, type_of(value_type))
    return declared(module, name) or Event(name)


def declared(module: str, name: str) -> Event[Any] | None:
    """Return the event of a name that the top level of an imported module holds."""
    held = list(getattr(sys.modules.get(module), "__dict__", {}).values())
    return next((value for value in held if type(value) is Event and value == name), None)
