"""The flows whose pages are looked at: an approval, and one that fails."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

from longterm import Event, deflow, respond, set_index, spawn, suspend


@dataclass
class Line:
    """One line of an order."""

    item: str
    count: int = 1


@dataclass
class Approval:
    """What the manager says."""

    ok: bool
    urgency: Literal["low", "high"]
    pay_on: date | None = None
    lines: list[Line] = field(default_factory=list)
    note: str = ""


approve, reject = Event("approve", Approval), Event("reject", str)


@deflow
def ask(order, who):
    """Ask somebody whether an order may be paid."""
    letter = "Dear Sir or Madam, " * 40
    asked = f"May order {order} be paid?"
    respond(f"Order {order} is over the limit.")
    answer = suspend(approve, reject, to=who, ask=asked, expires=timedelta(days=2), default=None)
    return answer, letter


@deflow
def buy(order: int, who: str = "ada"):
    """Buy something, once it is approved."""
    set_index(order=order)
    (what, answer), _ = ask(order, who)
    respond(f"{what}: {answer}")
    return suspend("delivered")


@deflow
def divide(number: int):
    """Divide a number by what somebody says."""
    return number / suspend("divisor", type=int, to="ada", ask=f"What shall divide {number}?")


@deflow
def family(order: int):
    """Let another run do it."""
    return suspend(spawn(buy, order))


@deflow
def echo(text):
    """Say a text in all places that a page shows."""
    shown = text
    set_index(said=text)
    respond({text: [text]})
    return suspend("free", to=text[:400], ask=text), shown
