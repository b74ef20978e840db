"""`longterm serve`: on this machine alone, for who has the token that it prints."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from longterm.cli import main

pytest.importorskip("uvicorn", reason="NOT TESTED: the extra `web` is missing")
httpx = pytest.importorskip("httpx", reason="NOT TESTED: httpx is missing")
pytest.importorskip("pydantic", reason="NOT TESTED: pydantic is missing")

SHOP = """
from longterm import deflow, suspend, step
@step
def look(): return 1
@deflow
def sell(order: int): return suspend("approve")
def may(request, action, about): return request.headers.get("x-user") == "ada"
"""


@pytest.fixture
def serve(tmp_path):
    """Start the command; return the URL that it prints."""
    (tmp_path / "shop.py").write_text(SHOP)
    processes = []

    def start(*options):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        command = [sys.executable, "-m", "longterm.cli", "--store", "sqlite:///runs.db"]
        process = subprocess.Popen(
            [*command, "--app", "shop", "serve", "--port", port, *options],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        line = process.stdout.readline()
        url = re.fullmatch(r"longterm is at (http://127\.0\.0\.1:\d+/)(\?token=(\S+))?\n", line)
        assert url, line + process.stderr.read()
        return process, url[1], url[3]

    yield start
    for process in processes:
        process.terminate()
        process.communicate(timeout=20)


def connected(url, **options):
    return httpx.Client(base_url=url, trust_env=False, **options)


def test_token_opens_the_server_and_becomes_a_cookie(serve):
    process, url, token = serve()
    with connected(url) as browser, connected(url) as stranger:
        retried(stranger)
        assert stranger.get("api/runs").status_code == 401
        assert stranger.get("api/runs?token=wrong").status_code == 401
        opened = browser.get(f"api/runs?limit=3&token={token}")
        assert (opened.status_code, opened.headers["location"]) == (303, "/api/runs?limit=3")
        assert "HttpOnly" in opened.headers["set-cookie"]
        assert "SameSite=Strict" in opened.headers["set-cookie"]
        flows = browser.get("api/flows").json()["flows"]
        assert [flow["flow"] for flow in flows] == ["shop:sell"]
        assert browser.post("api/flows/shop:sell", json={"order": 1}).status_code == 201
        program = {"Authorization": f"Bearer {token}"}
        assert len(stranger.get("api/runs", headers=program).json()["runs"]) == 1
        led = stranger.get(f"//evil.example/?token={token}")
        assert not led.headers["location"].startswith("//")
    process.terminate()
    out, err = process.communicate(timeout=20)
    assert token not in out + err


def test_function_of_the_application_can_decide(serve):
    _, url, token = serve("--authorize", "shop:may")
    with connected(url) as client:
        retried(client)
        assert token is None
        assert client.get("api/runs").status_code == 403
        assert client.get("api/runs", headers={"X-User": "ada"}).status_code == 200


def retried(client):
    """Wait until the server listens."""
    for _ in range(400):
        with suppress(httpx.ConnectError):
            client.get("api/openapi.json")
            return
        time.sleep(0.05)


OTHERS = "give --authorize MODULE:FUNCTION, or leave --host out"


@pytest.mark.parametrize(
    ("options", "remedy", "followed"),
    [
        ("--host 0.0.0.0", OTHERS, "--host 0.0.0.0 --authorize shop:may"),
        ("--host 0.0.0.0", OTHERS, ""),
        ("--port 65536", "the last is 65535", "--port 65535"),
        ("--authorize nowhere:may", "write shop:may", "--authorize shop:may"),
        ("--authorize shop", "write shop:may", "--authorize shop:may"),
        ("--authorize shop:none", "write shop:may", "--authorize shop:may"),
        ("--authorize shop:__name__", "write shop:may", "--authorize shop:may"),
    ],
)
def test_what_cannot_be_served_is_served_as_its_remedy_says(
    tmp_path, monkeypatch, capsys, options, remedy, followed
):
    (tmp_path / "shop.py").write_text(SHOP)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "shop", raising=False)
    served = []
    monkeypatch.setattr("uvicorn.run", lambda application, **where: served.append(where))
    command = ["--store", "memory://", "serve"]

    assert main([*command, *options.split()]) == 2
    assert f"({remedy})" in capsys.readouterr().err
    assert served == []

    assert main([*command, *followed.split()]) == 0
    host = "0.0.0.0" if "--host" in followed else "127.0.0.1"
    assert [(where["host"], where["port"] in (8000, 65535)) for where in served] == [(host, True)]
