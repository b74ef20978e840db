"""Which status each error is, by table; and that each can be met."""

from __future__ import annotations

import socket
import sys
import threading
from datetime import timedelta

import pytest

pytest.importorskip("starlette", reason="NOT TESTED: the extra `web` is missing")
pytest.importorskip("jinja2", reason="NOT TESTED: the extra `web` is missing")
pytest.importorskip("httpx", reason="NOT TESTED: httpx is missing")
pytest.importorskip("pydantic", reason="NOT TESTED: pydantic is missing")
pytest.importorskip("uvicorn", reason="NOT TESTED: the extra `web` is missing")

import uvicorn

from longterm import (
    Engine,
    FlowChanged,
    RunState,
    StoreError,
    UnreadableRun,
    errors,
    links,
)
from longterm.store.memory import MemoryStore
from longterm.web import refusals
from longterm.web.problems import STATUSES, status_of

from .shop import MEDDLERS, client, deep, fail, meddle, order_of_what_fails, sell, talk

LATER = {"Prefer": "respond-async"}
JSON = {"Content-Type": "application/json"}
DEEP = "[" * 100_000


def start(shop):
    return f"/api/runs/{shop.post(shop.talk).json()['id']}"


def busy(shop):
    run = shop.engine.start(talk)
    shop.engine.store.unsuspend(run.id, "text")
    return shop.post(f"/api/runs/{run.id}/events/text", "a")


def ended_run(shop):
    path = start(shop)
    shop.post(f"{path}/events/text", "bye")
    return path


def ended(shop):
    return shop.post(f"{ended_run(shop)}/events/text", "a")


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


class WithoutHistories(MemoryStore):
    entries = None


def without_histories(shop):
    path = start(shop)
    shop.engine.store.__class__ = WithoutHistories
    return shop.post(f"{path}/fork?at=0")


def retry_of_what_cannot(shop):
    return shop.post(f"{start(shop)}/retry")


def meddled(shop, do):
    """Answer a run whose turn does something, and waits while it holds what that returns."""
    run = shop.engine.start(meddle)
    MEDDLERS["do"] = lambda: do(run.id)
    return shop.post(f"/api/runs/{run.id}/events/go", "do")


def taken_over(shop):
    def save_as_another_process_would(run_id):
        store = shop.engine.store
        store.update(store.get(run_id).changed(state=RunState.SUSPENDED, entries=()))

    return meddled(shop, save_as_another_process_would)


def odd_value(shop):
    run = shop.engine.start(sell, (1,))
    return shop.post(f"/api/runs/{run.id}/events/approve", "perhaps")


def without_code(shop):
    run = shop.engine.start(talk, at=timedelta(0)).changed(flow="gone:talk", id="r1", entries=())
    shop.engine.store.create(run)
    return shop.post("/api/runs/r1/cancel")


def damaged(shop):
    path = start(shop)
    shop.engine.store.get = broken(UnreadableRun("x", "its flow is db.internal"))
    return shop.get(path)


def too_deep(shop):
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(4 * usual)
    try:
        run = shop.engine.start(deep, (usual + 200,))
    finally:
        sys.setrecursionlimit(usual)
    return shop.post(f"/api/runs/{run.id}/events/text", "a")


def told_already(shop):
    parent = shop.engine.start(order_of_what_fails)
    (child,) = parent.children
    return shop.post(f"/api/runs/{child}/retry")


def worn_out(shop):
    run, store = shop.engine.start(talk), shop.engine.store
    store.unsuspend(run.id, "text")
    store.update(store.get(run.id).changed(state=RunState.SUSPENDED, attempts=100, entries=()))
    return shop.post(f"/api/runs/{run.id}/events/text", "a")


def no_place(shop):
    shop.app.state.site.followers.most = 0
    return shop.get(f"{start(shop)}/stream")


def of_the_application(shop):
    def may(request, action, about):
        raise ValueError("db.internal")

    shop.app.state.site.permission._authorize = may
    return shop.get("/api/runs")


