"""Runs that wait in queues: begun within their limits, in turn, and by workers only."""

import asyncio
import json
import logging
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing
from datetime import timedelta

import pytest

import longterm
from longterm import (
    Engine,
    InvalidQueue,
    NotSupported,
    RunState,
    UnknownQueue,
    _api,
    checkpoint,
    deflow,
    spawn,
    suspend,
)
from longterm.cli import main
from longterm.worker import Worker
from tests.runtime.test_first_turn import FourMethods

MINUTE = timedelta(minutes=1)
calls = []


@pytest.fixture
def engine(each_engine):
    return each_engine


@pytest.fixture(autouse=True)
def fresh():
    calls.clear()


@deflow
def work(name):
    calls.append(name)
    return name


@deflow
def ask(name):
    calls.append(name)
    return suspend("answer")


@deflow
def fails(name):
    calls.append(name)
    raise ValueError(name)


@deflow
async def awork(name):
    calls.append(name)
    return name


def fill(engine, number, *, flow=work, **place):
    return [engine.start(flow, (n,), queue="mail", **place) for n in range(number)]


def running(engine):
    return sum(status.running for status in engine.queues())


# -- starting -----------------------------------------------------------------------------------


def test_a_run_waits_in_its_queue_for_a_worker(engine):
    engine.queue("mail", concurrency=2)

    run = engine.start(work, ("a",), queue="mail", partition="acme", id="a")

    assert (run.state, run.queue, run.partition) == (RunState.SUSPENDED, "mail", "acme")
    assert calls == []
    assert (run.to_dict()["queue"], run.to_dict()["partition"]) == ("mail", "acme")
    assert engine.start(work, ("a",), queue="mail", partition="acme", id="a").is_duplicate
    assert engine.run_pending() == 1
    done = engine.get_run("a")
    assert (done.state, done.result, done.queue) == (RunState.COMPLETE, "a", None)


def test_an_async_flow_waits_too(engine):
    engine.queue("mail")

    async def begin():
        run = await engine.astart(awork, ("a",), queue="mail")
        assert calls == []
        assert await engine.arun_pending() == 1
        return await engine.aget_run(run.id)

    assert asyncio.run(begin()).result == "a"


def test_a_run_in_a_queue_begins_later(engine, clock):
    engine.queue("mail")
    run = engine.start(work, ("a",), queue="mail", at=MINUTE)

    assert engine.run_pending() == 0
    clock.advance(MINUTE)
    assert engine.run_pending() == 1
    assert engine.get_run(run.id).state is RunState.COMPLETE


def test_a_run_begins_in_a_transaction_of_the_callers(tmp_path):
    import sqlite3

    with closing(Engine(f"sqlite:///{tmp_path}/runs.db").store) as store:
        engine = Engine(store)
        engine.queue("mail")
        with closing(sqlite3.connect(tmp_path / "runs.db")) as connection, connection:
            run = engine.within(connection).start(work, ("a",), queue="mail", partition="b")

        assert (run.queue, run.partition) == ("mail", "b")
        assert engine.run_pending() == 1


def test_a_queue_that_was_never_declared_is_refused(engine):
    engine.queue("mail")

    with pytest.raises(UnknownQueue, match=r"engine\.queue\('mial'\)") as refused:
        engine.start(work, ("a",), queue="mial")

    assert refused.value.name == "mial"
    assert engine.run_pending() == 0


def test_what_another_process_has_declared_is_known(tmp_path):
    url = f"sqlite:///{tmp_path}/runs.db"
    with closing(Engine(url).store) as one, closing(Engine(url).store) as other:
        Engine(one).queue("mail", concurrency=1)

        assert Engine(other).start(work, ("a",), queue="mail").queue == "mail"


@pytest.mark.parametrize(
    "place",
    [
        *({"queue": name} for name in ("", "a\nb", "x" * 101, 7)),
        *({"queue": "mail", "partition": name} for name in ("a\0b", "x" * 201, 7)),
        {"partition": "acme"},
    ],
)
def test_what_can_be_no_place_is_refused(engine, place):
    engine.queue("mail")

    with pytest.raises(InvalidQueue):
        engine.start(work, ("a",), **place)


