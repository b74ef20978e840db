"""What generated code and the runtime agree on: the version, the reserved names, the names in use.

The compiler imports this package and nothing else of the runtime: beside these names, what is said
of a call (`verdict`), and how the functions inside flows are told apart (`inner_code`).
"""

from __future__ import annotations

from functools import cache
from typing import Final

ABI_VERSION: Final = 1
"""Part of every flow's version: raised when the same source would come to save other slots."""

RESERVED_PREFIX: Final = "_lt_"
"""Every local name that the compiler makes begins so; an author's name must not."""

RUNTIME: Final = "__longterm__"
"""The global name under which generated code finds `longterm._flows.rt`."""

NEXT: Final = "_lt_next"
"""The first parameter of a resume body: call it to go on with the next frame, or get the event."""

CELLS: Final = "_lt_cells"
"""The local in which a body keeps the cells of its captured names, to be saved with its frame."""

DEFAULT: Final = "_lt_default"
"""The slot of a waiting frame that holds the default of its wait, if there is one."""

UNTIL: Final = "_lt_until"
"""The slot of a waiting frame that holds the deadline of its wait, if there is one: that of a run
which a worker has parked is the time of its next try."""

EVENTS: Final = "_lt_events"
"""The slot of a frame that waits for several events: what the author gave for each of them."""

TYPE: Final = "_lt_type"
"""The slot of a waiting frame that holds what the event's value is checked against, if anything."""

GATHERED: Final = "_lt_gathered"
"""The slot of a frame that waits for all of several children: the results that have come, by the
names of their events."""

STEP: Final = "_lt_step"
"""The slot of a frame that is in a step: the call that is pending, or what has come of it."""

STEPS: Final = "_lt_steps"
"""The slot of the outermost frame with the number of steps that the run has begun, if any."""

SMALL: Final = 1_000_000_000
"""Ints below it, and above its negative, are compared fast; the sum of two fits into C's `long`."""

GENERATOR: Final = "_lt_generator"
"""The slot of a frame that waits inside a generator: that, as those who hold it have it."""

YIELD: Final = ("yield",)
"""What stands for the callee of a point at which a generator gives out a value."""

ASKED: Final = "__next__"
"""The last name of the callee of a point that asks what the others lead to for its next value."""

AWAITED: Final = "__anext__"
"""The last name of the callee of one that awaits it."""

RUNTIME_NAMES: Final = frozenset(
    {
        "AssertionError",
        "BaseException",
        "StopIteration",
        "Suspend",
        "UNBOUND",
        "aenter_and_aexit",
        "aexit",
        "again",
        "aiter",
        "as_first_raised",
        "enter_and_exit",
        "exit",
        "in_generator",
        "iter",
        "let_go",
        "matches",
        "merged",
        "pair",
        "rest",
        "slice",
        "sum_from",
        "sum_of",
        "summand",
        "split",
        "take_up",
        "type",
        "waiting",
        "unhandled",
    }
)
"""The attributes of `longterm._flows.rt` that generated code may use."""


WRITTEN: Final = "__longterm_written__"
"""The global of a module that `longterm-compile --output` wrote: the ABI and Python it is for."""

FLOWS: Final = "__longterm_flows__"
"""The global of a written module with what must be known of each of its flows."""

BODIES: Final = "__longterm_bodies__"
"""The function of a written module that holds the resume bodies; nothing calls it."""

NEEDS_COLUMNS: Final = (
    "Python runs without columns in code objects, by which a suspended call is found (unset "
    "PYTHONNODEBUGRANGES, and start Python without -X no_debug_ranges)"
)
"""Why nothing is compiled where `keeps_columns` is false."""


@cache
def keeps_columns() -> bool:
    """Return whether code that is compiled in this process tells the columns of its source.

    Asked of fresh code, since byte code on disk shows how another process was started. See
    https://docs.python.org/3/using/cmdline.html#envvar-PYTHONNODEBUGRANGES.
    """
    return any(column is not None for *_, column in compile("0", "", "eval").co_positions())


def mangle(name: str, class_name: str | None) -> str:
    """Return the name as CPython stores it inside a class: `__x` in `Shop` is `_Shop__x`."""
    if class_name is None or not name.startswith("__") or name.endswith("__") or "." in name:
        return name
    stripped = class_name.lstrip("_")
    return f"_{stripped}{name}" if stripped else name
