"""Every remedy that the web interface names is followed literally.

A case is a remedy, a request that is refused with it, and the same with what it says to do.
"""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="NOT TESTED: the extra `web` is missing")
pytest.importorskip("jinja2", reason="NOT TESTED: the extra `web` is missing")
pytest.importorskip("httpx", reason="NOT TESTED: httpx is missing")
pytest.importorskip("pydantic", reason="NOT TESTED: pydantic is missing")

import longterm.web
from longterm import Engine, deflow
from longterm.errors import CannotCheck
from longterm.links import Links
from longterm.testing import FakeClock
from longterm.web import Unauthenticated, app, streams
from tests.advice import advice_of, is_told, printed, tried_in
from tests.web import page_flows, test_forms
from tests.web.shop import allow, client, talk

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
URL = "http://shop.example"
SECRET = "a secret of more than 32 bytes: 0123456789"


def start(shop):
    return f"/api/runs/{shop.engine.start(talk).id}"


def with_a_matching_etag(shop):
    path = start(shop)
    etag = shop.get(path).headers["etag"]
    return shop.post(f"{path}/events/text", "a", headers={"If-Match": etag})


def with_a_flow_of_the_list(shop):
    flows = shop.get("/api/flows").json()
    assert shop.talk.rpartition("/")[2] in str(flows)
    return shop.post(shop.talk, {})


def answered(shop):
    """A run at its third revision."""
    path = start(shop)
    for _ in "ab":
        shop.post(f"{path}/events/text", "a")
    return path


def with_facts(count):
    return "&".join(f"index.a{number}=1" for number in range(count))


API = [
    (
        "give at most *",
        lambda shop: shop.get(f"/api/runs?{with_facts(51)}"),
        lambda shop: shop.get(f"/api/runs?{with_facts(50)}"),
    ),
    (
        "write ?index.ward=B",
        lambda shop: shop.get("/api/runs?index.ward=[1]"),
        lambda shop: shop.get("/api/runs?index.ward=B"),
    ),
    (
        "a run has one value of it",
        lambda shop: shop.get("/api/runs?index.a=1&index.a=2"),
        lambda shop: shop.get("/api/runs?index.a=1"),
    ),
    (
        'send the arguments by name: {"order": 4711}',
        lambda shop: shop.post(shop.sell, [4711]),
        lambda shop: shop.post(shop.sell, {"order": 4711}),
    ),
    (
        'send the one that it came with, as "3"',
        lambda shop: shop.post(f"{start(shop)}/events/text", "a", headers={"If-Match": "3"}),
        with_a_matching_etag,
    ),
    (
        "send a value as RFC 8259 has it",
        lambda shop: shop.post(f"{start(shop)}/events/text", content="hi", headers=JSON),
        lambda shop: shop.post(f"{start(shop)}/events/text", content='"hi"', headers=JSON),
    ),
    (
        "say whose: ?to=accounting",
        lambda shop: shop.get("/api/tasks"),
        lambda shop: shop.get("/api/tasks?to=accounting"),
    ),
    (
        "add ?to=2",
        lambda shop: shop.post(f"{answered(shop)}/rewind"),
        lambda shop: shop.post(f"{answered(shop)}/rewind?to=2"),
    ),
    (
        "GET api/flows lists them",
        lambda shop: shop.post("/api/flows/none", {}),
        with_a_flow_of_the_list,
    ),
    (
        "send JSON, and `Content-Type: application/json`",
        lambda shop: shop.post(shop.talk, content="{}"),
        lambda shop: shop.post(shop.talk, content="{}", headers=JSON),
    ),
    (
        "keep what is large elsewhere",
        lambda shop: shop.post(f"{start(shop)}/events/text", "a" * 3000),
        lambda shop: shop.post(f"{start(shop)}/events/text", "its key"),
    ),
    (
        "give a list",
        lambda shop: shop.post(shop.fail, {"a": 1, "rest": 5}),
        lambda shop: shop.post(shop.fail, {"a": 1, "rest": [5]}),
    ),
]


@pytest.mark.parametrize(("remedy", "refused", "followed"), API, ids=[case[0] for case in API])
def test_request_is_taken_as_its_remedy_says(remedy, refused, followed):
    shop = client(Engine("memory://", history="frames"), max_body_bytes=2000)

    answer = refused(shop)
    assert 400 <= answer.status_code < 500
    assert is_told(remedy, problem_in(answer))

    assert followed(shop).status_code in (200, 201)


def problem_in(answer):
    """Return what a problem says, and what it says of single values."""
    problem = answer.json()
    return f"{problem['detail']} {problem.get('errors')}"


def test_who_does_not_show_who_they_are():
    def may(request, action, about):
        if request.headers.get("authorization") != "Bearer ada":
            raise Unauthenticated()
        return True

    shop = client(authorize=may)

    answer = shop.get("/api/runs")
    assert (answer.status_code, is_told("send credentials", problem_in(answer))) == (401, True)

    assert shop.get("/api/runs", headers={"Authorization": "Bearer ada"}).status_code == 200


def test_page_of_another_site():
    theirs = {"Origin": "https://shop.example"}

    shop = client()
    shop.base_url = "http://inside:8000"
    answer = shop.post(shop.talk, {}, headers=theirs)
    assert answer.status_code == 403
    assert is_told(
        "if that site is yours, name its origin: app(..., trusted_origins=['https://shop.example'])",
        problem_in(answer),
    )

    shop = client(trusted_origins=["https://shop.example"])
    shop.base_url = "http://inside:8000"
    assert shop.post(shop.talk, {}, headers=theirs).status_code == 201


