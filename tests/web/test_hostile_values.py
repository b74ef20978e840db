"""Hostile values in every field of a request: refused or taken, and never the server's fault."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

pytest.importorskip("starlette", reason="NOT TESTED: the extra `web` is missing")
pytest.importorskip("jinja2", reason="NOT TESTED: the extra `web` is missing")
pytest.importorskip("httpx", reason="NOT TESTED: httpx is missing")
pytest.importorskip("pydantic", reason="NOT TESTED: pydantic is missing")

from longterm import Engine

from .shop import client, talk

TEXTS = {
    "empty": "",
    "NUL": "a\0b",
    "line breaks": "a\r\nevent: run\n\ndata: x",
    "half a pair": "\ud800",
    "outside the BMP": "\U0001f4a9",
    "right to left": "\u202egnp.exe",
    "markup": "<script>alert(1)</script>",
    "quotes": "\"'`; DROP TABLE runs; --",
    "walk": "../../../etc/passwd",
    "encoded": "%2e%2e%2f%00",
    "template": "{{7*7}} ${7*7} {% x %}",
    "reserved": "longterm.cancel",
    "child": "run:0",
    "digits": "9" * 5_000,
    "long": "x" * 20_000,
    "number": "NaN",
    "exponent": "1e999",
}


FILTERS = ["state", "flow", "waiting_for", "to", "limit", "after", "order", "index.a"]


def sent(text):
    """A text as it can stand in a URL or a header."""
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


@pytest.fixture(params=["memory", "sqlite"])
def shop(request, tmp_path):
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/runs.db"
    engine = Engine(url)
    engine.start(talk, id="0")
    yield client(engine)
    if request.param == "sqlite":
        engine.store.close()


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_no_value_is_the_servers_fault(shop, text):
    name, body = sent(text), {"order": text, "items": [{"name": text}], "until": text, text: text}
    answers = [
        shop.get(f"/api/runs/{name}"),
        shop.post(f"/api/runs/{name}/cancel"),
        shop.get(f"/api/runs/{name}/stream"),
        shop.delete(f"/api/runs/{name}"),
        shop.post(f"/api/flows/{name}", {}),
        shop.post(f"/api/runs/0/events/{name}", text),
        shop.post("/api/runs/0/events/text", text, headers={"Accept": "text/event-stream"}),
        shop.post("/api/runs/0/events/text", {text: [text]}, headers={"Prefer": "respond-async"}),
        shop.post(shop.sell, body),
        shop.post(shop.fail, {"a": text, "rest": [text], text: 1}),
        shop.get("/api/runs/0/inbox"),
        shop.get("/api/runs/0/inbox?after=" + name),
        shop.get(f"/links/{name}"),
        shop.post(f"/links/{name}"),
        *(
            shop.get(f"/api/runs?{field}={name}")
            for field in (
                "state",
                "flow",
                "waiting_for",
                "to",
                "limit",
                "after",
                "order",
                "index.a",
            )
        ),
        shop.get(f"/api/runs?index.{name}=1"),
        shop.delete(f"/api/runs/0/inbox/{name}"),
        shop.post(f"/api/runs/0/fork?at={name}"),
        shop.post(f"/api/runs/0/rewind?to={name}"),
        shop.get(f"/api/tasks?to={name}"),
        *(
            shop.post("/api/runs/0/events/text", "a", headers={field: name})
            for field in ("Idempotency-Key", "If-Match", "Prefer", "Content-Length-Of")
        ),
        shop.get("/api/runs/0"),
        shop.get("/api/runs"),
    ]

    for answer in answers:
        assert answer.status_code < 500, (answer.request.url, answer.text[:500])
        kind = answer.headers.get("content-type", "")
        if answer.content and "json" in kind:
            answer.json()
        assert "<script>alert" not in answer.text or "html" not in kind
        assert "\r" not in "".join(answer.headers.values())
    assert len(shop.engine.find_runs(flow=talk)) == 1


def test_line_breaks_begin_no_event_of_a_stream(shop):
    hostile = "a\n\nevent: run\u2028\ndata: \r{}"
    run = shop.post(shop.sell, {"order": 1}).json()
    shop.post(f"/api/runs/{run['id']}/events/approve", True)

    answer = shop.post(
        f"/api/runs/{run['id']}/events/a%2Fb", hostile, headers={"Accept": "text/event-stream"}
    )

    event, data, *rest = answer.text.splitlines()
    assert (event, rest) == ("event: run", [""])
    assert json.loads(data.removeprefix("data: "))["result"] == hostile
