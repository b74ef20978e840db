"""The demo's ends of the terminal: words with and without colour, and answers typed or piped."""

from __future__ import annotations

import sys

from longterm._terminal import CYAN, DIM, GREEN, paint, wants_colour


def say(text: str = "") -> None:
    """Print what the demo itself has to say."""
    print(text, flush=True)


def say_aside(text: str) -> None:
    """Print what only the curious read, dimmed."""
    print(painted(text, DIM), flush=True)


def say_flow(text: str) -> None:
    """Print what the flow says."""
    print(painted(text, CYAN), flush=True)


def read_answer(who: str) -> str | None:
    """Read one line of somebody from the user or the pipe; None when there are no more."""
    prompt = painted(f"{who}> ", GREEN)
    if sys.stdin.isatty():
        try:
            return input(prompt)
        except EOFError:
            say()
            return None
    line = sys.stdin.readline()
    if not line:
        return None
    # What is piped in is not seen, so that it is shown as if it had been typed.
    answer = line.rstrip("\r\n")
    say(prompt + answer)
    return answer


def painted(text: str, colour: str) -> str:
    """Return a text in a colour if standard output shall have any."""
    return paint(text, colour) if wants_colour(sys.stdout) else text
