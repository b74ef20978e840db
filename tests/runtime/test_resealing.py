"""After a change of keys all runs are sealed anew, and the old key can be dropped."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest

from fixtures.folder_store import FolderStore
from longterm import (
    Engine,
    InvalidKey,
    NotSealed,
    NotSupported,
    RunState,
    WrongSeal,
    deflow,
    respond,
    set_keys,
    set_payload_codec,
    suspend,
)
from longterm.cli import main
from longterm.store.base import Query
from longterm.store.memory import MemoryStore
from tests.sealing import KEY, OTHER_KEY, envelope  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("envelope")
SECRET = "what nobody should read"


@deflow
def shop(name):
    bought = []
    while (item := suspend("item")) != "end":
        if item == "fail":
            raise ValueError(f"{name}: {SECRET}")
        bought.append(item)
        respond(f"{name} buys {item}")
    return bought


class Reversed:
    """A payload codec, as far as tests need one."""

    def encode(self, data):
        return data[::-1]

    def decode(self, data):
        return data[::-1]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def url(request, tmp_path):
    if request.param == "postgres":
        server = request.getfixturevalue("server")
        return server.url(request.getfixturevalue("fresh_database")())
    return f"sqlite:///{tmp_path}/runs.db" if request.param == "sqlite" else "memory://"


@pytest.fixture
def engine(url):
    engine = Engine(url)
    yield engine
    if hasattr(engine.store, "close"):
        engine.store.close()


def one_of_each(engine):
    """A run that waits, one that has ended and one that has failed."""
    waiting, done, failed = (engine.start_flow(shop, name) for name in ("Ada", "Bob", "Cy"))
    engine.process_event(waiting.id, "item", "tea")
    engine.process_event(done.id, "item", "end")
    with pytest.raises(ValueError, match="Cy"):
        engine.process_event(failed.id, "item", "fail")
    return waiting.id, done.id, failed.id


def goes_on(engine, waiting, done, failed):
    """Each run is as it should be, and goes on, with the keys in use now."""
    assert engine.get_run(waiting).response == ["Ada buys tea"]
    assert engine.process_event(waiting, "item", "end").result == ["tea"]
    assert engine.get_run(done).result == []
    assert SECRET in engine.get_run(failed).error
    with pytest.raises(ValueError, match="Cy"):  # by the event that is in its inbox
        engine.retry(failed)


def counts(report):
    return report.sealed, report.unchanged, len(report.running), len(report.refused)


def test_all_runs_go_on_when_the_old_key_is_dropped(engine):
    set_keys(KEY)
    runs = one_of_each(engine)
    set_keys(OTHER_KEY, KEY)

    report = engine.seal_runs()

    assert counts(report) == (3, 0, 0, 0)
    assert report.is_complete
    assert counts(engine.seal_runs()) == (0, 3, 0, 0)
    set_keys(OTHER_KEY)
    goes_on(engine, *runs)


def test_runs_of_before_the_first_key_are_sealed(engine):
    runs = one_of_each(engine)
    set_keys(KEY, accept_unsealed=True)

    assert counts(engine.seal_runs()) == (3, 0, 0, 0)

    set_keys(KEY)
    goes_on(engine, *runs)


def test_runs_of_before_the_payload_codec_are_encrypted(engine):
    runs = one_of_each(engine)
    set_payload_codec(Reversed())

    assert counts(engine.seal_runs()) == (3, 0, 0, 0)

    for run in engine.store.find(Query()):
        stored = f"{run.stack}{run.encoded_response}{run.encoded_error}"
        assert "buys tea" not in stored
        assert SECRET not in stored
    set_payload_codec(Reversed(), accept_plain=False)
    goes_on(engine, *runs)


def test_runs_whose_key_is_missing_are_named_and_left_alone(engine):
    set_keys(KEY)
    lost = engine.start_flow(shop, "Ada")
    set_keys(OTHER_KEY)
    good = engine.start_flow(shop, "Bob")

    report = engine.seal_runs()

    assert counts(report) == (0, 1, 0, 1)
    assert "a key that is not among those in use" in report.refused[lost.id]
    assert not report.is_complete
    assert engine.get_run(lost.id) == lost
    assert engine.get_run(good.id) == good
    with pytest.raises(WrongSeal):
        engine.process_event(lost.id, "item", "tea")


def test_run_in_a_turn_is_named_and_not_touched(engine):
    set_keys(KEY)
    run = engine.start_flow(shop, "Ada")
    claimed = engine.store.unsuspend(run.id, "item")
    set_keys(OTHER_KEY, KEY)

    report = engine.seal_runs()

    assert (report.running, report.is_complete) == ([run.id], False)
    assert engine.get_run(run.id) == claimed
    engine.store.update(replace(claimed, state=RunState.SUSPENDED))  # it was undone
    assert counts(engine.seal_runs()) == (1, 0, 0, 0)
    set_keys(OTHER_KEY)
    assert engine.process_event(run.id, "item", "end").result == []


def test_turn_that_comes_in_between_wins(engine, monkeypatch):
    set_keys(KEY)
    run = engine.start_flow(shop, "Ada")
    set_keys(OTHER_KEY, KEY)
    rewrite = engine.store.rewrite

    def late(run):
        monkeypatch.undo()
        engine.process_event(run.id, "item", "tea")
        return rewrite(run)

    monkeypatch.setattr(engine.store, "rewrite", late)

    assert counts(engine.seal_runs()) == (0, 1, 0, 0)

    set_keys(OTHER_KEY)
    assert engine.process_event(run.id, "item", "end").result == ["tea"]


def test_no_event_is_lost_or_refused_while_runs_are_sealed(url):
    set_keys(KEY)
    engine = Engine(url)
    runs = [engine.start_flow(shop, str(number)).id for number in range(8)]
    set_keys(OTHER_KEY, KEY)
    sent, failures, over = dict.fromkeys(runs, 0), [], threading.Event()

    def deliver():
        try:
            while not over.is_set():
                for run_id in runs:
                    engine.process_event(run_id, "item", str(sent[run_id]))
                    sent[run_id] += 1
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=deliver)
    thread.start()
    for _ in range(20):
        engine.seal_runs()
    over.set()
    thread.join()

    assert failures == []
    assert engine.seal_runs().is_complete
    set_keys(OTHER_KEY)
    for run_id, count in sent.items():
        bought = engine.process_event(run_id, "item", "end").result
        assert bought == [str(number) for number in range(count)]


def test_run_that_is_deleted_meanwhile_is_passed_over(monkeypatch):
    engine = Engine("memory://")
    set_keys(KEY)
    run = engine.start_flow(shop, "Ada")
    engine.process_event(run.id, "item", "end")
    set_keys(OTHER_KEY, KEY)
    rewrite = engine.store.rewrite

    def late(run):
        engine.delete(run.id)
        return rewrite(run)

    monkeypatch.setattr(engine.store, "rewrite", late)

    assert counts(engine.seal_runs()) == (0, 0, 0, 0)


def test_without_a_key_and_a_payload_codec_there_is_nothing_to_do(engine):
    set_keys()

    with pytest.raises(InvalidKey, match="there is no key"):
        engine.seal_runs()


def test_store_that_cannot_do_it_says_so(tmp_path):
    set_keys(KEY)

    with pytest.raises(NotSupported, match="finding runs"):
        Engine(FolderStore(tmp_path, desk="d")).seal_runs()


def test_more_runs_than_a_page_are_sealed(monkeypatch):
    monkeypatch.setattr("longterm._records.resealing._AT_ONCE", 2)
    engine = Engine(MemoryStore())
    for _ in range(5):
        engine.start_flow(shop, "Ada")
    set_keys(KEY, accept_unsealed=True)

    assert counts(engine.seal_runs()) == (5, 0, 0, 0)


def test_command_says_what_it_did_and_what_is_left(tmp_path, monkeypatch, capsys):
    url = f"sqlite:///{tmp_path}/runs.db"
    engine = Engine(url)
    run = engine.start_flow(shop, "Ada")
    busy = engine.start_flow(shop, "Bob")
    engine.store.unsuspend(busy.id, "item")
    set_keys(KEY)
    assert main(["--store", url, "seal"]) == 1
    assert "has no seal" in capsys.readouterr().err
    with pytest.raises(NotSealed):
        engine.process_event(run.id, "item", "tea")

    set_keys(KEY, accept_unsealed=True)
    assert main(["--store", url, "seal"]) == 1
    said = capsys.readouterr()
    assert said.out == "sealed 1, unchanged 0\n"
    assert f"longterm: run {busy.id} is in the middle of a turn" in said.err

    engine.cancel(busy.id, force=True)
    assert main(["--store", url, "seal", "--json"]) == 0
    left = {"running": [], "refused": {}, "refused_versions": {}}
    assert json.loads(capsys.readouterr().out) == {"sealed": 0, "unchanged": 2, **left}
    set_keys(KEY)
    assert engine.process_event(run.id, "item", "end").result == []
