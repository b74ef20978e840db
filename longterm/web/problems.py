"""Which HTTP status an error is, and what is said of it: an error in, a problem out (RFC 9457).

It knows no web framework, so that handlers and views of any can use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from longterm import errors, links
from longterm.errors import LongtermError
from longterm.web import refusals

MEDIA_TYPE: Final = "application/problem+json"

STATUSES: Final[Mapping[type[BaseException], int]] = {
    refusals.BadRequest: 400,
    errors.InvalidDeliveryKey: 400,
    errors.InvalidEventId: 400,
    errors.InvalidFact: 400,
    errors.InvalidQuery: 400,
    errors.InvalidRunId: 400,
    refusals.Unauthenticated: 401,
    refusals.Forbidden: 403,
    refusals.UnlistedFlow: 404,
    errors.UnknownEvent: 404,
    links.InvalidLink: 404,
    errors.UnknownRevision: 404,
    errors.UnknownRun: 404,
    errors.CannotFork: 409,
    errors.CannotRestart: 409,
    errors.CannotRewind: 409,
    errors.ClaimLost: 409,
    errors.RunExists: 409,
    errors.RunNotEnded: 409,
    errors.RunNotFailed: 409,
    errors.RunNotSuspended: 409,
    errors.TooManyAttempts: 409,
    errors.WrongEvent: 409,
    errors.RunComplete: 410,
    links.LinkExpired: 410,
    links.LinkUsed: 410,
    errors.StaleEvent: 412,
    errors.EventTooLarge: 413,
    refusals.BodyTooLarge: 413,
    refusals.WrongMediaType: 415,
    errors.InvalidValue: 422,
    errors.KeyReused: 422,
    refusals.InvalidArguments: 422,
    errors.RunBusy: 423,
    errors.NotSupported: 501,
    errors.FlowChanged: 503,
    errors.InboxFull: 503,
    errors.StackTooDeep: 503,
    errors.StoreError: 503,
    errors.UnknownFlow: 503,
    refusals.TooManyFollowers: 503,
    # A store error as well, but one that another try does not end.
    errors.UnreadableRun: 500,
}
"""The status of each error; that of a class is the one of the nearest class above it. Any other
error is the application's own: 500."""

_RETRY_AFTER: Final[Mapping[int, str]] = {423: "1", 503: "5"}
"""After how many seconds to try again."""


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as HTTP says it."""

    status: int
    error: str
    """The name of its class."""
    detail: str
    members: Mapping[str, Any] = field(default_factory=dict)
    """What else is known, such as the `errors` of a value that does not fit."""
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the body of the answer, of the media type `application/problem+json`."""
        return {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "error": self.error,
            "detail": self.detail,
            **self.members,
        }


def status_of(error: BaseException) -> int:
    """Return the HTTP status of an error."""
    return next((STATUSES[cls] for cls in type(error).__mro__ if cls in STATUSES), 500)


def is_of_the_server(error: BaseException) -> bool:
    """Tell whether an error is for a log: no fault of who asks, and not refused on purpose."""
    return status_of(error) >= 500 and not isinstance(error, refusals.Refusal)


def problem_of(error: BaseException) -> Problem:
    """Return an error as HTTP says it.

    What is not the fault of who asks (from 500 on) is told without its text, which may hold what
    nobody outside should see: log it.
    """
    status = status_of(error)
    is_told = not is_of_the_server(error) and isinstance(error, LongtermError)
    headers = {"Retry-After": _RETRY_AFTER[status]} if status in _RETRY_AFTER else {}
    if isinstance(error, refusals.Unauthenticated):
        headers = {"WWW-Authenticate": error.scheme}
    return Problem(
        status,
        type(error).__name__ if isinstance(error, LongtermError) else "InternalError",
        str(error) if is_told else "the server cannot do this now; its log says why",
        _members(error) if is_told else {},
        headers,
    )


def _members(error: BaseException) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(error, (errors.InvalidValue, refusals.InvalidArguments)):
        found["errors"] = [
            {"loc": list(each["loc"]), "msg": each["msg"], "type": each["type"]}
            for each in error.errors
        ]
    elif isinstance(error, errors.StaleEvent):
        found["revision"] = error.current
    elif isinstance(error, errors.RunNotSuspended):
        found["state"] = error.state
    return found
