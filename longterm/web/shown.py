"""What is shown of runs: whole, in a list, or as a task."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request

from longterm._run_json import described
from longterm._stack_text import with_source
from longterm._turns.kept_sources import OldLines
from longterm._turns.threads import in_thread
from longterm.run import Run
from longterm.store.base import RunStore

HIDDEN: Final = "(shown to those who may inspect the run)"
"""Stands for an error, which holds a traceback of the server's code, and so perhaps secrets."""

SUMMARY: Final = (
    *("id", "flow", "state", "revision", "awaits", "deadline", "created_at", "updated_at"),
    *("index", "parent", "position", "queue"),
)
"""What a list shows of each run: nothing that can be large."""


async def whole(run: Run, *, with_error: bool) -> dict[str, Any]:
    """Return a run as JSON, in a thread: its values are decoded, and may be large."""
    found: dict[str, Any] = await in_thread(run.to_dict)
    if found["error"] is not None and not with_error:
        found["error"] = HIDDEN
    return found


def summary(run: Run) -> dict[str, Any]:
    """Return what a list shows of a run."""
    small = run.changed(encoded_response=None, encoded_result=None, encoded_error=None)
    found = small.to_dict()
    return {name: found[name] for name in SUMMARY}


def bare(run: Run) -> dict[str, Any]:
    """Return what somebody learns who has acted on a run, and may not see it."""
    return {"id": run.id, "flow": run.flow, "state": run.state.value, "revision": run.revision}


def task(run: Run) -> dict[str, Any]:
    """Return the task that a run's wait is: what is asked of whom, and which answers there are."""
    wants = run.wants or {}
    found = summary(run)
    forms = wants.get("events", {})
    return {
        "run": run.id,
        "flow": run.flow,
        "revision": run.revision,
        "ask": wants.get("ask"),
        "to": list(run.audience),
        "events": {name: forms.get(name) for name in run.awaits},
        "deadline": found["deadline"],
        "since": found["updated_at"],
    }


def stack_text(run: Run, store: RunStore) -> str | None:
    """Return where a run waits, with its locals and the lines of its source; None: nowhere."""
    text = described(run, "stack")
    return None if text is None else with_source(text, OldLines(store))


def headers_of(run: Run) -> dict[str, str]:
    """Return the headers of an answer that shows a run."""
    return {"ETag": f'"{run.revision}"'}


def path_of(request: Request, run: Run) -> str:
    """Return the path of a run; a full URL would repeat what the request says of the host."""
    return f"{request.scope.get('root_path', '')}/api/runs/{quote(run.id, safe='')}"
