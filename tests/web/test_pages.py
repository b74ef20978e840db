"""The pages for people: what each shows, what each does, and what it refuses."""

from __future__ import annotations

import re
import threading
import time
from datetime import timedelta
from html.parser import HTMLParser

import pytest

pytest.importorskip("starlette")
pytest.importorskip("jinja2")
pytest.importorskip("httpx")
pytest.importorskip("pydantic")

from longterm import Engine, acting_as, deflow, suspend
from longterm.store import open_store
from longterm.testing import FakeClock
from longterm.web import Action, app
from tests.web import page_flows as flows
from tests.web.client import Client

HOSTILE = "<script>alert(1)</script>\"'&{{ 7*7 }}\u202e\x00</textarea>"
APPROVED = {"value/ok": "true", "value/urgency": '"low"'}
FLOWS = [flows.buy, flows.divide, flows.family, flows.echo]


class Browser(Client):
    """A client that reads pages: links, forms and what is said."""

    def __init__(self, engine, may=lambda request, action, about: True, flows=FLOWS):
        application = app(engine, flows, authorize=may)
        super().__init__(application, base_url="http://here")

    def page(self, path, status=200):
        answer = self.get(path)
        assert answer.status_code == status, answer.text
        return answer.text

    def counted(self, path, sign):
        """Return a page once the count that it shows, which no page waits for, is there."""
        for _ in range(200):
            if sign in words(text := self.page(path)):
                return text
            time.sleep(0.02)
        raise AssertionError(text)

    def send(self, path, form, status):
        answer = self.post(path, data=form)
        assert answer.status_code == status, answer.text
        return answer

    def form(self, path):
        """Return the hidden fields of the first form of a page."""
        text = self.page(path)
        return dict(re.findall(r'type="hidden" name="(#\w+)" value="(\w+)"', text))

    def answer(self, run, event, form, status):
        hidden = self.form(f"/tasks/{run.id}") if "#revision" not in form else {}
        return self.send(f"/tasks/{run.id}/{event}", {**hidden, **form}, status)


