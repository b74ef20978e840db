"""Pictures of flows: each place is drawn, once, nothing is run, and every text is escaped."""

from __future__ import annotations

import importlib
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from longterm import NoSource, call, deflow, step, suspend
from longterm._flows.registry import flow_named, flow_of
from longterm.pictures import STYLE, Counts, counts_of, picture_of, to_mermaid, to_svg
from longterm.pictures._parts import Block, Choice, Kind, Loop, Place, drawn
from longterm.pictures._reading import picture_of_flow
from longterm.store.memory import MemoryStore
from longterm.store.positions import PositionCount
from longterm.testing.kit import FlowTester
from tests.compiler.golden import CASES, plays_of
from tests.project.pages import files_of

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "fixtures" / "pictures"

claim = importlib.import_module("fixtures.pictures.claim")
hostile = importlib.import_module("fixtures.pictures.hostile")


def places(block: Block) -> Iterator[Place]:
    for part in block:
        match part:
            case Place():
                yield part
            case Loop(body=body):
                yield from places(body)
            case Choice(arms=arms):
                for arm in arms:
                    yield from places(arm.body)


def texts(svg: str) -> list[str]:
    return [each.text or "" for each in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("flow", [claim.settle, hostile.ask], ids=["claim", "hostile"])
@pytest.mark.parametrize("form", ["svg", "mmd"])
def test_picture_is_the_expected_one(flow, form, update_golden):
    counts = Counts({1: 3, 5: 12_345}, to_begin=4, elsewhere=9) if flow is claim.settle else None
    draw = to_svg if form == "svg" else to_mermaid
    golden = FOLDER / f"{flow.__module__.rpartition('.')[2]}.{form}"

    text = draw(picture_of(flow), counts)

    if update_golden:
        golden.write_text(text, encoding="utf-8")
    assert golden.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_each_resume_point_of_each_construct_has_one_place(case):
    for flow, _, _ in plays_of(case):
        picture = picture_of(flow)

        points = dict.fromkeys(flow_of(flow).fresh.by_number, 1)
        assert Counter(each.point for each in places(picture.body) if each.point) == points
        shown = places(drawn(picture.body, points.keys()))
        assert Counter(each.point for each in shown if each.point) == points
        ET.fromstring(to_svg(picture, Counts(points)))


def test_every_text_is_escaped():
    svg, mermaid = to_svg(picture_of(hostile.ask)), to_mermaid(picture_of(hostile.ask))

    assert "waits for 写真" not in texts(svg)  # it is the second of two that are long
    assert "or 写真" in texts(svg)
    assert not re.search("<script|<b>|\x1b", svg + mermaid)
    for line in mermaid.splitlines()[1:]:
        assert re.sub(r'"[^"]*"', "", line).isascii()
        assert line.count('"') in (0, 2)
        assert "%%" not in line


def test_style_is_in_the_svg_unless_the_page_has_it():
    picture = picture_of(claim.opinion)

    assert STYLE in to_svg(picture)
    assert "<style" not in to_svg(picture, style=False)
    assert " style=" not in to_svg(picture)


def test_runs_are_counted_at_each_frame_of_the_flow_that_is_here():
    picture = picture_of(claim.settle)
    here, caller = f"{picture.flow}@{picture.version[:8]}", "shop:f.<locals>.g@0badcafe:1"

    def count(position, runs, flow=picture.flow, begins=False):
        return PositionCount(
            flow=flow, position=position, is_to_begin=begins, runs=runs, example="r"
        )

    counts = counts_of(
        picture,
        [
            count(f"{here}:1", 2),
            count(f"{caller}>{here}:1+0badcafe", 3, "shop:f.<locals>.g"),
            count(f"{here}:4>{here}:5>shop:pay@1:1", 5),
            count(f"{picture.flow}@0badcafe:1", 7),
            count(None, 11, begins=True),
            count("shop:other@0badcafe:1", 13, "shop:other"),
        ],
    )

    assert counts == Counts({1: 5, 4: 5, 5: 5}, to_begin=11, elsewhere=7)


def test_flow_that_is_named_inside_another_is_counted():
    picture = picture_of(maker())
    position = f"{picture.flow}@{picture.version[:8]}:1"

    assert ".<locals>." in picture.flow
    (at,) = [
        counts_of(
            picture,
            [PositionCount(flow="x", position=position, is_to_begin=False, runs=2, example="r")],
        )
    ]
    assert at == Counts({1: 2})


@deflow
def outer():
    return suspend("outer")


def maker():
    @deflow
    def inner():
        return suspend("inner")

    return inner


def test_counts_of_a_store_are_shown_where_its_runs_wait():
    with FlowTester() as tester:
        for number in range(3):
            tester.start(claim.settle, number)
        store = tester.engine.store
        assert isinstance(store, MemoryStore)
        svg = to_svg(
            picture_of(claim.settle), counts_of(picture_of(claim.settle), store.count_positions())
        )

    found = texts(svg)
    assert found[found.index("waits for submitted") + 2] == "3"


class Hooked:
    def __getattr__(self, name):
        raise AssertionError("code of the application was run")

    @property
    def wait(self):
        raise AssertionError("code of the application was run")

    def __eq__(self, other):
        raise AssertionError("code of the application was run")

    __hash__ = None


hooked = Hooked()


@deflow
def runs_nothing(items):
    hooked.wait("x")
    suspend(hooked.name)
    call(hooked.handler, 1)
    for item in items:
        item.approve()
    return len(items)


def test_nothing_is_run():
    found = [(each.kind, each.title) for each in places(picture_of(runs_nothing).body)]

    assert (Kind.WAIT, "waits for hooked.name") in found
    assert (Kind.CALL, "calls hooked.handler") in found
    assert (Kind.MAYBE, "may wait in item.approve") in found


def test_call_that_may_wait_is_drawn_only_where_runs_wait():
    picture = picture_of(runs_nothing)
    (point,) = [each.point for each in places(picture.body) if "item.approve" in each.title]

    assert "may wait in item.approve" not in to_mermaid(picture)
    assert "may wait in item.approve" in to_mermaid(picture, Counts({point: 1}))
    assert "for item in items" not in to_mermaid(picture)


class Desk:
    @deflow
    def ask(self):
        return suspend("answer")

    @deflow
    def twice(self):
        return self.ask() + self.ask()


def test_flow_that_is_a_method_is_known_by_self():
    found = [each.title for each in places(picture_of(Desk.twice).body)]

    assert found == ["calls self.ask", "calls self.ask"]


@deflow
def cleans_up(order):
    try:
        return suspend("order")
    finally:
        outer()


def test_what_stands_in_finally_is_drawn_behind_a_return():
    assert "calls outer" in to_mermaid(picture_of(cleans_up))


def test_the_page_shows_the_picture_of_its_flow(tmp_path, monkeypatch):
    page = ROOT / "docs" / "pictures.md"
    (tmp_path / "shop_of_page.py").write_text(files_of(page)["shop.py"])
    monkeypatch.syspath_prepend(str(tmp_path))

    shown = re.findall(r"^```mermaid\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)

    assert shown == [to_mermaid(picture_of(importlib.import_module("shop_of_page").sell))]


@deflow
def leaves_loops(orders):
    for order in orders:
        if order == "found":
            break
    for order in orders:
        if suspend(order):
            break
    else:
        outer()


def test_loop_that_only_looks_is_not_drawn_and_a_break_leads_past_its_else():
    text = to_mermaid(picture_of(leaves_loops))

    assert text.count("for order in orders") == 1
    head = re.search(r'(n\d+)\{\{"for order in orders"', text)[1]
    ways = re.search(r'(n\d+)\{"else"\}', text)[1]
    end = re.search(r'(n\d+)\("end"\)', text)[1]
    assert f'{head} -->|"then"| {ways}' in text
    assert f'{ways} -->|"left"| {end}' in text


@step
def charge(order): ...


def test_step_has_no_picture():
    with pytest.raises(NoSource, match=r"flow .*:charge cannot be drawn: it is a step"):
        picture_of_flow(flow_of(charge))


def test_picture_is_of_the_text_that_was_imported(tmp_path, monkeypatch):
    (tmp_path / "edited.py").write_text(
        "from longterm import deflow, suspend\n@deflow\ndef f():\n    return suspend('x')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.import_module("edited")
    (tmp_path / "edited.py").write_text("# nothing is here any more\n")

    assert picture_of_flow(flow_named("edited:f")).title == "f()"
