"""The pytest plugin: pytest finds it, it costs nothing unused, and shows the runs of a failure."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from longterm.testing.kit import FlowTester
from tests.store.postgres_server import PostgresServer, binaries_or_skip

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]
# By its name, too: an environment may be older than the entry point.
PLUGIN = ("-p", "pytest_longterm", "-p", "no:cacheprovider")

FLOW = """
from datetime import timedelta

import longterm
from longterm.testing import EXPIRE, Answer

MODULE = longterm


@longterm.deflow
def greet():
    longterm.respond("who?")
    return longterm.suspend("name", expires=timedelta(days=30), default="nobody")


def test_the_fixture_hides_the_module_in_the_test_alone(longterm):
    assert longterm is not MODULE
    run = longterm.start(greet)
    longterm.advance(days=30)
    assert run.result == "nobody"
    assert MODULE.find_runs(state="complete")[0].id == run.id


def test_branches(longterm):
    ada, nobody = longterm.start(greet).branches(Answer("name", "Ada"), EXPIRE)
    assert (ada.result, nobody.result) == ("Ada", "nobody")
"""


def test_pytest_finds_it_by_the_entry_point():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    # Under the name of its module, so that `-p pytest_longterm` does not load it twice.
    assert project["entry-points"]["pytest11"] == {"pytest_longterm": "pytest_longterm"}


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_the_same_tests_run_on_any_store(pytester, store):
    pytester.makepyfile(**{f"test_on_{store}": FLOW})

    done = pytester.runpytest_inprocess(*PLUGIN, f"--longterm-store={store}")

    done.assert_outcomes(passed=2)


def test_a_test_that_fails_shows_how_its_runs_stand(pytester):
    pytester.makepyfile(
        test_failing=FLOW
        + """

def test_of_the_reader(longterm):
    run = longterm.start(greet)
    assert not run.awaits


def test_of_a_result(longterm):
    assert longterm.start(greet).result == "Ada"
"""
    )

    done = pytester.runpytest_inprocess(*PLUGIN, "-k", "reader or result")

    done.assert_outcomes(failed=2)
    done.stdout.fnmatch_lines(
        [
            "E *where ('name',) = <run of greet: waits for 'name' until 2026-01-31 00:00:00, said*",
            "*- longterm runs -*",
            "the clock stands at 2026-01-01 00:00:00 UTC",
            "run * of test_failing:greet: waits for 'name' until 2026-01-31 00:00:00",
            "  turn 1 said 'who?'",
            "E *it has no result: run * of test_failing:greet: waits for 'name' until *",
        ]
    )
    done.stdout.no_fnmatch_line("*_handle.py*")


def test_a_store_that_is_none_is_an_error_that_says_what_to_give(pytester):
    pytester.makepyfile(test_nowhere=FLOW)

    done = pytester.runpytest_inprocess(*PLUGIN, "--longterm-store=oracle")

    done.assert_outcomes(errors=2)
    done.stdout.fnmatch_lines(["*no test has its runs in 'oracle' (give memory, sqlite, or*"])


def test_who_does_not_ask_for_it_does_not_load_longterm(pytester):
    pytester.makepyfile(
        test_other="""
import sys

def test_nothing_of_longterm_is_loaded():
    assert "pytest_longterm" in sys.modules
    assert not [name for name in sys.modules if name.partition(".")[0] == "longterm"]
"""
    )

    pytester.runpytest_subprocess(*PLUGIN).assert_outcomes(passed=1)


def test_workers_of_xdist_share_out_the_tests(pytester):
    pytest.importorskip("xdist", reason="NOT TESTED with pytest-xdist: it is not installed")
    pytester.makepyfile(test_shared=FLOW)

    done = pytester.runpytest_subprocess(
        *PLUGIN, "-p", "xdist", "-n", "2", "--longterm-store=sqlite"
    )

    done.assert_outcomes(passed=2)


def test_each_test_on_postgres_has_a_schema_which_is_dropped():
    psycopg = pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: psycopg is missing")
    from longterm.testing._sample_runs import suspended_run

    server = PostgresServer(binaries_or_skip())
    try:
        with FlowTester(server.url()) as tester, FlowTester(server.url()) as other:
            run = tester.engine.store.create(suspended_run())
            (branch,) = [tester.run(run.id).tester._fork()]
            assert branch.run(run.id).state == "suspended"
            assert other.find_runs() == []
        with psycopg.connect(server.url()) as connection:
            left = connection.execute("SELECT nspname FROM pg_namespace").fetchall()
            assert not [name for (name,) in left if name.startswith("longterm")]
    finally:
        server.remove()
