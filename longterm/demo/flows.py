"""A release, talked through: with whoever wants it, and with two people who are asked at once.

Every `suspend` may last a minute or a month. Nothing here knows of processes, files or databases.
"""

from __future__ import annotations

from datetime import timedelta

from longterm import deflow, respond, spawn, suspend

A_DAY = timedelta(days=1)


@deflow
def release() -> str:
    """Release something once Ada and Ben have both agreed to it."""
    respond("Good morning! What are we releasing?")
    what = ask("you")
    respond(f"{what} it is. Ada and Ben must both agree, so both are asked now.")
    ada, ben = spawn(approval, "Ada", what), spawn(approval, "Ben", what)
    first, objection = suspend(ada, ben)  # whoever answers first
    if objection is None:
        objection = suspend(ben if first == ada else ada)
    if objection is not None:  # whoever has not answered yet is asked no more
        return f"{what} stays in the drawer. {objection}"
    return f"{what} is out. Cake?"


@deflow
def approval(name: str, what: str) -> str | None:
    """Ask somebody, again every day, and return what they object; None: they agree."""
    respond(f"{name}, may {what} go out?")
    while not (answer := suspend("answer", to=name, expires=A_DAY, default="")):
        respond(f"{name}, {what} still waits for you.")
    return None if answer.lower().startswith("y") else f"{name} says: {answer}"


@deflow
def ask(name: str) -> str:
    """Ask somebody until there is an answer."""
    while not (answer := suspend("answer", to=name).strip()):
        respond("Sorry, I did not hear that.")
    return str(answer)
