"""The OpenAPI document of an application: its operations, and what each of its flows takes.

https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from longterm._run_json import JSON_SCHEMA
from longterm._version import __version__
from longterm.web.arguments import Offered
from longterm.web.operations import NUMBER, OPERATIONS, Operation, Parameter
from longterm.web.problems import MEDIA_TYPE
from longterm.web.schema import lifted
from longterm.web.shown import SUMMARY

_REF: Final = "#/components/schemas/"
_TEXT_OR_NULL: Final = {"type": ["string", "null"]}


def document(flows: Iterable[Offered], server: str) -> dict[str, Any]:
    """Return the document.

    Args:
        flows: those that can be started; each has a path of its own.
        server: the path below which the application is mounted.
    """
    schemas = dict(_SCHEMAS)
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        if operation.name == "start_run":
            for flow in flows:
                path, item = _start_of(operation, flow, schemas)
                paths[path] = item
        else:
            path = re.sub(r":segment\}", "}", operation.path)
            paths.setdefault(path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "longterm", "version": __version__},
        "servers": [{"url": server or "/"}],
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _start_of(
    operation: Operation, flow: Offered, schemas: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Return the path at which a flow is started, and what stands there."""
    name = re.sub(r"[^A-Za-z0-9._-]", ".", flow.name)  # what the name of a component may hold
    schema, definitions = lifted(flow.schema, f"{_REF}{name}.")
    schemas |= {f"{name}.{key}": value for key, value in definitions.items()}
    found = _operation(operation, schema)
    found["operationId"] = f"start_{name}"
    found["summary"] = flow.summary or f"Start {flow.name}."
    return operation.path.replace("{flow:segment}", quote(flow.name, safe=":")), {"post": found}


def _operation(operation: Operation, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    named = re.findall(r"\{(\w+):segment\}", operation.path) if body is None else []
    found: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.text.partition(". ")[0],
        "description": operation.text,
        "parameters": [
            *map(_path_parameter, named),
            *map(_parameter, operation.parameters),
        ],
        "responses": {
            **{str(status): _success(operation, status) for status in _statuses(operation)},
            **{str(status): _problem(status) for status in operation.all_problems},
        },
    }
    schema = operation.body if body is None else body
    if schema is not None:
        found["requestBody"] = {
            "required": bool(schema.get("required")),
            "content": {"application/json": {"schema": schema}},
        }
    return found


def _statuses(operation: Operation) -> list[int]:
    """Return the statuses of success; a stream is 200."""
    return sorted({*operation.answers, *([200] if operation.streams else [])})


def _path_parameter(name: str) -> dict[str, Any]:
    schema = NUMBER if name == "number" else {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.text,
        "required": parameter.is_required,
        "schema": parameter.schema,
    }


def _success(operation: Operation, status: int) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if name := operation.answers.get(status):
        content["application/json"] = {"schema": {"$ref": _REF + name}}
    found: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if operation.streams and status == 200:
        content["text/event-stream"] = {"schema": {}}
        found["description"] = f"As a stream: {operation.streams}."
    if content:
        found["content"] = content
    if operation.answers.get(status) == "Run":
        found["headers"] = {"ETag": {"schema": {"type": "string"}}}
    return found


def _problem(status: int) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": _REF + "Problem"}}}
    return {"description": HTTPStatus(status).phrase, "content": content}


def _object(properties: Mapping[str, Any], *, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": dict(properties), "required": required}


def _page_of(name: str, schema: Mapping[str, Any], following: Mapping[str, Any]) -> dict[str, Any]:
    return _object({name: {"type": "array", "items": schema}, "next": following})


_RUN: Final = JSON_SCHEMA["properties"]
_EVENT: Final = _object(
    {
        "number": {"type": "integer"},
        "event": {"type": "string"},
        "key": _TEXT_OR_NULL,
        "sent_at": {"type": "string", "format": "date-time"},
        "value": {"type": "string", "description": "as text"},
        "refusal": {"type": "string"},
    },
    optional=("refusal",),
)
_SCHEMAS: Final[Mapping[str, Any]] = {
    # Who may not see a run that it has acted on, gets these four.
    "Run": {**JSON_SCHEMA, "required": ["id", "flow", "state", "revision"]},
    "RunSummary": _object({name: _RUN[name] for name in SUMMARY}),
    "Runs": _page_of("runs", {"$ref": _REF + "RunSummary"}, _TEXT_OR_NULL),
    "Task": _object(
        {
            "run": {"type": "string"},
            "flow": {"type": "string"},
            "revision": {"type": "integer"},
            "ask": {},
            "to": {"type": "array", "items": {"type": "string"}},
            "events": {
                "type": "object",
                "description": "of each event that answers it, the title and JSON Schema of its "
                "value, or null if any value will do",
            },
            "deadline": _RUN["deadline"],
            "since": _RUN["updated_at"],
        }
    ),
    "Tasks": _page_of("tasks", {"$ref": _REF + "Task"}, _TEXT_OR_NULL),
    "Stack": _object({"stack": _TEXT_OR_NULL, "error": _TEXT_OR_NULL}),
    "Event": _EVENT,
    "Inbox": _page_of("events", {"$ref": _REF + "Event"}, {"type": ["integer", "null"]}),
    "Receipt": _object(
        {
            "run_id": {"type": "string"},
            "number": {"type": ["integer", "null"]},
            "is_duplicate": {"type": "boolean"},
        }
    ),
    "Flows": _object(
        {
            "flows": {
                "type": "array",
                "items": _object(
                    {
                        "flow": {"type": "string"},
                        "summary": {"type": "string"},
                        "arguments": {"type": "object", "description": "a JSON Schema"},
                    }
                ),
            }
        }
    ),
    "Problem": {
        **_object(
            {
                "type": {"type": "string"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "error": {"type": "string", "description": "its class, such as StaleEvent"},
                "detail": {"type": "string"},
            }
        ),
        "description": "RFC 9457",
    },
}
