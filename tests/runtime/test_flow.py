"""`@deflow` changes a function's code and nothing else that anyone can see."""

from __future__ import annotations

import functools
import inspect
import os
import subprocess
import sys

import pytest

import longterm
from longterm import CompileError, Engine, NotAFlow, deflow, suspend
from longterm.testing import interpret, play


def _original(greet: str, /, name: str = "you", *rest: int, loud: bool, **more: object) -> str:
    """Greet somebody."""
    return f"{greet} {name} {rest} {loud} {more} {suspend('sign')}"


@deflow
def decorated(greet: str, /, name: str = "you", *rest: int, loud: bool, **more: object) -> str:
    """Greet somebody."""
    return f"{greet} {name} {rest} {loud} {more} {suspend('sign')}"


class Account:
    """Holds a balance; its methods are flows."""

    def __init__(self, balance: int) -> None:
        self.balance = balance

    @deflow
    def deposit(self) -> int:
        """Deposit what the customer names."""
        self.balance += suspend("amount")
        return self.__doubled()

    def __doubled(self) -> int:
        return self.balance * 2

    @deflow
    def private_slot(self) -> int:
        __kept = self.balance
        self.balance = suspend("amount")
        return __kept + self.balance

    @staticmethod
    @deflow
    def fixed(rate: int) -> int:
        return rate + suspend("extra")

    @classmethod
    @deflow
    def opened(cls, note: str) -> object:
        return cls(suspend(note)).balance


class Savings(Account):
    @deflow
    def deposit(self) -> int:
        total = super().deposit()
        return total + suspend("interest")


class Late(Account):
    @deflow
    def deposit(self):
        more = suspend("first")
        return super().deposit() + more

    @deflow
    def captured_self(self):
        mine = lambda: self.balance  # noqa: E731
        more = suspend("first")
        return super().fixed(more) + mine()


def test_super_after_a_suspend_finds_the_method():
    assert play(Late(1).deposit, events=[100, 2]).result == 106
    assert play(Late(1).captured_self, events=[100, 2]).result == 103


def test_name_signature_documentation_and_annotations_stay():
    assert decorated.__name__ == "decorated"
    assert decorated.__qualname__ == "decorated"
    assert decorated.__doc__ == _original.__doc__
    assert inspect.signature(decorated) == inspect.signature(_original)
    assert decorated.__annotations__ == _original.__annotations__
    assert decorated.__module__ == __name__


def test_source_is_the_authors():
    source = inspect.getsource(decorated)

    assert source.startswith("@deflow\ndef decorated(")
    assert source.endswith("{suspend('sign')}\"\n")


def test_decorating_returns_the_same_function():
    def twice(x):
        return x

    assert deflow(twice) is twice
    assert deflow(deflow(twice)) is twice


def test_any_signature_plays_through_a_suspend():
    engine = Engine("memory://")
    run = engine.start_flow(decorated, "hi", "Ann", 1, 2, loud=True, x=None)

    run = engine.process_event(run.id, "sign", "!")

    assert run.result == "hi Ann (1, 2) True {'x': None} !"


def test_method_keeps_self_across_a_suspend():
    assert play(Account(5).deposit, events=[10]).result == 30
    assert play(Account(5).private_slot, events=[10]).result == 15


def test_static_and_class_methods_are_flows():
    assert play(Account.fixed, [1], [2]).result == 3
    assert play(Account.opened, ["amount"], [7]).result == 7


def test_super_works_after_a_resume():
    assert play(Savings(1).deposit, events=[2, 100]).result == 106


def test_inner_flow_without_free_variables_is_a_flow():
    @deflow
    def inner(x):
        return x + suspend("more")

    assert play(inner, [1], [2]).result == 3


def test_inner_flow_of_a_plain_function_with_its_variables_is_refused():
    secret = 5

    @deflow
    def inner(x):
        y = suspend("more")
        return x + y + secret

    with pytest.raises(longterm.CannotSuspend, match="'secret' of the plain function around it"):
        Engine("memory://").start_flow(inner, 1)


