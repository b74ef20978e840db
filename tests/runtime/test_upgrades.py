"""`@upgrade`: runs of an earlier version go on where their author says so."""

from __future__ import annotations

import re

import pytest

from longterm import Engine, FlowChanged, InvalidUpgrade, NotAFlow, UpgradeFailed
from longterm._codec import decode_frames
from longterm._flows import registry
from longterm._records.shapes import shapes_in
from longterm.run import RunState, context_of
from longterm.testing import FakeClock
from longterm.worker import Worker
from tests.runtime.deploying import deploying

IMPORTS = "from longterm import FrameEdit, deflow, respond, step, suspend, upgrade\n"


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def engine(clock):
    return Engine("memory://", clock=clock)


@pytest.fixture
def deploy(tmp_path, monkeypatch):
    """Write the module, and import it as a process would that knows nothing of the one before."""
    with deploying("upgraded", tmp_path, monkeypatch, IMPORTS) as write:
        yield write


SELL = """
@deflow
def sell(cart):
    price = len(cart)
    agreed = suspend("agreed")
    total = price * 2 if agreed else 0
    return [cart, total]
"""

LOOP = """
@deflow
def sell(cart):
    said = []
    for outer in ["x", "y"]:
        for item in cart:
            said.append(suspend("agreed"))
            respond(item)
    return said
"""

BLOCKS = """
class Lock:
    def __init__(self, name):
        self.name = name
    def __enter__(self):
        respond("locked")
        return self.name
    def __exit__(self, *exc):
        respond(f"left {self.name}")

@deflow
def sell(cart):
    for item in cart:
        with Lock(item) as key:
            try:
                raise ValueError(item)
            except ValueError as error:
                got = [len(key), suspend("agreed")]
                respond(str(error))
    return got
"""

INNER = """
@deflow
def sell(cart):
    def grown(n):
        return n + len(cart)
    paid = suspend("agreed")
    return grown(paid)
"""

CALLS = """
@deflow
def ask(cart):
    answer = suspend("agreed")
    return answer

@deflow
def sell(cart):
    tax = 1
    answer = [tax, ask(cart)]
    return answer
"""


def changed(text, *pairs):
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


def begun(engine, deploy, text, cart=("a", "b")):
    """Begin a run in a version; return it and the version of each of its frames."""
    run = engine.start_flow(deploy(text).sell, [*cart])
    return run, [frame.version for frame in decode_frames(run.stack, context_of(run, "stack"))]


def verdict(engine):
    (shape,) = shapes_in(engine.store)
    return shape.verdict()


ACCEPTED = {
    "what comes after": (SELL, [("price * 2", "price * 3")], [["a", "b"], 6]),
    "a wait inserted before": (
        SELL, [("    agreed", "    suspend('first')\n    agreed"), ("price * 2", "price")],
        [["a", "b"], 2],
    ),
    "the rest of a loop's body": (LOOP, [("respond(item)", "said.append(item)")],
                                  [1, "a", 2, "b", 3, "a", 4, "b"]),
    "a temporary before": (
        LOOP, [("    said = []", "    for i in [suspend('n')]: suspend(i)\n    said = [len(cart)]"),
               ("respond(item)", "said.append(item)")],
        [1, "a", 2, "b", 3, "a", 4, "b"],
    ),
    "in the midst of blocks": (BLOCKS, [("respond(str(error))", "got.append(str(error))")],
                               [1, 2, "b"]),
    "beside an inner function": (INNER, [("return grown(paid)", "return -grown(paid)")], -3),
}  # fmt: skip


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted_run_goes_on_where_the_same_is_under_way(engine, deploy, name):
    text, pairs, expected = ACCEPTED[name]
    run, (version,) = begun(engine, deploy, text)
    new = changed(text, *pairs)
    deploy(new)
    with pytest.raises(FlowChanged, match=f'@upgrade\\(sell, since="{version[:8]}"\\)'):
        engine.process_event(run.id, "agreed", 1)
    found = verdict(engine)
    assert not found.goes_on
    assert [(accept.flow, accept.version) for accept in found.accepts] == [
        ("upgraded:sell", version)
    ]
    deploy(f'{new}\nupgrade(sell, since="{version[:6]}")\n')
    assert verdict(engine).goes_on
    assert "by the upgrade at" in verdict(engine).words
    value = 1
    while run.state is RunState.SUSPENDED:
        run = engine.process_event(run.id, "agreed", value)
        value += 1
    assert run.result == expected


