"""What a request asks for: its body, headers and parameters in, plain values or a refusal out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request

from longterm.run import Fact
from longterm.web.json_text import value_in
from longterm.web.refusals import BadRequest, WrongMediaType

MOST_AT_ONCE: Final = 100
"""How many runs one page may have."""
NEWEST: Final = "newest"
ORDERS: Final = (NEWEST, "oldest")
_USUAL: Final = 50
_MOST_FACTS: Final = 50
_INDEX: Final = "index."
"""How the names of parameters begin that are facts: `?index.order=4711`."""
LARGEST: Final = 2**31 - 1


async def json_body(request: Request, default: Any = None) -> Any:
    """Return what the body of a request holds; the default if it is empty.

    Raises:
        WrongMediaType: it is of another type by its header.
        BadRequest: it is no JSON.
        BodyTooLarge: it is too large.
    """
    body = await request.body()
    if not body:
        return default
    media_type = request.headers.get("content-type", "")
    if media_type.partition(";")[0].strip().lower() != "application/json":
        raise WrongMediaType(media_type)
    try:
        return value_in(body.decode())
    except ValueError as error:
        raise BadRequest(
            f"the body is no JSON: {error} (send a value as RFC 8259 has it)"
        ) from None


def idempotency_key(request: Request) -> str | None:
    """Return the key of a request, which may stand in quotes, as the draft of the header has it.

    https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
    """
    key = request.headers.get("idempotency-key")
    if key is not None and len(key) > 2 and key[0] == key[-1] == '"':
        return key[1:-1]
    return key


def expected_revision(request: Request) -> int | None:
    """Return the revision that `If-Match` names: an `ETag` of the run. None: any.

    Raises:
        BadRequest: it is no such tag.
    """
    tag = request.headers.get("if-match")
    if tag is None or tag.strip() == "*":
        return None
    found = re.fullmatch(r'\s*"([0-9]{1,10})"\s*', tag, re.ASCII)
    if not found or int(found[1]) > LARGEST:
        raise BadRequest('If-Match is no ETag of a run (send the one that it came with, as "3")')
    return int(found[1])


def is_for_later(request: Request) -> bool:
    """Tell whether a request is to be answered at once, and done by a worker (RFC 7240, 4.1)."""
    preferences = ",".join(request.headers.getlist("prefer")).split(",")
    return any(each.partition(";")[0].strip().lower() == "respond-async" for each in preferences)


def wants_stream(request: Request) -> bool:
    """Tell whether a request asks for server-sent events."""
    return "text/event-stream" in request.headers.get("accept", "")


def flag(request: Request, name: str) -> bool:
    """Return a parameter that is `true` or `false`; false if it is not there.

    Raises:
        BadRequest: it is neither.
    """
    value = request.query_params.get(name, "false")
    if value not in ("true", "false"):
        raise BadRequest(f"{name}={value[:100]!r} is neither true nor false")
    return value == "true"


def number(request: Request, name: str) -> int | None:
    """Return a parameter that is a whole number; None if it is not there.

    Raises:
        BadRequest: it is none.
    """
    text = request.query_params.get(name)
    return None if text is None else whole(name, text)


def whole(name: str, text: str) -> int:
    """Return a whole number that no store finds too large.

    Raises:
        BadRequest: the text is none.
    """
    if not re.fullmatch(r"-?[0-9]{1,10}", text, re.ASCII) or abs(int(text)) > LARGEST:
        raise BadRequest(f"{name}={text[:100]!r} is no whole number up to {LARGEST:,}")
    return int(text)


def revision(request: Request, name: str) -> int | None:
    """Return a parameter that is the revision of a run; None if it is not there.

    Raises:
        BadRequest: it is none.
    """
    found = number(request, name)
    if found is not None and found < 0:
        raise BadRequest(f"{name}={found} is no revision")
    return found


def is_newest_first(request: Request) -> bool:
    """Tell in which order runs are to come, by the parameter `order`.

    Raises:
        BadRequest: there is no such order.
    """
    order = request.query_params.get("order", NEWEST)
    if order not in ORDERS:
        raise BadRequest(f"order={order[:100]!r} is none of {', '.join(ORDERS)}")
    return order == NEWEST


def page_size(request: Request) -> int:
    """Return how many runs a page is to have.

    Raises:
        BadRequest: that is no number, or too many.
    """
    text = request.query_params.get("limit", str(_USUAL))
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 0 < int(text) <= MOST_AT_ONCE):
        raise BadRequest(f"limit={text[:100]!r} is no number from 1 to {MOST_AT_ONCE}")
    return int(text)


def facts(request: Request) -> dict[str, Fact]:
    """Return the facts that runs are to have; what is JSON is taken as such, all else as text.

    Raises:
        BadRequest: a fact is a list or an object, or is given twice.
    """
    found: dict[str, Fact] = {}
    for name, text in request.query_params.multi_items():
        if name.startswith(_INDEX):
            if name[len(_INDEX) :] in found:
                raise BadRequest(f"{name[:100]} is given twice (a run has one value of it)")
            found[name[len(_INDEX) :]] = _fact(name, text)
    return few_enough(found)


def few_enough(facts: dict[str, Fact]) -> dict[str, Fact]:
    """Return facts by which runs are looked for, if a store can look for so many.

    Raises:
        BadRequest: they are too many.
    """
    if len(facts) > _MOST_FACTS:
        raise BadRequest(f"{len(facts):,} facts are too many (give at most {_MOST_FACTS})")
    return facts


def _fact(name: str, text: str) -> Fact:
    try:
        value = value_in(text)
    except ValueError:
        return text
    if isinstance(value, (list, dict)):
        raise BadRequest(f"{name[:100]} is no plain value (write ?index.ward=B)")
    fact: Fact = value
    return fact


def object_in(value: object) -> Mapping[str, Any]:
    """Return a body that is an object.

    Raises:
        BadRequest: it is none.
    """
    if not isinstance(value, dict):
        raise BadRequest('the body is no object (send the arguments by name: {"order": 4711})')
    return value
