"""The flows of the five examples once more, holding nothing but integers.

They begin as many runs, wait, say and save as often, and call each other as the examples do. What
an example costs beside its twin is the price of what it holds and brings.
"""

from __future__ import annotations

from datetime import timedelta

from longterm import (
    Cancelled,
    Event,
    checkpoint,
    deflow,
    respond,
    set_index,
    spawn,
    step,
    suspend,
)

SIGNED, SAY, UNDO = Event("signed", int), Event("say", int), Event("undo", int)
WAIT = timedelta(days=3)


@deflow
def onboard(number: int) -> int:
    """Do as `onboarding.onboard` does."""
    set_index(employee=number)
    respond(number)
    if (contract := signed_contract(number, 2)) is None:
        return 0
    try:
        respond(number)
        return contract + suspend("laptop")
    except Cancelled:
        number += 1
        raise


@deflow
def signed_contract(number: int, reminders: int) -> int | None:
    """Wait three days, and three more after each reminder."""
    sent = 0
    while sent <= reminders:
        contract = suspend(SIGNED, expires=WAIT, default=None)
        if contract is not None:
            return contract
        sent += 1
        respond(number)
    return None


@deflow
def expenses(euros: int) -> int:
    """Do as `expenses.expenses` does."""
    set_index(employee=euros)
    boss = spawn(approval, 1, euros)
    accounting = spawn(approval, 2, euros)
    first, decision = suspend(boss, accounting)
    if decision:
        decision = suspend(accounting if first == boss else boss)
    return euros if decision else 0


@deflow
def approval(role: int, euros: int) -> int:
    """Ask one approver."""
    return suspend("decision", type=int, to=str(role), ask=euros)


@deflow
def agent() -> None:
    """Do as `agent.agent` does, with a count for the messages."""
    messages = 0
    while True:
        messages += suspend("request", type=int)
        tools = 0
        while True:
            for _ in range(4):
                respond(messages)
            messages += 1
            if tools == 2:
                break
            messages += use_tool(tools, messages)
            tools += 1
            checkpoint()


@deflow
def use_tool(number: int, messages: int) -> int:
    """Let the second tool be allowed."""
    if number and not suspend("allowed", type=bool, to="the user", ask=messages):
        return 0
    return 1


@step(max_attempts=5)
def book(what: int, trip: int) -> int:
    """Book nothing."""
    return what + trip


@deflow
def travel(trip: int) -> int:
    """Do as `saga.travel` does."""
    done = 0
    try:
        done += book(1, trip)
        done += book(2, trip)
        if not suspend("seat", type=bool):
            raise ValueError(trip)
        return done + book(3, trip)
    except (Cancelled, Exception):
        done -= 1
        raise


@deflow
def chat(digest: int) -> None:
    """Do as `chat.chat` does, with a count for what was said."""
    said = digest
    while True:
        name, value = suspend(SAY, UNDO, "bye")
        if name == "bye":
            return
        said += value
        respond(said)
