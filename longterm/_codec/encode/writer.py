"""The items of a graph as they are written, and what stands for each node in those that hold it.

In: what the scan found, then node after node, children first. Out: the packed items.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgpack import Packer

from longterm._codec import wire
from longterm._codec.encode.scan import Scan
from longterm._codec.encode.stack import DEPTH, READY
from longterm._codec.types import atoms
from longterm.errors import NotStorable


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
        if key in self.found.shared or (
            self.heights is not None and self._is_too_high(key, node, self.heights)
        ):
            self.define(key, form)
        elif form is not node:
            self._stand_for(key, form)

    def form(self, node: Any) -> Any:
        """Return what is packed for a node: itself, or a copy with its children's forms."""
        key, found = id(node), self.found
        if key in found.forms:
            return found.forms[key]
        content: Any = found.parts.get(key, node)
        if key in self.changed or found.strings:
            is_list = type(content) is list
            return list(self._forms_of(content)) if is_list else self._dict_form(content)
        return content

    def _dict_form(self, node: dict[Any, Any]) -> dict[Any, Any]:
        keys: Iterable[Any] = node
        found = self.found
        if found.strings or found.has_nans or not READY.issuperset(map(type, node)):
            # Forms of keys may be lists, which no dict can have as keys.
            keys = map(_as_key, self._forms_of(node))
        return dict(zip(keys, self._forms_of(node.values()), strict=True))

    def _forms_of(self, values: Iterable[Any]) -> Iterable[Any]:
        return map(self.forms.get, map(id, values), values)

    def define(self, key: int, form: Any) -> None:
        """Write an item, and let its number stand for it from now on."""
        self.packer.pack(form)
        self._stand_for(key, wire.reference(self.count))
        self.count += 1

    def _stand_for(self, key: int, form: Any) -> None:
        found, changed = self.found, self.changed
        self.forms[key] = form
        changed.add(found.holder[key])
        if key in found.more_holders:
            changed.update(found.more_holders[key])

    def pack(self, form: Any) -> None:
        """Append one msgpack value."""
        self.packer.pack(form)

    def finish(self, root: Any) -> bytes:
        """Write the root as the last item, and return all."""
        self.packer.pack(self.forms.get(id(root), root))
        return bytes(self.packer.bytes())

    def _is_too_high(self, key: int, node: Any, heights: dict[int, int]) -> bool:
        children = (
            node
            if type(node) is list
            else node.values()
            if type(node) is dict
            else self.found.parts.get(key, ())
        )
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
