"""With a key, a run takes only bytes that were sealed for it: for its turn and for their column."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta

import pytest

from longterm import (
    Engine,
    InvalidKey,
    NotSealed,
    Run,
    RunState,
    WrongSeal,
    deflow,
    describe,
    respond,
    set_keys,
    set_payload_codec,
    suspend,
)
from longterm._codec import decode, encode
from longterm._codec.seal import Keyring
from longterm.cli import main
from longterm.run import context_of
from longterm.store.memory import MemoryStore
from longterm.testing import FakeClock
from tests.sealing import KEY, OTHER_KEY, envelope, forget  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("envelope")
LEASE = timedelta(seconds=60)


@deflow
def shop(name):
    bought = []
    while True:
        item = suspend("item", expires=timedelta(hours=1), default="nothing")
        if item == "fail":
            raise ValueError(f"no {item}")
        if item == "end":
            return bought
        bought.append(item)
        respond(f"{name} buys {item}")
        if suspend("sure") == "no":
            bought.pop()


@deflow
def fails_first():
    if FAILING:
        raise ValueError("not yet")
    return suspend("item")


FAILING = []


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture(params=["memory", "sqlite"])
def engine(request, tmp_path, clock):
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/runs.db"
    return Engine(url, clock=clock, lease=LEASE)


@pytest.fixture
def database(tmp_path, clock):
    """An engine on a SQLite file, and what writes into its rows."""
    engine = Engine(f"sqlite:///{tmp_path}/runs.db", clock=clock, lease=LEASE)

    def write(statement, *parameters):
        with closing(sqlite3.connect(tmp_path / "runs.db")) as connection, connection:
            return connection.execute(statement, parameters).fetchall()

    yield engine, write
    engine.store.close()


def refused(engine, run_id, event, value="tea", match=None):
    """A delivery is refused, and the run waits on as it was."""
    before = engine.get_run(run_id)
    with pytest.raises(WrongSeal, match=match):
        engine.process_event(run_id, event, value)
    after = engine.get_run(run_id)
    assert (after.state, after.stack, after.waiting_for) == (
        RunState.SUSPENDED,
        before.stack,
        before.waiting_for,
    )


def test_a_key_in_the_environment_seals_all_that_a_run_stores(database, monkeypatch):
    engine, write = database
    forget()
    monkeypatch.setenv("LONGTERM_KEY", KEY)
    run = engine.start_flow(shop, "Ada")
    run = engine.process_event(run.id, "item", "tea")

    assert {row[0][0] for row in write("SELECT stack FROM runs")} == {0x4B}
    assert {row[0][0] for row in write("SELECT response FROM runs")} == {0x4B}
    assert engine.get_run(run.id).response == ["Ada buys tea"]

    engine.process_event(run.id, "sure", "yes")
    engine.process_event(run.id, "item", "end")
    assert {row[0][0] for row in write("SELECT result FROM runs")} == {0x4B}
    assert engine.get_run(run.id).result == ["tea"]


def test_bytes_of_another_run_turn_or_column_are_refused(database):
    engine, write = database
    set_keys(KEY)
    run, other = engine.start_flow(shop, "Ada"), engine.start_flow(shop, "Bob")
    first = run.stack
    run = engine.process_event(run.id, "item", "tea")
    run = engine.process_event(run.id, "sure", "yes")
    run = engine.process_event(run.id, "item", "cake")
    put = "UPDATE runs SET checksum = NULL, stack = ? WHERE id = ?"

    run = engine.process_event(run.id, "sure", "yes")
    assert run.waiting_for == other.waiting_for == "item"
    for stack, words in (
        (other.stack, f"of the stack of run '{other.id}', saved in turn 1"),
        (first, f"of the stack of run '{run.id}', saved in turn 1"),
        (engine.process_event(other.id, "item", "ham").encoded_response, "seal of the response of"),
        (run.stack[:-1] + b"\0", "its bytes were changed"),
        (run.stack[:40], "its bytes were changed"),
    ):
        write(put, stack, run.id)
        refused(engine, run.id, "item", match=words)

    write(put, run.stack, run.id)
    assert engine.process_event(run.id, "item", "end").result == ["tea", "cake"]


def test_a_run_cannot_be_made_to_take_another_event(database):
    engine, write = database
    set_keys(KEY)
    run = engine.start_flow(shop, "Ada")

    write("UPDATE runs SET checksum = NULL, waiting_for = 'vote'")

    refused(
        engine, run.id, "vote", match="waiting for 'vote' has the seal of .* waiting for 'item'"
    )


def test_a_response_and_a_result_are_checked_when_they_are_read(database):
    engine, write = database
    set_keys(KEY)
    run, other = engine.start_flow(shop, "Ada"), engine.start_flow(shop, "Bob")
    for each in (run, other):
        engine.process_event(each.id, "item", "tea")
    write(
        "UPDATE runs SET checksum = NULL, response = ? WHERE id = ?",
        engine.get_run(other.id).encoded_response,
        run.id,
    )
    with pytest.raises(WrongSeal, match="the response of run"):
        _ = engine.get_run(run.id).response

    write("UPDATE runs SET checksum = NULL, state = 'complete', result = response, response = NULL")
    with pytest.raises(WrongSeal, match="has the seal of the response"):
        _ = engine.get_run(other.id).result


def test_bytes_without_a_seal_are_refused_until_they_are_accepted(engine):
    run = engine.start_flow(shop, "Ada")

    set_keys(KEY)
    with pytest.raises(NotSealed, match=r"set LONGTERM_ACCEPT_UNSEALED=yes, or call set_keys\("):
        engine.process_event(run.id, "item", "tea")
    assert engine.get_run(run.id).state is RunState.SUSPENDED

    set_keys(KEY, accept_unsealed=True)
    engine.process_event(run.id, "item", "tea")
    set_keys(KEY)
    assert engine.process_event(run.id, "sure", "yes").waiting_for == "item"


def test_unsealed_bytes_are_accepted_by_the_environment(engine, monkeypatch):
    run = engine.start_flow(shop, "Ada")
    forget()
    monkeypatch.setenv("LONGTERM_KEY", KEY)
    monkeypatch.setenv("LONGTERM_ACCEPT_UNSEALED", "yes")

    assert engine.process_event(run.id, "item", "tea").response == ["Ada buys tea"]


def test_a_new_key_seals_and_an_old_one_still_opens(engine):
    set_keys(OTHER_KEY)
    run = engine.start_flow(shop, "Ada")

    set_keys(KEY, OTHER_KEY)
    run = engine.process_event(run.id, "item", "tea")

    set_keys(KEY)
    run = engine.process_event(run.id, "sure", "yes")
    set_keys(OTHER_KEY)
    refused(engine, run.id, "item", match="with a key that is not among those in use")


def test_sealed_bytes_without_a_key_are_refused(engine):
    set_keys(KEY)
    run = engine.start_flow(shop, "Ada")
    set_keys()

    refused(engine, run.id, "item", match="set LONGTERM_KEY")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"LONGTERM_KEY": "short"}, "key 1 of LONGTERM_KEY has 5 bytes, and 32 are the least"),
        ({"LONGTERM_KEY": f"{KEY},short"}, "key 2 of LONGTERM_KEY has 5 bytes"),
        ({"LONGTERM_KEY": "ab" * 20}, "repeats a few characters"),
        ({"LONGTERM_KEY": " "}, "LONGTERM_KEY is set, but empty"),
        ({"LONGTERM_KEY": KEY, "LONGTERM_ACCEPT_UNSEALED": "1"}, "'1' is neither yes nor no"),
    ],
)
def test_a_wrong_key_is_refused_at_the_start(variables, words, monkeypatch, capsys):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(InvalidKey, match=words) as refusal:
        Engine("memory://")
    assert "short" not in str(refusal.value)
    assert main(["--store", "memory://", "runs"]) == 1
    assert words in capsys.readouterr().err


def test_keys_set_in_code_are_checked_too():
    with pytest.raises(InvalidKey, match="key 1 of set_keys is a int"):
        set_keys(7)
    with pytest.raises(InvalidKey, match="has 31 bytes"):
        set_keys(bytes(range(31)))
    set_keys(bytes(range(32)))


def test_a_claim_that_died_is_taken_over_and_verifies(engine, clock):
    set_keys(KEY)
    run = engine.start_flow(shop, "Ada")
    for _ in range(3):
        engine.store.claim(run.id, "item", now=clock.now(), until=clock.now() + LEASE)
        clock.advance(2 * LEASE)

    run = engine.process_event(run.id, "item", "tea")

    assert (run.turn, run.saved_turn, run.response) == (5, 5, ["Ada buys tea"])


def test_a_run_that_a_worker_let_go_of_verifies(engine, clock):
    set_keys(KEY)
    run = engine.process_event(engine.start_flow(shop, "Ada").id, "item", "tea")
    for _ in range(3):
        engine.store.claim(run.id, "sure", now=clock.now(), until=clock.now() + LEASE)
        clock.advance(2 * LEASE)
        (released,) = engine.release_stale()
        assert released.response == ["Ada buys tea"]

    assert engine.process_event(run.id, "sure", "yes").turn == 6


def test_a_run_that_died_too_often_is_retried_and_verifies(engine, clock):
    set_keys(KEY)
    run = engine.start_flow(shop, "Ada")
    for _ in range(2):
        engine.store.claim(run.id, "item", now=clock.now(), until=clock.now() + LEASE)
        clock.advance(2 * LEASE)
        engine.release_stale(max_attempts=2)
    assert engine.get_run(run.id).state is RunState.FAILED

    assert engine.retry(run.id).state is RunState.SUSPENDED
    assert engine.process_event(run.id, "item", "tea").response == ["Ada buys tea"]


def without_events(engine, run):
    """Return a failed run as it waited before, with the events to take out."""
    now = engine.clock.now()
    revived = engine.store.revive(run.id, now=now, until=now)
    waiting = revived.changed(state=RunState.SUSPENDED, encoded_error=None, claimed_until=None)
    return waiting, engine.store.unread(run.id)


def test_a_refused_or_failed_turn_leaves_a_run_that_verifies(engine):
    set_keys(KEY)
    run = engine.start_flow(shop, "Ada")
    with pytest.raises(ValueError, match="no fail"):
        engine.process_event(run.id, "item", "fail")
    with pytest.raises(ValueError, match="no fail"):
        engine.retry(run.id)
    engine.store.update_read(*without_events(engine, run))
    with pytest.raises(KeyboardInterrupt):
        engine.throw(run.id, KeyboardInterrupt())

    run = engine.process_event(run.id, "item", "tea")
    assert (run.response, run.saved_turn) == (["Ada buys tea"], run.turn)


def test_a_run_that_failed_in_its_first_turn_is_started_again(engine, monkeypatch):
    set_keys(KEY)
    monkeypatch.setattr(f"{__name__}.FAILING", [True])
    with pytest.raises(ValueError, match="not yet"):
        engine.start_flow(fails_first)
    (run,) = engine.find_runs(state="failed")
    monkeypatch.setattr(f"{__name__}.FAILING", [])

    assert engine.retry(run.id).waiting_for == "item"
    assert engine.process_event(run.id, "item", 7).result == 7


def test_waits_end_by_themselves_and_runs_are_cancelled_and_pruned(engine, clock):
    set_keys(KEY)
    due, expired, cancelled = (engine.start_flow(shop, name) for name in "abc")

    assert engine.expire(expired.id).response == ["b buys nothing"]
    assert engine.cancel(cancelled.id).state is RunState.CANCELLED
    clock.advance(timedelta(hours=2))
    assert engine.run_pending() == 1
    assert engine.get_run(due.id).response == ["a buys nothing"]
    assert engine.prune(timedelta(hours=1)) == 1


def test_a_due_run_with_a_wrong_seal_is_parked_with_the_reason(database, clock):
    engine, write = database
    set_keys(KEY)
    run, other = engine.start_flow(shop, "Ada"), engine.start_flow(shop, "Bob")
    write("UPDATE runs SET checksum = NULL, stack = ? WHERE id = ?", other.stack, run.id)
    clock.advance(timedelta(hours=2))

    engine.run_pending()

    assert "somebody moved the bytes" in engine.get_run(run.id).error
    assert engine.get_run(other.id).response == ["Bob buys nothing"]


class Watched:
    """A payload codec that notes what it is asked to decode."""

    def __init__(self):
        self.decoded = []

    def encode(self, data):
        return data[::-1]

    def decode(self, data):
        self.decoded.append(data)
        return data[::-1]


def test_the_seal_is_over_the_payload_and_is_checked_before_it_is_decoded(database):
    engine, write = database
    set_keys(KEY)
    codec = Watched()
    set_payload_codec(codec, accept_plain=False)
    run, other = engine.start_flow(shop, "Ada"), engine.start_flow(shop, "Bob")
    assert engine.process_event(run.id, "item", "tea").response == ["Ada buys tea"]
    codec.decoded.clear()

    write("UPDATE runs SET checksum = NULL, stack = ? WHERE id = ?", run.stack, other.id)
    refused(engine, other.id, "item")
    write(
        "UPDATE runs SET checksum = NULL, stack = ? WHERE id = ?", other.stack[:-1] + b"?", other.id
    )
    refused(engine, other.id, "item")

    assert codec.decoded == []


def test_sealed_bytes_are_shown(database, tmp_path, capsys, monkeypatch):
    engine, write = database
    monkeypatch.setenv("LONGTERM_URL", f"sqlite:///{tmp_path}/runs.db")
    set_keys(KEY)
    run = engine.process_event(engine.start_flow(shop, "Ada").id, "item", "tea")
    assert "bought = ['tea']" in describe(run.stack)

    assert main(["show", run.id]) == 0
    shown = capsys.readouterr().out
    assert "bought = ['tea']" in shown
    assert "Ada buys tea" in shown
    assert main(["runs", "--json"]) == 0
    assert "Ada buys tea" in capsys.readouterr().out

    write("UPDATE runs SET checksum = NULL, response = stack")
    assert main(["show", run.id]) == 0
    shown = capsys.readouterr().out
    assert "has the seal of the stack" in shown
    assert "bought = ['tea']" in shown
    assert main(["runs", "--json"]) == 0
    assert "has the seal of the stack" in capsys.readouterr().out


@dataclass(frozen=True, kw_only=True)
class Forgetful(Run):
    """A run of a store that was written before runs had a `saved_turn`."""

    @classmethod
    def of(cls, run):
        kept = {field.name: getattr(run, field.name) for field in fields(Run)}
        return cls(**kept | {"saved_turn": None})


class FourMethods:
    """A store of four methods that does not keep the turn of the last save."""

    def __init__(self):
        self.inner = MemoryStore()

    def create(self, run):
        return self.inner.create(Forgetful.of(run))

    def get(self, run_id):
        return self.inner.get(run_id)

    def unsuspend(self, run_id, event_id):
        return self.inner.unsuspend(run_id, event_id)

    def update(self, run):
        return self.inner.update(Forgetful.of(run))


def test_a_store_that_does_not_keep_the_turn_of_a_save_still_tells_runs_apart():
    engine = Engine(FourMethods())
    set_keys(KEY)
    run, other = engine.start_flow(shop, "Ada"), engine.start_flow(shop, "Bob")
    run = engine.process_event(run.id, "item", "tea")
    assert run.response == ["Ada buys tea"]
    engine.process_event(run.id, "sure", "yes")

    engine.store.inner._runs[other.id] = other.changed(stack=engine.get_run(run.id).stack)

    refused(engine, other.id, "item", match="somebody moved the bytes")


def test_no_two_contexts_are_sealed_the_same():
    keys = Keyring([KEY.encode()], accept_unsealed=False)
    contexts = [
        ("stack", "ab", 1, "c"),
        ("stack", "a", 1, "bc"),
        ("stacka", "b", 1, "c"),
        ("stack", "ab", 2, "c"),
        ("stack", "ab\ud800", 1, ""),
        ("stack", "ab", 1, "\ud800"),
    ]
    for context in contexts:
        sealed = keys.seal(b"data", context)
        assert keys.open(sealed, context) == b"data"
        assert keys.open(sealed, None) == b"data"
        for other in contexts:
            if other != context:
                with pytest.raises(WrongSeal):
                    keys.open(sealed, other)


def test_what_belongs_to_no_run_has_no_seal():
    set_keys(KEY)
    assert decode(encode([1, 2])) == [1, 2]
    run = Run(id="r", flow="m:f", state=RunState.SUSPENDED, created_at=datetime.now(UTC))
    assert context_of(run, "stack") == ("stack", "r", None, "")
