"""The demo's ends of the terminal: words with and without colour, and answers typed or piped."""

from __future__ import annotations

import os
import sys

PROMPT = "> "


def use_colour() -> bool:
    """Whether standard output is a terminal whose user did not ask for plain text."""
    return (
        sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    )


def paint(text: str, code: str) -> str:
    """Return the text in this colour, or as it is."""
    return f"\x1b[{code}m{text}\x1b[0m" if text and use_colour() else text


def say(text: str = "") -> None:
    """Print what the demo itself has to say."""
    print(text, flush=True)


def say_aside(text: str) -> None:
    """Print what only the curious read, dimmed."""
    print(paint(text, "2"), flush=True)


def say_flow(text: str) -> None:
    """Print what the flow says."""
    print(paint(text, "1;36"), flush=True)


def read_answer() -> str | None:
    """Read one line from the user or the pipe; None when there are no more."""
    prompt = paint(PROMPT, "1;32")
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