def words(text):
    """Return what a page says, without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def engine(clock):
    return Engine(open_store("memory:"), clock=clock, history="frames")


@pytest.fixture
def browser(engine):
    return Browser(engine)


def test_a_run_is_started_answered_and_seen_to_go_on(engine, browser):
    assert "Buy something" in browser.page("/flows")
    path = f"/flows/{flows.__name__}:buy"
    form = browser.form(path)
    started = browser.send(path, {**form, "value/order": "7", "value/who": "ada"}, 303)
    run = engine.get_run(form["#run"])
    assert started.headers["location"] == f"/runs/{run.id}?note=started"
    assert "May order 7 be paid?" in browser.page("/tasks?to=ada")
    assert "Nothing to do for ben" in words(browser.page("/tasks?to=ben"))
    answered = browser.answer(run, "approve", APPROVED, 303)
    assert answered.headers["location"] == f"/tasks?note=answered&run={run.id}"
    assert "Thank you" in browser.page(answered.headers["location"])
    shown = words(browser.page(f"/runs/{run.id}"))
    assert "approve: Approval(ok=True, urgency=&#39;low&#39;" in shown
    assert "Waits for delivered" in shown


def test_the_form_of_a_flow_shows_its_defaults(browser):
    assert 'value="ada"' in browser.page(f"/flows/{flows.__name__}:buy")


def test_the_form_of_a_flow_says_what_is_wrong_and_keeps_what_was_written(browser):
    path = f"/flows/{flows.__name__}:buy"
    refused = browser.send(path, {"#run": "r1", "value/order": "seven", "value/who": "eve"}, 422)
    assert "Write a whole number" in refused.text
    assert 'value="seven"' in refused.text
    assert 'value="eve"' in refused.text


def test_a_run_that_fails_at_once_is_shown(engine):
    @deflow
    def fail(number: int):
        raise ValueError("too early")

    browser = Browser(engine, flows=[fail])
    path = f"/flows/{__name__}:{fail.__qualname__}".replace("<", "%3C").replace(">", "%3E")
    where = browser.send(path, {"value/number": "1"}, 303).headers["location"]
    assert "too early" in browser.page(where)
    browser.send(path, {"value/number": "1", "#run": "x" * 600}, 400)


def test_a_form_that_is_sent_twice_starts_one_run(engine, browser):
    path = f"/flows/{flows.__name__}:buy"
    form = {**browser.form(path), "value/order": "7"}
    first, second = browser.send(path, form, 303), browser.send(path, form, 303)
    assert first.headers["location"] == second.headers["location"]
    assert len(engine.find_runs()) == 1


def test_a_bad_value_is_refused_beside_its_field(engine, browser):
    run = engine.start_flow(flows.buy, 1)
    refused = browser.answer(run, "approve", {"value/ok": "", "value/note": "hm"}, 422)
    assert refused.text.count("This is needed.") == 2
    assert 'aria-invalid="true"' in refused.text
    assert 'value="hm"' in refused.text
    late = browser.answer(run, "approve", {**APPROVED, "value/pay_on": "soon"}, 422)
    assert "Write a day" in late.text
    assert engine.get_run(run.id).revision == run.revision


def test_what_only_the_type_can_refuse_stands_beside_its_field_too(engine, browser):
    run = engine.start_flow(flows.buy, 1)
    rows = {"value/lines#rows": "0", "value/lines/0/item": "tea", "value/lines/0/count": "1" * 5000}
    assert "Write a whole number" in browser.answer(run, "approve", {**APPROVED, **rows}, 422).text


def test_rows_are_added_without_an_answer(engine, browser):
    run = engine.start_flow(flows.buy, 1)
    more = browser.answer(run, "approve", {"#add": "value/lines", "value/note": "hm"}, 200)
    assert 'name="value/lines/0/item"' in more.text
    assert 'value="hm"' in more.text
    assert engine.get_run(run.id) == run


def test_the_second_is_told_that_somebody_was_first_and_who(engine, browser):
    run = engine.start_flow(flows.buy, 1)
    form = {**browser.form(f"/tasks/{run.id}"), **APPROVED}
    with acting_as("ben"):
        engine.process_event(run.id, "reject", "too dear")
    second = browser.answer(run, "approve", form, 409)
    assert "This task was answered by ben, with reject ." in words(second.text)
    assert engine.get_run(run.id).turn == 2


def test_of_two_answers_at_once_one_wins(engine, browser):
    run = engine.start_flow(flows.buy, 1)
    form = {**browser.form(f"/tasks/{run.id}"), **APPROVED}
    statuses = []

    def answer():
        statuses.append(browser.post(f"/tasks/{run.id}/approve", data=form).status_code)

    threads = [threading.Thread(target=answer) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [303, 409, 409]
    assert engine.get_run(run.id).turn == 2


def test_a_wait_whose_time_is_over_says_so(engine, browser, clock):
    run = engine.start_flow(flows.buy, 1)
    form = {**browser.form(f"/tasks/{run.id}"), **APPROVED}
    clock.advance(timedelta(days=3))
    assert "An answer may come too late" in browser.page(f"/tasks/{run.id}")
    assert "was due" in browser.page("/tasks")
    engine.expire(run.id)
    assert "The time for this answer has passed." in words(
        browser.answer(run, "approve", form, 409).text
    )


def test_a_flow_that_fails_on_the_answer_is_shown_with_its_error(engine, browser, caplog):
    run = engine.start_flow(flows.divide, 1)
    answered = browser.answer(run, "divisor", {"value": "0"}, 303)
    assert "note=broken" in answered.headers["location"]
    shown = browser.page(f"/runs/{run.id}")
    assert "ZeroDivisionError" in shown
    assert "divide" in shown
    assert "/retry" in shown
    browser.send(f"/runs/{run.id}/retry", {}, 303)
    assert engine.get_run(run.id).state == "failed"


def test_the_stack_is_shown_with_lines_and_folded_values(engine, browser):
    run = engine.start_flow(flows.buy, 1)
    shown = browser.page(f"/runs/{run.id}")
    assert "(what, answer), _ = ask(order, who)" in words(shown)
    assert "<details" in shown
    assert "762 characters" in words(shown)  # of the letter, and two quotes
    assert "Fork from before" in shown


def test_a_run_is_cancelled_and_forked(engine, browser):
    run = engine.start_flow(flows.buy, 1)
    forked = browser.send(f"/runs/{run.id}/fork", {}, 303).headers["location"]
    copy = re.search(r"/runs/(\w+)\?note=forked", forked)[1]
    assert engine.get_run(copy).index == {"order": 1}
    browser.send(f"/runs/{run.id}/cancel", {}, 303)
    assert engine.get_run(run.id).state == "cancelled"
    assert engine.get_run(copy).state == "suspended"
    engine.process_event(copy, "reject", "no")
    older = browser.send(f"/runs/{copy}/fork", {"at": "1"}, 303).headers["location"]
    assert engine.get_run(re.search(r"/runs/(\w+)", older)[1]).waiting_for == "approve\nreject"
    browser.send(f"/runs/{copy}/fork", {"at": "x"}, 400)


def test_a_run_is_put_back_once_somebody_is_sure(engine, browser):
    run = engine.start_flow(flows.buy, 1)
    engine.process_event(run.id, "reject", "no")
    shown = browser.page(f"/runs/{run.id}")
    to = re.findall(r'/rewind"><input type="hidden" name="to" value="(\d+)"><p>', shown)[-1]
    assert "Put back to before this…" in words(shown)
    where = browser.send(f"/runs/{run.id}/rewind", {"to": to}, 303).headers["location"]
    assert where == f"/runs/{run.id}?note=rewound"
    assert "This run is put back" in browser.page(where)
    engine.process_event(run.id, "reject", "still no")
    browser.send(f"/runs/{run.id}/rewind", {"to": "1"}, 303)
    assert engine.get_run(run.id).awaits == ("approve", "reject")
    browser.send(f"/runs/{run.id}/rewind", {"to": "77"}, 404)
    browser.send(f"/runs/{run.id}/rewind", {}, 400)
    engine.cancel(run.id)
    assert "/rewind" not in browser.page(f"/runs/{run.id}")
    browser.send(f"/runs/{run.id}/rewind", {"to": "1"}, 409)


def test_an_event_is_taken_out_once_somebody_is_sure(engine, browser):
    run = engine.start_flow(flows.buy, 1)
    engine.send(run.id, "delivered", "broken")
    shown = browser.page(f"/runs/{run.id}")
    number = re.search(r'/discard"><input type="hidden" name="number" value="(\d+)">', shown)[1]
    browser.send(f"/runs/{run.id}/discard", {"number": number}, 303)
    assert engine.unread_events(run.id) == []
    browser.send(f"/runs/{run.id}/discard", {"number": number}, 404)


def test_children_and_parents_lead_to_each_other(engine, browser):
    run = engine.start_flow(flows.family, 1)
    (child,) = engine.get_run(run.id).children
    assert f"/runs/{child}" in browser.page(f"/runs/{run.id}")
    assert f"/runs/{run.id}" in browser.page(f"/runs/{child}")


def test_events_that_are_not_read_are_shown(engine, browser):
    run = engine.start_flow(flows.buy, 1)
    engine.send(run.id, "delivered", {"by": "post"}, key="k1")
    assert "delivered 1, sent" in words(browser.page(f"/runs/{run.id}"))
    assert "1 unread" in words(browser.page("/"))


def test_runs_are_found_by_what_is_known_of_them(engine, browser):
    first, second = engine.start_flow(flows.buy, 1), engine.start_flow(flows.buy, 2)
    failed = engine.start_flow(flows.divide, 1)
    with pytest.raises(ZeroDivisionError):
        engine.process_event(failed.id, "divisor", 0)

    def found(query):
        table = browser.page(f"/?{query}").partition('id="where"')[0]
        return {run.id for run in (first, second, failed) if f"/runs/{run.id}" in table}

    assert found("") == {first.id, second.id, failed.id}
    assert found("facts=order%3D2") == {second.id}
    assert found("state=failed") == {failed.id}
    assert found(f"flow={flows.__name__}:divide") == {failed.id}
    assert found("waiting_for=reject") == {first.id, second.id}
    assert found(f"position={first.position.replace('>', '%3E')}") == {first.id, second.id}
    *others, newest = sorted([first.id, second.id, failed.id])
    assert found(f"after={newest}") == {*others}
    assert browser.get(f"/?run={second.id}").headers["location"] == f"/runs/{second.id}"
    for wrong in ("facts=%22", "facts=order", "state=asleep"):
        assert browser.get(f"/?{wrong}").status_code == 400


def test_positions_are_counted(engine, browser):
    for order in range(3):
        engine.start_flow(flows.buy, order)
    assert browser.counted("/", "buy (point 1), ask (point 1) 3")


def test_runs_are_counted_by_state_for_who_may_list_their_flow(engine):
    for order in range(3):
        engine.cancel(engine.start_flow(flows.buy, order).id)
    engine.start_flow(flows.buy, 3)
    engine.start_flow(flows.divide, 1)
    path = f"/?flow={flows.__name__}:buy"
    shown = Browser(engine).counted(path, "cancelled 3")
    assert "suspended 2 running 0 complete 0 failed 0" in words(shown)
    assert f"state=cancelled&amp;flow={flows.__name__}%3Abuy" in shown
    hidden = f"{flows.__name__}:divide"
    browser = Browser(engine, lambda request, action, about: about.flow != hidden)
    assert "suspended 1 running 0" in words(browser.counted(path, "cancelled 3"))


def test_words_of_what_is_asked_stand_once(engine):
    @deflow
    def ask():
        return suspend("a", ask={"text": "Where?", "hint": "in the garden"}, to=["ada", "ben"])

    run = engine.start(ask)
    shown = words(Browser(engine).page(f"/tasks/{run.id}"))
    assert shown.count("Where?") == 2  # the title of the window, and of the page
    assert "hint in the garden" in shown
    assert "for ada, ben" in shown


def test_the_newest_runs_come_first(engine, browser):
    runs = sorted(engine.start_flow(flows.buy, order).id for order in range(3))
    table = browser.page("/").partition("<tbody>")[2].partition("</tbody>")[0]
    assert re.findall(r'href="/runs/(\w+)"', table) == runs[::-1]


def test_pages_of_runs_and_tasks_lead_on(engine, browser):
    runs = sorted(engine.start_flow(flows.buy, order).id for order in range(51))
    for path, last in (("/", runs[0]), ("/tasks", runs[50]), ("/tasks?to=ada", runs[50])):
        first = browser.page(path)
        following = re.search(r'href="([^"]+)" rel="next"', first)[1].replace("&amp;", "&")
        assert f"/{last}" not in first.partition('id="where"')[0]
        assert f"/{last}" in browser.page(following)


def test_the_picture_of_a_flow_says_how_many_wait_where(engine, browser):
    for order in range(3):
        engine.start_flow(flows.buy, order)
    drawn = browser.counted(f"/flows/{flows.__name__}:buy/picture", "counted at 2026")
    assert "<svg" in drawn
    assert re.search(r'class="lt-number"[^>]*>3<', drawn)
    assert "delivered" in drawn
    assert ".lt-picture" in browser.page("/static/pictures.css")
    browser.page("/flows/os:system/picture", 404)
    assert "/picture" in browser.page(f"/runs/{engine.find_runs()[0].id}")


def test_what_is_not_there_is_a_page(browser):
    assert "there is no run" in browser.page("/runs/nobody", 404)
    assert "there is no flow" in browser.page("/flows/os:system", 404)
    assert browser.get("/static/form.py").status_code == 404


def test_files_are_there_and_nothing_comes_from_elsewhere(engine, browser):
    run = engine.start_flow(flows.buy, 1)
    for name in ("pages.css", "pages.js", "icon.svg"):
        assert browser.page(f"/static/{name}")
    for path in ("/", "/tasks", "/flows", f"/runs/{run.id}", f"/tasks/{run.id}"):
        shown = browser.page(path)
        assert not re.search(r"(src|href)=\"?(https?:)?//", shown)
        assert " style=" not in shown
        assert not re.search(r" on\w+=", shown)


class Ids(HTMLParser):
    """Collects what refers to what in a page."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.refs, self.controls, self.headings = [], set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.ids += [found["id"]] if "id" in found else []
        for name in ("for", "aria-labelledby", "aria-describedby", "list"):
            self.refs |= set((found.get(name) or "").split())
        if tag in ("input", "select", "textarea") and found.get("type") not in ("hidden", "radio"):
            self.controls.append(found.get("id"))
        if tag in ("h1", "h2", "h3"):
            self.headings.append(tag)


