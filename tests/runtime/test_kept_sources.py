"""The source of each version that runs wait in is kept once, as data."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from longterm import Engine, StoreError, checkpoint, deflow, set_keys, set_payload_codec, suspend
from longterm._abi.verdict import Verdict
from longterm._engine.parts import versions_wanted
from longterm._flows.registry import flow_of
from longterm._flows.sources import compiled, source_of, version_name
from longterm._turns.kept_sources import find_source
from longterm.errors import CompileError, CorruptData
from longterm.store.memory import MemoryStore
from tests.sealing import KEY, OTHER_KEY, envelope  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("envelope")


@deflow
def ask(question):
    return question, suspend("answer")


@deflow
def outer(questions):
    answers = []
    for question in questions:
        answers.append(ask(question))
    return answers


@deflow
def saved_on():
    checkpoint()
    return 1


class Shop:
    @deflow
    def sell(self):
        @deflow
        def inner():
            return suspend("paid")

        return inner()


class Counting(MemoryStore):
    """A store that counts what is asked about versions."""

    asked = 0

    def find_version(self, version):
        self.asked += 1
        return super().find_version(version)


class Hiding:
    """A payload codec, as far as tests need one."""

    def encode(self, data):
        return data[::-1]

    def decode(self, data):
        return data[::-1]


def kept(store, function):
    flow = flow_of(function)
    return find_source(store, flow.name, flow.version)


def test_the_source_of_all_flows_on_the_stack_is_kept(each_engine):
    each_engine.start_flow(outer, ["why", "how"])

    source = kept(each_engine.store, ask)

    assert source.text == Path(__file__).read_text()
    assert source.path == __file__
    assert source.flow == f"{__name__}:ask"
    assert source.version == flow_of(ask).version
    assert source.text.splitlines()[source.first_line - 1] == "@deflow"
    assert source.line_of(1) == 'return question, suspend("answer")'
    assert source.line_of(2) == ""
    assert kept(each_engine.store, outer).line_of(1) == "answers.append(ask(question))"


def test_a_store_is_asked_once_a_process_and_version():
    store = Counting()
    engine = Engine(store)

    run = engine.start_flow(outer, ["why", "how", "when"])
    for _ in range(2):
        engine.process_event(run.id, "answer", "so")
    engine.start_flow(outer, ["where"])
    assert store.asked == 2

    Engine(store).start_flow(ask, "why")
    assert store.asked == 3


def test_methods_and_flows_inside_are_kept_by_their_names(each_engine):
    each_engine.start_flow(Shop().sell)

    assert kept(each_engine.store, Shop.sell).line_of(1) == "return inner()"
    names = each_engine.store.find_versions(f"{__name__}:Shop.sell.<locals>.inner@")
    flow, _, version = names[0].rpartition("@")
    inner = find_source(each_engine.store, flow, version)
    assert inner.line_of(1) == 'return suspend("paid")'
    assert (inner.qualname, inner.module) == ("Shop.sell.<locals>.inner", __name__)


def test_a_checkpoint_keeps_it_too():
    engine = Engine("memory://")

    engine.start_flow(saved_on)

    assert kept(engine.store, saved_on).line_of(1) == "checkpoint()"


def test_it_can_be_left_out():
    engine = Engine("memory://", versions="off")

    engine.start_flow(ask, "why")

    assert engine.store.find_versions("") == []
    with pytest.raises(ValueError, match="versions='no' is neither 'on' nor 'off'"):
        Engine("memory://", versions="no")


def test_a_store_that_cannot_keep_it_costs_no_turn(caplog):
    class Full(MemoryStore):
        def keep_version(self, version, source):
            raise StoreError("the disk is full")

    engine = Engine(Full())
    with caplog.at_level(logging.WARNING, "longterm"):
        run = engine.start_flow(outer, ["why", "how"])
        engine.process_event(run.id, "answer", "so")

    assert engine.get_run(run.id).turn == 2
    said = [record.getMessage() for record in caplog.records]
    names = [version_name(flow_of(each).name, flow_of(each).version) for each in (outer, ask)]
    assert said == [f"the source of {name} could not be kept (StoreError)" for name in names]


def test_it_is_sealed_and_hidden_like_all_that_is_stored():
    set_keys(KEY)
    set_payload_codec(Hiding())
    store = MemoryStore()

    Engine(store).start_flow(ask, "why")

    name = version_name(flow_of(ask).name, flow_of(ask).version)
    sealed = store.find_version(name)
    assert kept(store, ask).line_of(1) == 'return question, suspend("answer")'
    other = version_name(flow_of(outer).name, flow_of(outer).version)
    store.keep_version(other, sealed)
    with pytest.raises(CorruptData, match="somebody moved the bytes"):
        kept(store, outer)
    store.rewrite_version(name, sealed[:-9] + b"x" + sealed[-8:])
    with pytest.raises(CorruptData, match=f"the seal of the source of {name} does not fit"):
        kept(store, ask)


def test_it_is_sealed_anew_with_the_runs():
    set_keys(OTHER_KEY)
    engine = Engine("memory://")
    engine.start_flow(ask, "why")
    set_keys(KEY, OTHER_KEY)

    assert engine.seal_runs().is_complete

    set_keys(KEY)
    assert kept(engine.store, ask) is not None
    set_keys(OTHER_KEY)
    report = engine.seal_runs()
    assert version_name(flow_of(ask).name, flow_of(ask).version) in report.refused_versions
    assert not report.is_complete


@pytest.mark.parametrize("damage", [b"", b"\xc1", b"\x04\x00\x00"])
def test_damage_is_named(damage):
    engine = Engine("memory://")
    engine.start_flow(ask, "why")
    engine.store.rewrite_version(version_name(flow_of(ask).name, flow_of(ask).version), damage)

    with pytest.raises(CorruptData):
        kept(engine.store, ask)


def test_what_is_kept_can_be_compiled_again():
    engine = Engine("memory://")
    engine.start_flow(outer, ["why"])
    engine.start_flow(Shop().sell)

    assert kept(engine.store, outer) == source_of(flow_of(outer))
    for name in engine.store.find_versions(""):
        flow, _, version = name.rpartition("@")
        again = compiled(find_source(engine.store, flow, version))
        assert again.version == version
        assert again.points


def test_what_a_name_stood_for_is_kept(monkeypatch):
    engine = Engine("memory://")
    engine.start_flow(ask, "why")
    source = kept(engine.store, ask)
    assert ("longterm", ("suspend",)) not in [each[:2] for each in source.verdicts]

    text = source.text.replace(
        "from longterm import", "from gone import lost\nfrom longterm import", 1
    ).replace('question, suspend("answer")', "lost(question)")
    changed = replace(source, text=text, first_line=source.first_line + 1)
    with pytest.raises(CompileError, match=r"is version \w+ for this longterm"):
        compiled(changed)
    with_name = replace(changed, verdicts=(("gone", ("lost",), Verdict.SUSPENDS.value),))
    with pytest.raises(CompileError) as refused:
        compiled(with_name)
    version = str(refused.value).split(" is version ")[1].split()[0]
    assert len(compiled(replace(with_name, version=version)).points) == 1


def test_what_is_no_python_here_says_so():
    engine = Engine("memory://")
    engine.start_flow(ask, "why")
    source = kept(engine.store, ask)

    with pytest.raises(CompileError, match="is no text of this Python"):
        compiled(replace(source, text="def f(: ..."))
    with pytest.raises(CompileError, match="holds no ask at line 1"):
        compiled(replace(source, first_line=1))


def test_the_environment_can_leave_it_out(monkeypatch):
    monkeypatch.setenv("LONGTERM_VERSIONS", "off")
    assert versions_wanted() == "off"
    monkeypatch.setenv("LONGTERM_VERSIONS", "no")
    with pytest.raises(StoreError, match="LONGTERM_VERSIONS='no' is neither"):
        versions_wanted()
    monkeypatch.delenv("LONGTERM_VERSIONS")
    assert versions_wanted() == "on"
