"""What the codec must be told of flows and runs: it knows neither, and both can be stored."""

from __future__ import annotations

from longterm import _stored_generators
from longterm._api import default_engine
from longterm._codec.types.functions import link
from longterm._codec.types.registered import read_from_store, register_type
from longterm._flows.closures import FlowCode
from longterm._turns.attempts import reading
from longterm.event import Event, as_declared, as_stored
from longterm.run import Run


def connect() -> None:
    """Tell it, once, when longterm is imported."""
    link(FlowCode())
    _stored_generators.connect()
    # A flow that holds a run holds its id; it is read anew, as it is then, when the flow goes on.
    read_from_store(Run, "longterm.run", _stored_run)
    register_type(Event, encode=as_stored, decode=as_declared, name="longterm.event")


def _stored_run(run_id: str) -> Run:
    return (reading.get() or default_engine().store).get(run_id)
