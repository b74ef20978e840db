"""The command `longterm demo`: talk to a flow, in the terminal or in a browser."""

from __future__ import annotations

import argparse
from typing import Any

from longterm.cli.arguments import WrongUsage, count
from longterm.demo.conversation import DEFAULT_STORE, converse
from longterm.engine import Engine


def add_commands(commands: Any) -> None:
    """Add the command to a parser."""
    demo = commands.add_parser(
        "demo",
        help="talk to a flow: each answer is handled by a new process",
        epilog=f"The runs are kept in {DEFAULT_STORE}, in this folder, unless --store says where.",
    )
    # Of its own, so that it may stand on both sides of the word `demo`.
    demo.add_argument("--store", metavar="URL", default=argparse.SUPPRESS)
    demo.add_argument("--run", metavar="ID", help="go on with this run instead of a new one")
    demo.add_argument(
        "--web",
        action="store_true",
        help="an approval in a browser instead, served on this machine",
    )
    demo.add_argument(
        "--port", metavar="N", type=count, default=8321, help="with --web; 8321 by default"
    )
    demo.set_defaults(command=talk, makes_store=True, own_store=DEFAULT_STORE)


def talk(engine: Engine, options: argparse.Namespace) -> int:
    """Lead the conversation to its end, or to the end of the answers.

    The runs are in the hands of other processes; the engine only made the store, so that a URL that
    cannot be used is refused at once.
    """
    if options.web:
        return _serve(engine, options.port)
    return converse(options.store, options.run)


def _serve(engine: Engine, port: int) -> int:
    try:
        from longterm.demo.pages import serve_pages
    except ImportError as error:
        raise WrongUsage(
            f"--web needs {error.name}, which is not installed "
            "(pip install 'longterm[web,pydantic]')"
        ) from None
    serve_pages(engine, port)
    return 0
