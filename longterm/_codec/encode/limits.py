"""What was scanned, and yet could not be decoded in due time, or could not be freed.

In: what the scan found, and in the end the length of the bytes. The decoder has the same limits.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from types import ModuleType
from typing import Any

from longterm._codec import trust, wire
from longterm._codec.decode import depth, hashing
from longterm._codec.decode.decoding import (
    FRAGILE_DEPTH,
    FREE_HASHING_STEPS,
    READS,
    STEPS_PER_BYTE,
)
from longterm._codec.encode.cycles import children
from longterm._codec.encode.scan import Scan, not_storable_at
from longterm._codec.introspect import is_a
from longterm._codec.refusal import NotEncodable
from longterm._codec.types import modules
from longterm._codec.types.classes import ClassPlan
from longterm._codec.types.functions import INNER
from longterm._codec.types.kinds import Parts
from longterm._codec.types.registered import ACTING_KINDS, REGISTERED, acts, only_holds, reads_store
from longterm._codec.types.registry import KINDS
from longterm.errors import CorruptData, NotStorable
from longterm.frame import Frame


class HashingSteps:
    """How many steps it takes to hash the keys of a graph."""

    shares = True
    has_long_integers = True

    def __init__(self) -> None:
        """Start with none."""
        self.count = 0

    def spend_on_hashing(self, steps: int) -> None:
        """Count some."""
        self.count += steps
        if self.count > FREE_HASHING_STEPS << 10:
            raise CorruptData("keys take too long to hash")

    def check(self, length: int) -> None:
        """Raise if they are too many for bytes of a length.

        Half of what the decoder allows, since what is part of a cycle is hashed twice.
        """
        if self.count > (length * STEPS_PER_BYTE + FREE_HASHING_STEPS) // 2:
            raise NotStorable(
                "cannot store keys that take so long to hash: they share parts again and again "
                "(use keys that are plain, such as strings)"
            )


def check(found: Scan) -> HashingSteps:
    """Raise if a graph could not be decoded; return what hashing its keys takes.

    Raises:
        NotStorable: keys are nested too deep, modules stand where none may, too many runs are held,
            or values hold each other too deep to be freed.
    """
    steps = HashingSteps()
    try:
        hashing.check_told_apart(map(_keys, found.large))
    except CorruptData as error:
        raise NotStorable(
            "cannot store keys that take so long to tell apart: their hashes are alike (use keys "
            "that are strings)"
        ) from error
    for container in found.hashing:
        try:
            hashing.check(_keys(container), steps)
        except CorruptData as error:
            raise NotStorable(f"cannot store a key: {error} (use keys that are plain)") from error
    if found.forms and any(form.code == wire.MODULE for form in found.forms.values()):
        _check_modules(found)
    if found.has_registered:
        _check_registered(found)
    if len(found.parts) > FRAGILE_DEPTH:
        _check_depth(found)
    return steps


def _keys(container: Any) -> list[Any]:
    base: Any = next(base for base in (dict, set, frozenset) if is_a(container, base))
    return list(base.__iter__(container))


def _check_modules(found: Scan) -> None:
    placed = [node for node in found.nodes if type(node) is ModuleType]
    strays = [module for module in placed if not trust.is_allowed_by_name(module.__name__)]
    good = _places_of_modules(found) if strays else set()
    nodes = {id(node): node for node in found.nodes}
    for module in strays:
        key = id(module)
        for holder in (found.holder[key], *found.more_holders.get(key, ())):
            if (holder, key) not in good:
                refused = NotEncodable("it is not where the flow itself imports it", modules.HINT)
                above = path_to(holder, found, nodes)
                raise not_storable_at([*above, module], refused, found)


def path_to(key: int, found: Scan, nodes: dict[int, Any]) -> list[Any]:
    """Return the nodes from the root to one, each held by the one before."""
    path: list[Any] = []
    while key in nodes:
        path.append(nodes[key])
        key = found.holder[key]
    return path[::-1]


def _places_of_modules(found: Scan) -> set[tuple[int, int]]:
    """Return the ids of those that may hold a module, each with the id of that module."""
    frames = [node for node in found.nodes if type(node) is Frame]
    inner = [
        (found.parts[id(node)][1], node)
        for node in found.nodes
        if found.parts.get(id(node), [None])[0] is INNER.tag
    ]
    good = set()
    for frame in frames:
        for local, value in frame.slots.items():
            if type(value) is ModuleType and modules.may_stand(value, frame.flow, local):
                good.add((id(frame.slots), id(value)))
    for flow, local, cell in modules.named_cells(frames, inner):
        value = modules.content_of(cell)
        if type(value) is ModuleType and modules.may_stand(value, flow, local):
            good.add((id(cell), id(value)))
    return good


def _check_registered(found: Scan) -> None:
    tags = {id(parts[0]) for parts in found.parts.values()}
    acting = {id(KINDS[code].tag) for code in ACTING_KINDS}
    may_act = not tags.isdisjoint(acting)
    read: set[str] = set()
    seen: dict[int, Any] = {}  # they may hold each other: each is gone through once
    for node in found.nodes:
        parts = found.parts.get(id(node), [None])
        if parts[0] is not REGISTERED.tag:
            continue
        _, name, _, plain = parts
        if reads_store(name):
            read.add(plain)
        if may_act and not only_holds(name) and acts(plain, _spend_nothing, seen):
            raise NotStorable(
                f"cannot store a {name}: what its type is encoded to holds an iterator that calls "
                "a function (encode it to a list)"
            )
    if len(read) > READS:
        raise NotStorable(
            f"cannot store {len(read)} runs, which would all be read again from the store at the "
            f"next event (keep their ids; at most {READS} runs are stored)"
        )


def _spend_nothing(steps: int) -> None:
    pass


def _check_depth(found: Scan) -> None:
    fragile = [node for node in found.nodes if _is_fragile(found.parts.get(id(node)))]
    if depth.is_too_deep(fragile, partial(_held, found=found)):
        raise NotStorable(
            f"cannot store values of which more than {FRAGILE_DEPTH} hold each other in a row, "
            "such as deques, default dicts, iterators or exceptions of the system: Python could "
            "not free them (use lists)"
        )


def _is_fragile(parts: Parts | None) -> bool:
    if parts is None:
        return False
    is_instance = len(parts) > 1 and type(parts[1]) is ClassPlan
    return parts[1].is_fragile if is_instance else KINDS[parts[0].data[0]].is_fragile


def _held(node: Any, found: Scan) -> Iterator[Any]:
    for child in children(node, found):
        # What an exception holds by name is noted as a map, but it holds it itself.
        yield from child.values() if type(child) is dict else (child,)
