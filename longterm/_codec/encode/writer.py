"""The items of a graph as they are written, and what stands for each node in those that hold it.

In: what the scan found, then node after node, children first. Out: the packed items.
"""

from __future__ import annotations

from typing import Any, Final

from msgpack import Packer

from longterm._codec import wire
from longterm._codec.encode.scan import Scan
from longterm._codec.types import atoms
from longterm.errors import NotStorable

DEPTH: Final = 200
"""How deep an item may nest; what is deeper becomes an item of its own."""


class Writer:
    """The items written so far, and the form of every node that is finished."""

    def __init__(self, found: Scan) -> None:
        """Begin with the forms of the scan."""
        self.found = found
        self.forms: dict[int, Any] = dict(found.strings)
        """What stands for a node in those that hold it, by id; nothing if the node itself does."""
        self.changed: set[int] = set()
        """The ids of the nodes that hold one with a form."""
        self.heights: dict[int, int] | None = {} if found.depth > DEPTH else None
        self.count = 0
        self.packer = Packer(strict_types=True, autoreset=False, default=_default)

    def write(self, node: Any) -> None:
        """Finish a node whose children are finished: as an item if shared, else as a form."""
        key = id(node)
        form = self.form(node)
        if key in self.found.shared or self._is_too_high(key, node):
            self.define(key, form)
        elif form is not node:
            self._stand_for(key, form)

    def form(self, node: Any) -> Any:
        """Return what is packed for a node: itself, or a copy with its children's forms."""
        key = id(node)
        forms = self.forms
        is_changed = key in self.changed or self.found.strings
        if type(node) is list:
            return [forms.get(id(child), child) for child in node] if is_changed else node
        if type(node) is dict:
            return self._dict_form(node) if is_changed else node
        whole = self.found.forms.get(key)
        if whole is not None:
            return whole
        parts = self.found.parts[key]
        return [forms.get(id(part), part) for part in parts] if is_changed else parts

    def _dict_form(self, node: dict[Any, Any]) -> dict[Any, Any]:
        # Forms of keys may be lists, which no dict can have as keys.
        forms = self.forms
        return {
            _as_key(forms.get(id(key), key)): forms.get(id(value), value)
            for key, value in node.items()
        }

    def define(self, key: int, form: Any) -> None:
        """Write an item, and let its number stand for it from now on."""
        self.pack(form)
        self._stand_for(key, wire.reference(self.count))
        self.count += 1

    def _stand_for(self, key: int, form: Any) -> None:
        self.forms[key] = form
        found = self.found
        self.changed.add(found.holder[key])
        if key in found.more_holders:
            self.changed.update(found.more_holders[key])

    def pack(self, form: Any) -> None:
        """Append one msgpack value."""
        self.packer.pack(form)

    def finish(self, root: Any) -> bytes:
        """Write the root as the last item, and return all."""
        self.pack(self.forms.get(id(root), root))
        return bytes(self.packer.bytes())

    def _is_too_high(self, key: int, node: Any) -> bool:
        if self.heights is None:
            return False
        children = (
            node
            if type(node) is list
            else node.values()
            if type(node) is dict
            else self.found.parts.get(key, ())
        )
        heights = self.heights
        height = 1 + max((heights.get(id(child), 0) for child in children), default=0)
        if height < DEPTH:
            heights[key] = height
            return False
        return True


def _as_key(form: Any) -> Any:
    return _Key(form) if type(form) is list else form


class _Key:
    """The form of a key, made hashable."""

    __slots__ = ("form",)

    def __init__(self, form: list[Any]) -> None:
        self.form = form


def _default(value: Any) -> Any:
    if type(value) is _Key:
        return value.form
    if type(value) is int:
        return atoms.integer(value)
    raise NotStorable(f"{type(value)!r} was not taken apart")
