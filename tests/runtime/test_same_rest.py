"""A run goes on in code that has changed, if what is left to do is the same as before."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest

from longterm import CorruptData, Engine, FlowChanged, UnknownFlow
from longterm._codec import decode_frames, encode
from longterm._flows import registry
from longterm.run import RunState, context_of
from longterm.testing import FakeClock
from longterm.worker import Worker
from tests.runtime.deploying import deploying

IMPORTS = "from datetime import timedelta\nfrom longterm import deflow, respond, suspend\n"


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def engine(clock):
    return Engine("memory://", clock=clock)


@pytest.fixture
def deploy(tmp_path, monkeypatch):
    """Write the module, and import it as a process would that knows nothing of the one before."""
    with deploying("rested", tmp_path, monkeypatch, IMPORTS) as write:
        yield write


SELL = """
@deflow
def sell(cart):
    price = len(cart)
    agreed = suspend("agreed")
    total = price * 2 if agreed else 0
    paid = suspend("paid")
    return [cart, total, paid]
"""

LOOP = """
@deflow
def sell(cart):
    said = []
    try:
        for item in cart:
            said.append(suspend("agreed"))
    finally:
        respond("done")
    paid = suspend("paid")
    return [said, paid]
"""

INNER = """
@deflow
def sell(cart):
    def grown(n):
        return n + len(cart)
    paid = suspend("agreed")
    return grown(paid)
"""

FIELDS = """
@deflow
def sell(cart):
    agreed = suspend("agreed")
    paid = suspend("paid")
    class Order:
        items: list = cart
    return [Order.__annotations__["items"].__name__, agreed, paid]
"""

UNBOUND = """
@deflow
def sell(cart):
    if cart == ["rare"]:
        extra = 1
    agreed = suspend("agreed")
    return [extra if agreed == 1 else 0, cart]