def test_calling_a_flow_outside_of_a_run_runs_it_until_it_suspends():
    @deflow
    def straight(x):
        return suspend("never") if x < 0 else x * 2

    assert straight(4) == 8
    with pytest.raises(longterm.NotInRun, match=r"suspend\(\) was called outside of a run"):
        straight(-1)


@pytest.mark.parametrize("value", [len, print, "text", functools.partial(len)])
def test_decorating_what_is_no_function_is_refused(value):
    with pytest.raises(CompileError, match="no plain function"):
        deflow(value)


def test_decorating_a_staticmethod_names_the_right_order():
    with pytest.raises(CompileError, match="write @staticmethod above @deflow"):
        deflow(staticmethod(lambda: None))


def test_decorating_a_class_is_refused():
    with pytest.raises(CompileError, match="put it on its methods"):
        deflow(Account)


def test_decorating_a_lambda_is_refused():
    with pytest.raises(CompileError, match=r"the lambda at .*test_flow.py:\d+ cannot be a flow"):
        deflow(lambda: suspend("a"))


def test_function_without_source_is_refused():
    namespace: dict[str, object] = {}
    exec("def made(): pass", namespace)

    with pytest.raises(CompileError, match="its source is not to be found"):
        deflow(namespace["made"])


def test_starting_what_is_no_flow_is_refused():
    with pytest.raises(NotAFlow, match="len is not a flow"):
        Engine("memory://").start_flow(len, [])


def test_starting_a_flow_under_another_decorator_says_what_is_in_the_way():
    with pytest.raises(NotAFlow, match="no decorator above it that hands on another one"):
        Engine("memory://").start_flow(functools.lru_cache(Account.deposit), 1)


def test_interpret_and_play_agree_on_a_method():
    events = [3]

    assert interpret(Account(5).deposit, events=events) == play(Account(5).deposit, events=events)


@pytest.mark.parametrize("first", ["circle_a", "circle_b"])
def test_version_does_not_depend_on_the_order_of_imports(tmp_path, monkeypatch, first):
    (tmp_path / "circle_a.py").write_text(
        "import circle_b\nfrom longterm import deflow, suspend\n\n\n"
        "@deflow\ndef f(x):\n    y = 1 + circle_b.helper(x)\n    return y + suspend('e')\n"
    )
    (tmp_path / "circle_b.py").write_text("import circle_a\n\n\ndef helper(x):\n    return x\n")
    script = f"import {first}, circle_a; from longterm._flows.registry import flow_of; " + (
        "print(flow_of(circle_a.f).version)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["", *filter(None, sys.path)])},
        capture_output=True,
        text=True,
    )

    assert done.stderr == ""
    versions.add(done.stdout)
    assert len(versions) == 1


versions: set[str] = set()


def test_python_without_columns_is_refused_also_when_the_flow_is_cached(tmp_path):
    (tmp_path / "app.py").write_text(
        "from longterm import deflow, suspend\n\n\n@deflow\ndef f():\n    return suspend('e')\n"
    )

    def imported(*options: str) -> str:
        done = subprocess.run(
            [sys.executable, *options, "-c", "import app"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(["", *filter(None, sys.path)])},
            capture_output=True,
            text=True,
        )
        return done.stderr

    for _ in ("nothing is cached yet", "now it is"):
        refused = imported("-X", "no_debug_ranges")
        assert "cannot make f a flow: Python runs without columns in code objects" in refused
        assert imported() == ""


step = deflow
pause = suspend


@step
def aliased(question):
    return pause(question)


@step
def doubled():
    return aliased("one") + sum([aliased("two") for _ in "ab"])


def test_flows_are_known_under_other_names_of_deflow_and_suspend():
    engine = Engine("memory://")
    run = engine.start_flow(doubled)
    for value in (1, 2, 3):
        run = engine.process_event(run.id, run.waiting_for, value)

    assert run.result == 6
