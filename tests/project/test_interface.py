"""The public interface: each name has one home, and the page that lists them all is true."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest

import longterm
from longterm import errors
from tests.project.pages import ROOT

COMMANDS = {"cli", "demo"}
"""Packages that are run, not imported."""


LIBRARIES = {
    "longterm.store.postgres": "psycopg",
    "longterm.store.postgres.distributed": "psycopg",
    "longterm.telemetry": "opentelemetry",
}
"""What modules cannot be imported without."""


def skip_without_library(module: str) -> None:
    if module in LIBRARIES:
        pytest.importorskip(LIBRARIES[module], reason="NOT CHECKED: its library is missing")


def offered() -> dict[str, set[str]]:
    """The names in the `__all__` of each public module.

    Read, not imported: a store's driver need not be installed.
    """
    names = {}
    for path in sorted((ROOT / "longterm").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if not any(each.startswith("_") for each in parts) and not COMMANDS & set(parts):
            names[".".join(parts)] = all_of(path)
    names["longterm"].add("__version__")  # not for `from longterm import *`
    return {module: each for module, each in names.items() if each}


def all_of(path: Path) -> set[str]:
    """The names in the `__all__` of a file; none if it has no such list."""
    for node in ast.parse(path.read_bytes()).body:
        match node:
            case ast.Assign(targets=[ast.Name("__all__")], value=value):
                return set(ast.literal_eval(value))
    return set()


def listed() -> dict[str, list[str]]:
    """The names that the page lists below the heading of each module."""
    page = (ROOT / "docs" / "index.md").read_text()
    interface = page.partition("## The whole interface\n")[2].partition("\n## ")[0]
    _, *parts = re.split(r"^### `([\w.]+)`$", interface, flags=re.MULTILINE)
    return {
        module: [
            name
            for cell in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
            for name in re.findall(r"`@?(\w+)", cell)
        ]
        for module, text in zip(parts[::2], parts[1::2], strict=True)
    }


def test_page_lists_what_each_module_offers_and_nothing_else() -> None:
    assert {module: set(names) for module, names in listed().items()} == offered()


def test_each_name_has_one_home() -> None:
    homes = Counter(name for names in offered().values() for name in names)
    places = Counter(name for names in listed().values() for name in names)

    assert {name for name, count in (homes + places).items() if count != 2} == set()


@pytest.mark.parametrize("module", offered())
def test_each_name_that_a_module_offers_is_there(module: str) -> None:
    skip_without_library(module)

    loaded = importlib.import_module(module)

    assert not [name for name in offered()[module] if not hasattr(loaded, name)]


@pytest.mark.parametrize("module", offered())
def test_annotations_of_each_name_can_be_resolved(module: str) -> None:
    """As FastAPI and pydantic do with those of what they are given."""
    skip_without_library(module)
    loaded = importlib.import_module(module)

    for name in offered()[module]:
        for each in annotated(getattr(loaded, name)):
            get_type_hints(each)


def annotated(found: object) -> Iterator[Any]:
    """Yield a function, or a class and its public methods and properties."""
    if inspect.isfunction(found):
        yield found
    if not isinstance(found, type):
        return
    yield found
    for name in dir(found):
        if name in ("__init__", "__call__") or not name.startswith("_"):
            member = inspect.getattr_static(found, name)
            member = member.fget if isinstance(member, property) else member
            member = getattr(member, "__func__", member)
            if inspect.isfunction(member):
                yield member


def test_longterm_offers_every_error() -> None:
    own = {
        name
        for name, each in vars(errors).items()
        if isinstance(each, type) and issubclass(each, BaseException)
    }

    assert own <= set(longterm.__all__)
    assert {getattr(errors, name).__module__ for name in own} == {"longterm.errors"}


def test_page_lists_each_method_of_an_engine() -> None:
    page = (ROOT / "docs" / "index.md").read_text()
    named = set(re.findall(r"`\.?(\w+)", page))

    methods = {name for name, each in inspect.getmembers(longterm.Engine, inspect.isfunction)}

    assert {name for name in methods if not name.startswith("_")} <= named