"""


def changed(text, *pairs):
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


# What was changed, and after which of the events it is the same rest.
EDITS = {
    "before the wait": (SELL, [("len(cart)", "1000 + len(cart)")], "both"),
    "one more local before": (SELL, [("    price", "    note = 'x'\n    price")], "both"),
    "a wait inserted before": (SELL, [("    price", "    suspend('first')\n    price")], "both"),
    "between the waits": (SELL, [("price * 2", "price * 3")], "second"),
    "after the waits": (SELL, [("total, paid]", "paid, total]")], "none"),
    "a local renamed": (SELL, [("price", "cost"), ("total", "sum_")], "both"),
    "a parameter renamed": (SELL, [("cart", "basket")], "both"),
    "two names swapped": (
        SELL,
        [("cart, total, paid]", "total, cart, paid]")],
        "none",
    ),
    "another event": (SELL, [('suspend("agreed")', 'suspend("fine")')], "both"),
    "a docstring": (SELL, [("    price", '    """Sell it."""\n    print\n    price')], "both"),
    "an annotation": (SELL, [("    price =", "    print\n    price: int =")], "both"),
    "a field of a class": (FIELDS, [("items: list", "items: tuple")], "none"),
    "before a loop": (LOOP, [("said = []", "said = []\n    print")], "both"),
    "in a loop": (LOOP, [("        for item", "        for item"), ("said.app", "print; said.app")],
                  "second"),
    "in a finally": (LOOP, [('"done"', '"ended"')], "second"),
    "an inner function in a slot": (INNER, [("n + len", "n - len")], "none"),
    "beside an inner function": (INNER, [("    def grown", "    print\n    def grown")], "first"),
    "another inner function before": (
        INNER, [("    def grown", "    ready = lambda: 1\n    def grown")], "first",
    ),
    "a captured name renamed": (INNER, [("cart", "basket")], "none"),
    "the default of an inner function": (INNER, [("grown(n)", "grown(n, m=1)")], "none"),
    "before what is unbound": (UNBOUND, [("extra = 1", "extra = 2")], "first"),
    "what is unbound renamed": (UNBOUND, [("extra", "more")], "first"),
    "a local that becomes global": (UNBOUND, [("    if", "    global extra\n    if")], "none"),
}  # fmt: skip


def events(text):
    return ["agreed", "paid"] if 'paid")' in text else ["agreed"]


@pytest.mark.parametrize("name", EDITS)
def test_run_goes_on_where_the_rest_is_the_same(engine, deploy, name):
    text, pairs, same = EDITS[name]
    new = changed(text, *pairs)
    for done in range(len(events(text))):
        module = deploy(text)
        run = engine.start_flow(module.sell, ["a"])
        twin = engine.start_flow(module.sell, ["a"])
        for event in events(text)[:done]:
            run = engine.process_event(run.id, event, 5)
            engine.process_event(twin.id, event, 5)
        left = events(text)[done:]
        expected = [engine.process_event(twin.id, event, 7) for event in left][-1]

        deploy(new)

        if same in ("both", ["first", "second"][done]):
            answered = run
            for event in left:  # the next wait is that of the code of today
                name = event if answered is run else answered.waiting_for
                answered = engine.process_event(run.id, name, 7)
            assert answered.result == expected.result
            assert answered.response == expected.response
        else:
            with pytest.raises(FlowChanged, match="has changed since this run was suspended"):
                engine.process_event(run.id, left[0], 7)
            assert engine.get_run(run.id).stack == run.stack


def test_names_that_change_places_are_not_the_same_rest(engine, deploy):
    pair = "@deflow\ndef sell(a, b):\n    suspend('e')\n    return [a, b]\n"
    module = deploy(pair)
    run = engine.start_flow(module.sell, 1, 2)

    deploy(pair.replace("[a, b]", "[b, a]"))

    with pytest.raises(FlowChanged):
        engine.process_event(run.id, "e")


def test_a_name_that_is_still_there_stays_the_same_variable(engine, deploy):
    module = deploy("@deflow\ndef sell(a):\n    b = 2 * a\n    suspend('e')\n    return a\n")
    run = engine.start_flow(module.sell, 1)

    deploy("@deflow\ndef sell(a):\n    b = 2 * a\n    suspend('e')\n    return b\n")

    with pytest.raises(FlowChanged):
        engine.process_event(run.id, "e")


def test_every_frame_finds_its_own_rest(engine, deploy):
    text = """
@deflow
def ask(n):
    reply = suspend("e")
    return n + reply

@deflow
def sell(n):
    first = ask(n)
    return [n, first, ask(first)]
"""
    module = deploy(text)
    run = engine.start_flow(module.sell, 1)

    new = changed(text, ("reply = s", "hint = n\n    word = s"), ("reply", "word"))
    deploy(new.replace("    first", "    print\n    second").replace("first", "second"))

    run = engine.process_event(run.id, "e", 2)
    assert [frame.slots for frame in decode_frames(run.stack, context_of(run, "stack"))] == [
        {"n": 1, "_lt_value1": 3},
        {"n": 3},
    ]
    assert engine.process_event(run.id, "e", 4).result == [1, 3, 7]


def test_a_worker_goes_on_in_changed_code(engine, clock, deploy):
    text = """
@deflow
def sell(n):
    return [n, suspend("e", expires=timedelta(days=1), default=n)]
