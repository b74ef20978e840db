"""Flows that do the same at each event, and differ in what they hold meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from longterm import Engine, deflow, suspend
from tests.benchmarks.flows import deep, events


@dataclass
class Order:
    """A small object of an application."""

    name: str
    total: int = 0
    lines: list[int] = field(default_factory=list)


@deflow
def integers(name: str) -> None:
    """Go round in a `while` loop with plain integers: what the others are compared with."""
    total = 0
    while name:
        total += suspend("number")["n"]


@deflow
def loop(name: str) -> None:
    """Go round in a `for` loop."""
    total = 0
    for _ in range(10**9):
        total += suspend("number")["n"]


@deflow
def instance(name: str) -> None:
    """Hold a dataclass."""
    order = Order(name)
    while name:
        order.total += suspend("number")["n"]


@deflow
def dict_twice(name: str) -> dict[str, Any]:
    """Hold one dict by two variables."""
    order = {"name": name, "total": 0}
    same = order
    while name:
        same["total"] += suspend("number")["n"]
    return order


@deflow
def instance_twice(name: str) -> list[Order]:
    """Hold a dataclass by a list and a variable."""
    order = Order(name)
    orders = [order]
    while name:
        order.total += suspend("number")["n"]
    return orders


INTEGERS = "a while loop, integers"
HELD: dict[str, tuple[Any, Any]] = {
    INTEGERS: (integers, "Ada"),
    "a for loop": (loop, "Ada"),
    "a dataclass": (instance, "Ada"),
    "a dict by two variables": (dict_twice, "Ada"),
    "a dataclass by a list and a variable": (instance_twice, "Ada"),
    "a stack of 50": (deep, 50),
}
"""What is held, each with the call of its flow."""


def turns(held: str, runs: int = 20) -> Callable[[int], object]:
    """Return turns of flows that hold this, in memory."""
    engine = Engine("memory://")
    flow, argument = HELD[held]
    return events(engine, [engine.start_flow(flow, argument).id for _ in range(runs)])
