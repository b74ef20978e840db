"""Commands that show what workers are to begin: `longterm queues` and `longterm schedules`."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from longterm._escapes import escaped
from longterm._terminal import table
from longterm._turns.scheduled import is_open
from longterm.engine import Engine
from longterm.store.queues import Queue, QueueStatus

_QUEUE_COLUMNS = ("queue", "waiting", "running", "oldest", "concurrency", "per partition", "rate")
_SCHEDULE_COLUMNS = ("schedule", "cron", "zone", "next", "last", "open", "run")


def add_commands(commands: Any) -> None:
    """Add the command to a parser."""
    queues = commands.add_parser("queues", help="show the queues, and how many runs wait in each")
    queues.add_argument("--json", action="store_true", help="one JSON object a line")
    queues.set_defaults(command=list_queues)
    schedules = commands.add_parser("schedules", help="show the schedules, and their next times")
    schedules.add_argument("--json", action="store_true", help="one JSON object a line")
    schedules.set_defaults(command=list_schedules)


def list_queues(engine: Engine, options: argparse.Namespace) -> int:
    """Print what is in each queue."""
    now = engine.clock.now()
    found = engine.queues()
    if options.json:
        for status in found:
            print(json.dumps(_as_json(status, now)))
        return 0
    for line in table([_QUEUE_COLUMNS, *(_as_row(status, now) for status in found)]):
        print(line)
    return 0


def _as_row(status: QueueStatus, now: datetime) -> tuple[str, ...]:
    queue, age = status.queue, _age(status, now)
    limits = (queue.concurrency, queue.per_partition, _rate(queue))
    return (
        escaped(queue.name),
        str(status.waiting),
        str(status.running),
        "" if age is None else f"{age:.0f} s",
        *("" if limit is None else str(limit) for limit in limits),
    )


def _as_json(status: QueueStatus, now: datetime) -> dict[str, Any]:
    queue = status.queue
    rate = queue.rate and {"runs": queue.rate[0], "seconds": queue.rate[1].total_seconds()}
    return {
        "queue": queue.name,
        "waiting": status.waiting,
        "running": status.running,
        "oldest_seconds": _age(status, now),
        "concurrency": queue.concurrency,
        "per_partition": queue.per_partition,
        "rate": rate,
    }


def _age(status: QueueStatus, now: datetime) -> float | None:
    """Return for how many seconds the oldest run of a queue has waited."""
    return None if status.oldest is None else max(0.0, (now - status.oldest).total_seconds())


def _rate(queue: Queue) -> str | None:
    return None if queue.rate is None else f"{queue.rate[0]} in {queue.rate[1]}"


def list_schedules(engine: Engine, options: argparse.Namespace) -> int:
    """Print the schedules, and whether the run that each has begun last is open still."""
    found = [(each, is_open(each.last, engine.store)) for each in engine.schedules()]
    if options.json:
        for schedule, is_last_open in found:
            fields = {**asdict(schedule), "open": is_last_open}
            fields["next"] = None if schedule.next is None else schedule.next.isoformat()
            print(json.dumps(fields))
        return 0
    rows = [
        (
            escaped(schedule.name),
            escaped(schedule.cron),
            escaped(schedule.tz),
            "" if schedule.next is None else f"{schedule.next:%Y-%m-%d %H:%M} UTC",
            escaped(schedule.last or ""),
            "yes" if is_last_open else "",
            escaped(schedule.run_id),
        )
        for schedule, is_last_open in found
    ]
    for line in table([_SCHEDULE_COLUMNS, *rows]):
        print(line)
    return 0