def test_pages_can_be_read_aloud(engine, browser):
    run = engine.start_flow(flows.buy, 1)
    wrong = browser.answer(run, "approve", {"value/lines#rows": "0"}, 422).text
    pages = [browser.page(path) for path in ("/", "/tasks", f"/runs/{run.id}", f"/tasks/{run.id}")]
    for text in [*pages, wrong]:
        found = Ids(text)
        assert len(found.ids) == len(set(found.ids))
        assert found.refs <= set(found.ids)
        assert all(found.controls)
        assert {f'for="{control}"' in text for control in found.controls} <= {True}
        assert found.headings[0] == "h1"
        assert found.headings.count("h1") == 1


def test_hostile_values_are_text_everywhere(engine, browser):
    run = engine.start_flow(flows.echo, HOSTILE.replace("\x00", ""))
    refused = browser.answer(run, "free", {"value#which": "2", "value/2": HOSTILE}, 422).text
    pages = [browser.page(path) for path in ("/", "/tasks", f"/runs/{run.id}", f"/tasks/{run.id}")]
    for text in [*pages, refused]:
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)" in text or "alert" not in text
        assert "{{ 7*7 }}" in text or "49" not in words(text)
        assert "\u202e" not in text.partition("<textarea")[0]
        assert text.count("</textarea>") == text.count("<textarea")


