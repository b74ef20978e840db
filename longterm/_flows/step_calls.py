"""A step, a call of it in a run, and the turn as the step sees it."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, TypeVar

from longterm._codec.names import look_up
from longterm._event_names import STEP
from longterm._flows.context import Sends, Turn
from longterm._names import partition_name
from longterm.errors import CannotSuspend, NotAllowed
from longterm.run import Fact, Run
from longterm.wait import Wait

if TYPE_CHECKING:
    from longterm._observer import ObservedStep

T = TypeVar("T")
Errors: TypeAlias = type[Exception] | tuple[type[Exception], ...]
Backoff: TypeAlias = Callable[[int], timedelta]
Partition: TypeAlias = str | Callable[..., str | None] | None

_FIRST_PAUSE: Final = timedelta(seconds=1)
_LONGEST_PAUSE: Final = timedelta(hours=1)
_DOUBLINGS: Final = 12
"""After so many the longest pause is reached."""
_JITTER: Final = 0.2


class HasTransactions(Protocol):
    """What a step's `db` is: `longterm.database.Database`."""

    @property
    def takes_sync(self) -> bool:
        """Whether plain functions can be given a transaction of it."""
        ...

    @property
    def takes_async(self) -> bool:
        """Whether `async def` functions can be."""
        ...

    def call(self, function: Callable[[Any], T], /) -> T:
        """Call a function in a transaction, and commit that."""
        ...

    async def acall(self, function: Callable[[Any], Awaitable[T]], /) -> T:
        """Do the same with an `async def` function."""
        ...

    def once(self, key: str, function: Callable[[Any], T], /) -> T:
        """Do the same, but only once with a key."""
        ...

    async def aonce(self, key: str, function: Callable[[Any], Awaitable[T]], /) -> T:
        """Do the same, but only once with a key."""
        ...

    def is_unreachable(self, error: Exception, /) -> bool:
        """Tell whether an error is of a database that did not tell what it was asked."""
        ...

    def joins(self, store: Any, /) -> bool:
        """Tell whether a store's runs are in this very database."""
        ...

    def call_with_run(
        self, store: Any, function: Callable[[Any], T], save: Callable[[Any, T], None], /
    ) -> T:
        """Call a function in a transaction in which a run is saved, too."""
        ...


@dataclass(slots=True, eq=False)
class Step:
    """A step: the author's function, and how it is run."""

    function: Callable[..., Any]
    name: str
    """The name that the function gives itself, as `module:qualname`."""
    is_async: bool
    max_attempts: int = 1
    retry_on: Errors = Exception
    backoff: Backoff | None = None
    timeout: timedelta | None = None
    at_most_once: bool = False
    db: HasTransactions | None = None
    """Where the function works, exactly once."""
    queue: str | None = None
    partition: Partition = None
    call: Callable[..., Any] | None = None
    """What flows call."""

    @property
    def spoken(self) -> str:
        """The name as messages show it."""
        return self.name.replace(":", ".")

    _is_named: bool = False

    def is_found_by_name(self) -> bool:
        """Tell whether another process finds this very step by its name."""
        if not self._is_named:
            try:
                self._is_named = look_up(self.name) is self.call
            except NotAllowed:
                return False
        return self._is_named

    @property
    def may_rest(self) -> bool:
        """Whether a run can come to rest with a call of the step, which is stored then."""
        tries = 4 if self.backoff is None else 1  # whose pauses pass in the turn
        return self.at_most_once or self.queue is not None or self.max_attempts > tries

    def pause_after(self, attempt: int) -> timedelta:
        """Return how long to wait after an attempt has failed.

        Raises:
            TypeError: the author's function returned no length of time.
        """
        if self.backoff is None:
            pause = min(_FIRST_PAUSE * (1 << min(attempt - 1, _DOUBLINGS)), _LONGEST_PAUSE)
            return pause * random.uniform(1 - _JITTER, 1 + _JITTER)
        given = self.backoff(attempt)
        if not isinstance(given, timedelta):
            raise TypeError(
                f"the backoff of step {self.spoken} returned {given!r}, which is no timedelta"
            )
        return max(given, timedelta(0))


@dataclass(slots=True, eq=False)
class StepCall:
    """A call of a step in a run, and how far it has come."""

    step: Step
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    number: int = 0
    """Which step of the run it is, from 1 on; 0: it was not begun."""
    attempt: int = 1
    """Which attempt is the next, or is under way."""
    since: datetime | None = None
    """When the first attempt began."""
    before: tuple[bytes | None, str | None] | None = None
    """The stack of the run with this call pending; None: it is not to be made again."""
    is_unknown: bool = False
    """Whether the last attempt has failed, and may nevertheless be done in the step's database."""


class StepWait(Wait):
    """The wait of a flow that has called a step: for what comes of that."""

    __slots__ = ("call", "partition", "queue")  # the last two are the class's for other waits

    def __init__(self, call: StepCall) -> None:
        """Be over at once: the turn that began it runs the step, unless that needs a slot first."""
        Wait.__init__(self, STEP, timedelta(0), None)
        self.call = call
        step, share = call.step, call.step.partition
        self.queue = step.queue  # type: ignore[misc]
        if share is not None:
            share = partition_name(share(*call.args, **call.kwargs) if callable(share) else share)
        self.partition = share or ""  # type: ignore[misc]

    def __str__(self) -> str:
        return f"step {self.call.step.spoken}"


class StepTurn:
    """A turn as a step sees it that runs in it: it can say all that a flow can, and cannot wait."""

    has_steps = False

    def __init__(self, turn: Turn, call: StepCall) -> None:
        """Stand for a turn while it runs a call of a step."""
        self._turn = turn
        self._call = call
        self.responses = turn.responses
        self.index: dict[str, Fact] = turn.index
        self.observed: ObservedStep | None = None
        self.refusal: CannotSuspend | None = None
        """Why the step was not let wait, if it tried."""

    @property
    def run(self) -> Run:
        return self._turn.run

    @property
    def outbox(self) -> Sends:
        return self._turn.outbox

    @property
    def step_key(self) -> str:
        return f"{self.run.id}:{self._call.number}:{self._call.step.name.rpartition(':')[2]}"

    def now(self) -> datetime:
        return self._turn.now()

    def respond(self, values: tuple[Any, ...]) -> None:
        self._turn.respond(values)

    def suspend(self, wait: Wait) -> Any:
        """Refuse to wait.

        Raises:
            CannotSuspend: always.
        """
        self.refusal = CannotSuspend(
            f"step {self._call.step.spoken} waits for {wait}, but a step runs from begin to end "
            "(wait in the flow, before or after it; or take @step away and put @deflow there)"
        )
        raise self.refusal