@pytest.mark.parametrize(
    ("argument", "limits"),
    [
        *(("concurrency", {"concurrency": n}) for n in (0, -1, 1.5, True, "3", 2**31)),
        ("per_partition", {"per_partition": 0}),
        *(
            ("rate", {"rate": r})
            for r in (5, (0, MINUTE), (5, 60), (5, timedelta(0)), (True, MINUTE))
        ),
    ],
)
def test_limits_that_allow_nothing_are_refused(engine, argument, limits):
    with pytest.raises(InvalidQueue) as refused:
        engine.queue("mail", **limits)

    assert refused.value.argument == argument
    assert engine.queues() == []


def test_a_store_without_queues_says_so():
    engine = Engine(FourMethods())

    with pytest.raises(NotSupported, match="queues"):
        engine.queue("mail")
    with pytest.raises(NotSupported, match="queues"):
        engine.start(work, ("a",), queue="mail")


def test_a_change_of_limits_is_logged_once(engine, caplog):
    engine.queue("mail", concurrency=2)
    with caplog.at_level(logging.WARNING, "longterm"):
        engine.queue("mail", concurrency=2)
        assert caplog.messages == []
        engine.queue("mail", rate=(5, MINUTE))

    (message,) = caplog.messages
    assert "concurrency=2" in message
    assert "rate=5 in 0:01:00" in message


# -- slots --------------------------------------------------------------------------------------


def test_a_run_that_waits_for_an_event_holds_no_slot(engine):
    engine.queue("mail", concurrency=1)
    first, second = fill(engine, 2, flow=ask)

    assert engine.run_pending() == 2

    assert sorted(calls) == [0, 1]
    assert running(engine) == 0
    assert engine.process_event(first.id, "answer", "yes").result == "yes"
    assert engine.get_run(second.id).queue is None


def test_a_slot_is_held_to_the_end_of_the_turn(engine):
    engine.queue("mail", concurrency=1)
    fill(engine, 1, flow=goes_on)
    seen.clear()
    seen.append(engine)

    engine.run_pending()

    assert seen[1:] == [1, 1]
    assert running(engine) == 0


seen = []


@deflow
def goes_on(name):
    seen.append(running(seen[0]))
    checkpoint()
    seen.append(running(seen[0]))


def test_a_failed_run_gives_its_slot_back(engine):
    engine.queue("mail", concurrency=1)
    runs = fill(engine, 2, flow=fails)

    assert engine.run_pending() == 2
    assert {engine.get_run(run.id).state for run in runs} == {RunState.FAILED}
    assert running(engine) == 0


def test_a_cancel_waits_for_no_slot(engine):
    engine.queue("mail", concurrency=1, rate=(1, MINUTE))
    fill(engine, 2)
    engine.run_pending()
    (waiting,) = engine.find_runs(state="suspended")

    assert engine.cancel(waiting.id).state is RunState.CANCELLED
    assert len(calls) == 1


def test_a_run_that_was_given_back_waits_in_its_queue_again(engine):
    engine.queue("mail", concurrency=1)
    (run,) = fill(engine, 1)
    (turn,) = engine._due.claim(1)
    assert running(engine) == 1

    engine._due.release([turn])

    assert (engine.get_run(run.id).queue, running(engine)) == ("mail", 0)
    assert engine.run_pending() == 1


def test_a_run_that_cannot_go_on_here_waits_in_its_queue_again(engine, clock, monkeypatch):
    engine.queue("mail", concurrency=1)
    (run,) = fill(engine, 1)

    def refuse(*_):
        raise longterm.FlowChanged("m:f", 1, "it is gone")

    with monkeypatch.context() as patched:
        patched.setattr(engine._turns, "advance_due", refuse)
        assert engine.run_pending() == 1
    parked = engine.get_run(run.id)
    assert (parked.state, parked.queue) == (RunState.SUSPENDED, "mail")
    assert engine.run_pending() == 0
    clock.advance(2 * MINUTE)
    assert engine.run_pending() == 1
    assert engine.get_run(run.id).state is RunState.COMPLETE


