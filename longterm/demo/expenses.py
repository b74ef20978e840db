"""An expense, paid once somebody has approved it: the flow that `longterm demo --web` serves.

A large one waits for a manager, who is asked again every minute. In life it would be every day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from longterm import deflow, respond, set_index, suspend

REMIND = timedelta(minutes=1)
SMALL = 100
"""Euros that nobody need approve."""


@dataclass
class Decision:
    """What a manager says."""

    pay: bool
    note: str = ""


@deflow
def pay_expense(what: str, euros: int, manager: str = "Ada") -> str:
    """Pay an expense: there must be a receipt, and for large amounts a manager's word."""
    set_index(what=what, euros=euros)
    respond(f"Please send the receipt for {what}.")
    ask = f"What is the name of the file with the receipt for {what}?"
    while not (receipt := suspend("receipt", type=str, to="you", ask=ask)).endswith(".pdf"):
        respond(f"{receipt} is not a PDF. Another try?")
    if euros > SMALL and not (decision := approval(what, euros, manager)).pay:
        return f"{manager} refused {what}. {decision.note}"
    return f"{euros} euros are paid for {what}."


@deflow
def approval(what: str, euros: int, manager: str) -> Decision:
    """Ask a manager, again every minute, until there is a decision."""
    ask = f"May {euros} euros be spent on {what}?"
    respond(ask)
    while True:
        decision = suspend(
            "decision", type=Decision, to=manager, ask=ask, expires=REMIND, default=None
        )
        if decision is not None:
            return decision
        respond(f"{manager}, {what} still waits for you.")