def test_each_page_asks_who_may(engine):
    run = engine.start_flow(flows.buy, 1)
    allowed = set()
    browser = Browser(engine, lambda request, action, about: action in allowed)
    for path in ("/", "/tasks"):
        browser.page(path, 403)
    for path in (f"/runs/{run.id}", f"/tasks/{run.id}"):
        browser.page(path, 404)
    allowed |= {Action.LIST, Action.SEE}
    assert run.id in browser.page("/")
    assert "Nothing to do" in browser.page("/tasks")
    shown = browser.page(f"/runs/{run.id}")
    assert "What it said last" in shown
    for hidden in ("Where it waits", "letter", "/cancel", "/fork", "Answer"):
        assert hidden not in shown
    browser.page(f"/tasks/{run.id}", 403)
    for action in ("cancel", "retry", "fork", "rewind", "discard"):
        browser.send(f"/runs/{run.id}/{action}", {}, 403)
    browser.send(f"/tasks/{run.id}/approve", {"#revision": "1", **APPROVED}, 403)
    browser.page(f"/flows/{flows.__name__}:buy", 403)
    assert engine.get_run(run.id) == run


def test_whose_tasks_are_listed_may_be_said_by_authorize(engine):
    def may(request, action, about):
        request.state.audience = ["ada"]
        return True

    mine, other = engine.start_flow(flows.buy, 1, "ada"), engine.start_flow(flows.buy, 2, "ben")
    shown = Browser(engine, may).page("/tasks")
    assert mine.id in shown
    assert other.id not in shown


