"""The demo's conversation: ask the user, let a new process handle the answer, show what it said."""

from __future__ import annotations

import io
import json
import shlex
import signal
import subprocess
import sys
import time
from typing import Any

from longterm._terminal import INTERRUPTED, own_name
from longterm.demo.table import print_runs, sqlite_path
from longterm.demo.terminal import read_answer, say, say_aside, say_flow
from longterm.store._urls import without_password

DEFAULT_STORE = "sqlite:///longterm-demo.db"


class TurnRefused(Exception):
    """Raised when the process of a turn ended without a turn; the message is what it said."""


def converse(store: str, run: str | None) -> int:
    """Show the whole conversation, from what is going to be seen to what is kept of it.

    Args:
        store: the URL of the store.
        run: the id of the run to go on with; None begins a new one.
    """
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    introduce(store)
    conversation = Conversation(store)
    try:
        conversation.lead(run)
    except KeyboardInterrupt:
        say()
    except TurnRefused as refusal:
        print(f"longterm: {refusal}", file=sys.stderr)
        return 1
    conclude(conversation)
    print_runs(store)
    return 0


def introduce(store: str) -> None:
    """Say what is going to be seen."""
    say("You are talking to a flow, an ordinary Python function (longterm/demo/flows.py).")
    say("Every answer is handled by a new process. In between nothing runs: who waits is a row")
    say(f"in {place_of(store)}")
    say("An empty line lets a day pass, and `cancel` ends it all. Press Ctrl-C whenever you like,")
    say("and go on another day.")
    say()


class Conversation:
    """What this process knows of a run: what the processes of its turns reported."""

    def __init__(self, store: str) -> None:
        """Begin without a run."""
        self.store = store
        self.standing: dict[str, Any] | None = None
        self.seconds: list[float] = []

    def lead(self, run_id: str | None) -> None:
        """Pass answers on, one process each, until the run or the answers end."""
        standing = self.take_turn(*([f"--run={run_id}"] if run_id else []))
        while True:
            for line in standing["said"]:
                say_flow(line)
            if standing["state"] != "suspended":
                say_flow(standing["result"] or f"(the run is {standing['state']})")
                return
            happened = what_happens(standing["asks"])
            if happened is None:
                return
            standing = self.take_turn(f"--run={standing['run']}", *happened)

    def take_turn(self, *arguments: str) -> dict[str, Any]:
        """Let a new process take one turn, and return its report."""
        started = time.perf_counter()
        process = subprocess.run(
            [sys.executable, "-m", "longterm.demo.turn", f"--store={self.store}", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if process.returncode in (INTERRUPTED, -signal.SIGINT):
            raise KeyboardInterrupt
        if process.returncode != 0:
            raise TurnRefused(process.stderr.strip())
        self.seconds.append(time.perf_counter() - started)
        standing: dict[str, Any] = json.loads(process.stdout)
        self.standing = standing
        say_aside(describe(standing, self.seconds[-1]))
        return standing


def what_happens(asks: dict[str, bool]) -> list[str] | None:
    """Read what happens next, as the process of a turn is told it; None: nothing more.

    Args:
        asks: who is asked, and whether that is over one day.
    """
    while (line := read_answer(", ".join(asks))) is not None:
        line = line.replace("\0", "").strip()
        name, colon, text = line.partition(":")
        named = [each for each in asks if colon and each.lower() == name.lower()]
        if line == "cancel":
            return ["--cancel"]
        if not line and any(asks.values()):
            return ["--later"]
        if named or len(asks) == 1:
            who, said = (named[0], text.strip()) if named else (*asks, line)
            return [f"--to={who}", f"--answer={said}"]
        say_aside(f"    Who says so? Answer as in: {next(iter(asks))}: yes")
    return None


def describe(standing: dict[str, Any], seconds: float) -> str:
    """Tell what the process of a turn did before it ended."""
    ended = f"    process {standing['process']} ended after {seconds * 1000:.0f} ms"
    if standing["state"] != "suspended":
        return f"{ended}; the run is {standing['state']}"
    rows = [f"    {stack}, {size} bytes" for stack, size in standing["rows"]]
    return "\n".join([f"{ended} and left:", *rows])


def conclude(conversation: Conversation) -> None:
    """Say how the conversation ended, and how to go on if it has not."""
    standing = conversation.standing
    say()
    if standing is None:
        return
    if standing["state"] != "suspended":
        count, longest = len(conversation.seconds), max(conversation.seconds)
        say(f"That took {count} processes, of which the longest lived {longest * 1000:.0f} ms.")
        return
    command = f"{own_name()} demo"
    if conversation.store != DEFAULT_STORE:
        is_file = sqlite_path(conversation.store) is not None
        url = conversation.store if is_file else without_password(conversation.store)
        command += f" --store {shlex.quote(url)}"
    say("No more answers, so the run stays suspended. It needs no process while it waits.")
    say(f"Go on whenever you like:  {command} --run {standing['run']}")


def place_of(store: str) -> str:
    """Show where the store is: the whole path if it is a file."""
    path = sqlite_path(store)
    return without_password(store) if path is None else str(path)
