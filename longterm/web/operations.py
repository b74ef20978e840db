"""All that the interface can do, as one table, of which routes and OpenAPI document are made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from longterm.run import RunState
from longterm.web import events, revisions, runs, streams
from longterm.web.asked import LARGEST, MOST_AT_ONCE, NEWEST, ORDERS

Handler: TypeAlias = "Callable[[Request], Awaitable[Response]]"

API: Final = "/api"
"""Below it stands what programs use; what people use stands beside it."""

_ALWAYS: Final = (401, 403, 501, 503)
"""Whatever is asked for, `authorize` may say no, and a store may lack what that needs, or be out of
reach."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an operation, in the query or a header."""

    name: str
    text: str
    schema: Mapping[str, Any]
    place: str = "query"
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that can be done."""

    method: str
    path: str
    handler: Handler
    name: str
    answers: Mapping[int, str]
    """What each status of success holds: the name of a schema, or of a media type, or nothing."""
    problems: tuple[int, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    body: Mapping[str, Any] | None = None
    """The schema of its body; None: it has none."""
    streams: str | None = field(default=None)
    """What a stream is, if the answer can be one."""

    @property
    def text(self) -> str:
        """What it does, for people."""
        return " ".join((self.handler.__doc__ or "").split())

    @property
    def all_problems(self) -> tuple[int, ...]:
        """The statuses of what may go wrong."""
        body = () if self.body is None else (400, 413, 415)
        return tuple(sorted({*self.problems, *_ALWAYS, *body}))


_TEXT: Final = {"type": "string"}
_SOUGHT: Final = {"type": "string", "pattern": r"^[^\u0000]*$"}
_ETAG: Final = {"type": "string", "pattern": r'^(\*|"[0-9]{1,9}")$'}
_NAME: Final = {"type": "string", "minLength": 1, "maxLength": 500}
_FLAG: Final = {"type": "boolean", "default": False}
NUMBER: Final[Mapping[str, Any]] = {
    "type": "integer",
    "minimum": -LARGEST,
    "maximum": LARGEST,
}
"""The schema of a number of an event."""
_REVISION: Final = {"type": "integer", "minimum": 0, "maximum": LARGEST}
_KEY: Final = Parameter(
    "Idempotency-Key", "a name for this request: the same again changes nothing", _NAME, "header"
)
_PREFER: Final = Parameter(
    "Prefer", "`respond-async`: a worker does it, and this request does not wait", _TEXT, "header"
)
_IF_MATCH: Final = Parameter(
    "If-Match", "only while the run rests at the revision of this ETag", _ETAG, "header"
)
_PAGE: Final = (
    Parameter(
        "limit",
        "how many at most",
        {"type": "integer", "minimum": 1, "maximum": MOST_AT_ONCE, "default": 50},
    ),
    Parameter("after", "`next` of the page before", _SOUGHT),
)
_FLOW: Final = Parameter("flow", "those of this flow, module:qualname", _SOUGHT)

RUN_PATH: Final = API + "/runs/{run:segment}"

OPERATIONS: Final = (
    Operation("GET", API + "/flows", runs.list_flows, "list_flows", {200: "Flows"}),
    Operation(
        "POST",
        API + "/flows/{flow:segment}",
        runs.start_run,
        "start_run",
        {200: "Run", 201: "Run", 202: "Run"},
        (400, 404, 422),
        (_KEY, _PREFER),
        {"type": "object"},
    ),
    Operation(
        "GET",
        API + "/runs",
        runs.list_runs,
        "list_runs",
        {200: "Runs"},
        (400,),
        (
            Parameter(
                "state", "those in this state", {"enum": [state.value for state in RunState]}
            ),
            _FLOW,
            Parameter("waiting_for", "those that wait for this event", _SOUGHT),
            Parameter("to", "those whose wait is for them", _SOUGHT),
            Parameter("order", "which come first", {"enum": [*ORDERS], "default": NEWEST}),
            *_PAGE,
        ),
    ),
    Operation("GET", RUN_PATH, runs.get_run, "get_run", {200: "Run"}, (404,)),
    Operation("DELETE", RUN_PATH, runs.delete_run, "delete_run", {204: ""}, (404, 409)),
    Operation(
        "POST",
        RUN_PATH + "/events/{event:segment}",
        events.send_event,
        "send_event",
        {200: "Run", 202: "Receipt"},
        (404, 409, 410, 412, 422, 423),
        (_KEY, _IF_MATCH, _PREFER),
        {},
        streams="what the flow says, as events `response`; then `run`, or `problem`",
    ),
    Operation(
        "POST",
        RUN_PATH + "/cancel",
        runs.cancel_run,
        "cancel_run",
        {200: "Run", 202: "Run"},
        (400, 404, 409, 410),
        (Parameter("force", "without running its code, which may be gone", _FLAG),),
    ),
    Operation("POST", RUN_PATH + "/retry", runs.retry_run, "retry_run", {200: "Run"}, (404, 409)),
    Operation(
        "POST",
        RUN_PATH + "/fork",
        revisions.fork_run,
        "fork_run",
        {201: "Run"},
        (400, 404, 409, 423),
        (Parameter("at", "the revision to go on from, as it is kept; none: as it is", _REVISION),),
    ),
    Operation(
        "POST",
        RUN_PATH + "/rewind",
        revisions.rewind_run,
        "rewind_run",
        {200: "Run"},
        (400, 404, 409, 423),
        (Parameter("to", "the revision, which must be kept", _REVISION, is_required=True),),
    ),
    Operation("GET", RUN_PATH + "/stack", runs.get_stack, "get_stack", {200: "Stack"}, (404,)),
    Operation(
        "GET",
        RUN_PATH + "/inbox",
        runs.get_inbox,
        "get_inbox",
        {200: "Inbox"},
        (400, 404),
        (
            Parameter("refused", "those that it has refused instead", _FLAG),
            _PAGE[0],
            Parameter("after", "`next` of the page before", NUMBER),
        ),
    ),
    Operation(
        "DELETE",
        RUN_PATH + "/inbox/{number:segment}",
        runs.discard_event,
        "discard_event",
        {204: ""},
        (400, 404, 409, 410, 423),
    ),
    Operation(
        "GET",
        RUN_PATH + "/stream",
        streams.follow_run,
        "follow_run",
        {204: ""},
        (404,),
        (Parameter("Last-Event-ID", "the last event that was seen", _TEXT, "header"),),
        streams="the run, as events `run`, whenever it rests; then `end`",
    ),
    Operation(
        "GET",
        API + "/tasks",
        events.list_tasks,
        "list_tasks",
        {200: "Tasks"},
        (400,),
        (Parameter("to", "whose", {**_SOUGHT, "minLength": 1}, is_required=True), _FLOW, *_PAGE),
    ),
)
