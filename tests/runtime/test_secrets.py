"""No words of a user stand in the store in clear, if a payload codec encrypts; facts by choice."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from longterm import (
    Engine,
    InvalidFact,
    InvalidKey,
    blind,
    deflow,
    respond,
    set_index,
    set_keys,
    set_payload_codec,
    suspend,
)
from longterm.cli import main
from longterm.testing import FakeClock
from tests.sealing import KEY, OTHER_KEY, envelope  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("envelope")


class Scrambled:
    """Hides bytes from a reader of this test, and from nobody else."""

    def encode(self, data: bytes) -> bytes:
        return bytes(each ^ 0x5A for each in data)

    decode = encode


@deflow
def visit(patient):
    set_index(ward="B", **blind(patient=patient))
    respond(f"welcome {patient}")
    illness = suspend("illness", expires=timedelta(hours=1))
    if illness == "unknown":
        raise ValueError(f"{patient} has no illness")
    return f"{patient} has {illness}"


@deflow
def ward(name):
    set_index(ward=name)
    return suspend("illness")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs.db"


@pytest.fixture
def engine(path):
    engine = Engine(f"sqlite:///{path}", clock=FakeClock())
    yield engine
    engine.store.close()


def all_that_is_stored(path):
    """Every column of every row, and of the index beside them."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT * FROM runs").fetchall()
        rows += connection.execute("SELECT * FROM facts").fetchall()
    return repr(rows)


@pytest.mark.parametrize("codec", [None, Scrambled()], ids=["plain", "encrypted"])
def test_words_stand_in_the_store_in_clear_only_without_encryption(codec, engine, path, capsys):
    set_keys(KEY)
    set_payload_codec(codec)
    run, other = engine.start_flow(visit, "Ada Lovelace"), engine.start_flow(visit, "Bob")
    assert ("welcome" in all_that_is_stored(path)) is (codec is None)
    with pytest.raises(ValueError, match="no illness"):
        engine.process_event(run.id, "illness", "unknown")
    engine.process_event(other.id, "illness", "gout")

    stored = all_that_is_stored(path)
    for words in ("Ada Lovelace", "gout", "no illness"):
        assert (words in stored) is (codec is None), words
    failed = engine.get_run(run.id)
    assert "ValueError: Ada Lovelace has no illness" in failed.error
    assert engine.get_run(other.id).result == "Bob has gout"

    assert main(["--store", f"sqlite:///{path}", "show", run.id]) == 0
    assert "ValueError: Ada Lovelace has no illness" in capsys.readouterr().out
    with pytest.raises(ValueError, match="no illness"):
        engine.retry(run.id)


def test_why_a_run_is_parked_is_encrypted_too(engine, path):
    set_payload_codec(Scrambled())
    set_keys(KEY)
    run = engine.start_flow(visit, "Ada")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE runs SET checksum = NULL, waiting_for = 'vote'")

    engine.clock.advance(timedelta(hours=2))
    engine.run_pending()

    assert "waiting for 'vote' has the seal of" in engine.get_run(run.id).error
    assert "has the seal of" not in all_that_is_stored(path)


def test_an_error_is_bound_to_its_run(engine):
    set_payload_codec(Scrambled())
    set_keys(KEY)
    run, other = engine.start_flow(visit, "Ada"), engine.start_flow(visit, "Bob")
    error = run.with_error("words").encoded_error

    assert run.changed(encoded_error=error).error == "words"
    moved = other.changed(encoded_error=error).error
    assert "cannot be read: the error of run" in moved
    assert "somebody moved the bytes" in moved


def test_an_error_that_looks_encoded_comes_back_as_it_was(engine):
    run = engine.start_flow(ward, "B").with_error("encoded: no, these are words")
    assert run.error == "encoded: no, these are words"
    assert (
        "cannot be read: the stored text is damaged" in run.changed(encoded_error="encoded:?").error
    )


def test_runs_are_found_by_blind_facts(engine, capsys, path):
    set_keys(KEY)
    ada, _bob = engine.start_flow(visit, "Ada"), engine.start_flow(visit, "Bob")

    assert [run.id for run in engine.find_runs(blind={"patient": "Ada"})] == [ada.id]
    assert [run.id for run in engine.find_runs(index=blind(patient="Ada"))] == [ada.id]
    assert engine.find_runs(blind={"patient": "Ada"}, index={"ward": "C"}) == []
    assert engine.find_runs(blind={"doctor": "Ada"}) == []
    assert engine.find_runs(index={"patient": "Ada"}) == []

    assert main(["--store", f"sqlite:///{path}", "runs", "--blind", "patient=Ada"]) == 0
    assert ada.id in capsys.readouterr().out


def test_blind_facts_of_an_older_key_are_found_in_the_order_of_ids(engine):
    set_keys(OTHER_KEY)
    first = engine.start_flow(visit, "Ada").id
    set_keys(KEY, OTHER_KEY)
    engine.clock.advance(timedelta(seconds=1))
    second = engine.start_flow(visit, "Ada").id

    found = engine.find_runs(blind={"patient": "Ada"})
    assert [run.id for run in found] == [first, second]
    assert [run.id for run in engine.find_runs(blind={"patient": "Ada"}, limit=1)] == [first]
    found = engine.find_runs(blind={"patient": "Ada"}, limit=1, after=first)
    assert [run.id for run in found] == [second]


def test_type_and_name_of_a_blind_fact_count():
    set_keys(KEY)
    hashes = [blind(a=1), blind(a="1"), blind(a=True), blind(b=1), blind(a=1.0), blind(a=None)]
    assert len({str(each) for each in hashes}) == len(hashes)
    assert blind(a=1) == blind(a=1)
    with pytest.raises(InvalidFact):
        blind(a=[1])


def test_blind_facts_need_a_key(engine):
    with pytest.raises(InvalidKey, match="there is no key: set LONGTERM_KEY"):
        blind(patient="Ada")
    with pytest.raises(InvalidKey, match="there is no key"):
        engine.find_runs(blind={"patient": "Ada"})
