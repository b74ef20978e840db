"""Commands that only look: `longterm runs` and `longterm show`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any, Final

from longterm._escapes import escaped, quoted
from longterm._flows.registry import known_names
from longterm._flows.verdicts import SAME_CODE
from longterm._records.shapes import verdict_of_run
from longterm._run_json import described
from longterm._stack_text import with_source
from longterm._terminal import table
from longterm._turns.kept_sources import OldLines
from longterm._unread_json import reason_of, unread_as_json, value_of
from longterm.cli.arguments import WrongUsage, count, days, fact, facts
from longterm.engine import Engine
from longterm.run import Run, RunState
from longterm.store.inbox import Inbox
from longterm.store.progress import Progress
from longterm.unread import UnreadEvent

_COLUMNS = ("id", "flow", "state", "turn", "waiting for", "saved")
_STUCK_COLUMNS = ("id", "state", "where it waits", "why it cannot go on here")
_LONGEST_LINE: Final = 500


def add_commands(commands: Any) -> None:
    """Add the commands to a parser."""
    runs = commands.add_parser("runs", help="list runs")
    runs.add_argument("--state", choices=[state.value for state in RunState])
    runs.add_argument("--flow", help="the flow's name, module:qualname")
    runs.add_argument("--waiting-for", metavar="EVENT")
    runs.add_argument("--to", metavar="WHOM", help="those whose wait is for them")
    runs.add_argument("--position", help="those that wait there, as `longterm check` prints it")
    runs.add_argument("--index", metavar="NAME=VALUE", action="append", default=[], type=fact)
    runs.add_argument("--blind", metavar="NAME=VALUE", action="append", default=[], type=fact)
    runs.add_argument("--older-than", metavar="DAYS", type=days)
    runs.add_argument("--limit", metavar="N", type=count, default=100, help="100 by default")
    runs.add_argument("--after", metavar="RUN", help="the last run of the page before")
    runs.add_argument("--newest-first", action="store_true", help="else the oldest come first")
    runs.add_argument("--json", action="store_true", help="one JSON object a line")
    runs.add_argument(
        "--stuck",
        action="store_true",
        help="those that cannot go on in the code that is here, and why "
        "(with --flow, --limit, --after and --json)",
    )
    runs.set_defaults(command=list_runs)
    show = commands.add_parser("show", help="show one run, with its suspended stack")
    show.add_argument("run")
    show.add_argument("--full", action="store_true", help="shorten no line")
    show.add_argument("--json", action="store_true")
    show.set_defaults(command=show_run)


def list_runs(engine: Engine, options: argparse.Namespace) -> int:
    """Print the runs that fit."""
    if options.stuck:
        return list_stuck(engine, options)
    runs = engine.find_runs(
        state=options.state,
        flow=options.flow,
        waiting_for=options.waiting_for,
        to=options.to,
        position=options.position,
        index=facts(options.index, "--index"),
        blind=facts(options.blind, "--blind"),
        older_than=options.older_than,
        limit=options.limit,
        after=options.after,
        newest_first=options.newest_first,
    )
    if options.json:
        for run in runs:
            print(json.dumps(run.to_dict()))
        return 0
    now = engine.clock.now()
    rows = [
        (
            escaped(run.id),
            escaped(run.flow),
            _state(run, now),
            str(run.turn),
            escaped(what_is_awaited(run)),
            moment_text(run.updated_at),
        )
        for run in runs
    ]
    for line in table([_COLUMNS, *rows]):
        print(line)
    _tell_of_more(runs, options.limit)
    return 0


def list_stuck(engine: Engine, options: argparse.Namespace) -> int:
    """Print the runs that cannot go on in the code that is here, and why."""
    others = ("state", "waiting_for", "to", "position", "index", "blind", "older_than")
    if any(getattr(options, name) for name in (*others, "newest_first")):
        raise WrongUsage("--stuck goes with --flow, --limit, --after and --json alone")
    if not known_names():
        raise WrongUsage("no flows are known here (name their modules by --app)")
    found = engine.stuck_runs(flow=options.flow, limit=options.limit, after=options.after)
    if options.json:
        for run, why in found:
            print(json.dumps({**run.to_dict(), "stuck": why}))
        return 0
    if not found:
        print("no run is stuck")
        return 0
    now = engine.clock.now()
    rows = [
        tuple(map(escaped, (run.id, _state(run, now), run.position or run.flow, why)))
        for run, why in found
    ]
    for line in table([_STUCK_COLUMNS, *rows]):
        print(line)
    _tell_of_more([run for run, _ in found], options.limit)
    return 0


def _tell_of_more(runs: list[Run], limit: int) -> None:
    """Say how the next page is asked for, if there may be one."""
    if len(runs) == limit:
        print(f"(there may be more: --after {escaped(runs[-1].id)})", file=sys.stderr)


def show_run(engine: Engine, options: argparse.Namespace) -> int:
    """Print all that is known of a run."""
    run = engine.get_run(options.run)
    text = described(run, "stack")
    stack = None if text is None else with_source(text, OldLines(engine.store))
    if options.json:
        inbox = [unread_as_json(event) for event in _unread(engine, run)]
        refused = [unread_as_json(event) for event in _refused(engine, run)]
        events = {"inbox": inbox, "refused": refused, "progress": _progress(engine, run)}
        print(json.dumps({**run.to_dict(), "stack": stack, **events}, indent=2))
        return 0
    for line in (
        *_lines(run, engine.clock.now(), _progress(engine, run), stack),
        *_inbox_lines("Unread", _unread(engine, run)),
        *_inbox_lines("Refused", _refused(engine, run)),
    ):
        print(line if options.full else shortened(line, "--full shows it"))
    return 0


def _progress(engine: Engine, run: Run) -> dict[str, Any] | None:
    """Return what a long turn of a run is at; None: it is in none, or that is not known."""
    store = engine.store
    if run.state is not RunState.RUNNING or not isinstance(store, Progress):
        return None
    note = store.progress(run.id)
    found: dict[str, Any] | None = None if note is None else json.loads(note)
    return found


def _lines(
    run: Run, now: datetime, progress: dict[str, Any] | None, stack: str | None
) -> Iterator[str]:
    """Return all that is known of a run, for people."""
    facts = {
        "run": run.id,
        "flow": run.flow,
        "state": _state(run, now),
        "turn": run.turn,
        "started": moment_text(run.created_at),
        "saved": moment_text(run.updated_at),
        "waiting for": what_is_awaited(run),
        **_wants(run),
        "in this code": _in_this_code(run),
        "in step": _step(progress, "is under way"),
        "deadline": moment_text(run.deadline),
        "claimed until": moment_text(run.claimed_until),
        "attempts": run.attempts or None,
        "queue": run.queue,
        "partition": run.partition,
        "index": ", ".join(f"{name}={value!r}" for name, value in run.index.items()),
        "response": described(run, "response"),
        "result": described(run, "result"),
    }
    for name, value in facts.items():
        if value not in (None, ""):
            yield f"{name + ':':15}{escaped(str(value))}"
    if error := error_of(run):
        yield ""
        yield from error.splitlines()
    if stack is not None:
        yield ""
        yield "Suspended stack (outermost call first):"
        yield from stack.splitlines()


def _in_this_code(run: Run) -> str | None:
    """Return what becomes of a run in the code that is here; None if that is as it was."""
    verdict = verdict_of_run(run) if known_names() else None
    if verdict is None or verdict == SAME_CODE:
        return None
    return f"{'goes on' if verdict.goes_on else 'STAYS'}: {verdict.words}"


def _wants(run: Run) -> dict[str, str]:
    """Return what a run's wait asks, of whom, and which values it takes."""
    wants = run.wants or {}
    ask, forms = wants.get("ask"), wants.get("events", {})
    return {
        "step": _step(wants.get("step"), "comes at the deadline"),
        "for": ", ".join(wants.get("to", [])),
        "asks": ask if isinstance(ask, str) else "" if ask is None else json.dumps(ask),
        "takes": ", ".join(f"{name}: {form['title']}" for name, form in forms.items()),
    }


