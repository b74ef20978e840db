"""Generators of the standard library of which all is known: those of its containers.

The items of a UserDict and a ChainMap are gone through by a generator; so are a UserList and other
sequences of `collections.abc`, the flags in a flag, the addresses of a network. The function of
each is known, and so is what it has left to do. It is made again by a call of that very function,
on a stand-in for what it goes through: so tracebacks and all else are as they were.
"""

from __future__ import annotations

import enum
import gc
import sys
from collections import deque
from collections.abc import Callable, ItemsView, KeysView, MappingView, Sequence, ValuesView
from ipaddress import IPv4Network, IPv6Network
from itertools import islice
from operator import getitem
from types import GeneratorType, MethodType
from typing import Any, Final, NamedTuple

from longterm._codec.decode.decoding import Decoding
from longterm._codec.introspect import is_a, is_exactly, mro_of, namespace_of
from longterm._codec.refusal import NotEncodable
from longterm._codec.types import enumerations
from longterm._codec.types.kinds import Family, Kind, Parts, Row
from longterm._codec.types.windows import mapping_of

_HINT: Final = "go through a list of it, which can be stored"
_MOST_PASSED: Final = 100_000
"""How many elements of a sequence may be passed: so many times a decoding steps through one."""


class _Known(NamedTuple):
    """A generator function of the standard library."""

    function: Any
    dump: Callable[[Any], Parts]
    """Take apart a generator of it that has not ended."""
    load: Callable[..., Any]
    """Make one of a decoding and such parts."""


class _StandIn:
    """Stands for a container in a generator that goes on where another stood."""

    __slots__ = ("left", "through")

    def __init__(self, through: Any, left: Any) -> None:
        self.through = through
        """The container."""
        self.left = left
        """What a generator that is not begun yet has left: an iterator, or how many elements."""

    def __iter__(self) -> Any:
        return self.left


def _stand_in(through: Any, left: Any, **methods: Any) -> Any:
    """Return a stand-in with special methods that are no functions of ours, so without frames."""
    return type("StandIn", (_StandIn,), {"__slots__": (), **methods})(through, left)


def _dump_view(generator: Any) -> Parts:
    view = generator.gi_frame.f_locals["self"]
    if not _is_shown_by_slot(view):
        raise NotEncodable("its class has a `_mapping` of its own", _HINT)
    mapping = mapping_of(view)
    begun = [_on_the_stack(generator)] if generator.gi_suspended else []
    if is_a(mapping, _StandIn):
        return [mapping.through, *(begun or [mapping.left])]
    return [mapping, *begun]


def _on_the_stack(generator: Any) -> Any:
    """Return the iterator of the loop that a generator is in: what its frame holds last."""
    *_, last = (held for held in gc.get_referents(generator) if held is not None)
    if not _is_iterator(last):
        raise NotEncodable("this Python does not tell where it stands", _HINT)
    return last


def _is_iterator(value: Any) -> bool:
    return any("__next__" in namespace_of(base) for base in mro_of(type(value)))


def _is_shown_by_slot(view: Any) -> bool:
    owner = next(base for base in mro_of(type(view)) if "_mapping" in namespace_of(base))
    return owner is MappingView


def _load_view(view: Any) -> Callable[..., Any]:
    def load(decoding: Decoding, mapping: Any, *begun: Any) -> Any:
        for iterator in begun:
            if not _is_iterator(iterator):
                raise TypeError("a mapping is gone through by an iterator")
            mapping = _stand_in(mapping, iterator, __getitem__=MethodType(getitem, mapping))
        return view.__iter__(view(mapping))

    return load


def _dump_sequence(generator: Any) -> Parts:
    names = generator.gi_frame.f_locals
    passed = names["i"] + 1 if generator.gi_suspended else 0
    if passed > _MOST_PASSED:
        raise NotEncodable(f"it has passed more than {_MOST_PASSED:,} elements", _HINT)
    return [_through(names["self"]), passed]


def _load_sequence(decoding: Decoding, sequence: Any, passed: Any) -> Any:
    if type(passed) is not int or not 0 <= passed <= _MOST_PASSED:
        raise TypeError("a sequence is gone through from a position on")
    decoding.spend(passed)
    # It counts on its own, so it is led there over numbers.
    made_of = _stand_in(sequence, None, __getitem__=range(passed).__getitem__)
    made = Sequence.__iter__(made_of)
    deque(islice(made, passed), maxlen=0)
    type(made_of).__getitem__ = MethodType(getitem, sequence)
    return made


def _dump_reversed(generator: Any) -> Parts:
    names = generator.gi_frame.f_locals
    if generator.gi_suspended:
        return [_through(names["self"]), names["i"]]
    sequence = names["self"]
    return [sequence.through, sequence.left] if is_a(sequence, _StandIn) else [sequence]


def _load_reversed(decoding: Decoding, sequence: Any, *left: Any) -> Any:
    for number in left:
        if type(number) is not int or not 0 <= number <= sys.maxsize:
            raise TypeError("a sequence has a number of elements left")
        methods = {"__len__": number.__index__, "__getitem__": MethodType(getitem, sequence)}
        sequence = _stand_in(sequence, number, **methods)
    return Sequence.__reversed__(sequence)


def _through(container: Any) -> Any:
    return container.through if is_a(container, _StandIn) else container


def _dump_network(generator: Any) -> Parts:
    names = generator.gi_frame.f_locals
    network = names["self"]
    if generator.gi_suspended:
        return [_through(network), names["x"]]
    return [network.through, network.left] if is_a(network, _StandIn) else [network]


