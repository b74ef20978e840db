"""Whatever a flow is made of: a fork from each of its waits does what the run itself did."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from longterm import Engine, LongtermError, RunState
from longterm.run import Run
from longterm.testing import EXPIRE, Answer, FakeClock, Throw
from tests.compiler.golden import CASES, Play, name_of, plays_of

Seen = list[tuple[object, ...]]


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_fork_does_what_the_run_did(case: Path) -> None:
    for play in plays_of(case):
        asyncio.run(_compare(play))


async def _compare(play: Play) -> None:
    flow, args, events = play
    engine = Engine("memory://", clock=FakeClock(), history="frames", inline=False)
    try:
        run = await engine.astart_flow(flow, *deepcopy(args))
    except LongtermError:
        raise
    except Exception:  # it has failed before it could wait
        return
    seen = await _played(engine, run, events)
    for revision in range(1, len(seen)):
        fork = await engine.afork(run.id, at=revision)
        rest = events[revision - 1 :]
        assert await _played(engine, fork, rest) == seen[revision - 1 :]


async def _played(engine: Engine, run: Run, events: list[Any]) -> Seen:
    """Return how a run stands, and after each event."""
    seen = [_stands(run)]
    for event in events:
        if run.state is not RunState.SUSPENDED:
            break
        try:
            await _brought(engine, run, event)
        except LongtermError:
            raise
        except Exception as error:
            seen.append((type(error), repr(error)))
            break
        run = await engine.aget_run(run.id)
        seen.append(_stands(run))
    return seen


async def _brought(engine: Engine, run: Run, event: Any) -> None:
    if event is EXPIRE:
        await engine.aexpire(run.id)
    elif isinstance(event, Throw):
        await engine.athrow(run.id, deepcopy(event.error))
    elif isinstance(event, Answer):
        await engine.aprocess_event(run.id, event.event_id, deepcopy(event.value))
    else:
        await engine.aprocess_event(run.id, run.awaits[0], deepcopy(event))


def _stands(run: Run) -> tuple[object, ...]:
    is_waiting = run.state is RunState.SUSPENDED
    return (
        *(run.state, run.waiting_for if is_waiting else None, run.encoded_response),
        *(run.encoded_result, run.index, run.stack if is_waiting else None),
    )