def _step(step: object, how: str) -> str:
    """Return which attempt at a step a run rests for, or is at."""
    match step:
        case {"name": name, "attempt": attempt, "max_attempts": most, "since": since}:
            begun = f", begun {moment_text(datetime.fromisoformat(since))}" if since else ""
            return f"{name}, attempt {attempt} of {most} {how}{begun}"
    return ""


def _unread(engine: Engine, run: Run) -> Iterator[UnreadEvent]:
    """Return the events that a run was sent and has not read."""
    return _all_pages(partial(engine.unread_events, run.id)) if run.unread else iter(())


def _refused(engine: Engine, run: Run) -> Iterator[UnreadEvent]:
    """Return the events that a run has refused."""
    is_kept = isinstance(engine.store, Inbox)
    return _all_pages(partial(engine.refused_events, run.id)) if is_kept else iter(())


def _all_pages(ask: Callable[..., list[UnreadEvent]]) -> Iterator[UnreadEvent]:
    last = None
    while page := ask(after=last):
        yield from page
        last = page[-1].number


def _inbox_lines(what: str, events: Iterator[UnreadEvent]) -> Iterator[str]:
    """Return the events of an inbox for people."""
    for place, event in enumerate(events):
        if place == 0:
            yield ""
            yield f"{what} events (oldest first):"
        key = f", key {escaped(event.key)}" if event.has_own_key else ""
        yield f"{event.number}: {escaped(event.event_id)}, sent {moment_text(event.sent_at)}{key}"
        yield from (f"    {line}" for line in value_of(event).splitlines())
        if reason := reason_of(event):
            yield f"    refused: {escaped(reason)}"


def shortened(line: str, hint: str) -> str:
    """Return a line as long as people read one, and how long it was."""
    if len(line) <= _LONGEST_LINE:
        return line
    return f"{line[:_LONGEST_LINE]}… ({len(line):,} characters: {hint})"


def what_is_awaited(run: Run) -> str:
    """Return the names of the events that a run waits for, in one line."""
    return " or ".join(run.awaits) or run.waiting_for or ""


def _state(run: Run, now: datetime) -> str:
    """Return a run's state, whether its wait should have ended or could not, and what is unread."""
    unread = f", {len(run.unread):,} unread" if run.unread else ""
    if run.state is RunState.SUSPENDED and run.error:
        return f"{run.state}, parked{unread}"
    if run.state is RunState.SUSPENDED and run.deadline and run.deadline <= now:
        return f"{run.state}, {'overdue' if run.queue is None else 'queued'}{unread}"
    return f"{run.state}{unread}"


def error_of(run: Run) -> str | None:
    """Return why a run failed, as a terminal can show it."""
    return None if run.error is None else quoted(run.error)


def moment_text(moment: datetime | None) -> str:
    """Return a moment for people; None: nothing."""
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"
