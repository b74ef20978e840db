"""`@deflow(also="old.module:name")`: runs that know a flow by a name it had before go on."""

from __future__ import annotations

import importlib
import subprocess
import sys
from datetime import timedelta

import pytest

from longterm import CompileError, Engine, FlowChanged, KeyReused, UnknownFlow
from longterm._flows import former_names, registry
from longterm.cli import main
from longterm.testing import FakeClock
from longterm.worker import Worker
from longterm_compiler.cli import main as compile_main
from tests.advice import printed
from tests.runtime.test_kept_names import ASK, IMPORTS, OUTER, PAY, SHOP
from tests.runtime.test_kept_names import deploy as deploy
from tests.runtime.test_kept_names import engine as engine


@pytest.fixture(autouse=True)
def _forget(monkeypatch):
    monkeypatch.setattr(former_names, "_now", {})


def called(text, **former):
    """Say of each flow what it was called; of several names give a tuple."""
    for name, also in former.items():
        text = text.replace(f"@deflow\ndef {name}", f"@deflow(also={also!r})\ndef {name}")
        text = text.replace(
            f"    @deflow\n    def {name}", f"    @deflow(also={also!r})\n    def {name}"
        )
    return text


MOVED_SHOP = called(
    SHOP.replace("class Shop", "class Store"),
    order="kept_old:Shop.order", __ask="kept_old:Shop.__ask", open="kept_old:Shop.open",
    close="kept_old:Shop.close", ring="kept_old:Shop.Till.ring",
)  # fmt: skip
MOVES = {
    "moved": (PAY, "pay", {"new": called(PAY, pay="kept_old:pay", ask="kept_old:ask")}),
    "renamed": (
        ASK,
        "ask",
        {"old": called(ASK.replace("def ask", "def query"), query="kept_old:ask")},
    ),
    "moved and renamed": (
        ASK,
        "ask",
        {"new": called(ASK.replace("def ask", "def query"), query=("a.b:c", "kept_old:ask"))},
    ),
    "staticmethod": (SHOP, "Shop.open", {"new": MOVED_SHOP}),
    "nested": (SHOP, "Shop.Till().ring", {"new": MOVED_SHOP + "import sys, types\n"}),
    "inner": (OUTER, "outer", {"new": called(OUTER, outer="kept_old:outer")}),
    "with what comes before changed": (
        ASK,
        "ask",
        {"new": called(ASK.replace("    return", "    print\n    return"), ask="kept_old:ask")},
    ),
}


@pytest.mark.parametrize("case", [name for name in MOVES if name != "nested"])
def test_run_goes_on_where_its_flow_is_now(engine, deploy, case):
    text, entry, after = MOVES[case]
    (module,) = deploy(old=text)
    run = engine.start_flow(eval(entry, vars(module)), 1)
    expected = engine.process_event(engine.start_flow(eval(entry, vars(module)), 1).id, "e", 4)

    deploy(**after)
    assert run.flow in registry.known_names()
    assert engine.stuck_runs() == []
    done = engine.process_event(run.id, "e", 4)

    assert (done.result, done.waiting_for, done.flow) == (
        *(expected.result, expected.waiting_for, run.flow),
    )
    if done.waiting_for:
        assert engine.process_event(run.id, "f", 7).result == [5, 7]


def test_an_instance_of_a_class_that_moved_with_its_flows_needs_its_old_name(engine, deploy):
    (module,) = deploy(old=SHOP)
    run = engine.start_flow(module.Shop().order, 1)

    deploy(new=MOVED_SHOP, old="from kept_new import Store as Shop\n")

    assert engine.process_event(run.id, "e", 4).result == 5


def test_what_else_has_changed_is_refused_as_ever(engine, deploy):
    (module,) = deploy(old=ASK)
    run = engine.start_flow(module.ask, 1)

    deploy(new=called(ASK.replace("return x", "return 2 * x"), ask="kept_old:ask"))
    with pytest.raises(FlowChanged, match="flow kept_old:ask has changed"):
        engine.process_event(run.id, "e", 4)
    ((stuck, why),) = engine.stuck_runs()
    assert (stuck.id, why.partition(":")[0]) == (run.id, "kept_old")


def test_the_argument_is_no_part_of_the_version(deploy):
    (module,) = deploy(old=ASK)
    before = registry.flow_of(module.ask).version
    (module,) = deploy(old=called(ASK, ask="kept_other:ask"))

    assert registry.flow_of(module.ask).version == before


def test_workers_take_runs_that_wait_in_a_queue_or_for_their_begin(deploy):
    engine = Engine("memory://", clock=FakeClock())
    (module,) = deploy(old=ASK)
    engine.queue("letters", concurrency=1)
    queued = engine.start(module.ask, (1,), queue="letters")
    later = engine.start(module.ask, (2,), at=timedelta(days=1))

    deploy(new=called(ASK, ask="kept_old:ask"))
    worker = Worker(engine)
    worker.run_once()
    assert engine.get_run(queued.id).waiting_for == "e"
    engine.clock.advance(timedelta(days=1))
    worker.run_once()
    engine.clock.advance(timedelta(days=1))
    worker.run_once()
    assert [engine.get_run(run.id).result for run in (queued, later)] == [2, 3]


