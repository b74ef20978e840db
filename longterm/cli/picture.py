"""The command `longterm picture`: draw a flow from its source."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from longterm._flows.registry import flow_named
from longterm.cli.arguments import WrongUsage
from longterm.engine import Engine
from longterm.errors import NotSupported
from longterm.pictures import Counts, Picture, counts_of, to_mermaid, to_svg
from longterm.pictures._reading import picture_of_flow
from longterm.store.positions import Positions


def add_commands(commands: Any) -> None:
    """Add the command to a parser."""
    picture = commands.add_parser(
        "picture", help="draw a flow from its source, as text for mermaid or as SVG"
    )
    picture.add_argument("flow", metavar="FLOW", help="its name, module:function")
    picture.add_argument("--svg", action="store_true", help="as SVG")
    picture.add_argument("--counts", action="store_true", help="say how many runs wait where")
    picture.set_defaults(command=draw_with_counts, draws=True)


def module_of(options: argparse.Namespace) -> str:
    """Return the module of the flow that is to be drawn."""
    module, colon, name = options.flow.partition(":")
    if not (module and colon and name):
        raise WrongUsage(f"{options.flow!r} is no flow's name (write module:function)")
    return str(module)


def draw(options: argparse.Namespace) -> int:
    """Print a picture; no store is needed."""
    return _print(options, picture_of_flow(flow_named(options.flow)), None)


def draw_with_counts(engine: Engine, options: argparse.Namespace) -> int:
    """Print a picture that says how many runs wait where."""
    if not isinstance(engine.store, Positions):
        raise NotSupported(engine.store, "counting runs by their positions (count_positions)")
    picture = picture_of_flow(flow_named(options.flow))
    return _print(options, picture, counts_of(picture, engine.store.count_positions()))


def _print(options: argparse.Namespace, picture: Picture, counts: Counts | None) -> int:
    draws = to_svg if options.svg else to_mermaid
    sys.stdout.write(draws(picture, counts))
    return 0
