"""Rest for the garbage collector while many objects are made and none is garbage."""

from __future__ import annotations

import gc
from types import TracebackType
from typing import Final

_WORTH_IT_BYTES: Final = 8_192


class collector_at_rest:
    """Keep the collector from running within, if the input is long enough to matter."""

    __slots__ = ("was_on",)

    def __init__(self, length: int = _WORTH_IT_BYTES) -> None:
        """Decide by the length of the input, if it is known."""
        self.was_on = length >= _WORTH_IT_BYTES and gc.isenabled()

    def __enter__(self) -> None:
        if self.was_on:
            gc.disable()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.was_on:
            gc.enable()