def test_a_schedule_goes_on_and_is_not_declared_twice(deploy):
    pytest.importorskip("cronsim")
    engine = Engine("memory://", clock=FakeClock())
    (module,) = deploy(old=ASK)
    before = engine.schedule(module.ask, "0 3 * * *", args=(1,))
    first = before.deadline

    (module,) = deploy(new=called(ASK, ask="kept_old:ask"))
    engine.clock.advance(first - engine.clock.now())
    Worker(engine).run_once()
    after = engine.schedule(module.ask, "0 3 * * *", args=(1,))

    (only,) = engine.schedules()
    assert (only.run_id, only.flow) == (before.id, "kept_new:ask")
    assert after.deadline == first + timedelta(days=1)
    engine.clock.advance(after.deadline - engine.clock.now())
    Worker(engine).run_once()
    begun = [run.id for run in engine.find_runs() if run.id != before.id]
    assert len(begun) == 2, begun


@pytest.mark.parametrize("after", [{"new": called(ASK, ask="kept_old:ask")},
                                   {"new": ASK, "old": "from kept_new import ask\n"}])  # fmt: skip
def test_a_start_under_an_id_is_the_same_after_its_flow_has_moved(engine, deploy, after):
    (module,) = deploy(old=ASK)
    engine.start(module.ask, (1,), id="order-1")

    module, *_ = deploy(**after)
    again = engine.start(module.ask, (1,), id="order-1")
    assert (again.is_duplicate, again.flow) == (True, "kept_old:ask")
    with pytest.raises(KeyReused):
        engine.start(module.ask, (2,), id="order-1")

    (module,) = deploy(new=ASK)
    with pytest.raises(KeyReused):
        engine.start(module.ask, (1,), id="order-1")


def test_the_command_line_knows_the_name(deploy, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LONGTERM_URL", f"sqlite:///{tmp_path}/runs.db")
    engine = Engine(f"sqlite:///{tmp_path}/runs.db")
    (module,) = deploy(old=ASK)
    run = engine.start_flow(module.ask, 1)
    deploy(new=called(ASK, ask="kept_old:ask"))

    assert main(["check"]) == 0
    assert "go on: the same code" in capsys.readouterr().out
    assert main(["runs", "--stuck"]) == 0
    assert main(["show", run.id]) == 0
    assert "kept_old:ask at line " in capsys.readouterr().out
    assert main(["send", run.id, "e", "4"]) == 0
    assert engine.get_run(run.id).result == 5
    engine.store.close()


def test_a_name_that_cannot_be_kept_is_refused(deploy):
    with printed("write the one that it had, such as 'old_module:old_name'"):
        deploy(new=called(ASK, ask="ask"))
    with printed("write the one that it had, such as 'old_module:old_name'"):
        deploy(new=called(ASK, ask=(7,)))
    deploy(new=called(ASK, ask="old_module:old_name"))

    inner = OUTER.replace("    @deflow\n", "    @deflow(also='kept_old:inner')\n")
    with printed("give the flow around its old name"):
        deploy(new=inner + "outer(1)\n")
    deploy(new=called(OUTER, outer="kept_old:outer"))


@pytest.mark.parametrize("also", [{"pay": "kept_new:ask"}, {"ask": "kept_new:pay"}])
def test_the_name_of_a_flow_that_is_here_is_refused(deploy, also):
    with printed("leave it out, or take that flow away"):
        deploy(new=called(PAY, **also))
    deploy(new=PAY)
    deploy(new=called(ASK, ask="kept_new:pay"))


def test_the_name_that_two_flows_had_is_refused(deploy):
    with printed("leave it out in one of them"):
        deploy(new=called(PAY, ask="a:b", pay="a:b"))
    deploy(new=called(PAY, ask="a:b"))


def test_a_name_that_is_ones_own_does_no_harm(engine, deploy):
    (module,) = deploy(old=called(ASK, ask=("kept_old:ask", "kept_old:ask")))
    assert engine.process_event(engine.start_flow(module.ask, 1).id, "e", 4).result == 5


def test_without_the_name_the_flow_is_not_known(engine, deploy):
    (module,) = deploy(old=ASK)
    run = engine.start_flow(module.ask, 1)
    deploy(new=called(ASK, ask="kept_old:asked"))
    with pytest.raises(UnknownFlow, match="kept_old:ask"):
        engine.process_event(run.id, "e", 4)


WRAPPED = """\
import functools
def wrapping(f):
    @functools.wraps(f)
    def wrapper(*args):
        return f(*args)
    return wrapper
"""


def test_a_decorator_below_is_refused_as_ever(deploy):
    with pytest.raises(CompileError, match="was put on what another decorator made of"):
        deploy(new=WRAPPED + called(ASK, ask="a:b").replace("\ndef ask", "\n@wrapping\ndef ask"))
    made = "def plain(x):\n    return x\nmade = deflow(also='a:b')(plain)\n"
    (module,) = deploy(new=IMPORTS + made + "again = deflow(plain, also='a:c')\n")
    assert module.made is module.again is module.plain
    assert registry.flow_named("a:b") is registry.flow_named("a:c")


def test_a_written_module_keeps_the_name(deploy, tmp_path):
    (tmp_path / "kept_new.py").write_text(called(PAY, pay="kept_old:pay", ask="kept_old:ask"))
    assert compile_main(["--output", str(tmp_path / "build"), str(tmp_path / "kept_new.py")]) == 0
    script = (
        "import kept_new\nfrom longterm._flows.registry import flow_named\n"
        "print(flow_named('kept_old:ask').name, 'longterm_compiler' in __import__('sys').modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path / "build", capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout == "kept_new:ask False\n"
    importlib.invalidate_caches()
