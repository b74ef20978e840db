"""A module waits in the local name that a flow imports it into, and is put back nowhere else."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from types import CellType
from typing import Any

import pytest

import longterm
from longterm import CannotStore, deflow, process_event, start_flow, suspend
from longterm._codec import NotAllowed, NotStorable, decode, encode
from longterm._codec.types import functions
from longterm._flows.closures import FlowCode
from longterm._flows.imports import imports_of
from longterm.frame import Frame
from tests.codec.blobs import items, module, reference, tagged

HERE = __name__


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    before = list(functions._tables)
    functions.link(FlowCode())
    longterm.set_runstore("memory://")
    yield
    functions._tables[:] = before


@deflow
def importing() -> Any:
    import json
    import os.path as paths
    from xml import sax

    answer = suspend("a")
    return json.dumps(answer), paths.join("a", "b"), sax.__name__


@deflow
def capturing() -> Any:
    import json

    def shown(value: Any) -> str:
        return json.dumps(value)

    return shown(suspend("a"))


@deflow
def renaming() -> Any:
    found = math
    suspend("a")
    return found


@deflow
def holding() -> Any:
    basket = ["x"]
    import os as system

    basket.remove(suspend("a"))
    return basket, system.sep


def test_a_flow_may_import_where_it_waits() -> None:
    assert process_event(start_flow(importing).id, "a", [1]).result == ("[1]", "a/b", "xml.sax")
    assert process_event(start_flow(capturing).id, "a", [1]).result == "[1]"
    assert process_event(start_flow(holding).id, "a", "x").result == ([], "/")


def test_what_a_flow_imports_is_imported_where_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    run = start_flow(importing)
    monkeypatch.delitem(sys.modules, "xml.sax")
    assert process_event(run.id, "a", 1).result == ("1", "a/b", "xml.sax")


def test_a_module_under_another_name_is_refused_at_the_suspend() -> None:
    with pytest.raises(CannotStore, match=r"found.*import it at the top of a module, or again"):
        start_flow(renaming)


def frame(slots: dict[str, Any], *cells: Any) -> Any:
    name = f"{HERE}:holding"
    return tagged("frame", name, "v", 1, 1, slots, *cells)


def test_a_module_stands_for_no_value_of_a_flow() -> None:
    assert decode(items([frame({"system": module("os")})]))[0].slots["system"] is os
    listed = decode(items(module("os"), [frame({"system": reference(0)})]))
    assert listed[0].slots == {"system": os}
    for value in (
        module("os"),
        [module("os")],
        [frame({"basket": module("os")})],
        [frame({"system": module("json")})],
        [frame({"system": [module("os")]})],
        [frame({"system": module("os"), "basket": {"x": module("os")}})],
        [frame({}, {"basket": tagged("cell", module("os"))})],
        [frame({"basket": tagged("cell", module("os"))})],
        [tagged("frame", "m:f", "v", 1, 1, {"system": module("os")})],
        {module("os").data.decode(): 1, "x": tagged("tuple", module("os"))},
    ):
        with pytest.raises(NotAllowed, match="imports"):
            decode(items(value))
    for values in (
        (module("os"), reference(0)),
        (module("os"), [reference(0), frame({"system": reference(0)})]),
        (module("os"), [frame({"system": reference(0), "basket": reference(0)})]),
    ):
        with pytest.raises(NotAllowed, match="imports"):
            decode(items(*values))


def test_the_same_places_are_refused_when_encoding() -> None:
    name = f"{HERE}:holding"
    good = [Frame(name, "v", 1, 1, {"system": os}), Frame(name, "v", 1, 1, {"system": os})]
    assert decode(encode(good))[1].slots["system"] is os
    for slots, path in (
        ({"basket": os}, "[0].slots['basket']"),
        ({"system": [os]}, "[0].slots['system'][0]"),
        ({"system": os, "basket": {"x": os}}, "[0].slots['basket']['x']"),
    ):
        with pytest.raises(NotStorable) as caught:
            encode([Frame(name, "v", 1, 1, slots)])
        assert "".join(map(str, caught.value.path)) == path
    with pytest.raises(NotStorable, match="again after the suspend"):
        encode([Frame(name, "v", 1, 1, {}, {"basket": CellType(os)})])


def test_imports_are_read_from_code() -> None:
    def flow() -> Any:
        import a.b
        import a.b.c as d
        from a import e, h
        from a import f as g

        from ..j import k  # noqa: TID252
        from . import i

        def inner() -> Any:
            import m

            return m

        x = 1
        return a, d, e, g, h, i, k, inner, x

    found = imports_of(flow.__code__, "p.q")
    assert found["a"] >= {"a"}
    assert found["d"] >= {"a.b.c"}
    assert found["e"] >= {"a.e"}
    assert found["g"] >= {"a.f"}
    assert found["h"] >= {"a.h"}
    assert found["i"] >= {"p.q.i"}
    assert found["k"] >= {"p.j.k"}
    assert found["m"] >= {"m"}
    assert "x" not in found
    assert "inner" not in found
