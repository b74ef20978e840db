"""The command `longterm-compile`: shows what is made of flows, caches it, or mends their files.

Arguments in; text on standard output and an exit status out: 0 if all is well, 1 if there are
diagnostics, 2 if something was asked for that does not exist or cannot be read. The modules of the
author are read, never imported.
"""

from __future__ import annotations

import argparse
import io
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from longterm._escapes import escaped, escaped_lines
from longterm._terminal import BOLD, add_version, paint, run_command, wants_colour
from longterm_compiler.analysis.modules import Located
from longterm_compiler.analysis.names import ModuleNames
from longterm_compiler.cli.fix import mend
from longterm_compiler.cli.highlight import can_highlight, highlight
from longterm_compiler.cli.output import write_output
from longterm_compiler.cli.points_table import points_table
from longterm_compiler.cli.precompile import CannotCache, check_cache_is_on, precompile
from longterm_compiler.cli.targets import (
    BadTarget,
    NoFlows,
    Target,
    find_files,
    find_target,
    methods_in,
    names_in,
)
from longterm_compiler.diagnostics import NoLibcst, Refused, render_all
from longterm_compiler.listing import listing_parts
from longterm_compiler.pipeline import compile_flow
from longterm_compiler.problems import check_file, warn_of_file
from longterm_compiler.syntax.source import Definition

if TYPE_CHECKING:
    from longterm_compiler.fixes.table import Fixed

_OK, _PROBLEMS, _UNUSABLE, _OUR_FAULT = 0, 1, 2, 3
_EPILOG = """\
A target is a file (shop/orders.py), a module (shop.orders), or one flow of either
(shop/orders.py:approve, shop.orders:Shop.approve). With --cache, --fix and --output it is a file,
a module, or a folder or package, which mean all files below them.

exit status: 0 if all is well, 1 if there are diagnostics, 2 if a target cannot be used, 3 if the
compiler itself has failed, 141 if nobody reads the output any more
"""


@dataclass(frozen=True, slots=True)
class _Options:
    points: bool
    check: bool
    cache: bool
    fix: bool
    output: str | None
    diff: bool
    unsafe_fixes: bool
    color: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    return run_command(lambda: _main(arguments))


def _main(arguments: Sequence[str] | None) -> int:
    given = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    options = _Options(**{name: getattr(given, name) for name in _Options.__slots__})
    if options.check:
        elsewhere = methods_in(given.targets)
        return max(_check(target, options, elsewhere) for target in given.targets)
    if options.color == "always" and not can_highlight():
        print("longterm-compile: no colours in code (pip install pygments)", file=sys.stderr)
    return max([_run(target, options, first=not i) for i, target in enumerate(given.targets)])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="longterm-compile",
        description="Show the code that is made of flows, or cache it. Nothing of yours is run.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_version(parser)
    parser.add_argument("targets", nargs="+", metavar="TARGET", help="a file, a module, or a flow")
    _add_actions(parser)
    parser.add_argument(
        "--unsafe-fixes",
        action="store_true",
        help="with --fix or --diff: make also changes that can change what a flow does",
    )
    parser.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        metavar="WHEN",
        help="auto (the default: on a terminal), always or never",
    )
    return parser