def test_who_acts_is_kept_as_authorize_says(engine):
    def may(request, action, about):
        request.state.actor = "ada@example.com"
        return True

    browser, run = Browser(engine, may), engine.start_flow(flows.buy, 1)
    form = {**browser.form(f"/tasks/{run.id}"), **APPROVED}
    browser.answer(run, "approve", form, 303)
    assert engine.history(run.id)[-1].actor == "ada@example.com"
    assert "approve by ada@example.com" in words(browser.page(f"/runs/{run.id}"))
    late = words(browser.answer(run, "reject", form, 409).text)
    assert "answered by ada@example.com" in late
    browser.send(f"/runs/{run.id}/cancel", {}, 303)
    assert engine.history(run.id)[-1].actor == "ada@example.com"


def test_pages_of_other_sites_cannot_answer(engine, browser):
    run = engine.start_flow(flows.buy, 1)
    form = {**browser.form(f"/tasks/{run.id}"), **APPROVED}
    answer = browser.post(
        f"/tasks/{run.id}/approve", data=form, headers={"origin": "http://elsewhere"}
    )
    assert answer.status_code == 403
    assert engine.get_run(run.id) == run


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"{}", "application/json", 415),
        (b"\xff=1", "application/x-www-form-urlencoded", 400),
        (b"&".join([b"a=1"] * 6000), "application/x-www-form-urlencoded", 400),
        (b"value=1", "application/x-www-form-urlencoded", 400),
        (b"%23revision=-1", "application/x-www-form-urlencoded", 400),
        (b"a=" + b"1" * 2**21, "application/x-www-form-urlencoded", 413),
    ],
)
def test_bodies_that_are_no_answer_are_refused(engine, browser, content, media_type, status):
    run = engine.start_flow(flows.buy, 1)
    answer = browser.post(
        f"/tasks/{run.id}/approve", content=content, headers={"content-type": media_type}
    )
    assert answer.status_code == status
    assert engine.get_run(run.id) == run


