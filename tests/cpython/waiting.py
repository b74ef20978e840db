"""What converted tests wait by, and how what is `unittest`'s own is kept while they do."""

from __future__ import annotations

import unittest
from contextlib import nullcontext
from typing import Any
from unittest import case

from longterm import deflow, register_type, suspend

MOST_WAITS = 250
"""A test that loops for long waits no more after so many times."""


class Waits:
    """How often the test that runs may wait, and has waited."""

    def __init__(self) -> None:
        self.left = 0
        self.test: unittest.TestCase | None = None

    def begin(self, test: unittest.TestCase, limit: int) -> None:
        """Begin with a test, which may wait so many times."""
        self.test, self.left = test, limit
        # `subTest` is a generator of unittest's own.
        test.subTest = lambda *args, **kwargs: nullcontext()  # type: ignore[method-assign]


waits = Waits()
_UNITTESTS = {*vars(unittest.FunctionTestCase(print)), "subTest"}


@deflow
def wait(value: Any = None) -> Any:
    """Return the value, after a wait."""
    if waits.left > 0:
        waits.left -= 1
        suspend("on")
    return value


def connect() -> None:
    """Let a test keep what unittest gave it: itself, and the managers that `self.assert…` makes."""
    register_type(unittest.TestCase, encode=_own_attributes, decode=_with, subclasses=True)
    for name in ("_AssertRaisesContext", "_AssertWarnsContext"):
        cls = getattr(case, name)
        register_type(cls, encode=vars, decode=_remade(cls), name=f"cpython.{name}")


def _own_attributes(test: unittest.TestCase) -> dict[str, Any]:
    return {name: value for name, value in vars(test).items() if name not in _UNITTESTS}


def _with(attributes: dict[str, Any]) -> unittest.TestCase:
    assert waits.test is not None
    vars(waits.test).update(attributes)
    return waits.test


def _remade(cls: type) -> Any:
    def remade(attributes: dict[str, Any]) -> Any:
        made = object.__new__(cls)
        vars(made).update(attributes)
        return made

    return remade