def put_back_after_its_end(shop):
    return shop.post(f"{ended_run(shop)}/rewind?to=1")


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
    "order": (400, lambda shop: shop.get("/api/runs?order=up")),
    "limit": (400, lambda shop: shop.get("/api/runs?limit=101")),
    "nobody's tasks": (400, lambda shop: shop.get("/api/tasks")),
    "If-Match": (
        400,
        lambda shop: shop.post(start(shop) + "/events/text", "a", headers={"If-Match": "3"}),
    ),
    "force": (400, lambda shop: shop.post(start(shop) + "/cancel?force=1")),
    "at": (400, lambda shop: shop.post(start(shop) + "/fork?at=-1")),
    "to": (400, lambda shop: shop.post(start(shop) + "/rewind")),
    "number": (400, lambda shop: shop.delete(start(shop) + "/inbox/9999999999")),
    "after": (400, lambda shop: shop.get(start(shop) + "/inbox?after=x")),
    "UnknownRevision": (404, lambda shop: shop.post(start(shop) + "/fork?at=9")),
    "UnknownEvent": (404, lambda shop: shop.delete(start(shop) + "/inbox/9")),
    "UnknownRun": (404, lambda shop: shop.get("/api/runs/none")),
    "UnlistedFlow": (404, lambda shop: shop.post("/api/flows/none", {})),
    "no path": (404, lambda shop: shop.get("/api/none")),
    "no method": (405, lambda shop: shop.request("PATCH", "/api/runs/none")),
    "CannotFork": (409, lambda shop: shop.post(f"{ended_run(shop)}/fork")),
    "CannotRestart": (409, told_already),
    "CannotRewind": (409, put_back_after_its_end),
    "ClaimLost": (409, taken_over),
    "TooManyAttempts": (409, worn_out),
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
    "InvalidValue": (422, odd_value),
    "KeyReused": (422, reused),
    "RunBusy": (423, busy),
    "InboxFull": (503, full),
    "CannotStore": (500, lambda shop: meddled(shop, lambda run_id: threading.Lock())),
    "InternalError": (500, of_the_application),
    "UnreadableRun": (500, damaged),
    "NotSupported": (501, without_histories),
    "FlowChanged": (503, changed),
    "UnknownFlow": (503, without_code),
    "StackTooDeep": (503, too_deep),
    "StoreError": (503, unreachable),
    "TooManyFollowers": (503, no_place),
}


class Server:
    """Answers requests over a socket, by the application that stands in it."""

    app = None

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


@pytest.fixture(scope="module")
def server():
    served = Server()
    listening = socket.create_server(("127.0.0.1", 0))
    served.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    config = uvicorn.Config(served, log_level="critical", lifespan="off")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    yield served
    running.should_exit = True
    thread.join()
    listening.close()


@pytest.mark.parametrize("case", CASES)
def test_each_error_is_met_with_its_status(case, server):
    engine = Engine(MemoryStore(), max_event_bytes=1000, max_unread=2, history="frames")
    shop = client(engine, max_body_bytes=200_000)
    server.app, shop.base_url, shop.is_served = shop.app, server.url, True
    status, provoke = CASES[case]

    answer = provoke(shop)

    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status), problem
    assert answer.headers["content-type"] == "application/problem+json"
    if case in vars(errors) or case in vars(refusals) or case == "InternalError":
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


NOT_MET = {
    errors.RunExists: "ids of forks are drawn, and a start under an id that is taken is KeyReused",
    refusals.BadRequest: "met under many names above",
    refusals.Unauthenticated: "met in test_permission",
    refusals.Forbidden: "met in test_permission",
    links.InvalidLink: "met as a page, in test_links",
    links.LinkExpired: "met as a page, in test_links",
    links.LinkUsed: "met as a page, in test_links",
}


def test_every_error_of_the_table_is_met():
    assert {error.__name__ for error in STATUSES.keys() - NOT_MET} <= CASES.keys()
    assert not {error.__name__ for error in NOT_MET} & CASES.keys()


def test_failed_run_is_no_problem_of_http():
    shop = client()
    answer = shop.post(shop.fail, {"a": 1})

    assert (answer.status_code, answer.json()["state"]) == (201, RunState.FAILED)
    assert fail.__name__ in answer.json()["flow"]
