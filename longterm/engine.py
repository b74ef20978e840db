"""The engine: start runs and carry them on, one turn at a time, on one store.

A turn is claim, decode, run, encode, save. It happens as a whole or not at all: whatever goes wrong
before the save, the run stays as it was, and the caller is told.
"""

from __future__ import annotations

import traceback
import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, ParamSpec

from longterm.codec import decode, encode
from longterm.errors import (
    CannotStore,
    CannotSuspend,
    InvalidEventId,
    NotStorable,
    RunComplete,
    RunNotSuspended,
    WrongEvent,
)
from longterm.flow import Flow, flow_named, flow_of
from longterm.frame import Frame
from longterm.loop import Completed, Outcome, event_value, run_turn
from longterm.run import Run, RunState
from longterm.stack import rebuild
from longterm.store import open_store
from longterm.store.base import RunStore
from longterm.turn import LiveTurn

P = ParamSpec("P")


class Engine:
    """Starts and continues the runs of one store.

    The module-level functions `start_flow`, `process_event` and `get_run` use a default engine; make
    your own for several stores in one process, or for tests.
    """

    def __init__(self, store: RunStore | str) -> None:
        """Use a store, or open the store of a URL such as `sqlite:///runs.db`."""
        self.store: RunStore = open_store(store) if isinstance(store, str) else store

    def start_flow(self, flow: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> Run:
        """Start a run of a flow and carry it to its first suspend, or to its end.

        Raises:
            NotAFlow: the function is not decorated with `@deflow`.
            CannotSuspend: the flow waits where its stack or a value in it cannot be stored; no run
                was created.
            Exception: what the flow itself raised; the run is stored as failed.
        """
        definition = flow_of(flow)
        run = Run(id=uuid.uuid4().hex, flow=definition.name, state=RunState.RUNNING)
        start = _encoded_start(definition, args, kwargs)
        turn = LiveTurn()
        try:
            outcome = run_turn(turn, partial(flow, *args, **kwargs))
        except CannotSuspend:
            raise
        except Exception as error:
            self.store.create(replace(_failed(run, error), stack=start))
            raise
        return self.store.create(_after(run, turn, outcome))

    def process_event(self, run_id: str, event_id: str, result: Any = None) -> Run:
        """Give a suspended run the event that it waits for, and carry it on by one turn.

        Args:
            run_id: the run's id.
            event_id: the event's name, as the flow's `suspend` gave it.
            result: the event's value, which that `suspend` returns.

        Raises:
            UnknownRun: the store has no such run.
            WrongEvent: the run waits for another event.
            RunComplete, RunNotSuspended: the run takes no events now.
            UnknownFlow, FlowChanged: this process cannot go on with the run's frames.
            CannotSuspend: the flow came to wait where it cannot be stored.
            Exception: what the flow itself raised; the run is stored as failed, and keeps the
                frames that it had before the turn.

        After any of these but the last the run waits on as it was.
        """
        if not isinstance(event_id, str) or not event_id:
            raise InvalidEventId(event_id)
        run = self.store.unsuspend(run_id, event_id)
        if run is None:
            raise _refusal(self.store.get(run_id), event_id)
        turn = LiveTurn()
        try:
            going_on = _continuation(run, result)
            outcome = run_turn(turn, going_on)
            done = _after(run, turn, outcome)
        except _Refused as refused:
            self._release(run)
            raise refused.error from refused.error.__cause__
        except CannotSuspend:
            self._release(run)
            raise
        except Exception as error:
            self.store.update(_failed(run, error))
            raise
        except BaseException:
            # An interrupt (Ctrl-C, SystemExit) is nobody's failure: the run waits on.
            self._release(run)
            raise
        return self.store.update(done)

    def get_run(self, run_id: str) -> Run:
        """Return a run as it is now.

        Raises:
            UnknownRun: the store has no such run.
        """
        return self.store.get(run_id)

    def _release(self, run: Run) -> None:
        self.store.update(replace(run, state=RunState.SUSPENDED))


class _Refused(Exception):
    """Carries an error of ours past the handler for the author's exceptions."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def _encoded_start(flow: Flow, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes | None:
    """Return the frame that starts a flow, for a retry; None if an argument cannot be stored."""
    slots: dict[str, object] = {"args": args, "kwargs": kwargs}
    try:
        return encode([Frame(flow.name, flow.version, 0, 0, slots)])
    except NotStorable:
        return None


def _continuation(run: Run, result: Any) -> Callable[[], Any]:
    assert run.stack is not None
    try:
        return rebuild(decode(run.stack), event_value(result))
    except Exception as error:
        raise _Refused(error) from error


def _after(run: Run, turn: LiveTurn, outcome: Outcome) -> Run:
    """Return a run as its turn has left it."""
    response = _encoded(turn.responses, f"a response of {run.flow}") if turn.responses else None
    if isinstance(outcome, Completed):
        return replace(
            run,
            state=RunState.COMPLETE,
            waiting_for=None,
            stack=None,
            encoded_response=response,
            encoded_result=_encoded(outcome.result, f"the result of {run.flow}"),
        )
    return replace(
        run,
        state=RunState.SUSPENDED,
        waiting_for=outcome.event_id,
        stack=_encoded_frames(outcome.frames),
        encoded_response=response,
    )


def _encoded(value: Any, what: str) -> bytes:
    try:
        return encode(value)
    except NotStorable as error:
        raise CannotStore(f"cannot store {what}: {error}") from error


def _encoded_frames(frames: list[Frame]) -> bytes:
    try:
        return encode(frames)
    except NotStorable as error:
        raise CannotStore(_why_not_storable(frames, error)) from error


def _why_not_storable(frames: list[Frame], error: NotStorable) -> str:
    return f"cannot store the stack of {frames[0].flow}: {error}"


def _failed(run: Run, error: Exception) -> Run:
    error.add_note(f"longterm: run {run.id} of flow {run.flow} failed in turn {run.turn}")
    text = "".join(traceback.format_exception(error))
    return replace(run, state=RunState.FAILED, encoded_response=None, error=text)


def _refusal(run: Run, event_id: str) -> Exception:
    if run.state is RunState.COMPLETE:
        return RunComplete(run.id)
    if run.state is not RunState.SUSPENDED:
        return RunNotSuspended(run.id, run.state)
    return WrongEvent(run.id, event_id, run.waiting_for)
