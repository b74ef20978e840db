"""The default engine, for applications with one store: the module-level functions.

The store is the one given to `set_runstore`, else the one named by the environment variable
`LONGTERM_URL`, else one in memory. What it keeps of each turn, `LONGTERM_HISTORY` says;
whether it keeps the source of versions, `LONGTERM_VERSIONS`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, Unpack, overload

from longterm._engine.parts import history_wanted, versions_wanted
from longterm._engine.queueing import checked_queue
from longterm._flows.context import current
from longterm._later import later
from longterm._names import delivery_key, event_name, id_of_run
from longterm.engine import Engine
from longterm.run import Run
from longterm.store.base import RunStore

if TYPE_CHECKING:
    from uuid import UUID
    from zoneinfo import ZoneInfo

    from longterm._observer import Observer
    from longterm._records.search import Conditions
    from longterm.streams import AsyncResponseStream, ResponseStream
    from longterm.unread import Receipt
else:
    UUID = later("uuid", "UUID")
    ZoneInfo = later("zoneinfo", "ZoneInfo")
    Conditions = later("longterm._records.search", "Conditions")
    Observer = later("longterm._observer", "Observer")
    Receipt = later("longterm.unread", "Receipt")
    ResponseStream = later("longterm.streams", "ResponseStream")
    AsyncResponseStream = later("longterm.streams", "AsyncResponseStream")

P = ParamSpec("P")
T = TypeVar("T")


_lock = threading.Lock()
_engine: Engine | None = None
_declarations: list[Callable[[Engine], object]] = []
"""What modules declare for the default engine. Its store may be set after they were imported, so it
is told at its next use."""
_told = 0
"""How many of these the default engine has been told."""


def set_runstore(store: RunStore | str, *, observer: Observer | None = None) -> None:
    """Use a store, or the store of a URL, for all runs from now on.

    Args:
        store: the store, or its URL.
        observer: who is told of the turns, as for an `Engine`.

    Raises:
        StoreError: the URL names no store that can be opened.
    """
    global _engine, _told
    engine = Engine(store, history=history_wanted(), versions=versions_wanted(), observer=observer)
    with _lock:
        _engine, _told = engine, 0


def default_engine() -> Engine:
    """Return the default engine, opening its store on first use."""
    global _engine
    if _engine is None:
        with _lock:
            if _engine is None:
                store = os.environ.get("LONGTERM_URL") or "memory://"
                _engine = Engine(store, history=history_wanted(), versions=versions_wanted())
    if _told < len(_declarations):
        _tell()
    return _engine


@contextmanager
def using_engine(engine: Engine) -> Iterator[None]:
    """Make an engine the default one for a while, as a test does; what was declared it is told."""
    global _engine, _told
    with _lock:
        before, _engine, _told = (_engine, _told), engine, 0
    try:
        yield
    finally:
        with _lock:
            _engine, _told = before


def _tell() -> None:
    """Tell the default engine what was declared; what cannot be done is raised, and tried again."""
    global _told
    with _lock:
        assert _engine is not None
        while _told < len(_declarations):
            _declarations[_told](_engine)
            _told += 1


def declare_on(engine: Engine) -> None:
    """Tell an engine what modules have declared, as a worker's command does for its own."""
    for declare in list(_declarations):
        declare(engine)


def queue(
    name: str,
    *,
    concurrency: int | None = None,
    per_partition: int | None = None,
    rate: tuple[int, timedelta] | None = None,
) -> None:
    """Declare a queue of the default store; see `Engine.queue`.

    It may stand in a module, before the store is set: it is stored when the default engine is used
    next. `longterm worker` stores what the modules of its application declare, too.
    """
    declared = checked_queue(name, concurrency, per_partition, rate)
    _declarations.append(lambda engine: engine._declare(declared))


