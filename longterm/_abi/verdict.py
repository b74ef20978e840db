"""How sure it is that a call suspends: what the compiler and the runtime say of what is called.

The compiler tells it by source files, the runtime by the modules that are loaded.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Verdict(StrEnum):
    """What calling a thing does; of several the later member of this list counts."""

    NEVER = "never suspends"
    UNKNOWN = "unknown"
    """No name leads there; taken as a resume point only where that costs nothing."""
    MAY = "may suspend"
    """A name, a method of self, or what a table holds, that may turn out to be a flow."""
    LIKELY = "likely suspends"
    """A method that has the name of a flow in a class at hand, or what a table with flows holds."""
    GENERATES = "makes a generator that may suspend"
    """A call never suspends, but to ask what it returns for a value may."""
    DEFLOW = "deflow"
    """It is `deflow`, which makes flows of functions; a call of it never suspends."""
    MAKES_STEPS = "step"
    """It is `step`, which makes steps of functions; a call of it never suspends."""
    STEP = "is a step"
    ASYNC_STEP = "is an async step"
    """One of an `async def`: it suspends when it is awaited."""
    SUSPENDS = "suspends"
    """It is a flow, or `call`."""
    WAITS = "waits"
    """It is `suspend` itself."""

    @property
    def is_sure(self) -> bool:
        """Whether it surely suspends."""
        return self in _SURE

    @property
    def is_known(self) -> bool:
        """Whether it is told for certain, and not only that it may be."""
        return self not in (Verdict.LIKELY, Verdict.MAY, Verdict.UNKNOWN)


_SURE = frozenset({Verdict.WAITS, Verdict.SUSPENDS, Verdict.STEP, Verdict.ASYNC_STEP})
_PRECEDENCE = {verdict: number for number, verdict in enumerate(Verdict)}


def strongest(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict that counts where a name may stand for several things."""
    return max(verdicts, key=_PRECEDENCE.__getitem__)
