"""The command `longterm serve`: the web interface, for this machine or with a function of yours."""

from __future__ import annotations

import argparse
from importlib import import_module
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, cast

from longterm._flows.flow import StepFlow
from longterm._flows.registry import known_flows
from longterm.cli.arguments import WrongUsage, count
from longterm.engine import Engine

if TYPE_CHECKING:
    from longterm.web.permission import Authorize

_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_LAST_PORT: Final = 65_535


def add_commands(commands: Any) -> None:
    """Add the command to a parser."""
    serve = commands.add_parser("serve", help="serve runs and tasks over HTTP")
    serve.add_argument("--host", default="127.0.0.1", help="127.0.0.1 by default: this machine")
    serve.add_argument("--port", type=count, default=8000, help="8000 by default")
    serve.add_argument(
        "--authorize",
        metavar="MODULE:FUNCTION",
        help="who may do what, as `longterm.web.app` takes it (default: who has the token)",
    )
    serve.set_defaults(command=serve_runs, makes_store=True)


def serve_runs(engine: Engine, options: argparse.Namespace) -> int:
    """Serve the runs of an engine, and the flows that the application has at its top levels."""
    if options.port > _LAST_PORT:
        raise WrongUsage(f"{options.port} is no port (the last is {_LAST_PORT})")
    if options.host not in _LOOPBACK and options.authorize is None:
        raise WrongUsage(
            f"--host {options.host} can be reached by others, to whom a token is sent in the clear "
            "(give --authorize MODULE:FUNCTION, or leave --host out)"
        )
    authorize = None if options.authorize is None else _function(options.authorize)
    try:
        from longterm.web import MAX_BODY_BYTES
        from longterm.web.serving import serve
    except ImportError as error:
        raise WrongUsage(f"{error.name} is not installed (pip install 'longterm[web]')") from None
    serve(engine, _flows(), authorize, options.host, options.port, MAX_BODY_BYTES)
    return 0


def _flows() -> list[FunctionType]:
    """Return the flows that are functions of modules."""
    return [
        function
        for flow in known_flows()
        if not isinstance(flow, StepFlow) and "." not in flow.name.partition(":")[2]
        for function in list(flow.functions)[:1]
    ]


def _function(name: str) -> Authorize:
    """Return the function of a name.

    Raises:
        WrongUsage: there is none.
    """
    module, _, rest = name.partition(":")
    try:
        found: Any = getattr(import_module(module), rest)
    except (ImportError, AttributeError, ValueError) as error:
        raise WrongUsage(f"cannot find --authorize {name}: {error} (write shop:may)") from error
    if callable(found):
        return cast("Authorize", found)
    raise WrongUsage(f"--authorize {name} is no function (write shop:may)")