def test_what_a_queued_run_sends_a_parent_or_child_arrives(engine):
    engine.queue("mail", concurrency=1)
    run = engine.start(begins, queue="mail")

    engine.run_pending()

    assert engine.get_run(run.id).result == "child"


@deflow
def begins():
    return suspend(spawn(work, "child"))


# -- limits -------------------------------------------------------------------------------------


def test_a_rate_is_kept_to_the_second(engine, clock):
    engine.queue("mail", rate=(2, MINUTE))
    fill(engine, 5)
    begun = []
    for _ in range(130):
        before = len(calls)
        engine.run_pending()
        begun += [clock.now()] * (len(calls) - before)
        clock.advance(timedelta(seconds=1))

    first = begun[0]
    assert [(moment - first).seconds for moment in begun] == [0, 0, 60, 60, 120]


def test_a_tenant_with_much_keeps_no_other_waiting(engine):
    engine.queue("mail")
    for number in range(20):
        engine.start(work, (f"big {number}",), queue="mail", partition="big")
    for tenant in ("a", "b", "c"):
        engine.start(work, (tenant,), queue="mail", partition=tenant)

    engine.run_pending(limit=4)

    assert {"a", "b", "c"} < set(calls)


def test_a_worker_takes_only_from_the_queues_that_it_is_given(engine):
    engine.queue("mail")
    engine.queue("print")
    engine.start(work, ("mail",), queue="mail")
    engine.start(work, ("print",), queue="print")
    engine.start(work, ("none",), at=-MINUTE)

    assert Worker(engine, queues=["print"]).run_once() == 1
    assert calls == ["print"]
    assert Worker(engine).run_once() == 2


def test_a_worker_needs_queues_that_can_be():
    with pytest.raises(InvalidQueue):
        Worker(Engine("memory://"), queues=[""])


def test_whoever_joins_a_queued_run_waits_for_its_turn(engine):
    engine.queue("mail")
    (run,) = fill(engine, 1)

    with pytest.raises(longterm.JoinTimeout):
        engine.join(run.id, timeout=0.05)
    engine.run_pending()
    assert engine.join(run.id, timeout=1).result == 0


