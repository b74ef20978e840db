"""A release, talked through: six small flows, written as one would write them for a terminal.

Every `suspend` may last a minute or a month. Nothing here knows of processes, files or databases.
"""

from __future__ import annotations

from longterm import deflow, respond, suspend

SERVERS = 12
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")


@deflow
def plan_release() -> str:
    """Plan a release and roll it out, for as many days as that takes."""
    respond("Good morning! Let's ship something.")
    service = ask("service", "What are we releasing?")
    day = choose("day", "On which day?", DAYS)

    if day == "Friday" and not somebody_is_awake(service):
        respond("Then it is Monday. You will thank me.")
        day = "Monday"

    servers = ask_number("servers", f"{day} it is. How many servers go first?", 1, SERVERS)
    while is_green(service, servers):
        if servers == SERVERS:
            return f"{service} went out on {day}, to all {SERVERS} servers. Cake?"
        servers = min(servers * 2, SERVERS)
    return f"{service} is rolled back, and {day} is saved. Write the postmortem while it is fresh."


@deflow
def somebody_is_awake(service: str) -> bool:
    """Make sure that a Friday release has an owner for the weekend."""
    name = ask("pager", f"A Friday! Who carries the pager for {service} tomorrow?")
    return confirm("pager-known", f"And does {name} know that?")


@deflow
def is_green(service: str, servers: int) -> bool:
    """Ask whether the servers that have the release are well."""
    return confirm("health", f"{servers} of {SERVERS} servers run the new {service}. All green?")


@deflow
def ask(event_id: str, question: str) -> str:
    """Ask until there is an answer."""
    respond(question)
    while not (answer := str(suspend(event_id)).strip()):
        respond("Sorry, I did not hear that.", question)
    return answer


@deflow
def ask_number(event_id: str, question: str, lowest: int, highest: int) -> int:
    """Ask until the answer is a number in range."""
    while True:
        answer = ask(event_id, f"{question} ({lowest} to {highest})")
        if answer.isdecimal() and lowest <= int(answer) <= highest:
            return int(answer)
        respond(f"{answer!r} is no number from {lowest} to {highest}.")


@deflow
def choose(event_id: str, question: str, options: tuple[str, ...]) -> str:
    """Ask until the answer is one of the options, or the beginning of one."""
    while True:
        answer = ask(event_id, f"{question} ({', '.join(options)})").lower()
        for option in options:
            if option.lower().startswith(answer):
                return option
        respond(f"{answer!r} is none of these.")


@deflow
def confirm(event_id: str, question: str) -> bool:
    """Ask until the answer is yes or no."""
    return choose(event_id, question, ("yes", "no")) == "yes"
