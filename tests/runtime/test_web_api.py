"""Runs that web frameworks send: the real FastAPI makes JSON of a returned run, and OpenAPI."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from longterm import Run, RunState, aget_run, deflow, set_runstore, start_flow, suspend
from longterm._run_json import JSON_SCHEMA

ROOT = Path(__file__).resolve().parents[2]
pytest.importorskip("fastapi", reason="NOT TESTED: FastAPI is missing (pip install fastapi)")


@pytest.fixture
def app(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "fixtures")
    set_runstore("memory://")
    import web_api

    yield web_api.app
    set_runstore("memory://")


def ask(app, method, path, body=b""):
    """Send a request to an ASGI application; return the status and what its body holds."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")] if body else [],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    sent = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    answer = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], json.loads(answer)


def test_conversation_with_a_flow_over_http(app):
    status, run = ask(app, "POST", "/orders/17")

    assert (status, run["state"], run["waiting_for"]) == (201, "suspended", "decision")
    assert run["response"] == [{"question": "May order 17 be sent?"}]
    assert ask(app, "GET", f"/runs/{run['id']}") == (200, run)
    assert ask(app, "GET", "/orders/17") == (200, [run])

    events = f"/runs/{run['id']}/events"
    status, error = ask(app, "POST", f"{events}/vote", b'"yes"')
    assert (status, "does not wait for event 'vote'" in error["detail"]) == (409, True)

    status, done = ask(app, "POST", f"{events}/decision", b'{"by": "Ada"}')
    assert (status, done["state"], done["result"]) == (200, "complete", "order 17: {'by': 'Ada'}")


def test_refusals_have_a_status_of_their_own(app):
    _, run = ask(app, "POST", "/orders/17")
    events = f"/runs/{run['id']}/events"

    assert ask(app, "GET", "/runs/none")[0] == 404
    assert ask(app, "POST", f"{events}/{'x' * 501}")[0] == 422
    assert ask(app, "POST", f"{events}/decision", b'"%s"' % (b"x" * 17 * 2**20))[0] == 413
    assert ask(app, "GET", f"/runs/{run['id']}") == (200, run)
    assert ask(app, "POST", f"{events}/decision")[1]["result"] == "order 17: None"
    assert ask(app, "POST", f"{events}/decision")[0] == 409


def test_openapi_describes_a_run(app):
    status, document = ask(app, "GET", "/openapi.json")
    responses = document["paths"]["/runs/{run_id}"]["get"]["responses"]

    assert status == 200
    schema = responses["200"]["content"]["application/json"]["schema"]
    assert schema["properties"] == JSON_SCHEMA["properties"]


def test_endpoint_without_a_return_type_must_say_to_dict():
    """As the page tells: FastAPI reads the fields of a dataclass, which are bytes."""
    from fastapi.encoders import jsonable_encoder

    run = Run(id="r1", flow="m:f", state=RunState.RUNNING, stack=b"\xff")

    with pytest.raises(UnicodeDecodeError):
        jsonable_encoder(run)
    assert jsonable_encoder(run.to_dict()) == run.to_dict()


def test_pydantic_writes_a_run_inside_of_a_model():
    from pydantic import BaseModel, ValidationError

    class Page(BaseModel):
        runs: list[Run]

    run = Run(id="r1", flow="m:f", state=RunState.RUNNING, stack=b"\xff")

    assert json.loads(Page(runs=[run]).model_dump_json()) == {"runs": [run.to_dict()]}
    with pytest.raises(ValidationError, match="instance of Run"):
        Page(runs=[run.to_dict()])


def test_longterm_imports_neither_fastapi_nor_pydantic():
    code = (
        "import sys; from longterm import Run, RunState;"
        "Run(id='r', flow='m:f', state=RunState.RUNNING).to_dict();"
        "print({'pydantic', 'pydantic_core', 'fastapi'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)

    assert done.stdout == "set()\n"


def test_functions_of_longterm_are_dependencies():
    import fastapi

    app = fastapi.FastAPI()

    @app.get("/runs/{run_id}")
    def show(run=fastapi.Depends(aget_run)) -> Run:  # noqa: B008
        return run

    set_runstore("memory://")
    run = start_flow(asks)

    assert ask(app, "GET", f"/runs/{run.id}")[1]["waiting_for"] == "answer"


@deflow
def asks():
    return suspend("answer")
