"""Applications of other frameworks: what longterm raises there becomes a problem."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


def test_handlers_of_fastapi_and_starlette_answer_with_problems():
    fastapi = pytest.importorskip("fastapi", reason="NOT TESTED: FastAPI is missing")
    pytest.importorskip("httpx", reason="NOT TESTED: httpx is missing")
    from longterm import Engine
    from longterm.web.adapters import exception_handlers

    from .client import Client

    engine = Engine("memory://")
    app = fastapi.FastAPI(exception_handlers=exception_handlers)

    @app.get("/runs/{run}")
    async def show(run: str):
        return (await engine.aget_run(run)).to_dict()

    answer = Client(app).get("/runs/none")

    assert (answer.status_code, answer.json()["error"]) == (404, "UnknownRun")
    assert answer.headers["content-type"] == "application/problem+json"


DJANGO = """
import django_longterm as shop
from django.test import Client
client = Client(enforce_csrf_checks=True)
browser = Client()
run = browser.post("/orders/17").json()
assert run["awaits"] == ["decision"], run
path = f"/runs/{run['id']}"
assert client.post(path + "/decision", {"decision": "yes"}).status_code == 403
token = client.get(path).json()["csrf"]
wrong = client.post(path + "/decision", {"decision": "perhaps"}, headers={"X-CSRFToken": token})
assert (wrong.status_code, wrong.json()["error"]) == (422, "InvalidValue"), wrong.content
assert wrong["Content-Type"] == "application/problem+json"
done = client.post(path + "/decision", {"decision": "yes"}, headers={"X-CSRFToken": token})
assert done.json()["result"] == "order 17: True", done.content
again = browser.post(path + "/decision", {"decision": "yes"})
assert (again.status_code, again.json()["error"]) == (410, "RunComplete")
assert browser.get("/runs/none").status_code == 404
print("fine")
"""


def test_views_of_django_answer_with_problems():
    pytest.importorskip("django", reason="NOT TESTED: Django is missing")
    pytest.importorskip("pydantic", reason="NOT TESTED: pydantic is missing")

    done = subprocess.run(  # Django is configured once a process
        [sys.executable, "-c", DJANGO], cwd=FIXTURES, capture_output=True, text=True, check=False
    )

    assert done.stdout == "fine\n", done.stderr


MANAGE = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
FLOWS = """
from longterm import deflow, suspend
from django.conf import settings
@deflow
def sell(order): return suspend(settings.EVENT)
"""


def test_command_of_django_is_the_command_longterm(tmp_path):
    pytest.importorskip("django", reason="NOT TESTED: Django is missing")
    commands = tmp_path / "orders" / "management" / "commands"
    commands.mkdir(parents=True)
    (tmp_path / "manage.py").write_text(MANAGE)
    (tmp_path / "settings.py").write_text("INSTALLED_APPS = ['orders']\nEVENT = 'approve'\n")
    (tmp_path / "orders" / "flows.py").write_text(FLOWS)
    (commands / "longterm.py").write_text((FIXTURES / "django_command.py").read_text())
    command = "longterm --store sqlite:///runs.db --app orders.flows"
    start = (
        "from longterm import Engine; import orders.flows as f; from django.conf import settings"
    )
    start += "; settings.configure(EVENT='approve')"
    start += "; print(Engine('sqlite:///runs.db').start(f.sell, (1,)).id)"

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run_id = run("-c", start).strip()
    assert run_id in run("manage.py", *command.split(), "runs")
    done = run("manage.py", *command.split(), "send", run_id, "approve", "5")
    assert "complete" in done
    assert "result: 5" in done


def test_problems_need_no_framework():
    code = "import sys, longterm.web; print('starlette' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"
