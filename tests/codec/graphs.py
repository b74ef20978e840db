"""Random graphs of storable values, with sharing and cycles, for hypothesis."""

from __future__ import annotations

from collections import OrderedDict, deque
from datetime import date
from decimal import Decimal
from types import CellType, SimpleNamespace
from typing import Any

from hypothesis import strategies as st

from longterm.frame import Frame
from tests.codec import models

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(st.characters(), max_size=8),
    st.binary(max_size=8),
    st.decimals(allow_nan=False).map(lambda each: each if each != 0 else Decimal(1)),
    st.dates(),
    st.datetimes(),
    st.sampled_from([..., models.Color.RED, models.Access.READ | models.Access.RUN, date, len]),
)
HASHABLE = st.one_of(st.integers(-3, 300), st.text(max_size=3), st.none(), st.binary(max_size=3))

# How a node is made empty, and how children are put into it when all nodes are there.
EMPTY: dict[str, Any] = {
    "list": list,
    "dict": dict,
    "deque": deque,
    "cell": CellType,
    "namespace": SimpleNamespace,
    "ordered": OrderedDict,
    "node": models.Node,
    "slotted": models.Slotted,
    "order": lambda: models.Order("x"),
    "parcel": lambda: models.Parcel(1.0),
    "my list": models.MyList,
    "my dict": models.MyDict,
    "error": lambda: ValueError("x"),
    "frame": lambda: Frame("m:f", "v", 1, 2),
}
FROZEN = ["tuple", "my tuple", "pair", "point", "typed", "slice", "frozenset"]


def fill(kind: str, node: Any, children: list[Any], names: list[Any]) -> None:
    """Put children into a node."""
    if kind in ("list", "deque", "my list"):
        node.extend(children)
    elif kind in ("dict", "ordered"):
        node.update(zip(names, children, strict=False))
    elif kind == "my dict":
        dict.update(node, zip(names, children, strict=False))
    elif kind == "cell":
        for child in children[:1]:
            node.cell_contents = child
    elif kind == "slotted":
        for name, child in zip(("left", "right", "_private"), children, strict=False):
            setattr(node, name, child)
    elif kind == "frame":
        node.slots.update((f"x{i}", child) for i, child in enumerate(children))
        node.cells.update(
            (f"c{i}", each) for i, each in enumerate(children) if type(each) is CellType
        )
    else:
        for i, child in enumerate(children):
            object.__setattr__(node, "contents" if kind == "parcel" else f"a{i}", child)


def freeze(kind: str, children: list[Any]) -> Any:
    """Return a frozen node of its children."""
    if kind == "tuple":
        return tuple(children)
    if kind == "my tuple":
        return models.MyTuple(children)
    if kind == "frozenset":
        return frozenset(child for child in children if type(child) in (int, str, bytes))
    first, second, *_ = [*children, 1, 2]
    return {"pair": models.Pair, "point": models.Point, "typed": models.Typed, "slice": slice}[
        kind
    ](first, second)


@st.composite
def graphs(draw: st.DrawFn) -> Any:
    """Return a list that holds every node of a random graph."""
    kinds = draw(st.lists(st.sampled_from([*EMPTY, *FROZEN]), min_size=1, max_size=12))
    nodes: list[Any] = []
    open_nodes = []
    for kind in kinds:
        pool = st.one_of(SCALARS, st.sampled_from(nodes)) if nodes else SCALARS
        if kind in EMPTY:
            nodes.append(EMPTY[kind]())
            open_nodes.append((kind, nodes[-1]))
        else:
            nodes.append(freeze(kind, draw(st.lists(pool, max_size=4))))
    anything = st.one_of(SCALARS, st.sampled_from(nodes))
    for kind, node in open_nodes:
        children = draw(st.lists(anything, max_size=4))
        names = draw(
            st.lists(HASHABLE, min_size=len(children), max_size=len(children), unique=True)
        )
        fill(kind, node, children, names)
    return draw(st.permutations(nodes)) if draw(st.booleans()) else nodes[0]
