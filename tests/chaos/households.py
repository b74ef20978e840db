"""What deliverers do with households and letterboxes: orders, letters, cancels.

Each writes a line into its diary before and another after what it does, as `deliverer` says.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

from longterm import Engine, Run
from longterm.errors import ClaimLost, RunNotSuspended, StoreError, UnknownRun, WrongEvent
from tests.chaos.flows import household, letterbox

Write: TypeAlias = Callable[..., None]

MOVES = ("spawn", "spawn twice", "race", "gather", "fail", "cancel", "write", "begin")
TRIES = 3
"""How often one who gets no answer sends the same again."""
_IN_REACH = 30
_REFUSED = (ClaimLost, RunNotSuspended, WrongEvent)


def take_a_step(engine: Engine, draw: random.Random, token: str, write: Write) -> None:
    """Do something with some household or letterbox."""
    chance = draw.random()
    if chance < 0.08:
        _start(engine, token, write)
    elif chance < 0.2:
        _write_letter(engine, _box(engine, draw), draw, token, write)
    elif chance < 0.25:
        if runs := engine.find_runs(flow=household, state="suspended", limit=_IN_REACH):
            run = draw.choice(runs)
            _cancel(engine, draw.choice([run.id, *run.children]), write)
    elif runs := engine.find_runs(flow=household, waiting_for="order", limit=_IN_REACH):
        _order(engine, draw.choice(runs), _box(engine, draw), draw, token, write)


def _start(engine: Engine, token: str, write: Write) -> None:
    """Start a household under an id, once or twice."""
    try:
        for _ in range(2):
            engine.start(household, id=token)
    except ClaimLost:  # it was so slow that another has taken it up
        pass
    write("started", token)


def _box(engine: Engine, draw: random.Random) -> str:
    boxes = engine.find_runs(flow=letterbox, index={"is_young": True}, limit=_IN_REACH)
    if len(boxes) < 10:
        boxes.append(engine.start_flow(letterbox))
    return draw.choice(boxes).id


def _write_letter(engine: Engine, box: str, draw: random.Random, token: str, write: Write) -> None:
    """Send a letter, and sometimes again by the same key."""
    write("letter", box, token)
    for _ in range(draw.choice([1, 2])):
        _until_answered(lambda: engine.send(box, "letter", token, key=token))
    write("letter sent", token)


def _order(
    engine: Engine, run: Run, box: str, draw: random.Random, token: str, write: Write
) -> None:
    """Bring a household an order, in one of the two ways."""
    order = [draw.choice(MOVES), token, box]
    deliver = draw.choice([engine.process_event, engine.send])
    write("order", run.id, token, time.monotonic())
    try:
        _until_answered(lambda: deliver(run.id, "order", order, key=token))
    except _REFUSED as error:
        # What a turn saved at its checkpoint stays, although it was too slow after that.
        if not (isinstance(error, ClaimLost) and order[0] == "write"):
            write("order refused", token)
    else:
        write("order taken", token, deliver.__name__)


def _cancel(engine: Engine, run_id: str, write: Write) -> None:
    with suppress(*_REFUSED, UnknownRun):  # a child may be still to come
        engine.cancel(run_id)
        write("cancelled", run_id, time.monotonic())


def _until_answered(step: Callable[[], object]) -> None:
    """Take a step, and again if there was no answer. What has a key has its effect once."""
    for number in range(TRIES):
        try:
            step()
            return
        except _REFUSED:
            raise
        except StoreError:
            if number == TRIES - 1:
                raise
            time.sleep(0.1)
