"""Write the nodes of a knot: empty shells first, then what is frozen, then the shells' content.

In: a group of nodes that hold each other, everything else they hold being written. What is hashed
(keys, elements of sets) is put in last, when what it is made of is whole.
"""

from __future__ import annotations

from typing import Any, Final

from longterm._codec.encode.writer import Writer
from longterm._codec.types import containers, instances
from longterm._codec.types.instructions import FILL, NEW
from longterm._codec.types.kinds import KINDS, Kind, Parts
from longterm.errors import NotStorable

_HASHING_BASES: Final = ("dict", "set", "OrderedDict", "defaultdict")


def write_knot(group: list[Any], writer: Writer) -> None:
    """Write all nodes of a knot as items.

    Raises:
        NotStorable: frozen values hold each other in a way that cannot be made again.
    """
    knot = Knot(group, writer)
    for node in knot.order_of_making():
        knot.make(node)
    knot.fill_all()


class Knot:
    """The nodes of a knot on their way to items."""

    def __init__(self, group: list[Any], writer: Writer) -> None:
        """Take the group, and the writer whose items go before and after."""
        self.group = group
        self.writer = writer
        self.inside = {id(node) for node in group}
        self.is_filled_in_part = False

    def kind(self, node: Any) -> Kind:
        """Return the kind of a node."""
        if type(node) is list:
            return containers.LIST
        if type(node) is dict:
            return containers.DICT
        return KINDS[self.writer.found.parts[id(node)][0].data[0]]

    def parts(self, node: Any) -> Parts:
        """Return the parts of a node, without its tag."""
        if type(node) is list:
            return node
        if type(node) is dict:
            return containers.pairs(node)
        return self.writer.found.parts[id(node)][1:]

    def needed(self, node: Any) -> Parts:
        """Return the parts without which a node cannot be made at all."""
        kind = self.kind(node)
        return self.parts(node) if kind.fill is None else self.parts(node)[: kind.needs]

    def order_of_making(self) -> list[Any]:
        """Return the nodes so that what one needs to be made goes before it, shells first."""
        for node in self.group:
            if self.kind(node).whole:
                raise NotStorable(
                    f"a value of type {type(node).__qualname__} is held by what it is made of "
                    "(break the cycle before the suspend)"
                )
        rest = sorted(self.group, key=lambda node: self.kind(node).fill is None)
        order: list[Any] = []
        made: set[int] = set()
        while rest:
            ready: list[Any] = []
            waiting: list[Any] = []
            for node in rest:
                needs = [id(part) for part in self.needed(node) if id(part) in self.inside]
                (ready if made.issuperset(needs) else waiting).append(node)
                if ready and ready[-1] is node:
                    made.add(id(node))
            if not ready:
                names = sorted({type(node).__qualname__ for node in waiting})
                raise NotStorable(
                    f"values of {', '.join(names)} hold each other and cannot be made one after "
                    "the other (break the cycle before the suspend)"
                )
            order += ready
            rest = waiting
        return order

    def make(self, node: Any) -> None:
        """Write a shell, or the whole of a frozen node."""
        kind = self.kind(node)
        if kind.hashes and kind.fill is None and not self.is_filled_in_part:
            self.fill_in_part()
        if kind.fill is None:
            form: Any = self.writer.form(node)
        else:
            form = [NEW.tag, kind.code, *self.forms(self.needed(node))]
        self.writer.define(id(node), form)

    def fill_in_part(self) -> None:
        """Give instances their attributes from outside the knot, which their hash may need."""
        self.is_filled_in_part = True
        made = [node for node in self.group if id(node) in self.writer.forms]
        for node in made:
            if type(node) is dict and not self.has_keys_inside(node):
                parts = [None if id(part) in self.inside else part for part in self.parts(node)]
                self.fill(node, parts)
        for node in made:
            if self.kind(node) in (instances.OBJECT, instances.VALUE_OBJECT):
                needs = self.kind(node).needs
                self.fill(node, self.parts(node)[needs : needs + 2])

    def fill_all(self) -> None:
        """Write the content of every shell, what is hashed last."""
        shells = [node for node in self.group if self.kind(node).fill is not None]
        for node in sorted(shells, key=self.turn):
            self.fill(node, self.parts(node)[self.kind(node).needs :])

    def turn(self, node: Any) -> int:
        """Return when a shell is filled: attributes first, then instances, then what is hashed."""
        if type(node) is list or (type(node) is dict and not self.has_keys_inside(node)):
            return 0
        parts = self.writer.found.parts.get(id(node))
        is_hashing = self.kind(node).hashes or (
            parts is not None
            and len(parts) > 4
            and getattr(parts[1], "base", type(None)).__name__ in _HASHING_BASES
        )
        return 2 if is_hashing else 1

    def has_keys_inside(self, node: dict[Any, Any]) -> bool:
        """Return whether a key of a dict is part of the knot."""
        return any(id(key) in self.inside for key in node)

    def fill(self, node: Any, parts: Parts) -> None:
        """Write that a shell gets these parts."""
        if parts:
            form = [FILL.tag, self.writer.forms[id(node)], *self.forms(parts)]
            self.writer.pack(form)

    def forms(self, parts: Parts) -> Parts:
        """Return what is packed for parts."""
        return [self.writer.forms.get(id(part), part) for part in parts]
