"""The current turn: what `suspend` and `respond` talk to. Holds no store and does no I/O.

It is found through a context variable, so that helpers called by a flow can use the forms too, and
each thread and task has its own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol
from weakref import WeakSet

from longterm import _current
from longterm._abi import RUNTIME
from longterm._flows.rt import Suspend
from longterm.child import Child
from longterm.errors import CannotSuspend, NotInRun
from longterm.run import Fact, Run
from longterm.wait import Wait

if TYPE_CHECKING:
    from longterm._observer import Observed, ObservedTurn
    from longterm.unread import Receipt


class Sends(Protocol):
    """What a flow sends to other runs; it reaches them once the turn is saved."""

    def spawn(
        self, flow: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
    ) -> Child[Any]:
        """Begin a child of the run."""
        ...

    def start(self, flow: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Run:
        """Begin a run of its own, and return it as it will be created."""
        ...

    def send(self, run_id: str, event_id: str, value: Any, key: str | None) -> Receipt:
        """Send a run an event."""
        ...

    def cancel(self, run_id: str) -> None:
        """Cancel a run."""
        ...

    def check_open(self, child: Child[Any]) -> None:
        """Make sure that the run can wait for a child's end."""
        ...


class Turn(Protocol):
    """Whatever can play the part of the world for a running flow."""

    responses: list[Any]
    """What the flow has said in this turn, in order."""
    index: dict[str, Fact]
    """The facts that the flow has set in this turn."""

    @property
    def observed(self) -> Observed | None:
        """As what an observer knows the code that runs in it; None: nobody observes it."""
        ...

    @property
    def has_steps(self) -> bool:
        """Whether a call of a step is to be made durable; else the plain function is called."""
        ...

    @property
    def step_key(self) -> str | None:
        """What `step_key` returns; None: no step is under way."""
        ...

    @property
    def run(self) -> Run:
        """The run as it was when the turn began."""
        ...

    @property
    def outbox(self) -> Sends:
        """What the flow sends to other runs in this turn."""
        ...

    def now(self) -> datetime:
        """Return the present moment by the engine's clock, aware, in UTC."""
        ...

    def respond(self, values: tuple[Any, ...]) -> None:
        """Add to what the flow has said."""
        ...

    def suspend(self, wait: Wait) -> Any:
        """Wait for an event: return its value, or unwind the stack until it comes."""
        ...


class Listener(Protocol):
    """Whoever is told what a run says while its turn goes on."""

    def open(self, run_id: str) -> None:
        """Listen from now on, if it is to this run."""
        ...

    def hears(self, run_id: str) -> bool:
        """Return whether it listens to a run now."""
        ...

    def begin(self) -> object:
        """Be told that a turn begins."""
        ...

    def hear(self, values: tuple[Any, ...]) -> None:
        """Be told what the run says."""
        ...


listening: ContextVar[Listener | None] = ContextVar("longterm._flows.listening", default=None)


def listen_from_here(run_id: str) -> None:
    """Let whoever listens to a run, if somebody does, hear its next turn."""
    listener = listening.get()
    if listener is not None:
        listener.open(run_id)


current: ContextVar[Turn | None] = _current.current


def current_turn(form: str) -> Turn:
    """Return the turn under way.

    Raises:
        NotInRun: there is none; `form` names what was called.
    """
    turn = current.get()
    if turn is None:
        raise NotInRun(form)
    return turn


class LiveTurn:
    """A turn of a real run: a suspend unwinds the stack."""

    has_steps = True
    step_key = None
    observed: ObservedTurn | None = None
    pending: Suspend | None = None
    steps = 0
    """How many steps the run has begun."""
    progress: Callable[[], str] | None = None
    """Says, for people, what the turn is at; None: it runs the code of its flow."""
    task: object = None
    """The asyncio task that the turn runs in, if the flow is an `async def`."""
    _listener: Listener | None = None
    _generators: WeakSet[Any] | None = None

    def __init__(self, run: Run, now: Callable[[], datetime]) -> None:
        """Begin with nothing said and nothing waited for."""
        self.run = run
        self._now = now
        self.responses: list[Any] = []
        self.index: dict[str, Fact] = {}

    def now(self) -> datetime:
        """Return the present moment by the engine's clock."""
        return self._now()

    @property
    def generators(self) -> WeakSet[Any]:
        """The generators of flows that were made or used in this turn, and are there still."""
        if self._generators is None:
            self._generators = WeakSet()
        return self._generators

    def keep_generators(self) -> None:
        """Let them be stored; none is used any more in this turn, unless it goes on."""
        if self._generators is not None:
            for generator in list(self._generators):
                generator.keep()

    def begin(self) -> None:
        """Tell whoever listens that the turn begins, and from then on what it says."""
        listener = listening.get()
        if listener is not None and listener.hears(self.run.id):
            self._listener = listener
            listener.begin()

    def respond(self, values: tuple[Any, ...]) -> None:
        """Add to what the flow has said."""
        self.responses.extend(values)
        if self._listener is not None:
            self._listener.hear(values)

    @property
    def outbox(self) -> Sends:
        """What the flow sends to other runs; the engine has it."""
        raise NotImplementedError

    def go_on(self) -> None:
        """Be ready for another wait, since the last one ended in this very turn."""
        self.pending = None

    def suspend(self, wait: Wait) -> Any:
        """Unwind the stack to the loop.

        Raises:
            CannotSuspend: this turn is unwinding already, and something caught it.
        """
        if self.pending is not None:
            raise swallowed(self.pending)
        # In two steps with no call between them: a signal comes before both, or after both.
        suspension = Suspend(wait)
        if self.task is not None and running_task() is not self.task:
            code = (frame := sys._getframe(2)).f_code
            suspension.elsewhere = f"{code.co_qualname} ({code.co_filename}:{frame.f_lineno})"
        self.pending = suspension
        raise suspension


def running_task() -> object:
    """Return the asyncio task that is running in this thread; None if there is none."""
    asyncio = sys.modules.get("asyncio")
    try:
        return None if asyncio is None else asyncio.current_task()
    except RuntimeError:  # no event loop is running
        return None


_IS_GENERATOR: Final = 0x20  # the flag of a generator's code


def in_another_task(pending: Suspend) -> CannotSuspend:
    """Return the error for a suspension in a task, or a thread, that the run's own one began."""
    return CannotSuspend(
        f"{pending.elsewhere} waits for {pending.wait} in a task or thread of its own, "
        "but a run waits in one place (await flows one after the other, not by "
        "asyncio.gather, a TaskGroup or the like, or begin a run for each by `spawn`)"
    )


def swallowed(pending: Suspend) -> CannotSuspend:
    """Return the error for a suspension that did not reach the loop."""
    if pending.elsewhere is not None:
        return in_another_task(pending)
    where = ""
    traceback = pending.__traceback__
    if traceback is not None:
        code = traceback.tb_frame.f_code
        where = f" by {code.co_qualname} ({code.co_filename}:{traceback.tb_lineno})"
        if code.co_flags & _IS_GENERATOR and RUNTIME in code.co_names:
            return CannotSuspend(
                f"{code.co_qualname} ({code.co_filename}:{traceback.tb_lineno}) waits for "
                f"{pending.wait} in a generator that Python closes since nothing holds it any more "
                "(call its `close()` before, where the flow may wait)"
            )
    return CannotSuspend(
        f"the suspension for {pending.wait} was caught{where} and never reached the run "
        "(make the function that caught it a flow with @deflow, in which `except BaseException` "
        "lets it pass)"
    )
