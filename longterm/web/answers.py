"""The answers of handlers: JSON that any reader of UTF-8 takes, and problems."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

from longterm.web.problems import MEDIA_TYPE, Problem


class Json(Response):
    """JSON, in which half a surrogate pair, which no UTF-8 holds, is written as `\\ud800`."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


class ProblemJson(Json):
    """A problem (RFC 9457)."""

    media_type = MEDIA_TYPE


def problem_answer(problem: Problem) -> ProblemJson:
    """Return the answer that a problem is."""
    return ProblemJson(problem.to_dict(), problem.status, headers=dict(problem.headers))
