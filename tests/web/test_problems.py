"""Which status each error is, by table; and that each can be met."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("starlette", reason="NOT TESTED: the extra `web` is missing")
pytest.importorskip("jinja2", reason="NOT TESTED: the extra `web` is missing")
pytest.importorskip("httpx", reason="NOT TESTED: httpx is missing")
pytest.importorskip("pydantic", reason="NOT TESTED: pydantic is missing")

from longterm import (
    ClaimLost,
    Engine,
    FlowChanged,
    RunState,
    StackTooDeep,
    StoreError,
    UnreadableRun,
    errors,
)
from longterm.store.memory import MemoryStore
from longterm.web.problems import STATUSES, problem_of, status_of

from .shop import client, fail, talk

LATER = {"Prefer": "respond-async"}
JSON = {"Content-Type": "application/json"}
DEEP = "[" * 100_000


def start(shop):
    return f"/api/runs/{shop.post(shop.talk).json()['id']}"


def busy(shop):
    run = shop.engine.start(talk)
    shop.engine.store.unsuspend(run.id, "text")
    return shop.post(f"/api/runs/{run.id}/events/text", "a")


def ended(shop):
    path = start(shop)
    shop.post(f"{path}/events/text", "bye")
    return shop.post(f"{path}/events/text", "a")


def cancelled(shop):
    path = start(shop)
    shop.post(f"{path}/cancel")
    return shop.post(f"{path}/events/text", "a")


def reused(shop):
    path, key = start(shop), {"Idempotency-Key": "k"}
    shop.post(f"{path}/events/text", "a", headers=key)
    return shop.post(f"{path}/events/text", "b", headers=key)


def full(shop):
    path = start(shop)
    for _ in range(2):
        shop.post(f"{path}/events/other", headers=LATER)
    return shop.post(f"{path}/events/other", headers=LATER)


def changed(shop):
    run = shop.engine.start(talk)
    shop.engine.store.get = broken(FlowChanged("shop:talk", "a", "b"))
    return shop.post(f"/api/runs/{run.id}/events/text", "a")


def broken(error):
    def fails(*args):
        raise error

    return fails


def unreachable(shop):
    shop.engine.store.get = broken(StoreError("no route to db.internal as admin"))
    return shop.get("/api/runs/x")


def without_inbox(shop):
    shop.engine.store.unread = None
    return shop.get(f"{start(shop)}/inbox")


def retry_of_what_cannot(shop):
    return shop.post(f"{start(shop)}/retry")


CASES = {
    "no JSON": (400, lambda shop: shop.post(shop.talk, content="{", headers=JSON)),
    "not UTF-8": (400, lambda shop: shop.post(shop.talk, content=b'"\xff"', headers=JSON)),
    "NaN": (400, lambda shop: shop.post(start(shop) + "/events/text", content="NaN", headers=JSON)),
    "too deep": (400, lambda shop: shop.post(shop.talk, content=DEEP, headers=JSON)),
    "too many digits": (400, lambda shop: shop.post(shop.talk, content="1" * 5000, headers=JSON)),
    "no object": (400, lambda shop: shop.post(shop.talk, [])),
    "InvalidDeliveryKey": (
        400,
        lambda shop: shop.post(
            start(shop) + "/events/text", "a", headers={"Idempotency-Key": "longterm.x"}
        ),
    ),
    "InvalidEventId": (400, lambda shop: shop.post(start(shop) + "/events/longterm.x", "a")),
    "InvalidRunId": (
        400,
        lambda shop: shop.post(shop.talk, headers={"Idempotency-Key": "x" * 501}),
    ),
    "InvalidQuery": (400, lambda shop: shop.get("/api/runs?state=odd")),
    "InvalidFact": (400, lambda shop: shop.get(f"/api/runs?index.{'x' * 101}=1")),
    "fact twice": (400, lambda shop: shop.get("/api/runs?index.a=1&index.a=2")),
    "fact of many": (400, lambda shop: shop.get("/api/runs?index.a=[1]")),
    "limit": (400, lambda shop: shop.get("/api/runs?limit=101")),
    "nobody's tasks": (400, lambda shop: shop.get("/api/tasks")),
    "If-Match": (
        400,
        lambda shop: shop.post(start(shop) + "/events/text", "a", headers={"If-Match": "3"}),
    ),
    "force": (400, lambda shop: shop.post(start(shop) + "/cancel?force=1")),
    "after": (400, lambda shop: shop.get(start(shop) + "/inbox?after=x")),
    "UnknownRun": (404, lambda shop: shop.get("/api/runs/none")),
    "UnlistedFlow": (404, lambda shop: shop.post("/api/flows/none", {})),
    "no path": (404, lambda shop: shop.get("/api/none")),
    "no method": (405, lambda shop: shop.request("PATCH", "/api/runs/none")),
    "WrongEvent": (409, lambda shop: shop.post(start(shop) + "/events/other")),
    "RunNotSuspended": (409, cancelled),
    "RunNotFailed": (409, retry_of_what_cannot),
    "RunNotEnded": (409, lambda shop: shop.delete(start(shop))),
    "RunComplete": (410, ended),
    "StaleEvent": (
        412,
        lambda shop: shop.post(start(shop) + "/events/text", "a", headers={"If-Match": '"9"'}),
    ),
    "BodyTooLarge": (413, lambda shop: shop.post(start(shop) + "/events/text", "a" * 300_000)),
    "EventTooLarge": (413, lambda shop: shop.post(start(shop) + "/events/text", "a" * 1500)),
    "WrongMediaType": (415, lambda shop: shop.post(shop.talk, content="{}")),
    "InvalidArguments": (422, lambda shop: shop.post(shop.sell, {"order": "x", "y": 1})),
    "KeyReused": (422, reused),
    "RunBusy": (423, busy),
    "InboxFull": (503, full),
    "FlowChanged": (503, changed),
    "StoreError": (503, unreachable),
}


@pytest.mark.parametrize("case", CASES)
def test_each_error_is_met_with_its_status(case):
    engine = Engine(MemoryStore(), max_event_bytes=1000, max_unread=2)
    shop = client(engine, max_body_bytes=200_000)
    status, provoke = CASES[case]

    answer = provoke(shop)

    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status), problem
    assert answer.headers["content-type"] == "application/problem+json"
    if case in vars(errors) or (case[0].isupper() and case.isidentifier() and status != 400):
        assert problem["error"] == case
    if status in (423, 503):
        assert int(answer.headers["retry-after"]) > 0
    if status >= 500:
        assert "db.internal" not in answer.text


def test_body_that_does_not_say_its_size_is_bounded_too():
    shop = client(max_body_bytes=2000)

    async def parts():
        for _ in range(10):
            yield b'"' + b"a" * 500

    answer = shop.post(shop.talk, content=parts(), headers=JSON)

    assert (answer.status_code, answer.json()["error"]) == (413, "BodyTooLarge")


def test_arguments_that_do_not_fit_are_told_all_at_once():
    shop = client()

    answer = shop.post(shop.sell, {"items": [{"amount": "x"}], "until": "soon", "extra": 1})

    places = [tuple(error["loc"]) for error in answer.json()["errors"]]
    assert ("order",) in places
    assert ("items", 0, "name") in places
    assert ("until",) in places
    assert ("extra",) in places
    assert shop.engine.find_runs() == []


@pytest.mark.parametrize("error", STATUSES, ids=lambda error: error.__name__)
def test_status_of_a_class_is_that_of_the_nearest_above_it(error):
    below = type("Below", (error,), {"__init__": lambda self: None})

    assert status_of(below()) == STATUSES[error]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ClaimLost("run", 3), 409),
        (UnreadableRun("run", "secret"), 500),
        (StackTooDeep("flow", 1, 2, 3), 503),
        (ValueError("secret"), 500),
        (errors.CannotSuspend("secret"), 500),
    ],
)
def test_what_is_not_the_senders_fault_is_told_without_its_text(error, status):
    problem = problem_of(error)

    assert problem.status == status
    assert "secret" not in json.dumps(problem.to_dict())


def test_failed_run_is_no_problem_of_http():
    shop = client()
    answer = shop.post(shop.fail, {"a": 1})

    assert (answer.status_code, answer.json()["state"]) == (201, RunState.FAILED)
    assert fail.__name__ in answer.json()["flow"]
