"""The responses of a turn as its flow says them, for chats and agents.

The turn runs beside whoever reads: it never waits for its reader, and goes on when nobody reads any
more. What was said and not read yet is kept in memory, as a turn keeps it anyway.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextvars import copy_context
from queue import SimpleQueue
from typing import Any, Final

from longterm._codec import decode, encode
from longterm._flows.context import listening
from longterm._turns.attempts import reading
from longterm.errors import LongtermError
from longterm.run import Run
from longterm.store.base import RunStore

__all__ = ["AsyncResponseStream", "ResponseStream"]

_END: Final = object()
_going_on: Final[set[asyncio.Task[Run]]] = set()
"""The turns under way: an event loop holds its tasks weakly."""


class Listener:
    """Hears what one run says, from the turn on that its event begins."""

    def __init__(
        self,
        run_id: str,
        store: RunStore,
        begin: Callable[[], object],
        hear: Callable[[Any], object],
    ) -> None:
        """Call `begin` before the first line of that turn, and `hear` with each response."""
        self._run_id = run_id
        self._store = store
        self._is_open = False
        self.begin = begin
        self._hear = hear

    def open(self, run_id: str) -> None:
        """Listen from now on: the turns of events that were sent before are over."""
        self._is_open = self._is_open or run_id == self._run_id

    def hears(self, run_id: str) -> bool:
        """Return whether it listens to a run; a flow may run turns of others."""
        return self._is_open and run_id == self._run_id

    def hear(self, values: tuple[Any, ...]) -> None:
        """Hand on a copy of each response: the flow may change what it has said, until it waits."""
        before = reading.get()
        reading.set(self._store)
        try:
            for value in values:
                self._hear(decode(encode(value)))
        except LongtermError:  # it cannot be stored, or read: so says the turn, or the run, later
            return
        finally:
            reading.set(before)


class ResponseStream(Iterator[Any]):
    """An iterator of what a turn says, as it says it; then `wait` returns the run at once."""

    def __init__(self, run_id: str, store: RunStore, deliver: Callable[[], Run]) -> None:
        """Begin the turn in a thread of its own.

        Raises:
            Exception: what refuses the event, before the turn has begun.
        """
        self._items: SimpleQueue[Any] = SimpleQueue()
        self._begun = threading.Event()
        self._is_refused = self._is_over = False
        self._run: Run | None = None
        self._error: BaseException | None = None
        self._listener = Listener(run_id, store, self._begun.set, self._items.put)
        call = copy_context().run
        self._thread = threading.Thread(target=call, args=(self._carry_on, deliver))
        self._thread.start()
        self._begun.wait()
        if self._is_refused and self._error is not None:
            raise self._error

    def _carry_on(self, deliver: Callable[[], Run]) -> None:
        listening.set(self._listener)
        try:
            self._run = deliver()
        except BaseException as error:
            self._is_refused, self._error = not self._begun.is_set(), error
        self._items.put(_END)
        self._begun.set()

    def __next__(self) -> Any:
        """Return the next response.

        Raises:
            StopIteration: the turn is over, and saved.
            Exception: what `process_event` raises then; what was said before is not saved.
        """
        item = _END if self._is_over else self._items.get()
        if item is not _END:
            return item
        self._is_over = True
        self.wait()
        raise StopIteration

    def wait(self) -> Run:
        """Return the run once its turn is saved, whether all that it said was read or not.

        Raises:
            Exception: what `process_event` raises.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error
        assert self._run is not None
        return self._run


class AsyncResponseStream(AsyncIterator[Any]):
    """An asynchronous iterator of what a turn says; then `await stream.wait()` returns the run."""

    def __init__(self, run_id: str, store: RunStore, deliver: Callable[[], Awaitable[Run]]) -> None:
        """Begin the turn as a task of its own; `begin` waits for that."""
        self._loop = asyncio.get_running_loop()
        self._items: asyncio.Queue[Any] = asyncio.Queue()
        self._begun = asyncio.Event()
        self._has_begun = self._is_refused = self._is_over = False
        self._listener = Listener(run_id, store, self._begin, self._hear)
        self._task = self._loop.create_task(self._carry_on(deliver), context=copy_context())
        _going_on.add(self._task)
        self._task.add_done_callback(_going_on.discard)

    def _begin(self) -> None:
        self._has_begun = True
        self._soon(self._begun.set)

    def _hear(self, value: Any) -> None:
        self._soon(self._items.put_nowait, value)

    def _soon(self, call: Callable[..., object], *args: Any) -> None:
        """Call in the loop's own thread, after all that was called so before."""
        try:
            self._loop.call_soon_threadsafe(call, *args)
        except RuntimeError:  # the loop is closed: nobody reads, and the turn goes on
            return

    async def _carry_on(self, deliver: Callable[[], Awaitable[Run]]) -> Run:
        listening.set(self._listener)
        try:
            return await deliver()
        except BaseException:
            self._is_refused = not self._has_begun
            raise
        finally:
            self._hear(_END)
            self._begin()

    async def begin(self) -> AsyncResponseStream:
        """Return the stream once the turn has begun.

        Raises:
            Exception: what refuses the event, before that.
        """
        await self._begun.wait()
        if self._is_refused:
            await self._task
        return self

    async def __anext__(self) -> Any:
        """Return the next response; see `ResponseStream.__next__`."""
        item = _END if self._is_over else await self._items.get()
        if item is not _END:
            return item
        self._is_over = True
        await self.wait()
        raise StopAsyncIteration

    async def wait(self) -> Run:
        """Return the run once its turn is saved; see `ResponseStream.wait`."""
        return await asyncio.shield(self._task)