def test_the_command_shows_what_is_in_them(tmp_path, capsys):
    url = f"sqlite:///{tmp_path}/runs.db"
    engine = Engine(url)
    engine.queue("mail", concurrency=1, rate=(5, MINUTE))
    engine.queue("print", per_partition=2)
    fill(engine, 3, partition="acme")
    (turn,) = engine._due.claim(1)

    assert main(["--store", url, "queues"]) == 0
    heads, mail, printing = capsys.readouterr().out.splitlines()
    assert heads.split()[:4] == ["queue", "waiting", "running", "oldest"]
    assert mail.split() == ["mail", "2", "1", mail.split()[3], "s", "1", "5", "in", "0:01:00"]
    assert printing.split() == ["print", "0", "0", "2"]
    assert main(["--store", url, "queues", "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert found[0]["oldest_seconds"] >= 0
    assert found[0]["rate"] == {"runs": 5, "seconds": 60.0}
    assert (found[1]["queue"], found[1]["oldest_seconds"]) == ("print", None)

    assert main(["--store", url, "runs"]) == 0
    assert capsys.readouterr().out.count("suspended, queued") == 2
    (waiting, _) = engine.find_runs(state="suspended")
    assert main(["--store", url, "show", waiting.id]) == 0
    assert re.search("queue: +mail\npartition: +acme\n", capsys.readouterr().out)
    engine._due.release([turn])
    engine.store.close()


def test_a_worker_for_a_queue_that_nobody_has_declared_says_so(tmp_path):
    url = f"sqlite:///{tmp_path}/runs.db"
    engine = Engine(url)
    engine.queue("mail")
    engine.store.close()
    command = [sys.executable, "-m", "longterm.cli", "--store", url]
    worker = subprocess.Popen(
        [*command, "worker", "--queue", "mial", "--queue", "mail"],
        stderr=subprocess.PIPE,
        text=True,
    )
    said = []
    for line in worker.stderr:
        said.append(line)
        if "worker started" in line:
            worker.terminate()
    worker.stderr.close()

    assert worker.wait(timeout=30) == 0
    (warning,) = [line for line in said if "not declared" in line]
    assert "'mial'" in warning


# -- the default engine -------------------------------------------------------------------------


@pytest.fixture
def default(monkeypatch):
    monkeypatch.setattr(_api, "_declarations", [])
    monkeypatch.setattr(_api, "_told", 0)
    monkeypatch.setattr(_api, "_engine", None)


def test_a_module_may_declare_a_queue_before_the_store_is_set(default, tmp_path):
    longterm.queue("mail", concurrency=3)
    assert _api._engine is None
    longterm.set_runstore("memory://")

    (status,) = _api.default_engine().queues()
    assert (status.queue.name, status.queue.concurrency) == ("mail", 3)
    longterm.set_runstore("memory://")
    assert len(_api.default_engine().queues()) == 1


def test_a_module_is_told_at_once_what_cannot_be(default):
    with pytest.raises(InvalidQueue):
        longterm.queue("mail", concurrency=0)
    assert _api.default_engine().queues() == []


def test_a_declaration_that_cannot_be_stored_now_is_tried_again(default, monkeypatch):
    longterm.queue("mail")
    longterm.set_runstore(FourMethods())
    for _ in range(2):
        with pytest.raises(NotSupported):
            longterm.get_run("r1")
    longterm.set_runstore("memory://")
    assert len(_api.default_engine().queues()) == 1


# -- many workers -------------------------------------------------------------------------------


class Watch:
    """Counts what runs at once, over all and by partition."""

    def __init__(self):
        self.lock = threading.Lock()
        self.now = Counter()
        self.most = Counter()
        self.order = []
        self.are_three = threading.Event()
        """Whether three have run at once: the first wait for it, however slow the machine is."""

    def __call__(self, tenant):
        with self.lock:
            self.order.append(tenant)
            for key in ("all", tenant):
                self.now[key] += 1
                self.most[key] = max(self.most[key], self.now[key])
            if self.now["all"] == 3:
                self.are_three.set()
        self.are_three.wait(5)
        self.are_three.set()
        time.sleep(0.004)
        with self.lock:
            for key in ("all", tenant):
                self.now[key] -= 1


watch = Watch()


@deflow
def watched(tenant):
    watch(tenant)


@pytest.mark.parametrize(
    "limits", [{"concurrency": 3}, {"per_partition": 1}, {"concurrency": 4, "per_partition": 2}]
)
def test_eight_workers_never_run_more_than_a_queue_allows(every_engine, limits, monkeypatch):
    monkeypatch.setitem(globals(), "watch", Watch())
    engine = Engine(every_engine.store)
    engine.queue("mail", **limits)
    tenants = [f"t{n}" for n in range(5)]
    for tenant in tenants:
        for _ in range(20 if tenant == "t0" else 4):
            engine.start(watched, (tenant,), queue="mail", partition=tenant)

    work_until_empty(engine, 8)

    most = watch.most
    assert len(watch.order) == 36
    assert most["all"] <= limits.get("concurrency", 5)
    assert max(most[tenant] for tenant in tenants) <= limits.get("per_partition", 20)
    assert most["all"] >= min(3, limits.get("concurrency", 3))  # and it uses what it may
    assert set(watch.order[:10]) == set(tenants)
    assert running(engine) == 0


def work_until_empty(engine, number):
    workers = [Worker(engine, threads=2, poll=timedelta(seconds=0.02)) for _ in range(number)]
    threads = [threading.Thread(target=worker.run) for worker in workers]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 60
    while any(status.waiting or status.running for status in engine.queues()):
        assert time.monotonic() < end
        time.sleep(0.02)
    for worker in workers:
        worker.stop()
    for thread in threads:
        thread.join()
