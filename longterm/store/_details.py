"""What few runs have, as one text: a parent, open children, what it wants, its place in a trace.

As JSON, so that people can read it in the table. Most runs have none of them, and no text.
"""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from longterm.run import Run
from longterm.store.facts import exact_json

Details: TypeAlias = tuple[str | None, tuple[str, ...], dict[str, Any] | None, str | None]
"""A run's `parent`, `children`, `wants` and `traceparent`."""


def write_details(run: Run) -> str:
    """Return the details of a run that has some."""
    details: dict[str, Any] = {}
    if run.parent is not None:
        details["parent"] = run.parent
    if run.children:
        details["children"] = run.children
    if run.wants is not None:
        details["wants"] = dict(run.wants)
    if run.traceparent is not None:
        details["traceparent"] = run.traceparent
    return exact_json(details)


def read_details(written: str) -> Details:
    """Return the details that were written.

    Raises:
        ValueError: these were not.
    """
    details = json.loads(written)
    if type(details) is dict:
        parent, children = details.pop("parent", None), details.pop("children", [])
        wants, traceparent = details.pop("wants", None), details.pop("traceparent", None)
        is_whole = (
            not details
            and isinstance(parent, str | None)
            and type(children) is list
            and all(type(child) is str for child in children)
            and isinstance(wants, dict | None)
            and isinstance(traceparent, str | None)
        )
        if is_whole:
            return parent, tuple(children), wants, traceparent
    raise ValueError(
        "its details are not what is written there (parent, children, wants and traceparent)"
    )
