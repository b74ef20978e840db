"""Keys of dicts and elements of sets: how much work it is to hash them, and to tell them apart.

A tuple of tuples that share can take 2**40 steps to hash, though it is a few bytes; one nested very
deep ends the process; and keys of one hash take quadratic time. The encoder counts in the same way,
so that what was encoded can be decoded.
"""

from __future__ import annotations

import builtins
import typing
from collections import deque
from collections.abc import Callable, Collection, Iterable
from itertools import chain, groupby
from sys import getsizeof
from time import thread_time
from types import FunctionType, GenericAlias, MethodType
from typing import Any, Final, Protocol

from longterm._codec.decode.decoding import MANY_KEYS, Decoding
from longterm._codec.introspect import dotted_name_of, is_a, is_exactly, mro_of, namespace_of
from longterm._codec.types.classes import ClassPlan
from longterm._codec.types.registry import PLANS
from longterm.errors import CorruptData

DEPTH: Final = 500
"""How deep keys may nest: hashing takes native stack for each level."""

_LONG_BITS: Final = 4_096
_FEW: Final = 16
_SLOW_SECONDS: Final = 0.25
_LOST_SECONDS: Final = 2.0
_LOST_SECONDS_PER_KEY: Final = 20e-6
_PROBES_PER_KEY: Final = 50
_STEPS_OF_A_LOOK: Final = 4
"""What it costs to look at a value that is neither a tuple nor of a cheap type."""
_STEPS_OF_PYTHON: Final = 20
"""What a hash that is written in Python costs, in steps of those that are not."""

# By identity: to hash a class may run code of its metaclass.
_LIGHT: Final = frozenset(map(id, (str, bytes, int, float, bool, type(None))))
_SEEDED: Final = frozenset(map(id, (str, bytes)))
"""Types whose hashes nobody can choose, since each process has a seed of its own for them."""
_CHEAP: Final = {
    id(cls)
    for cls in vars(builtins).values()
    if type(cls) is type
    and not issubclass(cls, (int, tuple, frozenset, slice, memoryview, BaseException))
} | set(map(id, (type(iter([])), type(None), FunctionType, type(len))))
"""Types of the interpreter whose hashes take one step; what is not here is looked at closer."""
_typing_alias: Final[Any] = vars(typing)["_GenericAlias"]


class HashingWork(Protocol):
    """Who counts the work of hashing."""

    @property
    def shares(self) -> bool:
        """Whether a value may be held any number of times."""
        ...

    @property
    def has_long_integers(self) -> bool:
        """Whether there are integers whose hash takes long."""
        ...

    def spend_on_hashing(self, steps: int, /) -> None:
        """Count steps; raise CorruptData if there are too many."""
        ...


def are_light(keys: Iterable[Any]) -> bool:
    """Return whether keys are scalars, whose hashes are cheap."""
    return _LIGHT.issuperset(map(id, map(type, keys)))


def put(
    keys: list[Any],
    put_some: Callable[[slice], None],
    container: Collection[Any],
    decoding: Decoding,
) -> None:
    """Put keys into a dict or set, as long as that takes no undue work.

    Args:
        keys: what is hashed.
        put_some: puts in those of a slice, with their values.
        container: what they are put into, which may hold some already.
        context: where the work is counted.

    Raises:
        CorruptData: they would take too long to hash, or to be told apart.
    """
    base: Any = dict if is_a(container, dict) else set
    check(keys, decoding, base.__iter__(container))
    if len(keys) + base.__len__(container) <= MANY_KEYS:
        put_some(slice(None))
        return
    for start in range(0, len(keys), MANY_KEYS):
        begin = thread_time()
        put_some(slice(start, start + MANY_KEYS))
        decoding.hashing_seconds += thread_time() - begin
        if decoding.hashing_seconds > _SLOW_SECONDS:
            _refuse_collisions(list(base.__iter__(container)), decoding.hashing_seconds)
            decoding.hashing_seconds = 0.0


def check_told_apart(containers: Iterable[Collection[Any]]) -> None:
    """Raise if keys and elements would take too long to be told apart when they are decoded.

    How long that took, and a good margin, only says where to look: what is refused does not depend
    on the machine.

    Raises:
        CorruptData: they would.
    """
    seconds = 0.0
    for container in containers:
        if _SEEDED.issuperset(map(id, map(type, container))):
            continue
        keys = [key for key in container if id(type(key)) in _LIGHT]
        begin = thread_time()
        dict.fromkeys(keys)
        seconds += thread_time() - begin
        if seconds > _SLOW_SECONDS / 4:
            _refuse_collisions(keys, 0.0)
            seconds = 0.0


