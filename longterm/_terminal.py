"""What the commands share: their version, tables, colours, and how a command ends.

`longterm` and `longterm-compile` use it; nothing that runs flows does.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import Final, TextIO

from longterm._version import __version__

BOLD: Final = "1"
DIM: Final = "2"
GREEN: Final = "1;32"
CYAN: Final = "1;36"
"""Colours, as the numbers of the terminal's escape sequence (ECMA-48, "SGR")."""

INTERRUPTED: Final = 130
"""The exit status after Ctrl-C: 128 and the number of SIGINT, as a shell has it."""
PIPE_CLOSED: Final = 141
"""The exit status if the reader of the output has gone: 128 and the number of SIGPIPE."""


def run_command(command: Callable[[], int]) -> int:
    """Run a command and return its exit status, also if it is interrupted or no longer read.

    Ctrl-C gives `INTERRUPTED`. A reader that has seen enough, such as `head`, gives `PIPE_CLOSED`,
    which is what a shell sees of `cat` and others; neither prints a traceback.
    """
    _replace_closed_streams()
    try:
        try:
            return command()
        finally:  # here, and not at Python's own exit, where nobody could catch it
            sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more at its exit, and would complain: let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except KeyboardInterrupt:
        return INTERRUPTED


def _replace_closed_streams() -> None:
    """Let output go nowhere that was closed from the start (`>&-`); Python has None for it."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))


def add_version(parser: argparse.ArgumentParser) -> None:
    """Give a command the option `--version`."""
    version = f"%(prog)s {__version__}"
    parser.add_argument("--version", action="version", version=version)


def own_name() -> str:
    """Return how the command that runs can be called again from here, as a shell reads it."""
    script = os.path.abspath(sys.argv[0])
    package, name = os.path.split(script)
    if name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m longterm.{os.path.basename(package)}"
    return name if shutil.which(name) == script else shlex.quote(sys.argv[0])


def table(rows: Sequence[Sequence[str]], *, numbers: int = 0) -> list[str]:
    """Lay the cells of rows out in columns, and return the lines.

    Args:
        rows: the cells; all rows have equally many.
        numbers: how many columns, from the left, are set to the right, as numbers are.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(_cells(row, widths, numbers)).rstrip() for row in rows]


def _cells(row: Sequence[str], widths: Sequence[int], numbers: int) -> list[str]:
    return [
        cell.rjust(width) if column < numbers else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def wants_colour(stream: TextIO, when: str = "auto") -> bool:
    """Tell whether to colour what is written to a stream.

    `always` and `never` decide; else NO_COLOR (no-color.org), FORCE_COLOR and TERM do, then whether
    it is a terminal.
    """
    if when != "auto":
        return when == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return os.environ.get("TERM") != "dumb" and stream.isatty()


def paint(text: str, colour: str) -> str:
    """Return a text in a colour."""
    return f"\x1b[{colour}m{text}\x1b[0m" if text else text
