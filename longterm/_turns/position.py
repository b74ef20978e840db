"""Where a run waits, as one text: `shop:sell@3f2a9c04:2>shop:pay@91cc02b7:1`.

Whether a process can go on with a run depends on the versions and points of its frames, and on the
functions inside flows that its stack holds, and on nothing else. So runs of one position share one
verdict, and a store can count them, and leave them out, without a look at their stacks.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Final

from longterm._codec.types.functions import CodeName
from longterm._flows.flow import Flow
from longterm._flows.registry import flow_named
from longterm._flows.upgrades import flow_going_on
from longterm.frame import Frame
from longterm.run import Run

_DIGITS: Final = 8
"""Of a version: enough to tell those of one flow apart."""
_ENDS: Final = 8
"""Of a deeper stack, so many frames of both ends stand in the text, and a digest of all."""


def position_of(frames: list[Frame], inner: Collection[CodeName] = ()) -> str:
    """Return the position of a stack, and of the functions inside flows that it holds."""
    places = [_place(frame.flow, frame.version, frame.point) for frame in frames]
    if len(places) > 2 * _ENDS:
        places = [*places[:_ENDS], f"…{_digest(places)}…", *places[-_ENDS:]]
    text = ">".join(places)
    return f"{text}+{_digest(sorted(map(':'.join, inner)))}" if inner else text


@lru_cache(maxsize=1024)
def _place(flow: str, version: str, point: int) -> str:
    return f"{flow}@{version[:_DIGITS]}:{point}"


def flow_of_run(run: Run) -> Flow:
    """Return the flow whose code the next turn of a run runs, as far as its position tells.

    Raises:
        UnknownFlow: this process has no flow of the name.
    """
    if run.position is None:
        return flow_named(run.flow)  # it has not begun, or its stack is of longterm 0.1
    name, _, place = run.position.partition("@")
    return flow_going_on(name, place[:_DIGITS])


def _digest(texts: list[str]) -> str:
    from hashlib import sha256  # most stacks are short, and hold no functions

    text = "\0".join(texts).encode("utf-8", "surrogatepass")
    return sha256(text).hexdigest()[:_DIGITS]
