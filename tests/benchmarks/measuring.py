"""How every benchmark times, counts and shows: variants in turn, medians with their spread, rows.

A benchmark is a file with one function, `measure(quick)`, which returns rows. A row is one variant
in one setting: its own figure, and its ratios to other variants of the same repeats.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Samples: TypeAlias = dict[str, list[float]]
"""For each variant its figures, one for each repeat."""

UNITS = {"s": 1.0, "ms": 1e3, "µs": 1e6, "ns": 1e9}


@dataclass(frozen=True, slots=True)
class Spread:
    """A median, and between what nine tenths of the repeats lie."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread:
        """Summarize the figures of all repeats."""
        if len(figures) == 1:
            return cls(figures[0], figures[0], figures[0])
        cuts = statistics.quantiles(figures, n=20, method="inclusive")
        return cls(statistics.median(figures), cuts[0], cuts[-1])


@dataclass(frozen=True, slots=True)
class Ratio:
    """How a figure compares with another one of the same repeats."""

    of: str
    spread: Spread
    target: float | None = None
    """What the project wants it to be at most."""

    @property
    def is_over(self) -> bool:
        """Whether the median misses the target by more than the spread explains."""
        return self.target is not None and self.spread.low > self.target


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One variant in one setting: what was seen, or why nothing was."""

    group: str
    name: str
    figure: Spread | None = None
    unit: str = "µs"
    ratios: tuple[Ratio, ...] = ()
    note: str = ""


def interleaved(
    variants: Mapping[str, Callable[[int], object]],
    *,
    repeats: int,
    each: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> Samples:
    """Return seconds for each variant and repeat: the median of the repeat's `each` calls.

    The variants take turns call by call, in an order that changes, so that a busy machine harms all
    alike and none always pays for what another left behind. A variant gets the call's number. The
    first repeat warms up and is not counted.
    """
    names = list(variants)
    found: Samples = {name: [] for name in names}
    number = 0
    for repeat in range(repeats + 1):
        seconds: Samples = {name: [] for name in names}
        for _ in range(each):
            for name in in_turn(names, number):
                start = clock()
                variants[name](number)
                seconds[name].append(clock() - start)
            number += 1
        if repeat:
            for name in names:
                found[name].append(statistics.median(seconds[name]))
    return found


def in_turn(names: list[str], number: int) -> list[str]:
    """Return the names in the order of one round: each is first, last and after each other."""
    first = number // 2 % len(names)
    order = names[first:] + names[:first]
    return order[::-1] if number % 2 else order


def rows_of(
    group: str,
    samples: Samples,
    *,
    bases: Iterable[str] = (),
    unit: str = "µs",
    scale: float | None = None,
    targets: Mapping[str, float] | None = None,
) -> list[Row]:
    """Return a row for each variant; each that is no base has its ratios to all the bases."""
    bases, targets = list(bases), targets or {}
    factor = UNITS[unit] if scale is None else scale
    return [
        Row(
            group=group,
            name=name,
            figure=Spread.of([each * factor for each in figures]),
            unit=unit,
            ratios=tuple(
                Ratio(base, ratio(figures, samples[base]), targets.get(name))
                for base in bases
                if name not in bases[: bases.index(base) + 1]
            ),
        )
        for name, figures in samples.items()
    ]


def ratio(figures: Sequence[float], base: Sequence[float]) -> Spread:
    """Return the ratio of two variants, taken repeat by repeat."""
    return Spread.of([a / b for a, b in zip(figures, base, strict=True)])


def skipped(group: str, why: str) -> list[Row]:
    """Return the row that says what was not measured here."""
    return [Row(group=group, name="NOT MEASURED", note=why)]
