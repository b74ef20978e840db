"""One event loop in a thread of its own, for all `async def` turns of a worker.

So what a flow's module keeps open between turns, such as a client, stays usable.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from types import FrameType
from typing import Any, Final

_log = logging.getLogger("longterm")

_ANSWER_SECONDS: Final = 1.0
"""How long the loop may take to answer before it counts as held."""


class EventLoop:
    """Runs coroutines side by side, until it is closed."""

    def __init__(self) -> None:
        """Start the thread.

        Raises:
            RuntimeError: it cannot be started.
        """
        self._loop = asyncio.new_event_loop()
        self._is_closed = self._is_held = False
        self._thread = threading.Thread(target=self._run, name="longterm-loop", daemon=True)
        try:
            self._thread.start()
        except BaseException:
            self._loop.close()
            raise

    def start(self, coroutine: Coroutine[Any, Any, object]) -> Future[object]:
        """Start a coroutine; cancelling the future cancels its task."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def is_held(self) -> bool:
        """Whether code that does not await holds the loop; once found so, it is not asked again."""
        if not self._is_held:
            answered = threading.Event()
            self._loop.call_soon_threadsafe(answered.set)
            self._is_held = not answered.wait(_ANSWER_SECONDS)
        return self._is_held

    def frame(self) -> FrameType | None:
        """Return the frame that the loop's thread is in."""
        return sys._current_frames().get(self._thread.ident or 0)

    def close(self) -> None:
        """End the tasks that are left, then the loop; does not wait for it. May be called twice."""
        if not self._is_closed:
            self._is_closed = True
            self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            loop = runner.get_loop()
            while not self._is_closed:
                try:
                    loop.run_forever()
                except (KeyboardInterrupt, SystemExit) as error:
                    # A task of a flow's own let it out, and asyncio hands it to the loop as well.
                    _log.warning("a task of a flow raised %s", type(error).__name__)
