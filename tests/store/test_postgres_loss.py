"""A Postgres that goes away in the middle: a turn is saved once, or fails and changes nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from longterm.errors import RunExists, StoreError, UnknownRun
from longterm.run import Run, RunState
from longterm.testing._inbox_contract import letter
from longterm.testing._outbox_contract import message
from longterm.testing._races import race
from longterm.testing._sample_runs import LATER, NOON, claim, plain, suspended_run

psycopg = pytest.importorskip("psycopg", reason="POSTGRES NOT TESTED: psycopg is not installed")

from longterm.store.postgres import PostgresStore  # noqa: E402
from longterm.store.postgres._database import Answer  # noqa: E402
from longterm.store.postgres._statements import claims, runs  # noqa: E402
from tests.store.deaf_proxy import DeafProxy  # noqa: E402
from tests.store.postgres_server import PostgresServer  # noqa: E402

BACKENDS = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND application_name = 'ours'"
)


@pytest.fixture
def url(server: PostgresServer, fresh_database: Callable[..., str]) -> str:
    return f"{server.url(fresh_database())}?application_name=ours"


@pytest.fixture
def store(url: str) -> Iterator[PostgresStore]:
    with PostgresStore(url) as store:
        store.create(suspended_run())
        yield store


@pytest.fixture
def proxy(server: PostgresServer) -> Iterator[DeafProxy]:
    with closing(DeafProxy(server.port)) as proxy:
        yield proxy


@pytest.fixture
def deaf_store(
    proxy: DeafProxy, url: str, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PostgresStore]:
    """A store behind the proxy, warmed up, so that its next answer is that of a step."""
    with PostgresStore(url.replace(str(server.port), str(proxy.port))) as store:
        monkeypatch.setattr(store._waker, "tell", lambda at: None)  # that is answered, too
        store.create(suspended_run())
        yield store


def test_a_restart_between_turns_is_not_noticed(
    store: PostgresStore, server: PostgresServer
) -> None:
    server.stop()
    server.start()

    assert claim(store).turn == 2


def test_a_restart_in_the_middle_of_a_turn_does_not_lose_it(
    store: PostgresStore, server: PostgresServer
) -> None:
    claimed = claim(store)
    server.stop()
    starting = threading.Thread(target=server.start)
    starting.start()

    made = replace(claimed, state=RunState.COMPLETE, encoded_result=b"\x14")
    store.update(made)

    starting.join()
    assert store.get("r1") == made


def test_a_session_that_is_ended_while_it_saves_is_replaced(store: PostgresStore, url: str) -> None:
    claimed = claim(store)
    made = replace(claimed, state=RunState.COMPLETE)
    with psycopg.connect(url.replace("ours", "other")) as other:
        other.execute("SELECT FROM longterm.runs FOR UPDATE")
        saving = threading.Thread(target=store.update, args=(made,))
        saving.start()
        while not _is_waiting(other):
            pass
        other.execute(f"SELECT pg_terminate_backend(pid) FROM ({BACKENDS}) AS ours".encode())
    saving.join()

    assert store.get("r1") == made


def _is_waiting(connection: Any) -> bool:
    # Within a transaction the statistics stand still unless they are asked for anew.
    connection.execute("SELECT pg_stat_clear_snapshot()")
    waiting = f"{BACKENDS} AND wait_event_type = 'Lock'"
    return bool(connection.execute(waiting.encode()).fetchall())


def test_a_server_that_stays_away_is_an_error_and_the_run_is_as_before(
    url: str, server: PostgresServer
) -> None:
    with PostgresStore(url, wait_seconds=0.3) as store:
        store.create(suspended_run())
        claimed = claim(store)
        made = replace(claimed, state=RunState.COMPLETE)
        server.stop()
        try:
            with pytest.raises(StoreError, match=r"cannot save run 'r1' in .*cannot be reached"):
                store.update(made)
        finally:
            server.start()

    with PostgresStore(url) as store:
        assert store.get("r1") == claimed
        assert store.update(made) == store.get("r1")


def test_no_turn_is_lost_or_doubled_by_a_server_that_is_killed_again_and_again(
    url: str, server: PostgresServer
) -> None:
    is_done = threading.Event()

    def take_turns(store: PostgresStore, run_id: str) -> int:
        acknowledged = 0
        while not is_done.is_set():
            try:
                claimed = claim(store, run_id)
            except StoreError:
                # Nobody else claims this run, so if it is claimed, it is by this attempt.
                claimed = store.get(run_id)
            stack = b"%d" % (int(claimed.stack or b"") + 1)
            store.update(replace(claimed, state=RunState.SUSPENDED, stack=stack))
            acknowledged += 1
        return acknowledged

    def kill() -> int:
        try:
            for _ in range(3):
                server.stop()
                server.start()
        finally:
            is_done.set()
        return 0

    with ExitStack() as opened:
        stores = [opened.enter_context(PostgresStore(url)) for _ in range(3)]
        for number, store in enumerate(stores):
            store.create(replace(suspended_run(f"run {number}"), stack=b"0"))
        turns = [partial(take_turns, store, f"run {n}") for n, store in enumerate(stores)]

        _, *acknowledged = race([kill, *turns])

        for number, store in enumerate(stores):
            run = store.get(f"run {number}")
            assert run.state is RunState.SUSPENDED
            assert run.stack == b"%d" % acknowledged[number]
            assert run.turn == acknowledged[number] + 1


def test_a_save_whose_answer_is_lost_is_found_saved(
    deaf_store: PostgresStore, proxy: DeafProxy
) -> None:
    made = replace(claim(deaf_store), state=RunState.SUSPENDED, waiting_for="name")
    proxy.swallow_next_answer()

    assert deaf_store.update(made) == made

    assert proxy.swallowed == 1
    assert deaf_store.get("r1") == made


def test_what_a_save_sends_is_kept_once_though_its_answer_is_lost(
    deaf_store: PostgresStore, proxy: DeafProxy
) -> None:
    proxy.swallow_next_answer()
    claimed = deaf_store.update(claim(deaf_store).changed(outgoing=(message(1), message(2))))
    assert (claimed.state, claimed.outgoing) == (RunState.RUNNING, ())
    proxy.swallow_next_answer()
    made = claimed.changed(state=RunState.SUSPENDED, claimed_until=None, outgoing=(message(3),))

    assert deaf_store.update(made).outgoing == ()

    assert proxy.swallowed == 2
    sent = deaf_store.claim_outgoing(now=NOON, until=LATER, limit=9)
    assert sent == [message(number) for number in (1, 2, 3)]


def test_what_a_save_sends_and_reads_is_sent_and_read_once_though_its_answer_is_lost(
    deaf_store: PostgresStore, proxy: DeafProxy
) -> None:
    for key in ("a", "b"):
        deaf_store.post(letter("number", key), limit=9)
    claimed = claim(deaf_store)
    first, second = deaf_store.unread("r1")
    proxy.swallow_next_answer()
    claimed = deaf_store.update_read(claimed.changed(outgoing=(message(1),)), [first])
    assert claimed.unread == ("number",)
    proxy.swallow_next_answer()
    made = claimed.changed(state=RunState.SUSPENDED, claimed_until=None, outgoing=(message(2),))

    assert deaf_store.update_read(made, [second]).unread == ()

    assert proxy.swallowed == 2
    assert (deaf_store.unread("r1"), deaf_store.get("r1").unread) == ([], ())
    sent = deaf_store.claim_outgoing(now=NOON, until=LATER, limit=9)
    assert sent == [message(1), message(2)]


def test_an_event_that_comes_between_a_save_and_its_repeat_is_not_lost(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PostgresStore(url) as store:
        store.create(suspended_run())
        store.post(letter("number", "a"), limit=9)
        claimed = claim(store)
        execute = store._database.execute

        def lost_once(*arguments: Any, **options: Any) -> Answer:
            monkeypatch.undo()
            execute(*arguments, **options)
            store.post(letter("number", "b"), limit=9)
            return replace(execute(*arguments, **options), is_repeated=True)

        read = store.unread("r1")
        monkeypatch.setattr(store._database, "execute", lost_once)
        saved = store.update_read(claimed.changed(stack=b"further"), read)

        assert (saved.state, saved.unread) == (RunState.RUNNING, ("number",))
        assert store.get("r1").unread == ("number",)
        assert [event.key for event in store.unread("r1")] == ["b"]
        ended = store.update(saved.changed(state=RunState.COMPLETE, claimed_until=None))
        assert plain(ended) == plain(store.get("r1"))


def test_a_creation_whose_answer_is_lost_is_found_done(
    deaf_store: PostgresStore, proxy: DeafProxy
) -> None:
    proxy.swallow_next_answer()
    assert deaf_store.create(suspended_run("r2")) == suspended_run("r2")

    proxy.swallow_next_answer()
    with pytest.raises(RunExists):
        deaf_store.create(replace(suspended_run("r2"), flow="other:flow"))

    assert proxy.swallowed == 2
    assert deaf_store.get("r2") == suspended_run("r2")


def test_a_claim_whose_answer_is_lost_is_found_won(
    deaf_store: PostgresStore, proxy: DeafProxy
) -> None:
    proxy.swallow_next_answer()

    claimed = claim(deaf_store)

    assert proxy.swallowed == 1
    expected = plain(replace(suspended_run(), state=RunState.RUNNING, turn=2))
    assert plain(claimed) == plain(deaf_store.get("r1")) == expected
    deaf_store.update(replace(claimed, state=RunState.COMPLETE))


@pytest.mark.parametrize("flows", [None, ["shop.orders:greet"]])
def test_due_runs_whose_claim_was_not_answered_are_found_claimed(
    deaf_store: PostgresStore, proxy: DeafProxy, flows: list[str] | None
) -> None:
    for number in range(3):
        deaf_store.create(replace(suspended_run(f"due {number}"), deadline=NOON))
    proxy.swallow_next_answer()

    claimed = deaf_store.claim_due(now=LATER, until=LATER, limit=2, flows=flows)

    assert proxy.swallowed == 1
    # What was claimed when the answer was lost, and what then.
    assert [run.id for run in claimed] == ["due 0", "due 1", "due 2"]
    for run in claimed:
        deaf_store.update(run.changed(state=RunState.COMPLETE))


@pytest.mark.parametrize("flows", [None, ["shop.orders:greet"]])
def test_runs_with_unread_events_whose_claim_was_not_answered_are_found_claimed(
    deaf_store: PostgresStore, proxy: DeafProxy, flows: list[str] | None
) -> None:
    deaf_store.post(letter("number", "a"), limit=9)
    proxy.swallow_next_answer()

    claimed = deaf_store.claim_unread(now=NOON, until=LATER, limit=2, flows=flows)

    assert (proxy.swallowed, [run.id for run in claimed]) == (1, ["r1"])


class Lost:
    """Has the first answer to some statements lost, and what they did undone by a failover."""

    def __init__(self, store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> None:
        self.execute = store._database.execute
        self.lost = [claims.CLAIM, runs.DELETE, runs.WRITE_SOMETHING]
        monkeypatch.setattr(store._database, "execute", self.answer)

    def answer(self, statement: Any, *arguments: Any, **options: Any) -> Answer:
        if statement not in self.lost:
            return self.execute(statement, *arguments, **options)
        self.lost.remove(statement)
        return Answer([], is_repeated=True)


def test_a_claim_that_a_failover_undid_is_taken_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PostgresStore(url) as store:
        store.create(suspended_run())
        Lost(store, monkeypatch)

        claimed = store.claim("r1", "number", now=NOON, until=LATER)

        assert claimed is not None
        assert store.claim("r1", "other", now=NOON, until=LATER) is None
        store.update(claimed.changed(state=RunState.COMPLETE))


def test_a_deletion_that_a_failover_undid_is_done_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PostgresStore(url) as store:
        store.create(replace(suspended_run(), state=RunState.COMPLETE))
        lost = Lost(store, monkeypatch)
        real = store._read

        def get(run_id: str, until: float | None = None) -> Run:
            if runs.WRITE_SOMETHING in lost.lost:  # on the server that was lost it is gone
                raise UnknownRun(run_id)
            return real(run_id, until)

        monkeypatch.setattr(store, "_read", get)

        assert store.delete("r1")

        with pytest.raises(UnknownRun):
            store.get("r1")


def test_a_look_whose_answer_is_lost_looks_again(
    deaf_store: PostgresStore, proxy: DeafProxy
) -> None:
    proxy.swallow_next_answer()

    assert deaf_store.get("r1") == suspended_run()

    assert proxy.swallowed == 1


def test_too_few_connections_are_named(url: str) -> None:
    with PostgresStore(url, max_connections=1, wait_seconds=0.2) as store:
        store.create(suspended_run())
        loan = store._database._pool.loan()
        loan.take(deadline=0)
        with pytest.raises(StoreError, match=r"all 1 connections were in use .* `max_connections`"):
            store.get("r1")
        loan.give_back()
        assert store.get("r1").id == "r1"


def test_a_fork_leaves_the_parent_its_sessions(url: str) -> None:
    script = (
        "import os, sys\n"
        "from dataclasses import replace\n"
        "from longterm.run import RunState\n"
        "from longterm.store.postgres import PostgresStore\n"
        "from longterm.testing._sample_runs import claim, suspended_run\n"
        "store = PostgresStore(sys.argv[1])\n"
        "for number in range(4):\n"
        "    store.create(suspended_run(f'r{number}'))\n"
        "children = []\n"
        "for number in range(3):\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        store.update(replace(claim(store, f'r{number}'), state=RunState.COMPLETE))\n"
        "        sys.exit()\n"
        "    children.append(child)\n"
        "print([os.waitpid(child, 0)[1] for child in children])\n"
        "store.update(replace(claim(store, 'r3'), state=RunState.COMPLETE))\n"
        "print([str(store.get(f'r{number}').state) for number in range(4)])\n"
    )
    line = [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", script, url]

    said = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)

    assert said.stderr == ""
    assert said.stdout.splitlines() == ["[0, 0, 0]", str(["complete"] * 4)]
