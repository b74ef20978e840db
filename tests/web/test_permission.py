"""Who may do what: nothing is done or shown without a yes, and other sites are refused."""

from __future__ import annotations

import pytest

pytest.importorskip("starlette", reason="NOT TESTED: the extra `web` is missing")
pytest.importorskip("jinja2", reason="NOT TESTED: the extra `web` is missing")
pytest.importorskip("httpx", reason="NOT TESTED: httpx is missing")
pytest.importorskip("pydantic", reason="NOT TESTED: pydantic is missing")

from longterm import Engine
from longterm.web import Action, Unauthenticated, app
from longterm.web.operations import OPERATIONS

from .shop import client, fail, sell, talk

SECRET = "the secret reason"


def requests_of(run_id):
    """A request for each operation."""
    for operation in OPERATIONS:
        path = operation.path.replace("{run:segment}", run_id)
        path = path.replace("{event:segment}", "approve")
        path = path.replace("{flow:segment}", f"{sell.__module__}:sell")
        body = {"json": {"order": 1}} if operation.name == "start_run" else {}
        yield operation, (operation.method, path), body


@pytest.mark.parametrize("is_async", [False, True])
def test_without_a_yes_nothing_is_done_and_nothing_shown(is_async):
    def no(request, action, about):
        return False

    async def no_async(request, action, about):
        return False

    engine = Engine("memory://")
    run = engine.start(sell, (17,), id="run-17")
    shop = client(engine, authorize=no_async if is_async else no)

    for operation, request, body in requests_of(run.id):
        answer = shop.request(*request, **body)
        if operation.name == "list_flows":
            assert answer.json() == {"flows": []}
            continue
        assert answer.status_code == (404 if "{run" in operation.path else 403), operation.name
        unknown = shop.request(request[0], request[1].replace("run-17", "run-18"), **body)
        assert unknown.text.replace("run-18", "run-17") == answer.text
    assert [found.id for found in engine.find_runs()] == ["run-17"]
    assert engine.get_run(run.id).revision == run.revision


def test_who_is_unknown_is_told_so_whether_the_run_is_there_or_not():
    def who(request, action, about):
        raise Unauthenticated("Basic")

    shop = client(authorize=who)
    run = shop.engine.start(talk)

    for run_id in (run.id, "other"):
        for operation, request, body in requests_of(run_id):
            answer = shop.request(*request, **body)
            assert answer.status_code == 401, operation.name
            assert answer.headers["www-authenticate"] == "Basic"


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if "{run" in each.path])
def test_who_may_only_see_a_run_is_told_what_is_forbidden(operation):
    def sees(request, action, about):
        return action is Action.SEE

    shop = client(authorize=sees)
    run = shop.engine.start(talk)
    path = operation.path.replace("{run:segment}", run.id).replace("{event:segment}", "text")
    shop.engine.cancel(run.id)

    answer = shop.request(operation.method, path)

    assert answer.status_code == (200 if operation.name in ("get_run", "follow_run") else 403)


def test_who_may_act_and_not_see_learns_the_state_alone():
    def acts(request, action, about):
        return action in (Action.START, Action.SEND, Action.CANCEL)

    shop = client(authorize=acts)
    begun = shop.post(shop.sell, {"order": 17}).json()
    assert set(begun) == {"id", "flow", "state", "revision"}
    path = f"/api/runs/{begun['id']}"
    stream = shop.post(f"{path}/events/approve", True, headers={"Accept": "text/event-stream"})
    assert "sold" not in stream.text
    assert set(shop.post(f"{path}/cancel").json()) == {"id", "flow", "state", "revision"}


