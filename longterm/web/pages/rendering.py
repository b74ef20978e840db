"""How a page is made: templates in which every value is escaped, and what is refused as a page."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import wraps
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from longterm._escapes import escaped_lines
from longterm.web.problems import is_of_the_server, problem_of
from longterm.web.refusals import BadRequest, WrongMediaType

_log = logging.getLogger("longterm")

Handler = Callable[[Request], Awaitable[Response]]

NOTES: Final = {
    "answered": "Thank you, your answer has arrived.",
    "sent": "Your answer is stored. It is read as soon as a worker takes it.",
    "broken": "Your answer has arrived, and then the run failed. Somebody must look at it.",
    "started": "The run has begun.",
    "cancelled": "The run is told to end.",
    "retried": "The run had another try.",
    "discarded": "The event is taken out.",
    "rewound": "This run is put back, and goes on from there. What it has done since stays done.",
    "forked": "This run is a copy, which goes on from where the other one was.",
}
"""What a page says of what was just done, by the word in its URL: no text comes from there."""
_SECTIONS: Final = {
    **dict.fromkeys(("tasks", "task", "over"), "tasks"),
    **dict.fromkeys(("runs", "run"), "runs"),
    **dict.fromkeys(("flows", "flow", "picture"), "flows"),
}
"""Which link of the navigation leads to where a template is."""
_FOLDED: Final = 300
"""A value of more characters is folded."""
_MOST_FIELDS: Final = 5_000
_FRAME: Final = re.compile(r"(?:^|>)([^@]*)@[^:>]*:(\d+)(?=>|\+|$)")
"""A frame in a position. The name of a flow can hold a `>`, as in `shop:make.<locals>.sell`."""

_OF_A_LINK: Final = re.compile("(/links/)[^/]+")
"""What in a path lets whoever reads a log answer a wait."""


def _printed(value: object) -> object:
    """Write out what would steer the reader's eye, in all that a template prints."""
    return escaped_lines(value) if type(value) is str else value


_TEMPLATES: Final = Environment(
    loader=PackageLoader("longterm.web.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=_printed,
)


def segment(text: str) -> str:
    """Return what may hold anything, such as the id of a run, as a part of a path."""
    return quote(text, safe="")


def _typed(text: str) -> Markup:
    """Return what somebody has typed, as it was typed."""
    return escape(text.encode("utf-8", "replace").decode())


def _moment(moment: datetime | str | None) -> Markup:
    """Return a moment in UTC, which the page's script shows in the reader's zone."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    if moment is None:
        return Markup("")
    moment = moment.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        f"{moment:%Y-%m-%dT%H:%M:%SZ}", f"{moment:%Y-%m-%d %H:%M} UTC"
    )


def _short_flow(name: str) -> str:
    return name.partition(":")[2] or name


def place_of(position: str) -> str:
    """Return a position for people: `sell (point 2), pay (point 1)`."""
    frames = _FRAME.findall(position)
    return ", ".join(f"{_short_flow(flow)} (point {point})" for flow, point in frames) or position


def _spoken(event: str) -> str:
    """Return the name of an event; of what longterm itself brings, what that is."""
    return event.removeprefix("longterm.")


def _written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


_TEMPLATES.filters |= {
    "typed": _typed,
    "moment": _moment,
    "segment": segment,
    "flow": _short_flow,
    "place": place_of,
    "spoken": _spoken,
    "written": _written,
}
_TEMPLATES.globals |= {"FOLDED": _FOLDED, "query": urlencode}


def show(request: Request, template: str, code: int = 200, /, **values: Any) -> HTMLResponse:
    """Return a page.

    Args:
        request: what is answered; its `note` is said on the page.
        template: the name of the template, without its ending.
        code: the status of HTTP.
        values: what the template is given.
    """
    note = NOTES.get(request.query_params.get("note", ""), "")
    text = _TEMPLATES.get_template(f"{template}.html").render(
        root=request.scope.get("root_path", ""),
        here=_SECTIONS.get(template, ""),
        note=note,
        **values,
    )
    return HTMLResponse(text.encode("utf-8", "backslashreplace"), code)


def go_to(request: Request, path: str, **query: str) -> RedirectResponse:
    """Return the answer that leads to another page, once something is done."""
    root = request.scope.get("root_path", "")
    return RedirectResponse(f"{root}{path}{'?' * bool(query)}{urlencode(query)}", 303)


def page(handler: Handler, template: str = "problem") -> Handler:
    """Let what a handler refuses be a page, made by a template."""

    @wraps(handler)
    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except Exception as error:
            problem = problem_of(error)
            if is_of_the_server(error):
                path = _OF_A_LINK.sub(r"\1…", request.url.path)
                _log.exception("%s %s failed", request.method, path)
            title = HTTPStatus(problem.status).phrase
            told = {"title": title, "text": problem.detail, "status": problem.status}
            answer = show(request, template, problem.status, **told)
            answer.headers.update(problem.headers)
            return answer

    return handle


def number_in(written: Mapping[str, str], name: str, advice: str) -> int | None:
    """Return a number that a page of ours has put into a form, such as that of a revision.

    It is None if the page has put none there.

    Raises:
        BadRequest: it is none.
    """
    text = written.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise BadRequest(f"{name}={text[:100]!r} is no number ({advice})")
    return int(text)


async def submitted(request: Request) -> Mapping[str, str]:
    """Return the fields of a form that was sent; of several of one name, the last.

    Raises:
        WrongMediaType: it is no form.
        BadRequest: it is damaged, or has too many fields.
        BodyTooLarge: it is too large.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if body and media_type != "application/x-www-form-urlencoded":
        raise WrongMediaType(media_type)
    try:
        text = body.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise BadRequest(
            f"the body is no form of at most {_MOST_FIELDS:,} fields (send it again)"
        ) from None
    return dict(pairs)
