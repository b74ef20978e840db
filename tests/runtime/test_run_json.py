"""A run as JSON: one form, for the commands, for web frameworks and for OpenAPI."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter, deque
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum
from functools import partial
from types import SimpleNamespace
from typing import get_type_hints

import pytest

from longterm import Engine, Run, RunState, deflow, respond, set_index, suspend
from longterm._codec import encode
from longterm._run_json import JSON_SCHEMA
from longterm.run import context_of


@dataclasses.dataclass(frozen=True, kw_only=True)
class Owned(Run):
    owner: object = "nobody"


@dataclasses.dataclass
class Pair:
    left: object
    right: object


class Size(IntEnum):
    SMALL = 1


class Loud:
    def __repr__(self):
        raise ValueError("no")


@deflow
def order(item):
    set_index(item=item, price=float("inf"))
    respond({"sizes": (1, Size.SMALL), "price": Decimal("1.50")}, item)
    return suspend("answer")


@pytest.fixture
def engine():
    return Engine("memory://")


def run_with(value):
    run = Run(id="r1", flow="m:f", state=RunState.COMPLETE, saved_turn=1)
    return run.changed(encoded_result=encode(value, context_of(run, "result")))


def through_json(run):
    """What a client reads of a run that a server sends."""
    shown = run.to_dict()
    read = json.loads(json.dumps(shown, allow_nan=False, ensure_ascii=False).encode())
    assert read == shown
    return read


def test_run_is_all_that_is_known_of_it_but_its_stack(engine):
    run = engine.start_flow(order, "tea")

    assert through_json(run) == {
        "id": run.id,
        "flow": f"{__name__}:order",
        "state": "suspended",
        "turn": 1,
        "revision": 1,
        "waiting_for": "answer",
        "awaits": ["answer"],
        "unread": [],
        "deadline": None,
        "claimed_until": None,
        "created_at": run.created_at.isoformat(),
        "updated_at": run.updated_at.isoformat(),
        "attempts": 0,
        "index": {"item": "tea", "price": {"$text": "inf"}},
        "parent": None,
        "children": [],
        "wants": None,
        "position": run.position,
        "queue": None,
        "partition": "",
        "response": [{"sizes": [1, 1], "price": {"$text": "Decimal('1.50')"}}, "tea"],
        "result": None,
        "error": None,
    }


def test_result_comes_when_the_flow_has_returned(engine):
    run = engine.start_flow(order, "tea")

    done = through_json(engine.process_event(run.id, "answer", ["yes", {"at": 5}]))

    assert (done["state"], done["result"], done["response"]) == ("complete", ["yes", {"at": 5}], [])


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (("a", None), ["a", None]),
        ({1: "one"}, {"1": "one"}),
        ({1: "one", "1": "two"}, {"$text": "{1: 'one', '1': 'two'}"}),
        ({(1, 2): 3}, {"$text": "{(1, 2): 3}"}),
        ([float("nan")], {"$text": "[nan]"}),
        ("\ud800", {"$text": "'\\ud800'"}),
        ([b"bytes"], [{"$text": "b'bytes'"}]),
        ([Loud()], [{"$text": "a Loud, whose repr raised ValueError"}]),
    ],
)
def test_what_json_has_no_form_for_is_text_and_says_so(value, shown):
    assert through_json(run_with(value))["result"] == shown


def test_value_that_holds_itself_is_text():
    cycle = [1]
    cycle.append(cycle)

    assert through_json(run_with(cycle))["result"] == {"$text": "[1, [...]]"}


def sharing(make, levels=60):
    """Hold the same thing twice, on each of many levels: few bytes, and no end when written out."""
    value = "x"
    for _ in range(levels):
        value = make(value, value)
    return value


@pytest.mark.parametrize(
    "make",
    [
        lambda a, b: [a, b],
        lambda a, b: (a, b),
        lambda a, b: {"a": a, "b": b},
        lambda a, b: deque([a, b]),
        lambda a, b: Pair(a, b),
        lambda a, b: SimpleNamespace(a=a, b=b),
        lambda a, b: partial(sharing, a, b),
        lambda a, b: ValueError(a, b),
        lambda a, b: Counter({1: a, 2: b}),
    ],
)
def test_value_that_shares_level_after_level_is_described(make):
    run = run_with(sharing(make))
    run = run.changed(encoded_response=encode([sharing(make)], context_of(run, "response")))

    shown = through_json(run)

    assert "#58, " in shown["result"]["$text"]
    assert "#58, " in shown["response"][0]["$text"]


def test_value_that_holds_itself_by_many_ways_is_described():
    lists = [[] for _ in range(40)]
    for each in lists:
        each.extend(lists)

    assert "filled later" in through_json(run_with(lists))["result"]["$text"]


def test_one_thing_held_many_times_is_written_out():
    row = {"currency": "EUR"}

    assert through_json(run_with([row] * 1_000))["result"] == [row] * 1_000


def test_value_that_cannot_be_decoded_here_is_described():
    run = run_with(Decimal("1.5")).changed(encoded_response=b"\x00damaged")
    foreign = run.changed(encoded_result=run.encoded_result.replace(b"1.5", b"xyz"))

    shown = through_json(foreign)

    assert shown["result"]["$text"].startswith("(the stored bytes")
    assert [*shown["response"][0]] == ["$text"]


def test_fields_that_a_store_has_added_are_there():
    run = Owned(id="r1", flow="m:f", state=RunState.RUNNING, owner=datetime(2026, 1, 1, tzinfo=UTC))

    assert through_json(run)["owner"] == {"$text": repr(run.owner)}


def test_schema_names_what_is_there():
    run = Run(id="r1", flow="m:f", state=RunState.RUNNING)

    assert [*run.to_dict()] == [*JSON_SCHEMA["properties"]] == JSON_SCHEMA["required"]


def test_type_of_the_result_is_for_type_checkers_only():
    assert Run[str] is Run
    assert Owned[str] is Owned


def test_conditions_are_those_that_find_runs_takes():
    from inspect import signature

    from longterm._records.search import Conditions

    parameters = signature(Engine.find_runs).parameters

    assert [*Conditions.__annotations__] == [*parameters][1:]
    hints = get_type_hints(Conditions)
    assert hints == {name: get_type_hints(Engine.find_runs)[name] for name in hints}