def test_a_page_that_is_open_hears_of_news(engine, browser):
    run = engine.start_flow(flows.buy, 1)
    from starlette.requests import Request

    from longterm.web.pages import watch

    scope = {
        "type": "http",
        "app": browser.app,
        "query_string": f"run={run.id}".encode(),
        "headers": [],
        "method": "GET",
        "path": "/changes",
    }

    async def listen():
        stream = watch._news(browser.app.state.site, Request(scope))
        heard = [await anext(stream)]
        await engine.aprocess_event(run.id, "reject", "no")
        heard.append(await anext(stream))
        await engine.acancel(run.id)
        await engine.adelete(run.id)
        heard.append(await anext(stream))
        await stream.aclose()
        return heard

    import asyncio

    seen, changed, gone = asyncio.run(listen())
    assert gone == "event: changed\ndata: gone\n\n"
    assert seen.startswith("event: seen\n")
    assert changed.startswith("event: changed\n")
    assert browser.app.state.site.followers.count == 0


def test_pages_read_no_more_than_they_show(engine, browser):
    run = engine.start_flow(flows.buy, 1)
    for number in range(1_000):
        engine.store.create(run.changed(id=f"{number:032}", entries=()))
    for path in ("/", "/tasks", "/tasks?to=ada", f"/runs/{run.id}", "/?facts=order%3D1"):
        browser.page(path)
        took = []
        for _ in range(3):
            begun = time.thread_time()
            browser.page(path)
            took.append(time.thread_time() - begun)
        assert min(took) < 0.05
        assert browser.page(path).count("/runs/0000") <= 51  # those of the page, and an example