"""
    run = engine.start_flow(deploy(text).sell, 1)
    deploy(changed(text, ("    return", "    print\n    return")))
    clock.advance(timedelta(days=2))

    assert Worker(engine).run_once() == 1

    assert engine.get_run(run.id).result == [1, 1]


def test_an_early_event_is_read_in_changed_code(engine, deploy):
    run = engine.start_flow(deploy(SELL).sell, "ab")
    engine.send(run.id, "paid", 9)
    engine.send(run.id, "agreed", True)

    deploy(changed(SELL, ("len(cart)", "len(cart) + 1")))

    assert engine.run_pending() > 0
    assert engine.get_run(run.id).result == ["ab", 4, 9]


def test_a_failed_run_is_tried_again_after_what_came_before_was_changed(engine, deploy):
    text = "@deflow\ndef sell(n):\n    suspend('e')\n    return check(n)\n"
    module = deploy(text + "def check(n):\n    raise ValueError(n)\n")
    run = engine.start_flow(module.sell, 1)
    with pytest.raises(ValueError, match="1"):
        engine.process_event(run.id, "e")

    fixed = text.replace("    suspend", "    print\n    suspend")
    deploy(fixed + "def check(n):\n    return n\n")

    engine.retry(run.id)
    engine.run_pending()
    assert engine.get_run(run.id).result == 1


def test_a_run_that_failed_before_its_first_wait_begins_anew_in_changed_code(engine, deploy):
    module = deploy("@deflow\ndef sell(n):\n    n[1]\n    return suspend('e')\n")
    with pytest.raises(IndexError):
        engine.start_flow(module.sell, [1])
    (failed,) = engine.find_runs()
    assert (failed.state, engine.stuck_runs()) == ("failed", [])

    deploy("@deflow\ndef sell(items):\n    return [suspend('other'), *items]\n")
    assert engine.retry(failed.id).waiting_for == "other"
    assert engine.process_event(failed.id, "other", 2).result == [2, 1]


def test_a_failed_run_whose_rest_has_changed_stays_as_it_was(engine, deploy):
    text = "@deflow\ndef sell(n):\n    e = suspend('e')\n    return e + n\n"
    run = engine.start_flow(deploy(text).sell, "1")
    with pytest.raises(TypeError):
        engine.process_event(run.id, "e", 1)
    failed = engine.get_run(run.id)

    deploy(text.replace("e + n", "str(e) + n"))
    with pytest.raises(FlowChanged):
        engine.retry(run.id)
    after = engine.get_run(run.id)
    assert (after.state, after.stack, after.error) == (failed.state, failed.stack, failed.error)
    assert [stuck.id for stuck, _ in engine.stuck_runs()] == [run.id]

    deploy("")
    with pytest.raises(UnknownFlow):
        engine.retry(run.id)
    assert engine.get_run(run.id).error == failed.error

    deploy(text.replace("    e = s", "    print\n    e = s"))
    with pytest.raises(TypeError):  # what was before the wait is over
        engine.retry(run.id)
    assert engine.get_run(run.id).state == "failed"


def test_cells_are_shared_in_changed_code_as_before(engine, deploy):
    text = """
@deflow
def sell(n):
    count = n
    def add():
        nonlocal count
        count += 1
        return count
    adders = [add, add]
    suspend("e")
    return [adder() for adder in adders], count, adders[0] is adders[1]
"""
    run = engine.start_flow(deploy(text).sell, 1)

    deploy(
        changed(text, ("    adders = [add", "    hidden = lambda: count + n\n    adders = [add"))
    )

    assert engine.process_event(run.id, "e").result == ([2, 3], 3, True)


def test_an_inner_flow_goes_on_if_the_flow_around_has_changed(engine, deploy):
    text = """
@deflow
def sell(n):
    @deflow
    def ask(k):
        reply = suspend("e")
        return [n, k, reply]
    return ask(n + 1)
