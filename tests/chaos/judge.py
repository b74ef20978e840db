"""Lets all runs come to their end after the chaos, and looks whether every promise was kept.

What the deliverers wrote into their diaries is compared with what the runs say that they have seen.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from longterm import Engine, Run, RunState
from longterm._event_names import START
from longterm.message import Message
from longterm.run import ENDED
from longterm.store.outbox import Outbox
from tests.chaos.deliverer import ATTEMPTS, LEASE
from tests.chaos.flows import EVENTS, EXPIRED, collect, fails, household, letterbox
from tests.chaos.household_judge import judge_households

_PATIENCE_SECONDS = 60
"""How long runs may take that nobody disturbs any more."""


def judge(url: str, diary: Path, started: set[str]) -> dict[str, object]:
    """Return the counts of what has happened; it is an error if a promise was broken."""
    engine = Engine(url, lease=LEASE, max_attempts=ATTEMPTS)
    time.sleep(LEASE.total_seconds() + 0.2)
    released = len(engine.release_stale(max_attempts=ATTEMPTS))
    lines = [line.split("|") for file in diary.iterdir() for line in _whole_lines(file)]
    wrong = [line for line in lines if line[0] == "wrong"]
    assert not wrong, wrong[:5]
    for run in _all_runs(engine):
        assert run.state in (RunState.SUSPENDED, *ENDED), f"{run.id} is {run.state}"
        is_ended = run.state in ENDED
        assert is_ended or run.waiting_for, f"{run.id} waits for nothing"
    _end_all(engine)
    runs = list(_all_runs(engine))
    started |= {run_id for kind, run_id, *_ in lines if kind == "started"}
    lost = started - {run.id for run in runs}
    assert not lost, f"lost runs: {sorted(lost)[:5]}"
    failed = [run for run in runs if run.state is RunState.FAILED and run.flow != _name(fails)]
    assert not failed, f"{failed[0].id} has failed: {failed[0].error}"
    found = {run.id: run.result for run in runs if run.flow == _name(collect)}
    _compare(lines, found)
    counts = Counter(line[0] for line in lines)
    of_households = judge_households(engine, runs, lines)
    engine.store.close()  # type: ignore[attr-defined]
    return {
        "runs": len(runs),
        "events_sent": counts["sent"],
        "events_acknowledged": counts["acknowledged"],
        "events_refused": counts["refused"],
        "waits_expired": sum(seen.count(EXPIRED) for seen in found.values()),
        "runs_released_at_the_end": released,
        **of_households,
    }


def _end_all(engine: Engine) -> None:
    """Let every run come to its end: first what goes on by itself, then what waits for somebody."""
    _come_to_rest(engine)
    for run in _all_runs(engine, flow=household):
        if run.state is RunState.SUSPENDED:
            assert run.waiting_for == "order", f"{run.id} is stuck at {run.waiting_for}"
            engine.process_event(run.id, "order", None)
    for run in _all_runs(engine, flow=collect):
        while run.state is not RunState.COMPLETE:
            run = engine.process_event(run.id, run.waiting_for or "", "the end")
        assert len(run.result) == EVENTS
    for _ in range(100):  # of what is delivered at once
        if not _outbox(engine):
            break
        engine.run_pending()
    _come_to_rest(engine)
    for run in _all_runs(engine, flow=letterbox):
        engine.process_event(run.id, "close")
    stuck = [run for run in _all_runs(engine) if run.state not in ENDED]
    assert not stuck, f"{len(stuck)} are stuck: {stuck[0].flow} at {stuck[0].waiting_for}"
    assert not (left := _outbox(engine)), f"this was not delivered: {left[0]}"


def _come_to_rest(engine: Engine) -> None:
    """Do what workers do until all runs wait for what only somebody from outside can send."""
    seen, changed_at = None, time.monotonic()
    while moving := [run for run in _all_runs(engine) if _goes_on_by_itself(run)]:
        engine.release_stale(max_attempts=ATTEMPTS)
        engine.run_pending()
        now = [(run.id, run.turn, run.unread) for run in moving]
        if now != seen:
            seen, changed_at = now, time.monotonic()
        is_stuck = time.monotonic() > changed_at + _PATIENCE_SECONDS
        assert not is_stuck, f"{len(moving)} are stuck: {moving[0]}"
        time.sleep(0.1)


def _goes_on_by_itself(run: Run) -> bool:
    if run.state in ENDED:
        return False
    if run.flow == _name(collect):  # the judge sends it what is missing
        return run.waiting_for == START
    return run.waiting_for not in ("order", "letter\nclose") or run.next_unread is not None


def _name(flow: object) -> str:
    return f"tests.chaos.flows:{flow.__name__}"  # type: ignore[attr-defined]


def _outbox(engine: Engine) -> list[Message]:
    """Return what was not delivered yet, and make it due now."""
    assert isinstance(engine.store, Outbox)
    now = engine.clock.now()
    return engine.store.claim_outgoing(now=now + timedelta(days=9), until=now, limit=10**6)


def _compare(lines: list[list[str]], found: dict[str, list[str]]) -> None:
    sent = {token: (run_id, event) for _, run_id, event, token in _of_kind(lines, "sent")}
    effects = [
        (token, (run_id, f"event {place}"))
        for run_id, seen in found.items()
        for place, token in enumerate(seen)
        if token not in (EXPIRED, "the end")
    ]
    happened = dict(effects)
    assert len(happened) == len(effects), "an event had its effect twice"
    for token, place in effects:
        assert sent.get(token) == place, f"{token} had its effect at {place}"
    for _, run_id, event_id, token in _of_kind(lines, "acknowledged"):
        assert happened.get(token) == (run_id, event_id), f"{token} was acknowledged and is lost"
    for _, token, refusal in _of_kind(lines, "refused"):
        assert token not in happened, f"{token} was refused with {refusal} and had its effect"


def _of_kind(lines: list[list[str]], kind: str) -> list[list[str]]:
    return [line for line in lines if line[0] == kind]


def _whole_lines(file: Path) -> list[str]:
    return [line for line in file.read_text().splitlines(keepends=False) if line]


def _all_runs(engine: Engine, flow: object = None) -> Iterator[Run]:
    after = None
    while page := engine.find_runs(flow=flow, limit=500, after=after):  # type: ignore[arg-type]
        yield from page
        after = page[-1].id