def _load_network(function: Any, first: int) -> Callable[..., Any]:
    """Return what makes a generator that begins so many addresses behind the network's own."""

    def load(decoding: Decoding, network: Any, *last: Any) -> Any:
        if not is_exactly(network, IPv4Network, IPv6Network):
            raise TypeError("the addresses of a network are gone through")
        for number in last:
            if type(number) is not int:
                raise TypeError("an address is a number")
            network = _stand_in(
                network,
                number,
                network_address=number + 1 - first,
                broadcast_address=network.broadcast_address,
                _address_class=network._address_class,
            )
        return function(network)

    return load


def _dump_flags(generator: Any) -> Parts:
    flag = generator.gi_frame.f_locals["self"]
    if not _is_stock(type(flag)):
        raise NotEncodable("its class has a way of its own to go through flags", _HINT)
    if not generator.gi_suspended:
        return [flag, 0]
    inner = generator.gi_yieldfrom
    if inner.gi_code is _by_value.__code__:
        bit = inner.gi_frame.f_locals["val"]
        return [flag, (flag._value_ & type(flag)._flag_mask_ & (2 * bit - 1)).bit_count()]
    return [flag, inner.gi_yieldfrom.__reduce__()[2]]


def _load_flags(decoding: Decoding, flag: Any, passed: Any) -> Any:
    if not is_a(flag, enum.Flag) or not _is_stock(type(flag)) or type(passed) is not int:
        raise TypeError("the flags in a flag are gone through")
    made = enum.Flag.__iter__(flag)
    deque(islice(made, max(passed, 0)), maxlen=0)
    return made


def _is_stock(cls: type) -> bool:
    """Tell whether the flags of a class are found by code of Python's own."""
    spaces = [namespace_of(base) for base in mro_of(cls)]
    ways = [
        next(space[name] for space in spaces if name in space).__func__
        for name in ("_iter_member_", "_iter_member_by_value_")
    ]
    return ways[0] in (_by_value, _by_definition) and ways[1] is _by_value


_by_value: Final[Any] = vars(enum.Flag)["_iter_member_by_value_"].__func__
_by_definition: Final[Any] = vars(enum.Flag)["_iter_member_by_def_"].__func__

_addresses: Final[Any] = IPv4Network.__iter__
_hosts: Final[Any] = IPv4Network.hosts
_hosts_6: Final[Any] = IPv6Network.hosts

_KNOWN: Final = {
    "keys": _Known(KeysView.__iter__, _dump_view, _load_view(KeysView)),
    "values": _Known(ValuesView.__iter__, _dump_view, _load_view(ValuesView)),
    "items": _Known(ItemsView.__iter__, _dump_view, _load_view(ItemsView)),
    "sequence": _Known(Sequence.__iter__, _dump_sequence, _load_sequence),
    "reversed sequence": _Known(Sequence.__reversed__, _dump_reversed, _load_reversed),
    "flags": _Known(enum.Flag.__iter__, _dump_flags, _load_flags),
    "addresses": _Known(_addresses, _dump_network, _load_network(_addresses, 0)),
    "hosts": _Known(_hosts, _dump_network, _load_network(_hosts, 1)),
    "hosts of version 6": _Known(_hosts_6, _dump_network, _load_network(_hosts_6, 1)),
}
_MEMBERS: Final = {
    "members": (enum.EnumType.__iter__, enumerations.FORWARDS),
    "reversed members": (enum.EnumType.__reversed__, enumerations.BACKWARDS),
}
"""The generators of another kind, which are of this one when they have ended."""
_FUNCTIONS: Final[dict[str, Any]] = {
    **{name: known.function for name, known in _KNOWN.items()},
    **{name: function for name, (function, _) in _MEMBERS.items()},
}
_NAME_OF: Final = {
    **{id(known.function.__code__): name for name, known in _KNOWN.items()},
    **{id(code): name for name, (_, code) in _MEMBERS.items()},
}


def _dump(generator: GeneratorType[Any, Any, Any]) -> Parts:
    name = _NAME_OF.get(id(generator.gi_code))
    if name is None:
        raise NotEncodable(
            "a generator's own frame cannot be stored",
            "make it by a function with @deflow, or go through a list of it, which can be stored",
        )
    if generator.gi_frame is None:
        return [GENERATOR.tag, name]
    if name in _MEMBERS:
        return enumerations.dump_members(generator)
    return [GENERATOR.tag, name, *_KNOWN[name].dump(generator)]


def _load(parts: Parts, decoding: Decoding) -> Any:
    name, *held = parts
    if type(name) is not str:
        raise TypeError("a generator is called by a name")
    if not held:
        ended = _FUNCTIONS[name](enum.Enum)  # which has no members; the others do not look at it
        ended.close()
        return ended
    decoding.acts = True
    return _KNOWN[name].load(decoding, *held)


GENERATOR: Final = Kind("generator of the standard library", _load, whole=True, is_fragile=True)


def calls_methods(value: Any) -> bool:
    """Tell whether a value is a generator that calls methods of what it goes through."""
    return type(value) is GeneratorType and _NAME_OF.get(id(value.gi_code)) in _KNOWN


FAMILY: Final = Family(
    kinds=(GENERATOR,),
    rows=(
        Row(
            GeneratorType,
            dump=_dump,
            group="iterators",
            note="of Python's own containers: an enum or a flag; the keys, values and items of a "
            "`UserDict`, `ChainMap` or another `Mapping`; a `UserList` or another `Sequence`; the "
            "addresses and hosts of a network",
        ),
    ),
)
