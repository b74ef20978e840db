"""`longterm demo --web`: an approval in a browser, for whoever has the link that it prints."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

for name in ("starlette", "uvicorn", "jinja2", "pydantic", "httpx"):
    pytest.importorskip(name)

from longterm import Engine  # noqa: E402
from longterm.demo.expenses import REMIND, pay_expense  # noqa: E402
from longterm.store import open_store  # noqa: E402
from longterm.testing import FakeClock  # noqa: E402
from longterm.web import app  # noqa: E402
from tests.web.client import Client  # noqa: E402


@pytest.fixture
def engine():
    return Engine(open_store("memory:"), clock=FakeClock())


def test_an_approval_is_asked_reminded_and_answered(engine):
    visitor = Client(app(engine, [pay_expense], authorize=lambda *asked: True))
    run = engine.start_flow(pay_expense, "lunch", 250)

    def answer(event, **form):
        revision = {"#revision": str(engine.get_run(run.id).revision)}
        return visitor.post(f"/tasks/{run.id}/{event}", data={**revision, **form})

    assert "the receipt for lunch" in visitor.get("/tasks").text
    assert answer("receipt", value="lunch.jpg").status_code == 303
    assert "lunch.jpg is not a PDF" in visitor.get(f"/tasks/{run.id}").text
    assert answer("receipt", value="lunch.pdf").status_code == 303
    assert "May 250 euros be spent on lunch?" in visitor.get("/tasks").text
    engine.clock.advance(REMIND)
    engine.run_pending()
    assert "Ada, lunch still waits for you." in visitor.get(f"/runs/{run.id}").text
    assert "This is needed." in answer("decision").text
    assert answer("decision", **{"value/pay": "true"}).status_code == 303
    assert engine.get_run(run.id).result == "250 euros are paid for lunch."
    assert "250 euros are paid" in visitor.get(f"/runs/{run.id}").text


def test_a_small_expense_needs_no_manager_and_a_large_one_may_be_refused(engine):
    small = engine.start_flow(pay_expense, "tea", 3)
    assert engine.process_event(small.id, "receipt", "t.pdf").result == "3 euros are paid for tea."
    large = engine.start_flow(pay_expense, "tea", 300)
    engine.process_event(large.id, "receipt", "t.pdf")
    said = engine.process_event(large.id, "decision", {"pay": False, "note": "Too dear."})
    assert said.result == "Ada refused tea. Too dear."


def test_the_command_serves_who_has_the_link_until_it_is_interrupted(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "longterm.cli", "demo", "--web", "--port", str(port)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        said = ""
        while not (found := re.search(r"(http://127\.0\.0\.1:\d+/)(\?token=\S+)\n", said)):
            line = process.stdout.readline()
            assert line, said
            said += line
        with pytest.raises(urllib.error.HTTPError, match="401"):
            opened(found[1])
        assert "Runs" in opened(found[1] + found[2]).read().decode()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert (tmp_path / "longterm-demo.db").exists()


def opened(url):
    """Open a page as a browser with cookies does, once the server listens."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    for _ in range(100):
        try:
            return browser.open(url)
        except urllib.error.HTTPError:
            raise
        except urllib.error.URLError:
            time.sleep(0.1)
    raise AssertionError(f"nobody listens at {url}")
