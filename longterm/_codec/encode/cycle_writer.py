"""Write the nodes of a cycle: placeholders first, then what is frozen, then their content.

In: a group of nodes that hold each other, everything else they hold being written. What is hashed
(keys, elements of sets) is put in last, when what it is made of is whole.
"""

from __future__ import annotations

from typing import Any, Final

from longterm._codec.encode.writer import Writer
from longterm._codec.introspect import qualname_of
from longterm._codec.types import containers, instances
from longterm._codec.types.instructions import FILL, NEW
from longterm._codec.types.kinds import Kind, Parts
from longterm._codec.types.registry import KINDS
from longterm.errors import NotStorable

_HASHING_BASES: Final = ("dict", "set", "OrderedDict", "defaultdict")


def write_cycle(group: list[Any], writer: Writer) -> None:
    """Write all nodes of a cycle as items.

    Raises:
        NotStorable: frozen values hold each other in a way that cannot be made again.
    """
    cycle = Cycle(group, writer)
    for node in cycle.order_of_making():
        cycle.write(node)
    cycle.populate_all()


class Cycle:
    """The nodes of a cycle on their way to items."""

    def __init__(self, group: list[Any], writer: Writer) -> None:
        """Take the group, and the writer whose items go before and after."""
        self.group = group
        self.writer = writer
        self.inside = {id(node) for node in group}
        self.is_populated_in_part = False

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
        return self.parts(node) if kind.populate is None else self.parts(node)[: kind.needs]

    def order_of_making(self) -> list[Any]:
        """Return the nodes so that what one needs to be made goes before it, placeholders first."""
        for node in self.group:
            if self.kind(node).whole:
                raise NotStorable(
                    f"a value of type {qualname_of(type(node))} is held by what it is made of "
                    "(break the cycle before the suspend)"
                )
        rest = sorted(self.group, key=lambda node: self.kind(node).populate is None)
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
                names = sorted({qualname_of(type(node)) for node in waiting})
                raise NotStorable(
                    f"values of {', '.join(names)} hold each other and cannot be made one after "
                    "the other (break the cycle before the suspend)"
                )
            order += ready
            rest = waiting
        return order

    def write(self, node: Any) -> None:
        """Write a placeholder, or the whole of a frozen node."""
        kind = self.kind(node)
        if kind.hashes and kind.populate is None and not self.is_populated_in_part:
            self.populate_in_part()
        if kind.populate is None:
            form: Any = self.writer.form(node)
        else:
            form = [NEW.tag, kind.code, *self.forms(self.needed(node))]
        self.writer.define(id(node), form)

    def populate_in_part(self) -> None:
        """Give instances their attributes from outside the cycle, which their hash may need."""
        self.is_populated_in_part = True
        made = [node for node in self.group if id(node) in self.writer.forms]
        for node in made:
            if type(node) is dict and not self.has_keys_inside(node):
                parts = [None if id(part) in self.inside else part for part in self.parts(node)]
                self.populate(node, parts)
        for node in made:
            if self.kind(node) in (instances.OBJECT, instances.VALUE_OBJECT):
                needs = self.kind(node).needs
                self.populate(node, self.parts(node)[needs : needs + 2])

    def populate_all(self) -> None:
        """Write the content of every placeholder, what is hashed last."""
        placeholders = [node for node in self.group if self.kind(node).populate is not None]
        for node in sorted(placeholders, key=self.turn):
            self.populate(node, self.parts(node)[self.kind(node).needs :])

    def turn(self, node: Any) -> int:
        """Return when one is populated: attributes first, then instances, then what is hashed."""
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
        """Return whether a key of a dict is part of the cycle."""
        return any(id(key) in self.inside for key in node)

    def populate(self, node: Any, parts: Parts) -> None:
        """Write that a placeholder gets these parts."""
        if parts:
            form = [FILL.tag, self.writer.forms[id(node)], *self.forms(parts)]
            self.writer.pack(form)

    def forms(self, parts: Parts) -> Parts:
        """Return what is packed for parts."""
        return [self.writer.forms.get(id(part), part) for part in parts]
