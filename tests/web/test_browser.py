"""The pages in a real Chromium: a run is started, answered, refused, followed and forked.

`LONGTERM_SCREENSHOTS=folder` keeps a picture of each page, in two widths, light and dark.
"""

from __future__ import annotations

import os
import shutil
import socket
import threading
from itertools import product

import pytest

for name in ("starlette", "uvicorn", "jinja2", "pydantic", "playwright"):
    pytest.importorskip(name, reason=f"NO BROWSER TESTS: {name} is not installed")

import uvicorn  # noqa: E402
from playwright.sync_api import expect, sync_playwright  # noqa: E402

from longterm import Engine, acting_as  # noqa: E402
from longterm.links import Links  # noqa: E402
from longterm.store import open_store  # noqa: E402
from longterm.web import app  # noqa: E402
from tests.web import page_flows as flows  # noqa: E402

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="NO BROWSER TESTS: chromium is absent")

BUY = f"/flows/{flows.__name__}:buy"
PATIENCE = 30_000
"""Milliseconds: a busy machine may take seconds for a page."""
expect.set_options(timeout=PATIENCE)
WIDTHS = {"wide": 1100, "phone": 380}


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('browser')}/runs.db")
    links = Links("", "a secret of more than 32 bytes: 0123456789")  # of paths alone
    yield Engine(store, history="frames", links=links)
    store.close()


@pytest.fixture(scope="module")
def site(engine):
    def may(request, action, about):
        return True

    application = app(engine, [flows.buy, flows.divide], authorize=may)
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(application, log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listening.close()


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        options = {"executable_path": CHROMIUM, "args": ["--no-sandbox", "--disable-dev-shm-usage"]}
        browser = playwright.chromium.launch(**options)
        yield browser
        browser.close()


@pytest.fixture
def browse(chromium, site):
    """Return what opens a window; what goes wrong in one, or leaves the site, fails the test."""
    contexts, wrong = [], []

    def browse(**options):
        context = chromium.new_context(base_url=site, timezone_id="Asia/Tokyo", **options)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: said.type == "error" and wrong.append(said.text))
        page.on("request", lambda sent: sent.url.startswith(site) or wrong.append(sent.url))
        return page

    yield browse
    for context in contexts:
        context.close()
    # Chromium tells of answers such as 422 as of errors.
    assert [text for text in wrong if "status of 4" not in text] == []


def test_a_run_is_started_answered_and_followed(engine, browse):
    page = browse()
    page.goto(BUY)
    page.get_by_label("Order").fill("4711")
    page.get_by_label("Who").fill("ada")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("status").first).to_have_text("The run has begun.")
    expect(page.locator(".stack")).to_contain_text("ask(order, who)")
    (run,) = engine.find_runs(index={"order": 4711})

    ada, ben = browse(), browse()
    ben.goto(f"/tasks/{run.id}")
    ada.goto("/tasks?to=ada")
    ada.get_by_role("link", name="May order 4711 be paid?").click()
    approve = ada.get_by_role("region", name="approve")
    approve.locator("form").evaluate("form => form.noValidate = true")
    approve.get_by_label("Note").fill("soon, please")
    approve.get_by_role("button", name="Send approve").click()
    expect(ada.get_by_role("alert")).to_be_focused()
    expect(ada.get_by_role("group", name="Ok")).to_contain_text("This is needed.")
    expect(approve.get_by_label("Note")).to_have_value("soon, please")

    approve.get_by_label("Yes").check()
    approve.get_by_label("high").check()
    approve.get_by_role("button", name="Add a row").click()
    approve.get_by_label("Item").fill("tea")
    expect(approve.get_by_label("Yes")).to_be_checked()
    approve.get_by_role("button", name="Send approve").click()
    expect(ada.get_by_role("status").first).to_contain_text("your answer has arrived")
    run = engine.get_run(run.id)
    assert "item='tea'" in run.response[0]

    # The page of the run was open all the while, and has heard of it; so has Ben's.
    expect(page.locator("#run")).to_contain_text("delivered")
    expect(ben.get_by_text("This task has changed since you opened it.")).to_be_visible()
    ben.get_by_role("region", name="reject").get_by_label("Answer").fill("no")
    ben.get_by_role("button", name="Send reject").click()
    expect(ben.get_by_role("heading", level=1)).to_have_text("Somebody was first")
    expect(ben.locator(".lead")).to_contain_text("with approve")
    assert engine.get_run(run.id) == run

    page.get_by_role("link", name="picture").click()
    while not page.locator("svg .lt-number").count():  # no page waits for a count
        page.wait_for_timeout(100)
        page.reload()
    expect(page.locator("svg .lt-number").first).to_be_visible()
    page.go_back()
    page.get_by_text("Put back to before this…").last.click()
    page.get_by_role("button", name="Put this run back").last.click()
    expect(page.get_by_role("status").first).to_contain_text("This run is put back")
    assert engine.get_run(run.id).awaits == ("approve", "reject")
    page.get_by_role("button", name="Fork", exact=True).click()
    expect(page.get_by_role("status").first).to_contain_text("This run is a copy")
    assert len(engine.find_runs(index={"order": 4711})) == 2


