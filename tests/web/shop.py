"""Flows for the tests of the web interface, and an application for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from longterm import Engine, deflow, respond, set_index, spawn, suspend
from longterm.web import app

from .client import Client


@dataclass
class Item:
    name: str
    amount: int = 1


@deflow
def sell(order: int, items: list[Item] | None = None, *, until: date | None = None):
    """Sell something."""
    set_index(order=order)
    respond({"order": order, "items": items, "until": until})
    said = suspend("approve", type=bool, to="boss", ask=f"sell {order}?")
    if not said:
        raise ValueError("the secret reason")
    respond("sold")
    return suspend("a/b")


@deflow
def fail(a, /, b=2, *rest, **more):
    raise LookupError(f"{a} {b} {rest} {more}")


@deflow
def talk():
    while (text := suspend("text")) != "bye":
        for word in text.split():
            respond(word)
    return "bye"


@deflow
def deep(calls):
    return suspend("text") if calls == 0 else deep(calls - 1)


@deflow
def order_of_what_fails():
    return suspend(spawn(fail, 1))


@deflow
def meddle():
    """Do what a test says in the middle of a turn, and wait while holding what that returns."""
    what = suspend("go")
    held = MEDDLERS.pop(what)()
    return suspend("on"), held


MEDDLERS = {}


def allow(request, action, about):
    return True


def client(engine=None, authorize=allow, **options):
    engine = engine or Engine("memory://")
    application = app(engine, [sell, fail, talk], authorize=authorize, **options)
    found = Client(application)
    found.engine = engine
    found.sell = f"/api/flows/{sell.__module__}:sell"
    found.fail = f"/api/flows/{fail.__module__}:fail"
    found.talk = f"/api/flows/{talk.__module__}:talk"
    return found