def _add_actions(parser: argparse.ArgumentParser) -> None:
    """Add what can be done instead of showing the code: one thing at a time."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--points", action="store_true", help="show a table of the resume points")
    what.add_argument("--check", action="store_true", help="show only what cannot be compiled")
    what.add_argument(
        "--cache",
        action="store_true",
        help="write the compile cache of whole files, so that a process starts without compiling",
    )
    what.add_argument(
        "--fix",
        action="store_true",
        help="rewrite files so that their flows can be compiled, where a machine can tell how",
    )
    what.add_argument(
        "--output",
        metavar="DIR",
        help="write modules whose flows are compiled, which run without the compiler, to a folder",
    )
    what.add_argument("--diff", action="store_true", help="show what --fix would change")


def _run(text: str, options: _Options, *, first: bool) -> int:
    """Do what is asked for one target, and return the exit status for it."""

    def do() -> int:
        if options.cache:
            check_cache_is_on()
            return max(_cache_or_refuse(file, options) for file in find_files(text))
        if options.output is not None:
            folder = Path(options.output)
            return max(_write_or_refuse(file, folder, options) for file in find_files(text))
        if options.fix or options.diff:
            return max(_mend_or_show(file, options) for file in find_files(text))
        return _show_or_refuse(find_target(text), options, first=first)

    return _guarded(text, do, options)


def _guarded(text: str, do: Callable[[], int], options: _Options) -> int:
    """Do something with a target; return the exit status, also of one that cannot be used."""
    try:
        return do()
    except NoFlows as error:
        return _without_flows(error.path) if options.check else _unusable(error)
    except (BadTarget, CannotCache, NoLibcst) as error:
        return _unusable(error)
    except BrokenPipeError:
        raise
    except Exception:
        print(escaped_lines(traceback.format_exc()), end="", file=sys.stderr)
        _complain(f"internal error: please report it with {text}")
        return _OUR_FAULT


def _check(text: str, options: _Options, elsewhere: Mapping[str, str]) -> int:
    """Show what cannot be compiled of one target, and what may keep its flows from waiting."""

    def show() -> int:
        target = find_target(text)
        has_problems = _has_problems(target.names, target.flows, options)
        found = warn_of_file(target.names, target.flows, elsewhere)
        if found:
            colour = wants_colour(sys.stdout, options.color)
            print(render_all(found, target.names.source.text, colour=colour), end="\n\n")
            print(_count(len(found), "warning"))
        return _PROBLEMS if has_problems else _OK

    return _guarded(text, show, options)


def _without_flows(path: str) -> int:
    print(f"{escaped(path)}: no flows")
    return _OK


def _unusable(error: Exception) -> int:
    _complain(str(error))
    return _UNUSABLE


def _complain(message: str) -> None:
    print(f"longterm-compile: {escaped_lines(message)}", file=sys.stderr)


def _show_or_refuse(target: Target, options: _Options, *, first: bool) -> int:
    if _has_problems(target.names, target.flows, options):
        return _PROBLEMS
    _show_all(target, options, first=first)
    return _OK


def _has_problems(names: ModuleNames, flows: list[Definition] | None, options: _Options) -> bool:
    found = check_file(names, flows)
    if found:
        # They are what was asked for, or else the reason why that cannot be had.
        stream = sys.stdout if options.check else sys.stderr
        colour = wants_colour(stream, options.color)
        print(render_all(found, names.source.text, colour=colour), end="\n\n", file=stream)
        print(_count(len(found), "problem"), file=stream)
    return bool(found)


def _cache_or_refuse(file: Located, options: _Options) -> int:
    """Write the cache of one file and say so; one that cannot be used does not stop the others."""
    try:
        written = precompile(file)
    except (BadTarget, CannotCache) as error:
        return _unusable(error)
    except Refused:
        _has_problems(names_in(file), None, options)
        return _PROBLEMS
    if written is None:
        return _without_flows(str(file.path))
    flows, points = _count(written.flows, "flow"), _count(written.points, "resume point")
    print(escaped(f"{file.path}: {flows}, {points}, in {written.path}"))
    return _OK


def _write_or_refuse(file: Located, folder: Path, options: _Options) -> int:
    """Write the module of one file and say so; one that cannot be used does not stop the others."""
    try:
        written = write_output(file, folder)
    except BadTarget as error:
        return _unusable(error)
    except Refused:
        _has_problems(names_in(file), None, options)
        return _PROBLEMS
    print(f"{file.path}: {_count(written.flows, 'flow')}, in {written.path}")
    return _OK


def _mend_or_show(file: Located, options: _Options) -> int:
    """Fix one file, or show how, and tell what is left to do by hand."""
    try:
        mended = mend(file, with_unsafe=options.unsafe_fixes)
        if options.fix and mended.fixed.mended:
            mended.write()
    except BadTarget as error:
        return _unusable(error)
    fixed = mended.fixed
    if options.diff:
        sys.stdout.write(_for_reader(mended.diff))
    for problem in fixed.mended if options.fix else ():
        span = problem.span
        print(f"{escaped(problem.path)}:{span.line}:{span.column + 1}: fixed {problem.rule}")
    if not fixed.left:
        return _PROBLEMS if options.diff and fixed.mended else _OK
    colour = wants_colour(sys.stderr, options.color)
    print(render_all(fixed.left, fixed.text, colour=colour), end="\n\n", file=sys.stderr)
    print(_left(fixed), file=sys.stderr)
    return _PROBLEMS


def _left(fixed: Fixed) -> str:
    """Say how many problems are left, and for which of them there is an unsafe fix."""
    words = f"{_count(len(fixed.left), 'problem')} left"
    if not fixed.unsafe:
        return words
    return f"{words}; --unsafe-fixes would mend {len(fixed.unsafe)} of them"


def _count(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number} {what}s"


def _show_all(target: Target, options: _Options, *, first: bool) -> None:
    colour = wants_colour(sys.stdout, options.color)
    for number, definition in enumerate(target.flows):
        if not first or number:
            sys.stdout.write("\n" if options.points else "\n\n")
        compiled = compile_flow(definition, target.names)
        if options.points:
            title, *table = map(escaped, points_table(compiled))
            print("\n".join([paint(title, BOLD) if colour else title, *table]))
        else:
            for part in listing_parts(compiled):
                shown = _for_reader(part)
                sys.stdout.write(highlight(shown) if colour else shown)


def _for_reader(text: str) -> str:
    """Return text of a file: for a person as a terminal can show it, for a program as it is."""
    return escaped_lines(text) if sys.stdout.isatty() else text
