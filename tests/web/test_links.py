"""Links that answer a wait once: used, replayed, altered, expired."""

from __future__ import annotations

from datetime import timedelta

import pytest

pytest.importorskip("starlette", reason="NOT TESTED: the extra `web` is missing")
pytest.importorskip("jinja2", reason="NOT TESTED: the extra `web` is missing")
pytest.importorskip("httpx", reason="NOT TESTED: httpx is missing")
pytest.importorskip("pydantic", reason="NOT TESTED: pydantic is missing")

from longterm import Engine, InvalidKey
from longterm.links import Links
from longterm.testing import FakeClock

from .shop import client, sell, talk

URL = "http://shop.example"
SECRET = "a secret of more than 32 bytes: 0123456789"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def nobody(request, action, about):
    return False


@pytest.fixture
def engine():
    return Engine("memory://", clock=FakeClock(), links=Links(URL, SECRET))


@pytest.fixture
def shop(engine):
    return client(engine, authorize=nobody)


def test_link_answers_once(engine, shop):
    run = engine.start(sell, (7,))
    url = engine.link(run, "approve", value=True)

    page = shop.get(url)
    assert page.status_code == 200
    assert "sell 7?" in page.text
    assert "approve: true" in page.text
    assert shop.get(url).status_code == 200  # looking at it changes nothing
    assert engine.get_run(run.id).revision == run.revision

    assert shop.post(url).status_code == 200
    assert engine.get_run(run.id).awaits == ("a/b",)
    assert (shop.post(url).status_code, shop.get(url).status_code) == (410, 410)


def test_of_two_links_for_one_wait_the_first_answers(engine, shop):
    run = engine.start(sell, (7,))
    ann, bob = (engine.link(run, "approve", value=True) for _ in "ab")

    assert (shop.post(ann).status_code, shop.post(bob).status_code) == (200, 412)


def test_link_without_a_value_asks_for_it(engine, shop):
    run = engine.start(sell, (7,))
    url = engine.link(run.id, "approve")

    assert "<textarea" in shop.get(url).text
    wrong = shop.post(url, content="value=%22perhaps%22", headers=FORM)
    assert (wrong.status_code, "valid boolean" in wrong.text) == (422, True)
    assert shop.post(url, content="value=%7B", headers=FORM).status_code == 400
    assert shop.post(url, content="value=true", headers=FORM).status_code == 200


def test_link_of_an_id_is_used_up_though_the_run_waits_for_the_same_again(engine, shop):
    run = engine.start(talk)
    url = engine.link(run.id, "text", value="hello")

    assert shop.post(url).status_code == 200
    assert engine.get_run(run.id).awaits == ("text",)
    assert shop.post(url).status_code == 410
    assert engine.get_run(run.id).revision == run.revision + 1


def test_link_of_a_run_is_for_that_wait_only(engine, shop):
    run = engine.start(talk)
    url = engine.link(run, "text", value="hello")
    engine.process_event(run.id, "text", "somebody else")

    assert (shop.get(url).status_code, shop.post(url).status_code) == (410, 412)


def test_link_that_has_expired(engine, shop):
    run = engine.start(talk)
    url = engine.link(run, "text", value="hello", lasts=timedelta(days=2))
    engine.clock.advance(timedelta(days=2))

    assert (shop.get(url).status_code, shop.post(url).status_code) == (410, 410)
    assert engine.get_run(run.id).revision == run.revision


def test_link_that_was_altered(engine, shop):
    run = engine.start(talk)
    url = engine.link(run, "text", value="hello")
    begin = len(URL + "/links/")
    altered = {
        url[:place] + ("A" if url[place] != "A" else "B") + url[place + 1 :]
        for place in range(begin, len(url))
    }
    altered |= {url[:-1], url + "=", url + "A", url[:begin] + "." + url[begin:], URL + "/links/x"}

    assert {shop.post(each).status_code for each in altered} == {404}
    assert engine.get_run(run.id).revision == run.revision


def test_secrets_can_be_changed(engine):
    url = engine.link("a", "b")
    token = url.rpartition("/")[2]
    later = Links(URL, ["another secret of more than 32 bytes 42", SECRET])

    assert later.read(token, engine.clock.now()).run_id == "a"


@pytest.mark.parametrize("lasts", [timedelta(0), timedelta(days=31)])
def test_link_lasts_as_long_as_it_can_be_known_again(engine, lasts):
    with pytest.raises(ValueError, match="at most 30 days"):
        engine.link("a", "b", lasts=lasts)


def test_what_no_link_can_be_made_of(engine):
    with pytest.raises(InvalidKey, match="32 are the least"):
        Links(URL, "short")
    with pytest.raises(ValueError, match="no secret"):
        Links(URL, [])
    with pytest.raises(ValueError, match="signs no links"):
        Engine("memory://").link("a", "b")
    with pytest.raises(ValueError, match="plain JSON"):
        engine.link("a", "b", value=object())
    with pytest.raises(ValueError, match="leave the value out"):
        engine.link("a", "b", value="x" * 5000)


def test_values_on_the_page_are_escaped(engine, shop):
    run = engine.start(talk)
    url = engine.link(run, "text", value="<script>alert(1)</script>")

    assert "<script" not in shop.get(url).text
    assert "default-src 'none'" in shop.get(url).headers["content-security-policy"]


def test_application_without_a_secret_has_no_links(engine):
    url = engine.link("a", "b")

    assert client().get(url).status_code == 404
