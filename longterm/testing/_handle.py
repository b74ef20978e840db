"""A run in a test: what it waits for, what it has said, and what becomes of it by each answer."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar

from longterm._escapes import escaped, quoted
from longterm._event_names import spoken
from longterm._later import later
from longterm.errors import LongtermError
from longterm.run import Fact, Run, RunState
from longterm.testing import EXPIRE, Answer, Throw, WrongScript
from longterm.testing._fresh_stores import runs_of

if TYPE_CHECKING:
    from longterm.testing.kit import FlowTester
else:
    FlowTester = later("longterm.testing.kit", "FlowTester")

__all__ = ["RunHandle", "described"]

T_co = TypeVar("T_co", covariant=True)

_SHORT: Final = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60


class RunHandle(Generic[T_co]):
    """A run of a `FlowTester`, as it is at each moment.

    Its `repr` says how it stands, so that pytest shows that beside an `assert` which fails.
    """

    def __init__(self, tester: FlowTester, run_id: str) -> None:
        """Stand for a run."""
        self.tester = tester
        self.id: Final = run_id

    @property
    def record(self) -> Run[T_co]:
        """The run as it is stored now, for all that has no name here."""
        return self.tester.engine.get_run(self.id)

    @property
    def state(self) -> RunState:
        """Where it is in its life: `suspended`, `complete`, `failed`, `cancelled`."""
        return self.record.state

    @property
    def awaits(self) -> tuple[str, ...]:
        """The names of the events any of which it waits for; none if it sleeps, or has ended."""
        run = self.record
        return run.awaits if run.state is RunState.SUSPENDED else ()

    @property
    def deadline(self) -> datetime | None:
        """When its wait ends by itself; None: never, or it does not wait."""
        run = self.record
        return run.deadline if run.state is RunState.SUSPENDED else None

    @property
    def wants(self) -> Mapping[str, Any] | None:
        """What is asked of whom, as `Run.wants`."""
        return self.record.wants

    @property
    def index(self) -> Mapping[str, Fact]:
        """The facts by which it is found."""
        return self.record.index

    @property
    def response(self) -> list[Any]:
        """What its last turn said."""
        return self.record.response

    @property
    def responses(self) -> list[Any]:
        """All that it said in its turns, in order."""
        return [response for turn in self.tester._said[self.id] for response in turn]

    @property
    def result(self) -> T_co | Any:
        """What the flow returned.

        Raises:
            AssertionError: it has not; the message says how the run stands.
        """
        __tracebackhide__ = True
        run = self.record
        if run.state is not RunState.COMPLETE:
            text = "\n".join(described(run, self.tester._said[self.id]))
            raise AssertionError(f"it has no result: {text}")
        return run.result

    @property
    def error(self) -> str | None:
        """Why it failed, or could not go on: a traceback as text."""
        return self.record.error

    @property
    def children(self) -> list[RunHandle[Any]]:
        """The runs that its flow has spawned, open or not, in the order in which they began."""
        found = runs_of(self.tester.engine.store)
        return [RunHandle(self.tester, run.id) for run in found if run.parent == self.id]

    def answer(self, event_id: str, value: Any = None) -> Self:
        """Give it an event that it waits for; see `Engine.process_event`.

        Raises:
            WrongEvent, InvalidValue: it waits for another event, or value.
            Exception: what the flow itself raised.
        """
        return self._act("process_event", event_id, value)

    def send(self, event_id: str, value: Any = None) -> Self:
        """Send it an event, which it reads now or later; see `Engine.send`."""
        return self._act("send", event_id, value)

    def throw(self, error: BaseException | type[BaseException]) -> Self:
        """Raise an exception where it waits; see `Engine.throw`."""
        return self._act("throw", error)

    def cancel(self) -> Self:
        """Cancel it; see `Engine.cancel`."""
        return self._act("cancel")

    def retry(self) -> Self:
        """Give it another try after it has failed; see `Engine.retry`."""
        return self._act("retry")

    def branches(self, *answers: Any) -> list[Self]:
        """Try each answer from how things stand now, and return the run as it is after each.

        Each answer is given to a copy of all runs and of the clock, so that no branch sees another,
        and this run waits on. `branch.tester` has the other runs of its branch, and
        `branch.tester.advance` lets time pass there. What flows have done outside of their runs is
        not copied. A flow that fails is `failed` in its branch, and nothing is raised.

        Args:
            answers: an `Answer`, or the value alone if one event is waited for; a `Throw`; `EXPIRE`
                for what comes without an answer when the deadline does.

        Raises:
            WrongScript: there is no deadline, or it is not clear which event a value is for.
            WrongEvent, InvalidValue: as by `answer`.
        """
        return [self._branch(answer) for answer in answers]

    def _branch(self, answer: Any) -> Self:
        branch = type(self)(self.tester._fork(), self.id)
        try:
            branch._take(answer)
        except Exception:
            if branch.state is not RunState.FAILED:  # else the flow has raised it
                raise
        return branch

    def _take(self, answer: Any) -> None:
        """Give it what a script has."""
        if isinstance(answer, Throw):
            self.throw(answer.error)
        elif isinstance(answer, Answer):
            self.answer(answer.event_id, answer.value)
        elif answer is EXPIRE:
            if (deadline := self.deadline) is None:
                raise WrongScript(f"nothing comes by itself here: {self!r}")
            self.tester.advance(until=deadline)
        elif len(awaits := self.awaits) == 1:
            self.answer(awaits[0], answer)
        else:
            raise WrongScript(f"{answer!r} needs an Answer that names its event: {self!r}")

    def _act(self, method: str, *args: Any) -> Self:
        self.tester._act(self.record, method, *args)
        return self

    def __repr__(self) -> str:
        """Say how the run stands, in a line."""
        try:
            run = self.record
            said = self.tester._said[self.id]
            last = f", said {_SHORT.repr(said[-1])}" if said and said[-1] else ""
            return f"<run of {escaped(run.flow.partition(':')[2])}: {_standing(run)}{last}>"
        except LongtermError as error:
            return f"<run {self.id}: {error}>"


def described(run: Run, said: list[list[Any]]) -> list[str]:
    """Return how a run stands, in lines for people.

    Args:
        run: the run.
        said: what each of its turns has said.
    """
    lines = [f"run {escaped(run.id)} of {escaped(run.flow)}: {_standing(run)}"]
    for turn, response in enumerate(said, 1):
        lines += [f"  turn {turn} said {_SHORT.repr(each)}" for each in response]
    if run.unread:
        lines.append(f"  has not read {', '.join(map(repr, run.unread))}")
    if run.error is not None:
        lines += [f"  {line}" for line in quoted(run.error).splitlines()]
    return lines


def _standing(run: Run) -> str:
    """Return how a run stands, in words."""
    if run.state is RunState.COMPLETE:
        return f"complete, returned {_SHORT.repr(run.result)}"
    if run.state is not RunState.SUSPENDED or run.waiting_for is None:
        return str(run.state)
    until = f" until {run.deadline:%Y-%m-%d %H:%M:%S}" if run.deadline else ""
    if run.error is not None:
        return f"parked{until}: {escaped(run.error.strip().splitlines()[-1])}"
    if run.queue is not None:
        return f"waits in queue {run.queue!r} since{until.removeprefix(' until')}"
    return f"waits for {escaped(spoken(run.waiting_for))}{until}"