def schedule(
    flow: Callable[..., Any],
    cron: str,
    *,
    tz: str | ZoneInfo | None = None,
    args: tuple[Any, ...] | list[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    name: str | None = None,
    catch_up: str = "latest",
    overlap: str = "skip",
) -> None:
    """Declare a schedule on the default store; see `Engine.schedule`.

    It may stand in a module, as `queue` may.
    """
    from longterm._cron import Cron

    Cron(cron, tz)  # what is wrong with it is told here
    _declarations.append(
        lambda engine: engine.schedule(
            *(flow, cron),
            tz=tz,
            args=args,
            kwargs=kwargs,
            name=name,
            catch_up=catch_up,
            overlap=overlap,
        )
    )


def cron(
    expression: str, *, tz: str | ZoneInfo | None = None, after: datetime | None = None
) -> datetime:
    """Return the first time of a cron expression after a moment, in UTC.

    For loops of a flow's own: `while True: sleep(cron("0 3 * * *")); ...`.

    Args:
        expression: minute, hour, day of month, month and day of week, as in crontab(5).
        tz: the time zone of these; UTC unless told otherwise.
        after: the moment, aware; now unless told otherwise: in a flow by the engine's clock.

    Raises:
        InvalidSchedule: the expression is none, or never due, or the zone or the moment is none.
    """
    from longterm._cron import Cron

    if after is None:
        turn = current.get()
        after = datetime.now(UTC) if turn is None else turn.now()
    return Cron(expression, tz).next(after)


def start_flow(flow: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Run[T]:
    """Start a run of a flow on the default store; see `Engine.start_flow`.

    In a flow, the run is begun once the turn is saved, by the engine of the flow's own run: what is
    returned is the run as it will be. It is no child; see `spawn`.
    """
    turn = current.get()
    if turn is not None:
        return turn.outbox.start(flow, args, kwargs)
    return default_engine().start_flow(flow, *args, **kwargs)


def process_event(
    run_id: str | UUID,
    event_id: str,
    result: Any = None,
    *,
    key: str | None = None,
    revision: int | None = None,
) -> Run:
    """Give a run of the default store the event that it waits for; see `Engine.process_event`."""
    return default_engine().process_event(run_id, event_id, result, key=key, revision=revision)


def stream_event(
    run_id: str | UUID,
    event_id: str,
    result: Any = None,
    *,
    key: str | None = None,
    revision: int | None = None,
) -> ResponseStream:
    """Give a run of the default store its event, and return what the turn says as it says it; see
    `Engine.stream_event`.
    """
    return default_engine().stream_event(run_id, event_id, result, key=key, revision=revision)


def send(
    run_id: str | UUID,
    event_id: str,
    value: Any = None,
    *,
    key: str | None = None,
    revision: int | None = None,
) -> Receipt:
    """Store an event for a run of the default store; see `Engine.send`.

    In a flow, it is sent once the turn is saved, by the engine of the flow's own run. Nobody knows
    the receiver's revision then, so none can be given: `TypeError`.
    """
    turn = current.get()
    if turn is not None:
        if revision is not None:
            raise TypeError("what a flow sends has no revision (leave `revision` out)")
        run_id, name = id_of_run(run_id), event_name(event_id)
        key = None if key is None else delivery_key(key)
        if type(event_id) is not str:
            from longterm._turns.checks import check_sent  # most events have no type

            check_sent(event_id, value)
        return turn.outbox.send(run_id, name, value, key)
    return default_engine().send(run_id, event_id, value, key=key, revision=revision)


def throw(run_id: str | UUID, error: BaseException | type[BaseException]) -> Run:
    """Raise an exception at the suspend where a run waits; see `Engine.throw`."""
    return default_engine().throw(run_id, error)


def cancel(run_id: str | UUID, *, force: bool = False) -> Run:
    """Cancel a suspended run of the default store; see `Engine.cancel`."""
    return default_engine().cancel(run_id, force=force)


def retry(run_id: str | UUID) -> Run:
    """Give a failed run of the default store another try; see `Engine.retry`."""
    return default_engine().retry(run_id)


def find_runs(**conditions: Unpack[Conditions]) -> list[Run]:
    """Find runs of the default store by what is known of them; see `Engine.find_runs`."""
    return default_engine().find_runs(**conditions)


def get_run(run_id: str | UUID) -> Run:
    """Return a run of the default store as it is now; see `Engine.get_run`."""
    return default_engine().get_run(run_id)


@overload
async def astart_flow(
    flow: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
) -> Run[T]: ...


@overload
async def astart_flow(flow: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Run[T]: ...


async def astart_flow(flow: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> Run:
    """Start a run on the default store from asynchronous code; see `Engine.astart_flow`."""
    if current.get() is not None:
        return start_flow(flow, *args, **kwargs)
    return await default_engine().astart_flow(flow, *args, **kwargs)


async def aprocess_event(
    run_id: str | UUID,
    event_id: str,
    result: Any = None,
    *,
    key: str | None = None,
    revision: int | None = None,
) -> Run:
    """Give a run of the default store its event; see `Engine.aprocess_event`."""
    return await default_engine().aprocess_event(
        run_id, event_id, result, key=key, revision=revision
    )


async def astream_event(
    run_id: str | UUID,
    event_id: str,
    result: Any = None,
    *,
    key: str | None = None,
    revision: int | None = None,
) -> AsyncResponseStream:
    """Give a run of the default store its event, from asynchronous code; see
    `Engine.astream_event`.
    """
    engine = default_engine()
    return await engine.astream_event(run_id, event_id, result, key=key, revision=revision)


async def asend(
    run_id: str | UUID,
    event_id: str,
    value: Any = None,
    *,
    key: str | None = None,
    revision: int | None = None,
) -> Receipt:
    """Store an event for a run of the default store; see `Engine.asend`."""
    if current.get() is not None:
        return send(run_id, event_id, value, key=key, revision=revision)
    return await default_engine().asend(run_id, event_id, value, key=key, revision=revision)


async def aget_run(run_id: str | UUID) -> Run:
    """Return a run of the default store as it is now; see `Engine.aget_run`."""
    return await default_engine().aget_run(run_id)


async def afind_runs(**conditions: Unpack[Conditions]) -> list[Run]:
    """Find runs of the default store by what is known of them; see `Engine.afind_runs`."""
    return await default_engine().afind_runs(**conditions)


async def athrow(run_id: str | UUID, error: BaseException | type[BaseException]) -> Run:
    """Raise an exception at the suspend where a run waits; see `Engine.athrow`."""
    return await default_engine().athrow(run_id, error)


async def acancel(run_id: str | UUID, *, force: bool = False) -> Run:
    """Cancel a suspended run of the default store; see `Engine.acancel`."""
    return await default_engine().acancel(run_id, force=force)


async def aretry(run_id: str | UUID) -> Run:
    """Give a failed run of the default store another try; see `Engine.aretry`."""
    return await default_engine().aretry(run_id)
