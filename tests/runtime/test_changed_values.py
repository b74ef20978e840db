"""A run holds instances of a class that changes before it goes on, in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from longterm import Engine, RunState

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
