"""Who it is that a request acts for, as `authorize` has found out."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from starlette.requests import Request

from longterm import acting_as


def acting_for(request: Request) -> AbstractContextManager[None]:
    """Enter the name that `authorize` has set as `request.state.actor`, if it has set one.

    It is kept with what the request sends, and in the history of the run.
    """
    actor = getattr(request.state, "actor", None)
    return nullcontext() if actor is None else acting_as(actor)
