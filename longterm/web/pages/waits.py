"""A wait as people see it: what it asks, the forms of its answers, and how one is brought."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from longterm.errors import FlowChanged, UnknownFlow
from longterm.run import Run, RunState
from longterm.unread import Receipt
from longterm.web.outcomes import turn_of
from longterm.web.pages.drawing import ANYTHING, draw
from longterm.web.pages.form import Field
from longterm.web.site import Site

_log = logging.getLogger("longterm")


def asked_in(run: Run) -> str:
    """Return what a run asks, in words; empty if it does not say."""
    match (run.wants or {}).get("ask"):
        case str(text) | {"text": str(text)}:
            return text
    return ""


def title_of(run: Run, event: str) -> str:
    """Return what the type of an event's value is called; empty if it has none."""
    title: str = _wanted(run, event).get("title", "")
    return title


def form_of(
    run: Run, event: str, written: Mapping[str, str] | None = None, *, ids: str = "form"
) -> Field:
    """Return the form in which an event that a run waits for is answered.

    Args:
        run: the run.
        event: the name of the event.
        written: what was written into the form.
        ids: how the ids of its fields begin.
    """
    return draw(_wanted(run, event).get("schema") or ANYTHING, written, label="Answer", ids=ids)


def _wanted(run: Run, event: str) -> Mapping[str, Any]:
    wanted: Mapping[str, Any] | None = (run.wants or {}).get("events", {}).get(event)
    return wanted or {}


async def deliver(
    site: Site, run: Run, event: str, value: Any, revision: int | None, key: str | None = None
) -> Run | Receipt:
    """Bring a run an event; return it after its turn, or a receipt: a worker will take the turn.

    That is so where this process does not have the flow's code, or another version of it.
    """
    sent = (run.id, event, value)
    try:
        turn = site.engine.aprocess_event(*sent, key=key, revision=revision)
        after = await turn_of(site, run, turn)
    except (UnknownFlow, FlowChanged):
        return await site.engine.asend(*sent, key=key, revision=revision)
    if after.state is RunState.FAILED:
        _log.error("run %s of %s failed as it was answered", run.id, run.flow)
    return after
