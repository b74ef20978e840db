"""The metrics: what is counted and measured, and in which units.

How many turns and attempts there were is the count that each histogram of their durations has.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation, get_meter

from longterm._event_names import START
from longterm.engine import Engine
from longterm.run import ENDED, Run
from longterm.telemetry._errors import type_of

_WORK_SECONDS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 600)
_WAIT_SECONDS: Final = (1, 10, 60, 600, 3_600, 21_600, 86_400, 604_800, 2_592_000, 31_536_000)
"""From a second to a year."""


class Instruments:
    """Counts and measures what engines do."""

    def __init__(self, name: str, version: str, provider: MeterProvider | None) -> None:
        """Make the instruments of a provider, or of that of the process."""
        self._meter = get_meter(name, version, provider)
        self._turns = self._meter.create_histogram(
            "longterm.turn.duration",
            unit="s",
            description="How long turns took, from their begin to the end of their save",
            explicit_bucket_boundaries_advisory=_WORK_SECONDS,
        )
        self._waits = self._meter.create_histogram(
            "longterm.wait.duration",
            unit="s",
            description="How long runs had waited when their turns began",
            explicit_bucket_boundaries_advisory=_WAIT_SECONDS,
        )
        self._steps = self._meter.create_histogram(
            "longterm.step.duration",
            unit="s",
            description="How long attempts at steps took",
            explicit_bucket_boundaries_advisory=_WORK_SECONDS,
        )
        self._started = self._meter.create_counter(
            "longterm.run.started", unit="{run}", description="Runs that have begun"
        )
        self._ended = self._meter.create_counter(
            "longterm.run.ended", unit="{run}", description="Runs that have ended"
        )
        self._refused = self._meter.create_counter(
            "longterm.event.refused",
            unit="{event}",
            description="Events that turns have read and refused",
        )

    def observe_queues(self, engine: Engine) -> None:
        """Report the queues of an engine; both gauges are one question to the store."""

        def depths(options: CallbackOptions) -> Iterable[Observation]:
            for status in engine.queues():
                queue = {"longterm.queue": status.queue.name}
                yield Observation(status.waiting, {**queue, "longterm.queue.state": "waiting"})
                yield Observation(status.running, {**queue, "longterm.queue.state": "running"})

        self._meter.create_observable_gauge(
            "longterm.queue.depth",
            [depths],
            unit="{run}",
            description="Runs that wait for a slot of a queue, or hold one",
        )

    def note_begin(self, run: Run, now: datetime) -> None:
        """Count a run that begins, or measure how long it had waited."""
        flow = {"longterm.flow": run.flow}
        if run.waiting_for == START:
            if not run.attempts:
                self._started.add(1, flow)
        elif run.updated_at is not None:
            self._waits.record(max(0.0, (now - run.updated_at).total_seconds()), flow)

    def note_end(
        self,
        flow: str,
        run: Run | None,
        outcome: str,
        error: BaseException | None,
        seconds: float,
    ) -> None:
        """Measure a turn, and count its run if that has ended."""
        known = {"longterm.flow": flow, "longterm.outcome": outcome}
        if run is not None and run.state in ENDED:
            self._ended.add(1, known)
        if error is not None:
            known["error.type"] = type_of(error)
        self._turns.record(seconds, known)

    def note_step(self, name: str, error: BaseException | None, seconds: float) -> None:
        """Measure an attempt at a step."""
        known = {"longterm.step": name}
        if error is not None:
            known["error.type"] = type_of(error)
        self._steps.record(seconds, known)

    def note_refused(self, flow: str, error: BaseException) -> None:
        """Count an event that was refused."""
        self._refused.add(1, {"longterm.flow": flow, "error.type": type_of(error)})
