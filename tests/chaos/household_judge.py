"""Judges households after the chaos: orders and letters count once, children are begun once.

All runs have ended. What a household has done is its result; if it was cancelled, that of a run
that it has begun then.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any, TypeAlias

from longterm import Engine, Run, RunState
from tests.chaos.flows import CHILD_CANCELLED

Lines: TypeAlias = list[list[str]]
Done: TypeAlias = dict[str, list[Any]]
"""For each household its orders, each with what came of it; None: it was cancelled meanwhile."""

CHILDREN: dict[str, Counter[str]] = {
    "spawn": Counter(errand=1),
    "spawn twice": Counter(sends_on=1),
    "race": Counter(errand=1, idle=1),
    "gather": Counter(errand=3),
    "fail": Counter(fails=1),
    "cancel": Counter(idle=1),
    "write": Counter(),
    "begin": Counter(),
}
"""How many children of which flow an order begins."""


def judge_households(engine: Engine, runs: list[Run], lines: Lines) -> dict[str, int]:
    """Return the counts of what has happened; it is an error if a promise was broken."""
    by_flow: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_flow[run.flow.rpartition(":")[2]].append(run)
        assert not run.children, f"{run.id} has ended and has children"
    done = _done(by_flow)
    _judge_orders(engine, done, lines)
    _judge_children(by_flow, done)
    _judge_letters(by_flow, done, lines)
    cancelled = [run for run in by_flow["household"] if run.state is RunState.CANCELLED]
    return {
        "orders_acknowledged": sum(line[0] == "order taken" for line in lines),
        "orders_carried_out": sum(map(len, done.values())),
        "households_cancelled": len(cancelled),
        "children": sum(run.parent is not None for run in runs),
        "runs_begun_by_flows": sum(run.parent is None for run in by_flow["errand"]),
        "letters": sum(len(run.result) for run in by_flow["letterbox"]),
    }


def _done(by_flow: dict[str, list[Run]]) -> Done:
    """Return what each household has done; one that was cancelled in its first turn, nothing."""
    said: list[tuple[str, list[Any]]] = [run.result for run in by_flow["last_words"]]
    last = dict(said)
    assert len(last) == len(said), "a household was cancelled twice"
    done: Done = {}
    for run in by_flow["household"]:
        if run.state is RunState.COMPLETE:
            done[run.id] = run.result
        else:
            assert run.state is RunState.CANCELLED, f"{run.id} is {run.state}"
            done[run.id] = last.pop(run.id, [])
    assert not last, f"{next(iter(last))} was not cancelled"
    return done


def _judge_orders(engine: Engine, done: Done, lines: Lines) -> None:
    """Each acknowledged order was taken once, or has not been read; none came after a cancel."""
    effects = [(token, run_id) for run_id, all_ in done.items() for (_, token, _), _ in all_]
    happened = dict(effects)
    assert len(happened) == len(effects), "an order was taken twice"
    sent = {token: (run_id, float(moment)) for run_id, token, moment in _told(lines, "order")}
    for token, run_id in effects:
        assert sent[token][0] == run_id, f"{token} was taken by {run_id}"
    for (token,) in _told(lines, "order refused"):
        assert token not in happened, f"{token} was refused and taken"
    for token, way in _told(lines, "order taken"):
        if token not in happened:
            assert way == "send", f"{token} was acknowledged and is lost"
            kept = engine.unread_events(sent[token][0], limit=1000)
            assert token in [event.key for event in kept], f"{token} was sent and is lost"
    cancels: dict[str, float] = {}
    for run_id, moment in _told(lines, "cancelled"):
        cancels[run_id] = min(float(moment), cancels.get(run_id, float(moment)))
    for token, run_id in effects:
        late = sent[token][1] > cancels.get(run_id, float("inf"))
        assert not late, f"{token} was taken after its household was cancelled"


def _judge_children(by_flow: dict[str, list[Run]], done: Done) -> None:
    """Each order has begun its children once, each of them has its parent, and none goes on."""
    begun: dict[str, Counter[str]] = defaultdict(Counter)
    for flow in ("errand", "sends_on", "fails", "idle"):
        for run in by_flow[flow]:
            begun[run.parent or ""][flow] += 1
    detached = Counter(run.result for run in by_flow["errand"] if run.parent is None)
    expected_detached: Counter[str] = Counter()
    for run in by_flow["household"]:
        expected: Counter[str] = Counter(idle=run.state is RunState.COMPLETE)
        for (move, token, _), outcome in done[run.id]:
            expected += CHILDREN[move]
            expected_detached[f"done for {token}"] += move == "begin"
            _judge_outcome(move, token, outcome, run)
        assert begun.pop(run.id, Counter()) == expected, f"{run.id} has begun other children"
    assert detached == +expected_detached, "runs that are nobody's children"
    begun.pop("", None)  # there need be none
    for run in by_flow["sends_on"]:
        own = begun.pop(run.id, Counter())
        is_done = run.state is RunState.COMPLETE
        assert own["errand"] in ((1,) if is_done else (0, 1)), f"{run.id} has begun {own}"
    assert not begun, f"without their parents: {begun}"
    for run in by_flow["idle"]:
        assert run.state is RunState.CANCELLED, f"{run.id} was not cancelled"


def _judge_outcome(move: str, token: str, outcome: object, run: Run) -> None:
    wanted: dict[str, object] = {
        "gather": [f"done for {token} {naps}" for naps in range(3)],
        "fail": f"failed for {token}",
        "cancel": CHILD_CANCELLED,
    }
    said = f"{move} {token} of {run.id} came to {outcome!r}"
    if outcome is None:
        assert run.state is RunState.CANCELLED, said
    elif move in ("write", "begin"):
        assert isinstance(outcome, str), said
    else:
        assert outcome in (wanted.get(move, f"done for {token}"), CHILD_CANCELLED), said


def _judge_letters(by_flow: dict[str, list[Run]], done: Done, lines: Lines) -> None:
    """Each letter that was sent is in its box once, and in no other."""
    found = Counter((run.id, letter) for run in by_flow["letterbox"] for letter in run.result)
    twice = [letter for letter, count in found.items() if count > 1]
    assert not twice, f"letters came twice: {twice[:5]}"
    allowed = {(box, token) for box, token in _told(lines, "letter")}
    sent = {token for (token,) in _told(lines, "letter sent")}
    wanted = {(box, token) for (box, token) in allowed if token in sent}
    for all_ in done.values():
        for (move, token, box), outcome in all_:
            if move == "write":
                wanted.add((box, f"{token} before"))
                allowed.add((box, f"{token} after"))
                if outcome is not None:
                    wanted.add((box, f"{token} after"))
    lost = wanted - set(found)
    assert not lost, f"letters are lost: {sorted(lost)[:5]}"
    strange = set(found) - allowed - wanted
    assert not strange, f"letters that nobody has sent: {sorted(strange)[:5]}"


def _told(lines: Lines, kind: str) -> list[list[str]]:
    return [line[1:] for line in lines if line[0] == kind]
