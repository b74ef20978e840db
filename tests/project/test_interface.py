"""The public interface: each name has one home, and the page that lists them all is true."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections import Counter
from collections.abc import Iterator
from types import ModuleType

import longterm
from longterm import errors
from tests.project.pages import ROOT

COMMANDS = {"longterm.cli", "longterm.demo"}
"""Packages that are run, not imported."""


def public_modules() -> Iterator[ModuleType]:
    """`longterm` and all below it that has no underscore before a part of its name."""
    yield longterm
    for found in pkgutil.walk_packages(longterm.__path__, "longterm."):
        package = ".".join(found.name.split(".")[:2])
        if "._" not in found.name and package not in COMMANDS:
            yield importlib.import_module(found.name)


def offered() -> dict[str, set[str]]:
    """The names that each module offers in its `__all__`."""
    names = {each.__name__: set(getattr(each, "__all__", ())) for each in public_modules()}
    names["longterm"].add("__version__")  # not for `from longterm import *`
    return {module: each for module, each in names.items() if each}


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


def test_each_name_that_a_module_offers_is_there() -> None:
    missing = [
        f"{module}.{name}"
        for module, names in offered().items()
        for name in names
        if not hasattr(importlib.import_module(module), name)
    ]

    assert not missing


def test_longterm_offers_every_error() -> None:
    own = {
        name
        for name, each in vars(errors).items()
        if isinstance(each, type) and issubclass(each, BaseException)
    }

    assert own <= set(longterm.__all__)
