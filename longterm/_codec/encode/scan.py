"""The scan of an object graph: every node once, children first, and which are shared.

In: the root. Out: nodes in post-order, the parts of those that were taken apart, the ids of those
reached twice, whether there is a cycle. Walks with a stack of its own, so depth costs only memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from sys import getrefcount
from types import ModuleType
from typing import Any, Final, TypeAlias

from msgpack import ExtType

from longterm._codec.decode.decoding import MANY_KEYS
from longterm._codec.encode.references import base_of_references
from longterm._codec.encode.stack import READY
from longterm._codec.hints import UNKNOWN, hint_for
from longterm._codec.introspect import dotted_name_of, is_a
from longterm._codec.refusal import NotEncodable
from longterm._codec.types import atoms, registered
from longterm._codec.types.classes import ClassPlan, NoPlan, plan_of
from longterm._codec.types.constants import Constants
from longterm._codec.types.exceptions import dump_exception
from longterm._codec.types.instances import dump_enum, dump_instance, dump_plan
from longterm._codec.types.kinds import Form, Parts
from longterm._codec.types.registry import DUMPERS, IS_NAN, PLANS, VALUES
from longterm._signals import is_of_signal
from longterm.errors import NotStorable

_NOT_LOOKED_AT: Final = READY - {str, float}
_EMPTY_TUPLE: Final = ()
_EMPTY_FROZENSET: Final[frozenset[Any]] = frozenset()


class Scan:
    """What is known of a graph before it is written."""

    __slots__ = (
        "constants",
        "depth",
        "forms",
        "has_nans",
        "has_registered",
        "hashing",
        "holder",
        "is_cyclic",
        "is_open",
        "large",
        "leaves",
        "more_holders",
        "nodes",
        "parts",
        "seen",
        "shared",
        "strings",
    )

    def __init__(self, root: Any, *, is_trial: bool = False) -> None:
        """Start with nothing seen."""
        self.constants = Constants(root, is_trial=is_trial)
        self.nodes: list[Any] = []
        """Every node that holds nodes, children before parents (but for cycles)."""
        self.leaves: list[Any] = []
        """The lists and dicts that hold only scalars, and may be shared."""
        self.parts: dict[int, Parts] = {}
        """The parts of the nodes that were taken apart, by id."""
        self.forms: dict[int, ExtType] = {}
        """The forms of the nodes that are whole in an extension, by id."""
        self.strings: dict[int, ExtType] = {}
        """The forms of strings that are not valid Unicode, by id."""
        self.holder: dict[int, int] = {}
        """Of each node, the id of the one that was first found to hold it."""
        self.more_holders: dict[int, list[int]] = {}
        """Of nodes that were reached again, the ids of the others that hold them."""
        self.seen: set[int] = set()
        """The ids of what more than its holder refers to, so that it may be reached again."""
        self.is_open: set[int] = set()
        """The ids of the nodes from the root to where the scan is."""
        self.shared: set[int] = set()
        """The ids of what is reached twice."""
        self.hashing: list[Any] = []
        """The containers that hash what is in them, and it is more than scalars."""
        self.has_registered = False
        """Whether there are values of types that the application registered."""
        self.large: list[Any] = []
        """The containers of many keys, which may take long to tell apart."""
        self.is_cyclic = False
        self.has_nans = False
        """Whether a NaN is held twice. Known only of what was scanned with care."""
        self.depth = 0

    def add_string(self, text: str) -> None:
        """Keep the form of a string, if msgpack cannot write it."""
        try:
            text.encode()
        except UnicodeEncodeError:
            self.strings[id(text)] = atoms.string(text)


def scan(root: Any, *, with_care: bool = False) -> Scan:
    """Walk a graph.

    Args:
        root: what holds all of it.
        with_care: look at each string and float too, for what msgpack alone would not keep: half a
            surrogate pair, and which NaN is which.

    Raises:
        NotStorable: a value of it cannot be stored; the error has the path to it.
    """
    return _scan(root, _NOT_LOOKED_AT if with_care else READY, _BASE)


def _scan(root: Any, scalars: frozenset[type], base: int, *, is_trial: bool = False) -> Scan:
    """Walk a graph; what has no more references than `base` is held by its holder alone."""
    found = Scan(root, is_trial=is_trial)
    # Every value that is stored comes through this loop, so it asks for as little as it can.
    seen, count, holders, is_open = found.seen, getrefcount, found.holder, found.is_open
    above = [root]
    path: Path = [(above, iter(above), id(above))]
    while path:
        node, children, holder = path[-1]
        for child in children:
            cls = type(child)
            if cls in scalars:
                continue
            key = id(child)
            may_be_shared = count(child) > base
            if may_be_shared:
                if key in seen:
                    _meet_again(child, holder, found)
                    continue
                seen.add(key)
            if (cls is list or cls is dict) and _is_leaf(child, scalars):
                if may_be_shared:
                    holders[key] = holder
                    found.leaves.append(child)
            elif cls is str:
                found.add_string(child)
            elif cls is float and not found.constants.has_nan(child):
                if may_be_shared and child != child:
                    holders[key] = holder
                    found.leaves.append(child)
            else:
                holders[key] = holder
                path.append((child, _open(child, found, path, scalars), key))
                is_open.add(key)
                break
        else:
            if len(path) > found.depth:
                found.depth = len(path)
            path.pop()
            is_open.discard(holder)
            found.nodes.append(node)
    found.nodes.pop()
    return found


Path: TypeAlias = list[tuple[Any, Iterator[Any], int]]
"""The nodes from the root to where the scan is, each with its remaining children and its id."""


def _meet_again(value: Any, holder: int, found: Scan) -> None:
    found.more_holders.setdefault(id(value), []).append(holder)
    if id(value) in found.is_open:
        found.is_cyclic = True
    elif _has_only_content(value):
        return
    found.shared.add(id(value))
    found.has_nans |= type(value) is float


def _has_only_content(value: Any) -> bool:
    """Tell whether it says nothing that a value is held twice."""
    cls = type(value)
    if cls in VALUES or cls is float:
        return cls not in IS_NAN or not IS_NAN[cls](value)
    # The empty ones are a single object in every process.
    return value is _EMPTY_TUPLE or value is _EMPTY_FROZENSET


def _is_leaf(value: list[Any] | dict[Any, Any], scalars: frozenset[type]) -> bool:
    if type(value) is dict and (
        len(value) > MANY_KEYS or not scalars.issuperset(map(type, value.values()))
    ):
        return False
    return scalars.issuperset(map(type, value))


def _open(value: Any, found: Scan, path: Path, scalars: frozenset[type]) -> Iterator[Any]:
    cls = type(value)
    if cls is list:
        return iter(value)
    if cls is dict:
        if len(value) > MANY_KEYS:
            found.large.append(value)
        if scalars.issuperset(map(type, value)):
            return iter(value.values())
        found.hashing.append(value)
        return chain(value, value.values())
    try:
        form = dump(value, found.constants)
    except NotEncodable as refused:
        raise _not_storable(value, refused, path, found) from refused
    except Exception as error:
        if is_of_signal(error):
            raise
        raise _not_storable(value, raised_by(value, error), path, found) from error
    if isinstance(form, ExtType):
        found.forms[id(value)] = form
        return iter(())
    if issubclass(cls, _HASHING):
        found.hashing.append(value)
        if len(form) > MANY_KEYS:
            found.large.append(value)
    if form[0] is _REGISTERED:
        found.has_registered = True
    found.parts[id(value)] = form
    return iter(form)


_HASHING: Final = (set, frozenset, dict)
_REGISTERED: Final = registered.REGISTERED.tag


def dump(value: Any, constants: Constants) -> Form:
    """Take apart a value that is neither scalar nor a plain list or dict.

    Raises:
        Refused: it cannot be stored.
    """
    cls = type(value)
    if cls is ClassPlan:
        return dump_plan(value)
    if cls is float:
        return constants.dump_nan(value)
    if cls in DUMPERS or (id(cls) not in PLANS and DUMPERS.finds(cls)):
        return DUMPERS[cls](value)
    own = registered.dump(value)
    if own is not None:
        return own
    if is_a(value, type):
        return DUMPERS[type](value)
    plan = plan_of(cls)
    if isinstance(plan, NoPlan):
        named = constants.dump_bare(value) if cls is object else None
        if named is not None:
            return named
        known = (plan.reason, plan.hint) if plan.reason else UNKNOWN
        raise NotEncodable(*(hint_for(cls) or known))
    if plan.is_enum:
        return dump_enum(value, plan)
    if is_a(value, BaseException):
        parts = dump_exception(value, plan)
        if is_a(value, AttributeError):
            _leave_out_object(parts[2], constants)
        return parts
    return constants.dump(value, plan) or dump_instance(value, plan)


def _leave_out_object(state: dict[str, Any], constants: Constants) -> None:
    """Leave out what had no such attribute, if that cannot be stored.

    Python notes it by itself, be it a module or a connection, and shows by it what else may have
    been meant. Nobody who waits in a handler could know that it is held.
    """
    if "obj" not in state:
        return
    is_kept = not constants.is_trial and type(state["obj"]) is not ModuleType
    if is_kept:
        try:
            _scan([state["obj"]], READY, _BASE, is_trial=True)
        except NotStorable:
            is_kept = False
    if not is_kept:
        del state["obj"]


def raised_by(value: Any, error: Exception) -> NotEncodable:
    """Return the refusal of a value whose own code raised while it was looked at.

    Such as the encoding function of a registered type, or the hash of a metaclass.
    """
    return NotEncodable(
        f"its own code raised {type(error).__qualname__} when it was to be stored",
        "see the cause above; keep what it is made of, or register its type",
    )


def _not_storable(value: Any, refused: NotEncodable, path: Path, found: Scan) -> NotStorable:
    nodes = [node for node, _, _ in path[1:]] + [value]
    return not_storable_at(nodes, refused, found)


def not_storable_at(nodes: list[Any], refused: NotEncodable, found: Scan) -> NotStorable:
    """Return the error for the last of nodes of which each holds the next."""
    from longterm._codec.encode import paths

    return NotStorable.at(
        paths.between(nodes, found.parts),
        dotted_name_of(type(nodes[-1])),
        refused.reason,
        refused.hint,
    )


def _finds_shared(tree: Any, base: int) -> bool:
    # The tree itself has a name here, so that it is no measure of what only its holder refers to.
    return not _scan(tree, READY, base).seen <= {id(tree)}


_BASE: Final = base_of_references(_finds_shared)