def test_a_failed_run_is_seen_and_retried(engine, browse):
    run = engine.start_flow(flows.divide, 1)
    with pytest.raises(ZeroDivisionError):
        engine.process_event(run.id, "divisor", 0)
    page = browse()
    page.goto("/?state=failed")
    page.get_by_role("link", name=run.id[-8:]).first.click()
    expect(page.locator("pre.error")).to_contain_text("ZeroDivisionError")
    expect(page.locator("pre.error")).to_contain_text("return number / suspend(")
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("status").first).to_have_text("The run had another try.")
    assert engine.get_run(run.id).turn > run.turn


def test_a_run_is_cancelled_once_somebody_is_sure(engine, browse):
    run = engine.start_flow(flows.divide, 1)
    page = browse()
    page.goto(f"/runs/{run.id}")
    page.get_by_text("Cancel…").click()
    page.get_by_role("button", name="Cancel this run").click()
    expect(page.locator("h1")).to_contain_text("cancelled")


def test_forms_work_without_scripts(engine, browse):
    run = engine.start_flow(flows.buy, 1)
    page = browse(java_script_enabled=False)
    page.goto(f"/tasks/{run.id}")
    reject = page.get_by_role("region", name="reject")
    reject.get_by_label("Answer").fill("too dear\nreally")
    reject.get_by_role("button").click()
    expect(page.get_by_role("status").first).to_contain_text("your answer has arrived")
    assert engine.get_run(run.id).response == ["reject: too dear\nreally"]


def test_a_link_asks_in_the_form_of_its_wait_and_is_over_then(engine, browse):
    run = engine.start_flow(flows.buy, 5)
    page, link = browse(), engine.link(run, "approve")
    page.goto(link)
    page.locator("form").evaluate("form => form.noValidate = true")
    page.get_by_label("Note").fill("from a mail")
    page.get_by_role("button", name="Send approve").click()
    expect(page.get_by_role("alert")).to_be_focused()
    page.get_by_label("Yes").check()
    page.get_by_label("low").check()
    page.get_by_role("button", name="Send approve").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
    assert "note='from a mail'" in engine.get_run(run.id).response[0]
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("This link is over")


def test_the_keyboard_leads_through_a_task(engine, browse):
    run = engine.start_flow(flows.buy, 2)
    page = browse()
    page.goto(f"/tasks/{run.id}")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Tasks").last).to_be_focused()
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "TEXTAREA":
            break
    page.keyboard.type("by hand")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("your answer has arrived")


def test_times_are_in_the_zone_of_who_reads(engine, browse):
    run = engine.start_flow(flows.buy, 3)
    page = browse(locale="en-GB")
    page.goto(f"/runs/{run.id}")
    time = page.locator("time").first
    hours = page.evaluate("stamp => new Date(stamp).getUTCHours()", time.get_attribute("datetime"))
    expect(time).to_contain_text(f"{(hours + 9) % 24:02}:")
    expect(time).to_have_attribute("title", f"{run.deadline:%Y-%m-%d %H:%M:%S} UTC")


def test_pages_fit_into_the_window_light_and_dark(engine, browse):
    run = engine.start_flow(flows.buy, 4)
    with acting_as("ben"):
        engine.send(run.id, "delivered", {"at": "the door"})
    paths = {
        "runs": "/",
        "run": f"/runs/{run.id}",
        "tasks": "/tasks?to=ada",
        "task": f"/tasks/{run.id}",
        "start": BUY,
        "link": engine.link(run, "approve"),
        "picture": f"{BUY}/picture",
    }
    page = browse()
    for name, path in paths.items():
        page.goto(path)
        for (width, pixels), scheme in product(WIDTHS.items(), ("light", "dark")):
            page.set_viewport_size({"width": pixels, "height": 800})
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate("document.documentElement.scrollWidth") <= pixels
            style = "getComputedStyle(document.body)"
            ground, ink = page.evaluate(f"[{style}.backgroundColor, {style}.color]")
            assert (_light(ground) > _light(ink)) == (scheme == "light")
            if folder := os.environ.get("LONGTERM_SCREENSHOTS"):
                page.screenshot(path=f"{folder}/{name}-{width}-{scheme}.png", full_page=True)


def _light(colour):
    """Return how light a colour such as `rgb(1, 2, 3)` is."""
    return sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(",")))
