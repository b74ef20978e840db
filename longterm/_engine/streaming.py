"""How an engine brings an event, and hands on what the turn says while it goes on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from longterm._engine.async_twins import AsyncTwins
from longterm._later import later
from longterm._names import id_of_run
from longterm.errors import AsyncFlow
from longterm.run import Run

if TYPE_CHECKING:
    from uuid import UUID

    from longterm.streams import AsyncResponseStream, ResponseStream
else:
    UUID = later("uuid", "UUID")
    ResponseStream = later("longterm.streams", "ResponseStream")
    AsyncResponseStream = later("longterm.streams", "AsyncResponseStream")


class Streaming(AsyncTwins):
    """The part of an engine whose turns are read while they run."""

    def stream_event(
        self,
        run_id: str | UUID,
        event_id: str,
        result: Any = None,
        *,
        key: str | None = None,
        revision: int | None = None,
    ) -> ResponseStream:
        """Give a suspended run its event, and return what the turn says as an iterator.

        The turn runs in a thread of its own. It never waits for its reader, and when nobody reads
        any more it goes on and is saved. The iterator ends when the run is saved; `wait` returns it
        then, with the same responses: of a repeated delivery nothing is said again.

        Args:
            run_id, event_id, result, key, revision: see `process_event`.

        Raises:
            Exception: what `process_event` raises; here if the event is refused before the turn
                begins, else when the iterator comes to its end.
        """
        run_id = id_of_run(run_id)
        event = partial(self._not_async, run_id, event_id, result, key=key, revision=revision)
        from longterm.streams import ResponseStream  # most turns are read when they are over

        return ResponseStream(run_id, self.store, event)

    def _not_async(self, run_id: str, *args: Any, **options: Any) -> Run:
        try:
            return self.process_event(run_id, *args, **options)
        except AsyncFlow as error:
            raise AsyncFlow(error.flow, "stream_event") from None

    async def astream_event(
        self,
        run_id: str | UUID,
        event_id: str,
        result: Any = None,
        *,
        key: str | None = None,
        revision: int | None = None,
    ) -> AsyncResponseStream:
        """Give a run of any flow its event, and return what the turn says; see `stream_event`.

        Write `async for value in await engine.astream_event(…)`. The turn is a task of its own; it
        goes on as long as the event loop does.
        """
        run_id = id_of_run(run_id)
        event = partial(self.aprocess_event, run_id, event_id, result, key=key, revision=revision)
        from longterm.streams import AsyncResponseStream

        return await AsyncResponseStream(run_id, self.store, event).begin()
