"""`longterm freeze`: write an old version of a flow into a file, for the runs that wait in it."""

from __future__ import annotations

import argparse
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from longterm._escapes import escaped
from longterm._flows.registry import flow_named
from longterm._turns.kept_sources import find_source
from longterm.cli.arguments import WrongUsage
from longterm.cli.frozen_text import CannotFreeze, FrozenText, frozen_text, prove
from longterm.engine import Engine
from longterm.errors import CompileError, UnknownFlow
from longterm.store.versions import Versions

_DIGITS: Final = 8
"""Of a version, as positions have it."""


def add_commands(commands: Any) -> None:
    """Add the command to a parser."""
    parser = commands.add_parser(
        "freeze",
        help="write an old version of a flow into a file, in which its runs go on",
        description="Write the source of an earlier version of a flow, which the store keeps, "
        "into a file of your repository. Runs of that version go on in it.",
    )
    parser.add_argument("version", metavar="FLOW@VERSION", help="such as shop:sell@3f2a9c04")
    parser.add_argument(
        "--output", metavar="FILE", help="the file; else frozen/<name>_<version>.py, in this folder"
    )
    parser.add_argument("--force", action="store_true", help="overwrite a file that exists")
    parser.set_defaults(command=freeze)


def freeze(engine: Engine, options: argparse.Namespace) -> int:
    """Write the file of a version; return 1 if its flow cannot stand in one."""
    name = _full_name(engine, options.version)
    flow, _, version = name.rpartition("@")
    source = find_source(engine.store, flow, version)
    if source is None:
        raise WrongUsage(f"the source of {name} is not kept any more")
    try:
        made = frozen_text(source, _home_of(flow))
        _check_imports(made)
        prove(made.text, source)
    except (CannotFreeze, CompileError) as error:
        print(escaped(f"{name} cannot be frozen: {error}"))
        return 1
    written = made.text.encode()
    short = f"{source.qualname}_{version[:_DIGITS]}"
    path = Path(options.output or f"frozen/{short}.py")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb" if options.force else "xb") as file:
            file.write(written)
    except FileExistsError:
        raise WrongUsage(f"{path} exists (give --force to overwrite it)") from None
    except OSError as error:
        raise WrongUsage(f"cannot write {path}: {error.strerror}") from error
    print(escaped(f"{path}: {name}, proven to be that version"))
    print("Import it wherever the flow's runs go on: by --app, or in the flow's own package.")
    return 0


def _home_of(flow: str) -> str:
    """Return the module in which a flow stands today, though it may have moved."""
    with suppress(UnknownFlow):
        flow = flow_named(flow).name
    return flow.partition(":")[0]


def _full_name(engine: Engine, begin: str) -> str:
    """Return the one version that is kept and begins with a text.

    Raises:
        WrongUsage: there is none, or there are several.
    """
    flow, at, version = begin.rpartition("@")
    if not at or not flow or not version:
        raise WrongUsage(f"{begin!r} is no version of a flow (write shop:sell@3f2a9c04)")
    store = engine.store
    found = store.find_versions(begin) if isinstance(store, Versions) else []
    if len(found) > 1:
        names = ", ".join(found)
        raise WrongUsage(f"several versions begin with {begin}: {names} (give more digits)")
    if found:
        return found[0]
    others = store.find_versions(f"{flow}@") if isinstance(store, Versions) else []
    if others:
        raise WrongUsage(f"no version {begin} is kept; those of {flow} are {', '.join(others)}")
    raise WrongUsage(
        f"no source of {flow} is kept in this store: none of its runs has waited, or "
        'Engine(versions="off") keeps none'
    )


def _check_imports(made: FrozenText) -> None:
    """Make sure that what a file imports is there today.

    Raises:
        CannotFreeze: something is not.
    """
    for module, name in made.imports:
        try:
            found = import_module(module)
            if name and not hasattr(found, name):
                import_module(f"{module}.{name}")
        except ImportError:
            what = f"{module}.{name}" if name else module
            raise CannotFreeze(
                f"it reads {what}, which is not here any more (put it back, as it was then)"
            ) from None