"""
    run = engine.start_flow(deploy(text).sell, 1)

    deploy(changed(text, ("    @deflow\n    def", "    print\n    @deflow\n    def"),
                   ("reply = s", "print\n        reply = s")))  # fmt: skip

    assert engine.process_event(run.id, "e", 3).result == [1, 2, 3]


def test_what_longterm_0_1_stored_goes_on_in_its_own_version_alone(engine, deploy):
    run = engine.start_flow(deploy(SELL).sell, "ab")
    frames = decode_frames(run.stack, context_of(run, "stack"))
    for frame in frames:
        frame.rest = ""
    store = engine.store
    claimed = store.unsuspend(run.id, "agreed")
    older = encode(frames, context_of(run, "stack"))
    store.update(claimed.changed(state=RunState.SUSPENDED, waiting_for="agreed", stack=older))

    deploy(changed(SELL, ("len(cart)", "1000")))
    with pytest.raises(FlowChanged):
        engine.process_event(run.id, "agreed", 1)

    deploy(SELL)
    assert engine.process_event(run.id, "agreed", 1).waiting_for == "paid"


def test_a_rest_of_more_slots_than_were_stored_is_refused_as_damaged(engine, deploy):
    run = engine.start_flow(deploy(SELL).sell, "ab")
    (frame,) = decode_frames(run.stack, context_of(run, "stack"))
    frame.slots.popitem()
    deploy(changed(SELL, ("len(cart)", "1000")))

    from longterm._flows.same_rest import in_present_code

    with pytest.raises(CorruptData, match="fewer slots"):
        in_present_code(frame)


def test_the_digest_is_the_same_in_every_process(deploy, tmp_path):
    module = deploy(SELL + INNER.replace("sell", "give"))
    points = [
        point.rest
        for function in (module.sell, module.give)
        for point in registry.flow_of(function).fresh.by_number.values()
    ]
    places = [*registry.flow_of(module.give).fresh.inner]
    code = (
        "import rested; from longterm._flows.registry import flow_of\n"
        "print([p.rest for f in (rested.sell, rested.give)"
        " for p in flow_of(f).fresh.by_number.values()])\n"
        "print([*flow_of(rested.give).fresh.inner])\n"
    )

    said = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONHASHSEED": "7", "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )

    assert said.stdout.splitlines() == [str(points), str(places)]
    assert all(len(rest) == 16 for rest in points)


def test_a_worker_leaves_alone_what_waits_where_it_cannot_go_on(engine, clock, deploy, caplog):
    text = """
@deflow
def sell(n):
    return [n, suspend("e", expires=timedelta(days=1), default=n)]

@deflow
def give(n):
    return suspend("e", expires=timedelta(days=1), default=n)
"""
    module = deploy(text)
    stuck = [engine.start_flow(module.sell, n) for n in range(20)]
    (early,) = [engine.start_flow(module.sell, 30)]
    engine.send(early.id, "other")
    deploy(changed(text, ("[n, ", "[-n, ")))
    clock.advance(timedelta(days=2))
    worker = Worker(engine, threads=1)

    assert worker.run_once() == 1
    given = engine.start_flow(sys.modules["rested"].give, 5)
    clock.advance(timedelta(seconds=50))
    assert worker.run_once() == 0
    assert [run.turn for run in engine.find_runs(flow="rested:sell")].count(1) == 20
    (warning,) = [each for each in caplog.records if each.levelname == "WARNING"]
    assert f"left alone are all runs at {stuck[0].position}" in warning.getMessage()
    clock.advance(timedelta(days=2))
    assert worker.run_once() == 2  # one of them is tried again
    assert engine.get_run(given.id).result == 5

    deploy(text)
    assert Worker(Engine(engine.store, clock=clock)).run_once() >= 18  # a process with the code
    assert sum(engine.get_run(run.id).state is RunState.COMPLETE for run in stuck) >= 18


CLOSED = {
    "a lambda": """
@deflow
def sell(n):
    first = suspend("e")
    grown = lambda k: k + n
    return [first, grown(suspend("e"))]
""",
    "an inner flow": """
@deflow
def sell(n):
    first = suspend("e")
    @deflow
    def ask(k):
        return k + suspend("e")
    return [first, ask(n)]
""",
    "a flow in an inner flow": """
@deflow
def sell(n):
    first = suspend("e")
    @deflow
    def ask(k):
        @deflow
        def again(k):
            return k + suspend("e")
        return again(k)
    return [first, ask(n)]
""",
}


@pytest.mark.parametrize("name", CLOSED)
def test_a_flow_that_takes_no_new_runs_ends_those_that_wait(engine, deploy, name):
    run = engine.start_flow(deploy(CLOSED[name]).sell, 1)

    module = deploy(
        changed(CLOSED[name], ("    first", "    raise ValueError('closed')\n    first"))
    )

    assert engine.process_event(run.id, "e", 5).waiting_for == "e"
    assert engine.process_event(run.id, "e", 2).result == [5, 3]
    with pytest.raises(ValueError, match="closed"):
        engine.start_flow(module.sell, 1)