def check(keys: list[Any], work: HashingWork, held: Iterable[Any] = ()) -> None:
    """Spend what hashing keys costs, and telling those apart that have one hash.

    Args:
        keys: what is hashed.
        work: where the work is counted.
        held: keys that are in their container already.

    Raises:
        CorruptData: they are nested too deep, or nothing is left to spend.
    """
    if are_light(keys):
        if work.has_long_integers:
            work.spend_on_hashing(sum(map(_cost, keys)))
        return
    heaviest = 1
    if work.shares:
        for key in keys:
            if type(key) is tuple and are_light(key) and not _has_long_integer(key, work):
                weight = len(key) + 1
                work.spend_on_hashing(weight)
            else:
                weight = weigh(key, work.spend_on_hashing)
            heaviest = max(heaviest, weight)
        _check_equality(chain(held, keys), work)
    if len(keys) > _FEW:
        hashes = sorted(hash(key) for key in keys if id(type(key)) not in _LIGHT)
        for _, same in groupby(hashes):
            count = len(list(same))
            if count > _FEW:
                work.spend_on_hashing(count * count // 2 * heaviest)


def _check_equality(keys: Iterable[Any], work: HashingWork) -> None:
    """Spend what it takes to compare keys that have one hash.

    A hash says little of that: a frozenset keeps its own, and a class may leave fields out.
    """
    found: dict[int, Any] = {}
    for key in keys:
        if id(type(key)) not in _LIGHT and found.setdefault(hash(key), key) is not key:
            weigh(key, work.spend_on_hashing, _compared_parts)


def _has_long_integer(key: tuple[Any, ...], work: HashingWork) -> bool:
    return work.has_long_integers and any(
        type(part) is int and part.bit_length() > _LONG_BITS for part in key
    )


def weigh(
    root: Any,
    spend: Callable[[int], None],
    parts_of: Callable[[Any], Iterable[Any]] | None = None,
) -> int:
    """Spend and return the steps that the hash of a key takes, all that it shares written out.

    Args:
        root: the key.
        spend: counts the steps.
        parts_of: what returns the parts of a value that are gone into; those that are hashed,
            unless told otherwise.

    Raises:
        CorruptData: it is nested too deep, or nothing is left to spend.
    """
    weight = 0
    path = [(0, iter((root,)))]
    is_open: set[int] = set()
    while path:
        for value in path[-1][1]:
            cls = type(value)
            # Most are tuples and what is in them, and the steps are many where they share.
            if cls is tuple:
                cost, parts = 1, value
            elif parts_of is not None:
                cost, parts = _STEPS_OF_A_LOOK, parts_of(value)
            elif id(cls) in _CHEAP:
                cost, parts = 1, ()
            else:
                cost, parts = _STEPS_OF_A_LOOK + _cost(value), _hashed_parts(value)
            weight += cost
            spend(cost)
            if parts and id(value) not in is_open:
                path.append((id(value), iter(parts)))
                is_open.add(id(value))
                if len(path) > DEPTH:
                    raise CorruptData(
                        f"the stored bytes hold a key that is nested deeper than {DEPTH}"
                    )
                break
        else:
            is_open.discard(path.pop()[0])
    return weight


def _cost(value: Any) -> int:
    if is_exactly(value, str, bytes, float, type(None)):
        return 1
    if is_a(value, int):
        return 1 + (int.bit_length(value) >> 6)
    if dotted_name_of(type(value)) == "decimal.Decimal":
        return 1 + (getsizeof(value) >> 5)
    if is_a(value, frozenset):
        # Its own hash is kept, those of its elements are not.
        size: int = frozenset.__len__(value)
        return 1 + size
    if is_exactly(value, memoryview):
        count: int = value.nbytes
        return 1 + count // 8
    return _STEPS_OF_PYTHON if _has_own_hash(type(value)) else 1


def _hashed_parts(value: Any) -> Iterable[Any]:
    """Return the parts of a value that its hash goes into."""
    if id(type(value)) in _LIGHT:
        return ()
    if is_a(value, tuple):
        return tuple.__getitem__(value, slice(None))
    if is_exactly(value, slice):
        return value.start, value.stop, value.step
    if is_exactly(value, GenericAlias, _typing_alias):
        return value.__origin__, *value.__args__
    if is_exactly(value, MethodType):
        return (value.__func__,)
    plan = PLANS.get(id(type(value)))
    if plan is None or not _has_own_hash(type(value)):
        return ()
    return _held(value, plan)


def _compared_parts(value: Any) -> Iterable[Any]:
    """Return the parts of a value that a comparison may go into."""
    plan = PLANS.get(id(type(value)))
    return _hashed_parts(value) or _held(value, plan)


def _held(value: Any, plan: ClassPlan | None) -> list[Any]:
    """Return what a container holds, and what the attributes of an instance do."""
    held: list[Any] = []
    if is_a(value, dict):
        held += [*dict.keys(value), *dict.values(value)]
    for base in (list, deque, set, frozenset):
        if is_a(value, base):
            held += base.__iter__(value)
    if plan is not None:
        for named in (plan.attributes(value), plan.slot_values(value)):
            held += (named or {}).values()
    return held


def _has_own_hash(cls: type) -> bool:
    """Tell whether a class has a hash that is written in Python."""
    for base in mro_of(cls):
        found = namespace_of(base).get("__hash__")
        if found is not None:
            return type(found) is FunctionType
    return False


def _refuse_collisions(keys: list[Any], seconds: float) -> None:
    """Raise if it is the keys that make it slow to put them in, and not the machine.

    They may have one hash, or hashes that lead from place to place along the same way.
    """
    hashes = [hash(key) for key in keys]
    size = 1 << (len(keys) * 3 // 2).bit_length()
    is_lost = seconds > _LOST_SECONDS + len(keys) * _LOST_SECONDS_PER_KEY
    if (is_lost and are_light(keys)) or any(
        _collide(hashes, slots) for slots in (size // 2, size, size * 2)
    ):
        raise CorruptData("the stored bytes hold keys that cannot be told apart in due time")


def _collide(hashes: list[int], size: int) -> bool:
    """Tell whether a dict's table of a size would be searched for long to place these hashes.

    The way from place to place is CPython's, of Objects/dictobject.c.
    """
    if size <= len(hashes):
        return False
    mask, taken = size - 1, bytearray(size)
    left = len(hashes) * _PROBES_PER_KEY
    for number in hashes:
        perturb, place = number & 0xFFFF_FFFF_FFFF_FFFF, number & mask
        while taken[place]:
            perturb >>= 5
            place = (place * 5 + perturb + 1) & mask
            left -= 1
            if left < 0:
                return True
        taken[place] = 1
    return False
