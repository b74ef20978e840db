"""A run holds instances of a class that changes before it goes on, in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from longterm import CorruptData, Engine, RunState
from longterm.worker import Worker
from tests.runtime.test_kept_names import deploy as deploy
from tests.runtime.test_kept_names import engine as engine

FLOW = """
from dataclasses import dataclass, field
from datetime import timedelta
from longterm import deflow, register_upgrade, suspend

{order}

@deflow
def sell(count):
    orders = [Order(count)]
    paid = suspend("paid", expires=timedelta(microseconds=1), default="late")
    return f"{{orders[0]}} {{paid}}"
"""
ORDER = "@dataclass(slots=True)\nclass Order:\n    count: int\n"
REQUIRED = ORDER + "    currency: str\n"
MENDED = {
    "a default": (ORDER + '    currency: str = "EUR"\n', "Order(count=3, currency='EUR')"),
    "an upgrade": (
        REQUIRED + "\nregister_upgrade(Order, lambda fields: {**fields, 'currency': 'DKK'})\n",
        "Order(count=3, currency='DKK')",
    ),
}
WORK = """
from datetime import datetime, timedelta, timezone
from longterm import Engine
from longterm.testing import FakeClock
from longterm.worker import Worker
import shop_of_changes
engine = Engine({url!r}, clock=FakeClock(datetime.now(timezone.utc) + timedelta(days={days})))
Worker(engine).run_once()
"""
SEND = """
from longterm import CannotLoad, Engine
import shop_of_changes
try:
    Engine({url!r}).process_event({run!r}, "paid", "now")
except CannotLoad as error:
    print("refused:", error.name, error.field, error.place)
"""


@pytest.mark.parametrize("how", MENDED)
def test_a_run_waits_until_the_class_is_mended(tmp_path: Path, how: str) -> None:
    url = f"sqlite:///{tmp_path / 'runs.db'}"

    def deploy(order: str) -> None:
        (tmp_path / "shop_of_changes.py").write_text(FLOW.format(order=order))

    def process(script: str) -> str:
        done = subprocess.run(
            [sys.executable, "-B", "-c", script],
            cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        return done.stdout.strip()

    deploy(ORDER)
    start = "import shop_of_changes as shop, longterm\n"
    run_id = process(f"{start}print(longterm.Engine({url!r}).start_flow(shop.sell, 3).id)")
    engine = Engine(url)
    before = engine.get_run(run_id)

    deploy(REQUIRED)
    process(WORK.format(url=url, days=1))
    parked = engine.get_run(run_id)
    assert parked.state is RunState.SUSPENDED
    assert parked.stack == before.stack
    assert parked.error is not None
    assert "orders[0] of shop_of_changes:sell at line 14" in parked.error
    assert "it has gained 'currency', which has no default (give it a default" in parked.error
    said = process(SEND.format(url=url, run=run_id))
    assert said.startswith("refused: shop_of_changes:Order currency orders[0] of")
    assert engine.get_run(run_id).stack == before.stack

    mended, shown = MENDED[how]
    deploy(mended)
    process(WORK.format(url=url, days=3))
    done = engine.get_run(run_id)
    assert (done.state, done.error) == (RunState.COMPLETE, None)
    assert done.result == f"{shown} late"


HEAD = """
import enum
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple
from longterm import deflow, suspend
"""
TAIL = """
@deflow
def sell():
    held = [{made}]
    paid = suspend("paid", expires=timedelta(days=1), default="late")
    return repr(held), paid
"""
COLOUR = "class C(enum.Enum):\n    RED = 1\n    BLUE = 2\n"
PAIR = "class C(NamedTuple):\n    a: int\n"
DATA = "@dataclass\nclass C:\n    a: int\n"
SLOTS = "@dataclass(slots=True)\nclass C:\n    a: int\n    b: int = 2\n"
MODEL = "import pydantic\nclass C(pydantic.BaseModel):\n    a: int\n"
# A class as it was, an instance, as it is, what is said, and as it is mended: what then is held.
STUCK = {
    "a member is gone": (
        *(COLOUR, "C.BLUE", COLOUR.replace("    BLUE = 2\n", ""), "has no member BLUE"),
        *(COLOUR.replace("BLUE = 2", "BLUE = RED"), "[<C.RED: 1>]"),
    ),
    "an element without a default": (
        *(PAIR, "C(1)", PAIR + "    b: int\n", "gained 'b', which has no default"),
        *(PAIR + "    b: int = 5\n", "[C(a=1, b=5)]"),
    ),
    "a field without a place": (
        *(SLOTS, "C(1)", SLOTS.replace("    b: int = 2\n", ""), "no place for 'b' any more"),
        *(SLOTS, "[C(a=1, b=2)]"),
    ),
    "a field of a model": (
        *(MODEL, "C(a=1)", MODEL + "    b: int\n", "gained 'b', which has no default"),
        *(MODEL + "    b: int = 5\n", "[C(a=1, b=5)]"),
    ),
    "the class is gone": (
        *(DATA, "C(1)", "", "'C' was not found (if it was moved, write"),
        *(DATA.replace("class C", "class D") + "C = D\n", "[D(a=1)]"),
    ),
}


@pytest.mark.parametrize("case", STUCK)
def test_what_cannot_be_made_is_named_and_the_run_waits(engine, deploy, case):
    before, made, after, words, mended, held = STUCK[case]
    if "pydantic" in before:
        pytest.importorskip("pydantic")
    tail = TAIL.format(made=made)
    (module,) = deploy(old=HEAD + before + tail)
    run = engine.start_flow(module.sell)

    deploy(old=HEAD + after + tail)
    with pytest.raises(CorruptData) as caught:
        engine.process_event(run.id, "paid", "now")
    assert words in str(caught.value)
    assert "kept_old" in str(caught.value)
    assert "damaged" not in str(caught.value)
    assert engine.get_run(run.id).stack == run.stack
    engine.clock.advance(timedelta(days=1))
    Worker(engine).run_once()
    parked = engine.get_run(run.id)
    assert (parked.state, parked.stack) == (RunState.SUSPENDED, run.stack)
    assert words in parked.error

    deploy(old=HEAD + mended + tail)
    engine.clock.advance(timedelta(hours=1))
    Worker(engine).run_once()
    assert engine.get_run(run.id).result == (held, "late")
