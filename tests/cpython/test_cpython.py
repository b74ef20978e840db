"""Some of CPython's own tests do the same as flows; `python -m tests.cpython` runs more of them."""

from __future__ import annotations

import importlib.util

import pytest

from tests.cpython.__main__ import in_own_process
from tests.cpython.conversion import converted, function_at

_QUICK = ["test_augassign", "test_with"]


@pytest.mark.skipif(
    importlib.util.find_spec("test.test_with") is None,
    reason="this Python has no `test` package, whose tests are run as flows",
)
@pytest.mark.parametrize("name", _QUICK)
def test_tests_of_cpython_pass_as_flows(name: str) -> None:
    results = in_own_process(name)
    passed = [each for each in results if each.outcome == "passed"]

    assert not [each for each in results if each.outcome == "differed"]
    assert len(passed) > len(results) / 2
    assert sum(each.waits for each in passed) > 5 * len(passed)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(LookupError, match="has no test_no_such_thing"):
        in_own_process("test_no_such_thing")


TEXT = '''
"""Tests."""
import unittest

class Tests(unittest.TestCase):
    def test_all(self):
        """Say."""
        class Free(Outer): pass
        class Bound(Free):
            def get(self): return found
        found = [1]
        for each in found:
            self.assertEqual(*found, each)
        def inner():
            self.helper()
            yield 1

    def helper(self):
        self.assertTrue(1)
'''
CONVERTED = '''
"""Tests."""
from longterm import deflow
from tests.cpython.waiting import wait, waits
import unittest

class Tests(unittest.TestCase):

    @deflow
    def test_all(self):
        """Say."""
        global Free
        wait()

        class Free(Outer):
            pass
        wait()

        class Bound(Free):

            def get(self):
                return found
        wait()
        found = [1]
        wait()
        for each in found:
            wait()
            waits.test.assertEqual(*wait(found), wait(each))
        wait()

        @deflow
        def inner():
            self.helper()
            yield 1

    def helper(self):
        self.assertTrue(1)
'''


def test_what_is_made_of_a_test() -> None:
    assert converted(TEXT).strip() == CONVERTED.strip()
    assert function_at(CONVERTED.strip(), 33) == "Tests.test_all"
    assert "@deflow" not in converted(TEXT, ["Tests.test_all", "Tests.test_all.inner"])
