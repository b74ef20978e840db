"""Runs over HTTP: start, list, see, send, cancel, retry, delete."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("starlette", reason="NOT TESTED: the extra `web` is missing")
pytest.importorskip("jinja2", reason="NOT TESTED: the extra `web` is missing")
pytest.importorskip("httpx", reason="NOT TESTED: httpx is missing")
pytest.importorskip("pydantic", reason="NOT TESTED: pydantic is missing")

from longterm import Engine, KeyReused, RunState

from .shop import client, order_of_what_fails, talk


@pytest.fixture
def shop():
    return client()


def start(shop, order=17):
    answer = shop.post(shop.sell, {"order": order})
    assert answer.status_code == 201
    return answer.json()


def events(text):
    """The events of a stream: name and value of each."""
    found = []
    for part in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in part.splitlines() if ": " in line)
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


def test_conversation_over_http(shop):
    answer = shop.post(shop.sell, {"order": 17, "items": [{"name": "tea"}], "until": "2026-12-24"})
    run = answer.json()
    assert (answer.status_code, run["state"], run["awaits"]) == (201, "suspended", ["approve"])
    assert run["response"][0]["until"] == {"$text": "datetime.date(2026, 12, 24)"}
    assert "Item(name='tea', amount=1)" in run["response"][0]["items"][0]["$text"]
    assert answer.headers["location"] == f"/api/runs/{run['id']}"
    assert answer.headers["etag"] == '"1"'

    answer = shop.post(f"/api/runs/{run['id']}/events/approve", True)
    assert (answer.status_code, answer.json()["response"]) == (200, ["sold"])

    answer = shop.post(f"/api/runs/{run['id']}/events/a%2Fb", {"n": 1})
    assert (answer.json()["state"], answer.json()["result"]) == ("complete", {"n": 1})
    assert shop.get(f"/api/runs/{run['id']}").json() == answer.json()

    assert shop.delete(f"/api/runs/{run['id']}").status_code == 204
    assert shop.get(f"/api/runs/{run['id']}").status_code == 404


def test_application_can_be_mounted(shop):
    from starlette.applications import Starlette
    from starlette.routing import Mount

    run = start(shop)
    shop.app = Starlette(routes=[Mount("/long/term", shop.app)])

    answer = shop.post(f"/long/term{shop.sell}", {"order": 18})
    assert answer.headers["location"] == f"/long/term/api/runs/{answer.json()['id']}"
    assert shop.get(f"/long/term/api/runs/{run['id']}").json()["id"] == run["id"]
    wrong = shop.post(f"/long/term/api/runs/{run['id']}/events/a%2Fb")
    assert wrong.json()["error"] == "WrongEvent"
    document = shop.get("/long/term/api/openapi.json").json()
    assert document["servers"] == [{"url": "/long/term"}]


@pytest.mark.parametrize("run_id", ["order 4711", "a/b", "a%2Fb", "ä?#&", "..x", '"quoted"', "50%"])
def test_ids_and_names_may_hold_anything_printable(shop, run_id):
    from urllib.parse import quote

    shop.engine.start(talk, id=run_id)
    path = f"/api/runs/{quote(run_id, safe='')}"

    assert shop.get(path).json()["id"] == run_id
    answer = shop.post(f"{path}/events/{quote(run_id, safe='')}")
    assert repr(run_id) in answer.json()["detail"]


def test_key_of_a_start_is_the_id_of_the_run(shop):
    key = {"Idempotency-Key": '"order 17"'}
    first = shop.post(shop.sell, {"order": 17}, headers=key)
    again = shop.post(shop.sell, {"order": 17}, headers=key)
    other = shop.post(shop.sell, {"order": 18}, headers=key)

    assert (first.status_code, first.json()["id"]) == (201, "order 17")
    assert (again.status_code, again.json()) == (200, first.json())
    assert (other.status_code, other.json()["error"]) == (422, "KeyReused")
    assert len(shop.engine.find_runs()) == 1


def test_key_of_somebody_else_shows_nothing_of_their_run():
    def may(request, action, about):
        return about.run is None or about.run.index["order"] != 17

    shop = client(authorize=may)
    key = {"Idempotency-Key": "order 17"}
    shop.post(shop.sell, {"order": 17}, headers=key)

    again = shop.post(shop.sell, {"order": 17}, headers=key)

    assert (again.status_code, again.json()["error"]) == (422, KeyReused.__name__)


def test_flow_that_raises_has_run_and_failed(shop):
    answer = shop.post(shop.fail, {"a": 1, "rest": [3], "x": 4})
    assert (answer.status_code, answer.json()["state"]) == (201, "failed")
    assert "1 2 (3,) {'x': 4}" in answer.json()["error"]
    again = shop.post(f"/api/runs/{answer.json()['id']}/retry")
    assert (again.status_code, again.json()["state"]) == (200, "failed")

    run = start(shop)
    answer = shop.post(f"/api/runs/{run['id']}/events/approve", False)
    assert (answer.status_code, answer.json()["state"]) == (200, "failed")


def test_failed_run_that_was_there_before_is_not_the_answer_to_a_refused_start(shop):
    key = {"Idempotency-Key": "7"}
    shop.post(shop.fail, {"a": 1}, headers=key)

    answer = shop.post(shop.fail, {"a": 2}, headers=key)

    assert (answer.status_code, answer.json()["error"]) == (422, "KeyReused")


def test_event_is_taken_once_under_its_key(shop):
    path = f"/api/runs/{start(shop)['id']}/events/approve"
    key = {"Idempotency-Key": "mail 1"}
    first = shop.post(path, True, headers=key)
    again = shop.post(path, True, headers=key)
    other = shop.post(path, False, headers=key)

    assert (first.status_code, again.status_code, other.status_code) == (200, 200, 422)
    assert first.json() == again.json()


def test_event_for_a_wait_that_is_over_is_refused(shop):
    run = start(shop)
    path = f"/api/runs/{run['id']}/events/approve"
    stale = shop.post(path, True, headers={"If-Match": '"7"'})
    fresh = shop.post(
        path, True, headers={"If-Match": shop.get(f"/api/runs/{run['id']}").headers["etag"]}
    )

    assert (stale.status_code, stale.json()["revision"]) == (412, 1)
    assert fresh.status_code == 200


def test_worker_takes_what_is_sent_for_later(shop):
    later = {"Prefer": "wait=5, respond-async"}
    begun = shop.post(shop.sell, {"order": 1}, headers=later)
    assert (begun.status_code, begun.json()["response"]) == (202, [])
    shop.engine.run_pending()
    path = f"/api/runs/{begun.json()['id']}"
    assert shop.get(path).json()["awaits"] == ["approve"]

    sent = shop.post(f"{path}/events/approve", True, headers=later)
    assert (sent.status_code, sent.headers["preference-applied"]) == (202, "respond-async")
    assert sent.json() == {"run_id": begun.json()["id"], "number": 1, "is_duplicate": False}
    assert shop.get(f"{path}/inbox").json()["events"][0]["event"] == "approve"
    shop.engine.run_pending()
    assert shop.get(path).json()["awaits"] == ["a/b"]


def test_runs_are_listed_by_pages(shop):
    ids = [start(shop, order)["id"] for order in range(5)]

    first = shop.get("/api/runs?limit=3").json()
    second = shop.get(f"/api/runs?limit=3&after={first['next']}").json()

    assert [run["id"] for run in first["runs"] + second["runs"]] == ids[::-1]
    assert second["next"] is None
    oldest = shop.get("/api/runs?limit=3&order=oldest").json()
    rest = shop.get(f"/api/runs?limit=3&order=oldest&after={oldest['next']}").json()
    assert [run["id"] for run in oldest["runs"] + rest["runs"]] == ids
    assert "response" not in first["runs"][0]
    assert [run["id"] for run in shop.get("/api/runs?index.order=3").json()["runs"]] == [ids[3]]
    assert shop.get('/api/runs?index.order="3"').json()["runs"] == []
    assert len(shop.get("/api/runs?state=suspended&to=boss").json()["runs"]) == 5


def test_tasks_are_the_waits_that_a_request_may_answer():
    def may(request, action, about):
        return action == "list" or action == "start" or about.run.index["order"] % 2 == 0

    shop = client(authorize=may)
    for order in range(4):
        shop.post(shop.sell, {"order": order})

    answer = shop.get("/api/tasks?to=boss").json()

    assert [task["ask"] for task in answer["tasks"]] == ["sell 0?", "sell 2?"]
    assert answer["tasks"][0]["events"] == {
        "approve": {"title": "bool", "schema": {"type": "boolean"}}
    }
    assert shop.get("/api/tasks?to=nobody").json() == {"tasks": [], "next": None}


def test_what_a_turn_says_is_streamed(shop):
    run = shop.post(shop.talk).json()
    path = f"/api/runs/{run['id']}/events/text"

    answer = shop.post(path, "how are you", headers={"Accept": "text/event-stream"})

    assert answer.headers["content-type"].startswith("text/event-stream")
    *said, (last, after) = events(answer.text)
    assert said == [("response", word) for word in ("how", "are", "you")]
    assert (last, after["state"], after["response"]) == ("run", "suspended", ["how", "are", "you"])
    failed = shop.post(path, 5, headers={"Accept": "text/event-stream"})
    assert events(failed.text)[-1][1]["state"] == "failed"
    refused = shop.post(f"/api/runs/{run['id']}/events/x", headers={"Accept": "text/event-stream"})
    assert (refused.status_code, refused.json()["error"]) == (409, "RunNotSuspended")


def test_run_is_followed_to_its_end(shop):
    run = shop.post(shop.talk).json()
    shop.post(f"/api/runs/{run['id']}/events/text", "bye")

    answer = shop.get(f"/api/runs/{run['id']}/stream")

    (first, after), (last, _) = events(answer.text)
    assert (first, after["result"], last) == ("run", "bye", "end")
    seen = {"Last-Event-ID": "2-complete"}
    assert shop.get(f"/api/runs/{run['id']}/stream", headers=seen).status_code == 204


def test_cancel_and_force(shop):
    run = start(shop)
    assert shop.post(f"/api/runs/{run['id']}/cancel").json()["state"] == RunState.CANCELLED
    run = start(shop)
    answer = shop.post(f"/api/runs/{run['id']}/cancel?force=true")
    assert answer.json()["state"] == RunState.CANCELLED
    assert shop.post(f"/api/runs/{run['id']}/cancel").status_code == 409


def test_fork_goes_on_from_what_a_run_is_or_was():
    shop = client(Engine("memory://", history="frames"))
    run = start(shop)
    shop.post(f"/api/runs/{run['id']}/events/approve", True)

    now = shop.post(f"/api/runs/{run['id']}/fork")
    then = shop.post(f"/api/runs/{run['id']}/fork?at=1")

    assert (now.status_code, now.json()["awaits"]) == (201, ["a/b"])
    assert (then.status_code, then.json()["awaits"]) == (201, ["approve"])
    assert shop.get(then.headers["location"]).json() == then.json()
    assert then.headers["etag"] == f'"{then.json()["revision"]}"'
    assert shop.engine.get_run(run["id"]).awaits == ("a/b",)


def test_rewind_puts_the_run_itself_back():
    shop = client(Engine("memory://", history="frames"))
    path = f"/api/runs/{start(shop)['id']}"
    after = shop.post(f"{path}/events/approve", True).json()

    back = shop.post(f"{path}/rewind?to=1")

    assert (back.status_code, back.json()["awaits"]) == (200, ["approve"])
    assert back.json()["revision"] > after["revision"]
    assert shop.get(path).json() == back.json()


def test_to_fork_is_to_start_and_to_see():
    def may(request, action, about):
        return action in allowed

    allowed = {"start"}
    shop = client(authorize=may)
    path = f"/api/runs/{shop.engine.start(talk).id}"
    statuses = [shop.post(f"{path}/fork").status_code]
    allowed = {"see"}
    statuses.append(shop.post(f"{path}/fork").status_code)
    allowed = {"see", "start"}
    statuses.append(shop.post(f"{path}/fork").status_code)

    assert statuses == [404, 403, 201]


def test_event_is_taken_out_of_the_inbox(shop):
    path = f"/api/runs/{start(shop)['id']}"
    shop.post(f"{path}/events/a%2Fb", 1, headers={"Prefer": "respond-async"})
    (event,) = shop.get(f"{path}/inbox").json()["events"]

    assert shop.delete(f"{path}/inbox/{event['number']}").status_code == 204
    assert shop.get(f"{path}/inbox").json()["events"] == []
    assert shop.delete(f"{path}/inbox/{event['number']}").status_code == 404


def test_refused_retry_is_no_failed_turn(shop):
    parent = shop.engine.start(order_of_what_fails)
    (child,) = parent.children

    answer = shop.post(f"/api/runs/{child}/retry")

    assert (answer.status_code, answer.json()["error"]) == (409, "CannotRestart")