REFUSED = {
    "the statement under way": (SELL, [('suspend("agreed")', 'suspend("agreed") + 1')],
                                "nowhere is the same statement under way"),
    "the loop": (LOOP, [("for item in cart", "for item in cart[:]")],
                 "nowhere is the same statement under way"),
    "a loop around": (LOOP, [("        for item in cart:", "        if item := cart:")],
                      "nowhere is the same statement under way"),
    "the handler": (BLOCKS, [("except ValueError", "except TypeError")],
                    "nowhere is the same statement under way"),
    "the manager": (BLOCKS, [("Lock(item) as", "Lock(item + '') as")],
                    "nowhere is the same statement under way"),
    "a name that was not stored": (SELL, [("price = len(cart)", "price = len(cart); tax = 5"),
                                          ("return [cart, total]", "return [cart, total + tax]")],
                                   "`tax` is read at line 8, and was not stored"),
    "the statement twice": (SELL, [("    total", '    agreed = suspend("agreed")\n    total'),
                                   ("price * 2", "price")],
                            "stands at several points, 1 \\(line 6\\) and 2 \\(line 7\\)"),
    "a function that is held": (INNER, [("n + len", "n - len"), ("return g", "return 1 + g")],
                                "grown inside upgraded:sell"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_match_stays_though_it_is_accepted(engine, deploy, name):
    text, pairs, reason = REFUSED[name]
    run, (version,) = begun(engine, deploy, text)
    new = changed(text, *pairs)
    deploy(new)
    assert not verdict(engine).goes_on
    assert not verdict(engine).accepts
    deploy(f'{new}\nupgrade(sell, since="{version}")\n')
    found = verdict(engine)
    assert not found.goes_on
    assert not found.accepts
    with pytest.raises(FlowChanged):
        engine.process_event(run.id, "agreed", 1)
    assert engine.get_run(run.id).stack == run.stack
    assert re.search(reason, found.words)


def test_loops_are_told_apart_though_only_one_of_them_goes_on(engine, deploy):
    """The iterator of the outer loop is what is stored, and the new rest needs the inner one's."""
    old = changed(LOOP, ("respond(item)", "break"))
    run, (version,) = begun(engine, deploy, old)
    new = changed(LOOP, ("    return", "        break\n    return"))
    deploy(f'{new}\nupgrade(sell, since="{version}")\n')
    assert not verdict(engine).goes_on
    with pytest.raises(FlowChanged):
        engine.process_event(run.id, "agreed", 1)


def test_each_flow_of_a_stack_is_accepted_by_itself(engine, deploy):
    run, (outer, inner) = begun(engine, deploy, CALLS)
    new = changed(
        CALLS,
        ("return answer\n\n", "return -answer\n\n"),
        ("    return answer", "    return [answer]"),
    )
    deploy(new)
    accepts = verdict(engine).accepts
    assert [(a.flow, a.version) for a in accepts] == [
        ("upgraded:sell", outer),
        ("upgraded:ask", inner),
    ]
    deploy(f'{new}\nupgrade(sell, since="{outer}")\n')
    assert [a.flow for a in verdict(engine).accepts] == ["upgraded:ask"]
    deploy(f'{new}\nupgrade(sell, since="{outer}")\nupgrade(ask, since="{inner}")\n')
    assert engine.process_event(run.id, "agreed", 5).result == [[1, -5]]


EDITED = """
@deflow
def sell(basket):
    total = sum(basket.values())
    suspend("first")
    yes = suspend("fine", to="chef")
    return [basket, total, yes]
"""


def test_body_edits_slots_and_point(engine, deploy):
    run, (version,) = begun(engine, deploy, SELL)
    deploy(EDITED + f"""
@upgrade(sell, since="{version[:8]}")
def _(frame: FrameEdit) -> None:
    assert (frame.version, frame.point, frame.line) == ("{version}", 1, 6)
    cart = frame.slots.pop("cart")
    frame.slots["basket"] = dict.fromkeys(cart, frame.slots.pop("price"))
    frame.slots["total"] = 7
    frame.goto("fine")
""")  # fmt: skip
    assert verdict(engine).goes_on
    assert "is edited by the @upgrade at" in verdict(engine).words
    assert engine.process_event(run.id, "agreed", 1).result == [{"a": 2, "b": 2}, 7, 1]


def test_body_needs_no_goto_where_the_same_is_under_way(engine, deploy):
    run, (version,) = begun(engine, deploy, SELL)
    new = changed(SELL, ("price = len(cart)", "price = tax = len(cart)"), ("total]", "total, tax]"))
    deploy(f"{new}\n@upgrade(sell, since={version!r})\ndef _(frame):\n    frame.slots['tax'] = 9\n")
    assert engine.process_event(run.id, "agreed", 1).result == [["a", "b"], 4, 9]


def test_body_gives_what_functions_inside_share(engine, deploy):
    run, (version,) = begun(engine, deploy, SELL)
    new = """
@deflow
def sell(cart):
    total = 1
    def grow():
        nonlocal total
        total += 1
    agreed = suspend("agreed")
    return [(lambda: (total, cart))(), agreed]
"""
    body = "frame.slots['total'] = 40; frame.slots['cart'].append('c'); frame.goto(1)"
    deploy(f"{new}\n@upgrade(sell, since={version!r})\ndef _(frame):\n    {body}\n")
    assert engine.process_event(run.id, "agreed", 1).result == [(40, ["a", "b", "c"]), 1]


def test_body_may_stay_in_a_loop(engine, deploy):
    run, (version,) = begun(engine, deploy, LOOP)
    new = changed(
        LOOP, ('said.append(suspend("agreed"))', 'got = suspend("agreed"); said.append(-got)')
    )
    deploy(f"{new}\n@upgrade(sell, since={version!r})\ndef _(frame): frame.goto('agreed')\n")
    for value in (1, 2, 3, 4):
        run = engine.process_event(run.id, "agreed", value)
    assert run.result == [-1, -2, -3, -4]


FAILS = {
    "raises": ("1 / 0", "ZeroDivisionError: division by zero"),
    "no such point": ("frame.goto(9)", "goto\\(9\\) names no resume point, of 1 at line 6, 2 at"),
    "no such text": ("frame.goto('gone')", "goto\\('gone'\\) names no resume point"),
    "several": (
        "frame.goto('suspend')",
        "names not one resume point, but 1 at line 6, 2 at line 7",
    ),
    "nowhere": ("frame.slots", "nowhere is the same statement .* frame.goto"),
    "a slot": ("frame.goto('fine')", "`basket` is read at line 8, `total` is read at line 8, and"),
}


@pytest.mark.parametrize("name", FAILS)
def test_body_that_fails_leaves_the_run_and_says_why(engine, deploy, clock, name):
    body, message = FAILS[name]
    run, (version,) = begun(engine, deploy, SELL)
    deploy(f"{EDITED}\n@upgrade(sell, since={version!r})\ndef _(frame):\n    {body}\n")
    with pytest.raises(UpgradeFailed, match=message) as caught:
        engine.process_event(run.id, "agreed", 1)
    assert "upgraded.py:10" in str(caught.value)
    assert engine.get_run(run.id).stack == run.stack
    engine.send(run.id, "agreed", 1)
    Worker(engine).run_once()
    parked = engine.get_run(run.id)
    assert parked.state is RunState.SUSPENDED
    assert parked.error is not None
    assert "could not be moved by the @upgrade" in parked.error
    assert parked.stack == run.stack


def test_loop_cannot_be_entered_from_outside(engine, deploy):
    run, (version,) = begun(engine, deploy, SELL)
    body = "frame.slots.update(said=[], item=1, outer=1); frame.goto(1)"
    deploy(f"{LOOP}\n@upgrade(sell, since={version!r})\ndef _(frame):\n    {body}\n")
    with pytest.raises(UpgradeFailed, match="in the midst of other loops"):
        engine.process_event(run.id, "agreed", 1)


def test_empty_body_accepts(engine, deploy):
    run, (version,) = begun(engine, deploy, SELL)
    new = changed(SELL, ("price * 2", "price * 3"))
    deploy(f'{new}\n@upgrade(sell, since={version!r})\ndef _(frame):\n    """As it is."""\n')
    assert "by the upgrade at" in verdict(engine).words
    assert engine.process_event(run.id, "agreed", 1).result == [["a", "b"], 6]


def test_same_rest_comes_first(engine, deploy):
    run, (version,) = begun(engine, deploy, SELL)
    new = changed(SELL, ("len(cart)", "1"))
    deploy(f"{new}\n@upgrade(sell, since={version!r})\ndef _(frame):\n    1 / 0\n")
    assert engine.process_event(run.id, "agreed", 1).result == [["a", "b"], 4]


def test_frames_that_do_not_say_what_is_under_way_can_be_edited_only(engine, deploy):
    run, _ = begun(engine, deploy, SELL)
    (frame,) = decode_frames(run.stack, context_of(run, "stack"))
    assert "/" in frame.rest
    module = deploy(changed(SELL, ("price * 2", "price * 3")))
    from longterm._flows.under_way import NotMatched, matched

    frame.rest = frame.rest.partition("/")[0]
    with pytest.raises(NotMatched, match="what was under way in the run was not stored with it"):
        matched(frame, registry.flow_of(module.sell))


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        ("upgrade(sell, since='3f2a9')", InvalidUpgrade, "a version is 6 to 16 hexadecimal digits"),
        ("upgrade(sell, since='xyzxyz')", InvalidUpgrade, "a version is 6 to 16 hexadecimal"),
        ("upgrade(len, since='3f2a9c')", NotAFlow, "len"),
        ("upgrade(step(len), since='3f2a9c')", (InvalidUpgrade, NotAFlow), "step|flow"),
        (
            "upgrade(sell, since='3f2a9c')\nupgrade(sell, since='3f2a9c04')",
            InvalidUpgrade,
            "upgraded.py:10 speaks of the same version",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_when_it_is_said(deploy, said, error, message):
    with pytest.raises(error, match=message):
        deploy(f"{SELL}\n{said}\n")


def test_several_versions_may_be_spoken_of_in_one_place(engine, deploy):
    run, (version,) = begun(engine, deploy, SELL)
    new = changed(SELL, ("price * 2", "price * 3"))
    deploy(f"{new}\nfor each in ('{version}', '012345'): upgrade(sell, since=each)\n")
    assert engine.process_event(run.id, "agreed", 1).result == [["a", "b"], 6]