def test_error_and_stack_are_for_those_who_may_inspect():
    def sees(request, action, about):
        return action is not Action.INSPECT

    shop = client(authorize=sees)
    run = shop.post(shop.sell, {"order": 17}).json()
    path = f"/api/runs/{run['id']}"
    shown = [
        shop.post(f"{path}/events/approve", False),
        shop.get(path),
        shop.get("/api/runs"),
        shop.get("/api/tasks?to=boss"),
        shop.get(f"{path}/stream"),
    ]
    assert shown[0].json()["state"] == "failed"
    assert not any(SECRET in answer.text or "Traceback" in answer.text for answer in shown)
    assert shop.get(f"{path}/stack").status_code == 403
    assert SECRET in client(shop.engine).get(f"{path}/stack").json()["error"]


def test_event_is_part_of_the_question():
    def may(request, action, about):
        return action is not Action.SEND or about.event == "text"

    shop = client(authorize=may)
    run = shop.post(shop.talk).json()

    assert shop.post(f"/api/runs/{run['id']}/events/other").status_code == 403
    assert shop.post(f"/api/runs/{run['id']}/events/text", "a").status_code == 200


def test_authorize_names_who_acts():
    def may(request, action, about):
        request.state.actor = request.headers.get("x-user")
        return True

    shop = client(Engine("memory://", history="events"), authorize=may)
    run = shop.post(shop.talk, headers={"X-User": "ada"}).json()
    shop.post(f"/api/runs/{run['id']}/events/text", "a", headers={"X-User": "bob"})
    shop.post(f"/api/runs/{run['id']}/events/text", "a")

    actors = [entry.actor for entry in shop.engine.history(run["id"])]

    assert [actor for actor in actors if actor] == ["ada", "bob"]


@pytest.mark.parametrize("answer", [None, 1, "yes", [True]])
def test_what_is_neither_yes_nor_no_is_no(answer):
    shop = client(authorize=lambda request, action, about: answer)

    assert shop.get("/api/runs").status_code == 500


def test_coroutine_is_no_yes():
    async def never(request, action, about):
        return False

    shop = client(authorize=lambda *question: never(*question))

    assert shop.get("/api/runs").status_code == 500


def test_there_is_no_default_that_allows():
    with pytest.raises(TypeError, match="authorize"):
        app(Engine("memory://"), [])
    with pytest.raises(TypeError, match="is no function"):
        app(Engine("memory://"), [], authorize=None)


OTHER_SITES = [
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://evil.shop.example"},
    {"Origin": "https://evil.example"},
    {"Origin": "http://shop.example:81"},
    {"Origin": "null"},
]
OWN_PAGES = [
    {},
    {"Sec-Fetch-Site": "same-origin", "Origin": "http://shop.example"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "http://shop.example"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://friend.example"},
]


@pytest.mark.parametrize("headers", OTHER_SITES)
def test_pages_of_other_sites_change_nothing(headers):
    shop = client(trusted_origins=["https://friend.example"])
    run = shop.engine.start(talk)

    for operation, (method, path), body in requests_of(run.id):
        if method != "GET":
            answer = shop.request(method, path, headers=headers, **body)
            assert answer.status_code == 403, operation.name
    assert shop.engine.find_runs() == [run]


@pytest.mark.parametrize("headers", OWN_PAGES)
def test_own_pages_and_programs_may(headers):
    shop = client(trusted_origins=["https://friend.example/"])

    assert shop.post(shop.talk, headers=headers).status_code == 201


def test_every_answer_has_the_headers_that_keep_it_safe():
    shop = client()
    answers = [
        shop.get("/api/openapi.json"),
        shop.get("/nowhere"),
        shop.get("/api/runs/none"),
        shop.request("PUT", "/api/runs"),
        shop.post(shop.talk, headers={"Origin": "null"}),
        client(authorize=lambda *_: 1 / 0).get("/api/runs"),
    ]

    assert [answer.status_code for answer in answers] == [200, 404, 404, 405, 403, 500]
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "ZeroDivisionError" not in answer.text


def test_flow_that_is_not_offered_cannot_be_started():
    from longterm.web import app as make

    shop = client()
    shop.app = make(shop.engine, [sell, fail], authorize=lambda *_: True)

    assert shop.post(shop.talk).status_code == 404
    assert shop.engine.find_runs() == []
