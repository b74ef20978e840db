"""Who may do what: the question that an application is asked before anything is done or shown."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from longterm._actor import acting_as
from longterm._later import later
from longterm._turns.threads import in_thread
from longterm.run import Run

if TYPE_CHECKING:
    from starlette.requests import Request
else:
    Request = later("starlette.requests", "Request")


class Action(StrEnum):
    """What somebody wants to do."""

    LIST = "list"
    """Look for runs, or for tasks. What is found is then asked about, run by run."""
    START = "start"
    """Start a run of a flow."""
    SEE = "see"
    """See a run: its state, its facts, what its flow has said, and its result."""
    INSPECT = "inspect"
    """See all that is stored of a run: its stack with the locals, its inbox, its error."""
    SEND = "send"
    """Send a run an event; a task is seen by whom may answer it."""
    DISCARD = "discard"
    """Take an event out of a run's inbox, unread."""
    CANCEL = "cancel"
    RETRY = "retry"
    REWIND = "rewind"
    """Put a run back to an earlier revision."""
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class About:
    """What an action is about, as far as it is about something."""

    flow: str | None = None
    """The flow to be started, or of the run, as `module:qualname`."""
    run: Run | None = None
    """The run; None for a start, for a list, and if there is no such run."""
    event: str | None = None
    """The event to be sent, if only one is meant."""


Authorize: TypeAlias = Callable[[Request, Action, About], bool | Awaitable[bool]]


class Permission:
    """Asks the application's own function, which may be a plain one that blocks."""

    def __init__(self, authorize: Authorize) -> None:
        """Take the function."""
        self._authorize: Callable[..., Any] = authorize
        self._is_async = inspect.iscoroutinefunction(authorize) or inspect.iscoroutinefunction(
            getattr(authorize, "__call__", None)  # noqa: B004 - of an instance
        )

    async def of(self, request: Request, action: Action, *things: About) -> list[bool]:
        """Return which of some things a request may do.

        Raises:
            Unauthenticated: the application does not know who asks.
            TypeError: its function returns neither True nor False.
        """
        if self._is_async:
            found = [_answer(await self._authorize(request, action, about)) for about in things]
        else:
            found = await in_thread(self._all, request, action, things)
        _act(request)
        return found

    def _all(self, request: Request, action: Action, things: Sequence[About]) -> list[bool]:
        return [_answer(self._authorize(request, action, about)) for about in things]


ACTING: Final = "longterm.acting"
"""Under this name a request has the stack of what ends with it."""


def _act(request: Request) -> None:
    """Let what the request does be done by whom `authorize` has named as `request.state.actor`."""
    actor = getattr(request.state, "actor", None)
    if actor is not None and ACTING in request.scope:
        request.scope.pop(ACTING).enter_context(acting_as(actor))


def _answer(given: object) -> bool:
    """Return an answer; what is neither yes nor no must not pass for yes, as a coroutine would."""
    if given is True or given is False:
        return given
    if inspect.iscoroutine(given):
        given.close()
    raise TypeError(
        f"authorize returned a {type(given).__qualname__} (let it return True or False)"
    )
