"""What a signal's handler raises while values are encoded or decoded passes through as it is."""

from __future__ import annotations

import signal
import sys
from datetime import timedelta
from functools import partial

import pytest

from longterm import Engine, RunState, ValueRaised, allow, deflow, set_payload_codec, suspend
from longterm._codec import decode, encode, register_type
from longterm.errors import NotStorable
from longterm.testing import FakeClock


class TimeIsUp(Exception):
    """Like the soft time limit of a task queue."""


def raises(*_):
    raise TimeIsUp


class Handler:
    def __call__(self, *_):
        raise TimeIsUp

    def handle(self, *_):
        raise TimeIsUp


HANDLERS = {
    "function": raises,
    "method": Handler().handle,
    "object": Handler(),
    "partial": partial(raises, 1),
}


@pytest.fixture(params=HANDLERS)
def handler(request):
    before = signal.signal(signal.SIGUSR1, HANDLERS[request.param])
    yield
    signal.signal(signal.SIGUSR1, before)


def come(_):
    """Let the signal come in the middle of what is being done."""
    signal.raise_signal(signal.SIGUSR1)
    return None


class Comes:
    """A key at whose hash the signal comes, once it is wanted."""

    is_wanted = False

    def __init__(self, name):
        self.name = name

    def __hash__(self):
        if Comes.is_wanted:
            come(None)
        return 1


class Plain:
    pass


class Payload:
    def encode(self, data):
        return data

    def decode(self, data):
        return come(data)


@pytest.mark.usefixtures("handler")
def test_signal_while_values_are_decoded(monkeypatch):
    data = encode({Comes("x"): 1})
    monkeypatch.setattr(Comes, "is_wanted", True)
    with pytest.raises(TimeIsUp):
        decode(data)


@pytest.mark.usefixtures("handler")
def test_signal_while_values_are_encoded():
    register_type(Plain, encode=come, decode=lambda plain: Plain(), name="test_signals:Plain")
    with pytest.raises(TimeIsUp):
        encode([Plain()])
    with pytest.raises(TimeIsUp):
        encode({Plain(): 1})


@pytest.mark.usefixtures("handler")
def test_signal_while_a_payload_is_decoded():
    set_payload_codec(Payload())
    try:
        data = encode([1])
        with pytest.raises(TimeIsUp):
            decode(data)
    finally:
        set_payload_codec(None)


@pytest.mark.usefixtures("handler")
def test_signal_while_a_module_is_imported(tmp_path, monkeypatch):
    name = "imported_under_a_signal"
    (tmp_path / f"{name}.py").write_text("def f(): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    allow(name)
    __import__(name)
    data = encode([sys.modules[name].f])
    del sys.modules[name]
    (tmp_path / f"{name}.py").write_text("import signal\nsignal.raise_signal(signal.SIGUSR1)\n")
    with pytest.raises(TimeIsUp):
        decode(data)


def test_what_is_of_no_handler_is_a_fault_still():
    register_type(Plain, encode=raises, decode=raises, name="test_signals:Plain")
    with pytest.raises(NotStorable):
        encode([Plain()])
    register_type(Plain, encode=lambda value: 1, decode=raises, name="test_signals:Plain")
    with pytest.raises(ValueRaised):
        decode(encode([Plain()]))


@deflow
def keeps(value):
    suspend("first", expires=timedelta(days=1), default=None)
    return value


@pytest.mark.usefixtures("handler")
def test_run_waits_on_after_a_signal_while_it_was_decoded(monkeypatch):
    engine = Engine("memory://")
    run = engine.start_flow(keeps, {Comes("x"): 1})
    with monkeypatch.context() as patch:
        patch.setattr(Comes, "is_wanted", True)
        with pytest.raises(TimeIsUp):
            engine.process_event(run.id, "first")

    assert engine.get_run(run.id).state is RunState.SUSPENDED
    assert engine.process_event(run.id, "first").state is RunState.COMPLETE


@pytest.mark.usefixtures("handler")
def test_due_run_is_not_parked_by_a_signal_while_it_was_decoded(monkeypatch):
    engine = Engine("memory://", clock=FakeClock())
    run = engine.start_flow(keeps, {Comes("x"): 1})
    engine.clock.advance(timedelta(days=2))
    with monkeypatch.context() as patch:
        patch.setattr(Comes, "is_wanted", True)
        with pytest.raises(TimeIsUp):
            engine.run_pending()

    waiting = engine.get_run(run.id)
    assert (waiting.state, waiting.error, waiting.deadline) == (
        RunState.SUSPENDED,
        None,
        run.deadline,
    )
    assert engine.run_pending() == 1
    assert engine.get_run(run.id).state is RunState.COMPLETE
