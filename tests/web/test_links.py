"""Links that answer a wait once: used, replayed, altered, expired."""

from __future__ import annotations

from datetime import timedelta

import pytest

pytest.importorskip("starlette", reason="NOT TESTED: the extra `web` is missing")
pytest.importorskip("jinja2", reason="NOT TESTED: the extra `web` is missing")
pytest.importorskip("httpx", reason="NOT TESTED: httpx is missing")
pytest.importorskip("pydantic", reason="NOT TESTED: pydantic is missing")

from longterm import Engine, InvalidKey, StoreError, UnknownFlow
from longterm.links import Links
from longterm.testing import FakeClock
from longterm.web import app

from . import page_flows
from .client import Client
from .shop import client, sell, talk

URL = "http://shop.example"
SECRET = "a secret of more than 32 bytes: 0123456789"


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
    assert "You are about to answer:" in page.text
    assert "<code>true</code>" in page.text
    assert "<nav" not in page.text
    assert shop.get(url).status_code == 200  # looking at it changes nothing
    assert engine.get_run(run.id).revision == run.revision

    assert shop.post(url).status_code == 200
    assert engine.get_run(run.id).awaits == ("a/b",)
    assert (shop.post(url).status_code, shop.get(url).status_code) == (410, 410)


def test_of_two_links_for_one_wait_the_first_answers(engine, shop):
    run = engine.start(sell, (7,))
    ann, bob = (engine.link(run, "approve", value=True) for _ in "ab")

    assert (shop.post(ann).status_code, shop.post(bob).status_code) == (200, 410)


def test_link_without_a_value_asks_for_it_in_the_form_of_its_type(engine, shop):
    run = engine.start(sell, (7,))
    url = engine.link(run.id, "approve")

    assert shop.get(url).text.count('type="radio"') == 2  # yes and no
    for wrong in ("perhaps", ""):
        refused = shop.post(url, data={"value": wrong})
        assert (refused.status_code, 'aria-invalid="true"' in refused.text) == (422, True)
    assert engine.get_run(run.id).revision == run.revision
    assert shop.post(url, data={"value": "true"}).status_code == 200
    assert engine.get_run(run.id).response == ["sold"]


def test_form_of_a_link_keeps_what_was_written_and_says_what_is_wrong(engine):
    shop = Client(app(engine, [page_flows.buy], authorize=nobody))
    run = engine.start(page_flows.buy, (7,))
    url = engine.link(run, "approve")
    written = {"value/ok": "true", "value/urgency": '"low"', "value/note": "hm"}

    assert shop.get(url).text.count("May order 7 be paid?") == 2  # in its title, too
    assert "over the limit" not in shop.get(url).text  # a link shows no more than is asked
    more = shop.post(url, data={**written, "#add": "value/lines"})
    assert (more.status_code, 'name="value/lines/0/item"' in more.text) == (200, True)
    rows = {"value/lines#rows": "0", "value/lines/0/item": "tea", "value/lines/0/count": "x"}
    wrong = shop.post(url, data={**written, **rows})
    assert (wrong.status_code, "Write a whole number" in wrong.text) == (422, True)
    assert 'value="hm"' in wrong.text
    late = shop.post(url, data={**written, "value/pay_on": "0001-02-30"})
    assert (late.status_code, "Write a day" in late.text) == (422, True)
    assert engine.get_run(run.id).revision == run.revision
    assert shop.post(url, data=written).status_code == 200
    assert engine.get_run(run.id).awaits == ("delivered",)


def test_form_of_a_wait_of_any_type_takes_a_text_or_json(engine, shop):
    run = engine.start(talk)
    url = engine.link(run.id, "text")

    assert 'name="value/1"' in shop.get(url).text
    broken = shop.post(url, data={"value#which": "2", "value/2": "{"})
    assert (broken.status_code, "This is no JSON" in broken.text) == (422, True)
    assert shop.post(url, data={"value#which": "1", "value/1": "how are"}).status_code == 200
    assert engine.get_run(run.id).response == ["how", "are"]


def test_form_of_a_link_is_for_the_wait_at_which_it_was_opened(engine, shop):
    run = engine.start(talk)
    url = engine.link(run.id, "text")  # for the next wait, whichever that is
    engine.process_event(run.id, "text", "another question")

    written = {"value#which": "1", "value/1": "bye"}
    late = shop.post(url, data={**written, "#revision": str(run.revision)})
    assert (late.status_code, "This link is over" in late.text) == (410, True)
    assert shop.post(url, data={**written, "#revision": "x"}).status_code == 400
    now = str(engine.get_run(run.id).revision)
    assert shop.post(url, data={**written, "#revision": now}).status_code == 200


def test_answer_waits_for_a_worker_where_the_flow_is_not_known(engine, shop, monkeypatch):
    async def without_its_code(*sent, **options):
        raise UnknownFlow("shop:talk")

    run = engine.start(talk)
    url = engine.link(run, "text", value="hello")
    monkeypatch.setattr(type(engine), "aprocess_event", without_its_code)

    assert "arrived" in shop.post(url).text
    assert "An answer was sent already" in shop.get(url).text
    assert shop.post(url).status_code == 410
    assert engine.get_run(run.id).unread == ("text",)


def test_link_that_cannot_be_answered_is_in_no_log(engine, shop, monkeypatch, caplog):
    async def out_of_reach(*sent, **options):
        raise StoreError("no route to the database")

    url = engine.link(engine.start(talk), "text", value="hello")
    monkeypatch.setattr(type(engine), "aprocess_event", out_of_reach)

    assert shop.post(url).status_code == 503
    assert "POST /links/… failed" in caplog.text
    assert url.rpartition("/")[2] not in caplog.text


def test_link_is_not_over_while_a_turn_may_lead_to_its_wait(engine, shop):
    run = engine.start(talk)
    engine.store.unsuspend(run.id, "text")

    busy = shop.get(engine.link(run.id, "next", value="x"))
    assert (busy.status_code, "cannot be answered now" in busy.text) == (423, True)
    assert int(busy.headers["retry-after"]) > 0


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

    assert (shop.get(url).status_code, shop.post(url).status_code) == (410, 410)


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

    assert "<script>" not in shop.get(url).text
    assert "&lt;script&gt;alert(1)" in shop.get(url).text
    assert "default-src 'none'" in shop.get(url).headers["content-security-policy"]


def test_application_without_a_secret_has_no_links(engine):
    url = engine.link("a", "b")

    assert client().get(url).status_code == 404
