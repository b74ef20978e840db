"""For applications with handlers of their own: what longterm raises there becomes a problem.

FastAPI(exception_handlers=longterm.web.adapters.exception_handlers)
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from longterm.errors import LongtermError
from longterm.web.answers import problem_answer
from longterm.web.problems import problem_of

__all__ = ["exception_handlers"]

_log = logging.getLogger("longterm")


async def _answer_problem(request: Request, error: Exception) -> Response:
    problem = problem_of(error)
    if problem.status >= 500:
        _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem_answer(problem)


Handler: TypeAlias = Callable[[Request, Exception], Coroutine[Any, Any, Response]]

exception_handlers: Final[dict[Any, Handler]] = {LongtermError: _answer_problem}
"""What `Starlette` and `FastAPI` take under that name."""
