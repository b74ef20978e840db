"""How an engine starts runs."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from longterm._engine.queueing import Queueing
from longterm._later import later
from longterm._names import check_fact, new_id_of_run
from longterm._turns.starts import Start
from longterm.errors import InvalidFact
from longterm.run import Fact, Run
from longterm.wait import moment_in_utc

if TYPE_CHECKING:
    from uuid import UUID
else:
    UUID = later("uuid", "UUID")

P = ParamSpec("P")
T = TypeVar("T")


class Starting(Queueing):
    """The part of an engine that starts runs."""

    def start_flow(self, flow: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Run[T]:
        """Start a run of a flow and carry it to its first suspend, or to its end.

        Raises:
            NotAFlow: the function is not decorated with `@deflow`.
            NotImportable: the flow is of a program that cannot be imported, such as an interactive
                shell, and the store is not in memory.
            AsyncFlow: the flow is an `async def`; await `astart_flow`.
            CannotSuspend: the flow waits where its stack or a value in it cannot be stored; no run
                is left, or a failed one if the store cannot forget it.
            Exception: what the flow itself raised; the run is stored as failed.

        The run is created before the flow's first line runs. If this process dies then, a worker
        starts it again, provided that the function and the arguments could be stored.
        """
        start = Start(self._turns.startable(flow), flow, args, kwargs)
        return self._gone_on(self._turns.start(start))

    @overload
    def start(
        self,
        flow: Callable[..., Coroutine[Any, Any, T]],
        args: tuple[Any, ...] | list[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        id: str | UUID | None = None,
        at: datetime | timedelta | None = None,
        queue: str | None = None,
        partition: str | None = None,
        index: Mapping[str, Fact] | None = None,
    ) -> Run[T]: ...

    @overload
    def start(
        self,
        flow: Callable[..., T],
        args: tuple[Any, ...] | list[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        id: str | UUID | None = None,
        at: datetime | timedelta | None = None,
        queue: str | None = None,
        partition: str | None = None,
        index: Mapping[str, Fact] | None = None,
    ) -> Run[T]: ...

    def start(
        self,
        flow: Callable[..., Any],
        args: tuple[Any, ...] | list[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        id: str | UUID | None = None,
        at: datetime | timedelta | None = None,
        queue: str | None = None,
        partition: str | None = None,
        index: Mapping[str, Fact] | None = None,
    ) -> Run:
        """Start a run of a flow as `start_flow` does, under an id of your own, or later.

        Args:
            flow: the flow.
            args, kwargs: what it is called with.
            id: the run's id: printable text of 1 to 500 characters, or a `UUID`. The same call
                again runs nothing and returns the run as it is, with `is_duplicate`. On a store
                that keeps no keys, or if the arguments cannot be stored, the flows alone are
                compared. A start that is refused leaves its id free.
            at: when the run is to begin: an aware moment, or how long from now. A worker begins it.
            queue: the name of a queue that was declared by `queue`. The run waits there for a slot,
                and a worker begins it.
            partition: whose share of the queue it takes, such as a tenant's: partitions take turns.
            index: facts by which the run is found from its begin on, as by `set_index`.

        Raises:
            KeyReused: another flow, or other arguments, were started under the id.
            InvalidRunId, InvalidDeadline, InvalidFact: an argument is not what it should be.
            UnknownQueue, InvalidQueue: no such queue was declared, or there can be none.
            CannotStore: the run is to begin later, and what is called cannot be stored.
            Exception: what `start_flow` raises.
        """
        start = self._start_of(flow, args, kwargs, id, index, queue, partition)
        if at is not None or queue is not None:
            return self._turns.start_later(start, moment_of(at, self.clock.now()))
        return self._gone_on(self._turns.start(start))

    def _start_of(
        self,
        flow: Callable[..., Any],
        args: tuple[Any, ...] | list[Any],
        kwargs: Mapping[str, Any] | None,
        run_id: str | UUID | None,
        index: Mapping[str, Fact] | None,
        queue: str | None,
        partition: str | None,
    ) -> Start:
        if not isinstance(args, (tuple, list)):
            raise TypeError(
                f"args is a tuple of the arguments, not a {type(args).__name__} "
                "(write start(flow, (item,)), or start_flow(flow, item))"
            )
        if kwargs is not None and not isinstance(kwargs, Mapping):
            raise TypeError(
                f"kwargs is a dict of the arguments by name, not a {type(kwargs).__name__} "
                "(write start(flow, (), {'item': item}), or start_flow(flow, item=item))"
            )
        return Start(
            self._turns.startable(flow),
            flow,
            tuple(args),
            dict(kwargs or {}),
            None if run_id is None else new_id_of_run(run_id),
            facts_of(index),
            *self._place(queue, partition),
        )


def facts_of(index: Mapping[str, Fact] | None) -> dict[str, Fact]:
    """Return a copy of some facts, by which a run can be found.

    Raises:
        InvalidFact: one is not what a fact can be.
    """
    facts = dict(index or {})
    for name, value in facts.items():
        if not isinstance(name, str):
            raise InvalidFact(repr(name), value, "give it a string as its name")
        check_fact(name, value)
    return facts


def moment_of(at: object, now: datetime) -> datetime:
    """Return when a run is to begin, in UTC; None is now.

    Raises:
        InvalidDeadline: it is no aware moment and no length of time, or beyond all calendars.
    """
    return now if at is None else moment_in_utc(at, now, is_start=True)