def test_authorize_that_is_none_or_says_neither(caplog):
    with printed(
        "write one that returns True for what a request may do: def may(request, action, about)"
    ):
        app(Engine("memory://"), [talk], authorize=None)
    assert client(authorize=lambda request, action, about: "yes").get("/api/runs").is_error
    assert is_told("let it return True or False", caplog.text)

    def may(request, action, about):
        return True

    assert client(authorize=may).get("/api/runs").status_code == 200


def test_annotation_of_a_flow_that_means_nothing_at_run_time():
    @deflow
    def pay(amount: Missing):  # noqa: F821
        return amount

    @deflow
    def give(amount):
        return amount

    with printed(
        "import what it names outside of `if TYPE_CHECKING`, or leave the annotation out"
    ) as caught:
        app(Engine("memory://"), [pay], authorize=allow)
    assert caught.type is CannotCheck

    app(Engine("memory://"), [give], authorize=allow)


def engine_of_links():
    return Engine("memory://", clock=FakeClock(), links=Links(URL, SECRET))


def test_links_that_are_over_or_altered():
    engine = engine_of_links()
    shop = client(engine)
    run = engine.start(talk)
    first = engine.link(run.id, "text", value="hello", lasts=timedelta(days=1))

    altered = shop.get(first[:-1])
    assert altered.status_code == 404
    assert is_told("open it as it was sent, to its very end", altered.text)
    assert shop.post(first).status_code == 200

    used = shop.post(first)
    assert (used.status_code, is_told("ask for another", used.text)) == (410, True)
    assert shop.post(engine.link(run.id, "text", value="again")).status_code == 200


def test_form_of_a_link_that_says_no_revision():
    engine = engine_of_links()
    shop = client(engine)
    url = engine.link(engine.start(talk), "text")
    written = {"value#which": "1", "value/1": "hello"}

    answer = shop.post(url, data={**written, "#revision": "x"})
    assert (answer.status_code, is_told("open the link again", answer.text)) == (400, True)

    assert shop.post(url, data={**written, **hidden_in(shop.get(url))}).status_code == 200


def hidden_in(page):
    return dict(re.findall(r'type="hidden" name="(#\w+)" value="(\w+)"', page.text))


def test_links_that_cannot_be_made():
    with printed("give it a secret: Engine(store, links=Links(url, secret))"):
        Engine("memory://").link("a", "b")
    with printed("give one"):
        Links(URL, [])
    engine = Engine("memory://", links=Links(URL, SECRET))
    with printed("give plain JSON"):
        engine.link("a", "b", value=object())
    with printed("leave the value out, so that it is asked for"):
        engine.link("a", "b", value="x" * 5000)

    assert engine.link("a", "b", value={"plain": 1}).startswith(URL)
    assert engine.link("a", "b").startswith(URL)


def test_streams_that_come_at_once_get_no_more_places_than_there_are(monkeypatch, caplog):
    monkeypatch.setattr(streams, "_LONGEST", 0.2)
    shop = client()
    shop.app.state.site.followers.most = 1
    path = f"{start(shop)}/stream"

    async def at_once():
        return await asyncio.gather(*(shop._request("GET", path) for _ in range(5)))

    answers = asyncio.run(at_once())
    assert sorted(answer.status_code for answer in answers) == [200, 503, 503, 503, 503]
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert is_told("try again later", refused.json()["detail"])
    assert caplog.text == ""  # nobody can fill a log by asking

    assert shop.get(path).status_code == 200
    assert shop.app.state.site.followers.count == 0


PAGES = [
    ("write order=4711", "GET", "/?facts=4711", {}, "/?facts=order%3D4711", 200),
    ("open the run again", "POST", "/runs/{run}/fork", {"at": "x"}, "/runs/{run}", 200),
    ("open the run again", "POST", "/runs/{run}/rewind", {"to": ""}, "/runs/{run}", 200),
    ("open the task again", "POST", "/tasks/{run}/approve", {"a": "1"}, "/tasks/{run}", 200),
]


@pytest.mark.parametrize(("remedy", "method", "path", "form", "then", "status"), PAGES)
def test_page_is_shown_as_its_remedy_says(remedy, method, path, form, then, status):
    engine = Engine("memory://", history="frames")
    shop = client_of_pages(engine)
    run = engine.start_flow(page_flows.buy, 1)

    refused = shop.request(method, path.format(run=run.id), data=form or None)
    assert (refused.status_code, is_told(remedy, refused.text)) == (400, True)

    assert shop.get(then.format(run=run.id)).status_code == status


def client_of_pages(engine):
    from tests.web.client import Client

    return Client(app(engine, [page_flows.buy], authorize=allow), base_url="http://here")


def test_form_that_is_none_is_taken_when_it_is_sent_again():
    engine = Engine("memory://")
    shop = client_of_pages(engine)
    run = engine.start_flow(page_flows.buy, 1)
    path = f"/tasks/{run.id}/approve"

    refused = shop.post(path, content=b"\xff=1", headers=FORM)
    assert (refused.status_code, is_told("send it again", refused.text)) == (400, True)

    form = {**hidden_in(shop.get(f"/tasks/{run.id}")), "value/ok": "true", "value/urgency": '"low"'}
    assert shop.post(path, data=form).status_code == 303


ELSEWHERE = {
    'a text stands in quotes: "yes"': test_forms.__name__,
    "pip install 'longterm[web]'": "the extra is installed where this runs",
    "shown to those who may inspect the run": "no advice",
    "three days": "no advice",
    "ninety minutes": "no advice",
}


def test_no_remedy_is_forgotten():
    web = Path(longterm.web.__file__).parent
    tried = tried_in(__file__) | {case[0] for case in (*API, *PAGES)}

    assert tried | set(ELSEWHERE) == advice_of(web, web.parent / "links.py") | OF_THE_ENGINE


OF_THE_ENGINE = {"give it a secret: Engine(store, links=Links(url, secret))"}
