"""Where iterators of itertools stand, on a Python that no longer tells it, and putting them there.

Python 3.14 took `__reduce__` and `__setstate__` from itertools (gh-101588). What one holds can be
seen by the garbage collector, which suffices for some of them; and most can be made anew so that
they go on in the same way.
"""

from __future__ import annotations

import ast
import gc
import itertools
from collections.abc import Callable
from typing import Any, Final

from longterm._codec.decode.decoding import BYTES_PER_ELEMENT, Decoding
from longterm._codec.introspect import is_a, mro_of, namespace_of
from longterm._codec.refusal import NotEncodable
from longterm._codec.types.adaptors import AsIs
from longterm.errors import NotAllowed

State = tuple[tuple[Any, ...], list[Any]]


def read(value: Any) -> State:
    """Return the arguments and the state of an iterator, as Python 3.13 would tell them.

    Raises:
        Refused: they cannot be read.
    """
    name = type(value).__name__
    reader = _READERS.get(name)
    if reader is None:
        raise NotEncodable(
            f"this Python does not tell where an itertools.{name} stands",
            "go through a list, or count on your own",
        )
    held = [part for part in gc.get_referents(value) if part is not type(value)]
    return reader(value, held)


def _read_count(value: Any, held: list[Any]) -> State:
    if len(held) == 2 and not is_a(held[0], int):
        return tuple(held), []
    # What a whole count holds is where it began; its text says where it stands.
    numbers = ast.literal_eval(repr(value).removeprefix("count"))
    return (numbers if isinstance(numbers, tuple) else (numbers,)), []


def _read_repeat(value: Any, held: list[Any]) -> State:
    try:
        return (held[0], value.__length_hint__()), []
    except TypeError:
        return (held[0],), []


def _read_chain(value: Any, held: list[Any]) -> State:
    return (), [tuple(held)] if held else []


def _read_accumulate(value: Any, held: list[Any]) -> State:
    function = None if _is_iterator(held[0]) else held.pop(0)
    iterator, *total, initial = held
    if initial is not None:
        return (itertools.chain([initial], AsIs(iterator)), function), []
    return (iterator, function), total


def _read_cycle(value: Any, held: list[Any]) -> State:
    if len(held) < 2:
        raise NotEncodable(
            "where it stands in its second round cannot be read", "go through a list"
        )
    iterator, saved = held
    return (iterator,), [(saved, 0)] if saved else []


def _read_pairwise(value: Any, held: list[Any]) -> State:
    # The last thing it holds may be the pair that it gives out, which says nothing.
    if not held or not _is_iterator(held[0]):
        return (iter(()),), []
    return (held[0],), [(held[1],)] if len(held) > 1 and not _is_result(held[1], held) else []


def _is_result(value: Any, held: list[Any]) -> bool:
    return len(held) == 2 and type(value) is tuple and all(part is None for part in value)


def _is_iterator(value: Any) -> bool:
    return any("__next__" in namespace_of(base) for base in mro_of(type(value)))


_READERS: Final[dict[str, Callable[[Any, list[Any]], State]]] = {
    "accumulate": _read_accumulate,
    "chain": _read_chain,
    "compress": lambda value, held: (tuple(held), []),
    "count": _read_count,
    "cycle": _read_cycle,
    "filterfalse": lambda value, held: ((held[1], held[0]), []),
    "pairwise": _read_pairwise,
    "repeat": _read_repeat,
    "starmap": lambda value, held: ((held[1], held[0]), []),
}


def go_on(name: str, arguments: tuple[Any, ...], state: Any, decoding: Decoding) -> Any:
    """Return an iterator that goes on as one of this name in this state would.

    Raises:
        NotAllowed: none can be made on this Python.
    """
    maker = _LOADERS.get(name)
    if maker is None:
        raise NotAllowed(f"itertools:{name}", "cannot be continued on this Python (3.13 can)")
    return maker(decoding, state, *arguments)


def _chain(decoding: Decoding, state: Any) -> Any:
    source, *active = state
    if not active:
        return itertools.chain.from_iterable(AsIs(source))
    return itertools.chain.from_iterable(itertools.chain(map(AsIs, active), AsIs(source)))


def _accumulate(decoding: Decoding, state: Any, iterator: Any, function: Any = None) -> Any:
    made = itertools.accumulate(AsIs(iterator), function, initial=state)
    next(made)
    return made


def _cycle(decoding: Decoding, state: Any, iterator: Any) -> Any:
    saved, is_later_round = state
    if is_later_round:
        return itertools.chain(AsIs(iterator), itertools.cycle(saved))
    decoding.spend(len(saved) * BYTES_PER_ELEMENT)
    made = itertools.cycle(AsIs(iterator))
    own = next(part for part in gc.get_referents(made) if type(part) is list and not part)
    own.extend(saved)
    return made


def _islice(decoding: Decoding, state: Any, iterator: Any, *ends: Any) -> Any:
    first, stop, step = (*ends, None, None)[:3]
    if len(ends) == 1:
        first, stop = 0, ends[0]
    stop = None if stop is None else max(stop - state, 0)
    return itertools.islice(AsIs(iterator), max(first - state, 0), stop, step)


def _dropwhile(decoding: Decoding, state: Any, function: Any, iterator: Any) -> Any:
    return (
        itertools.chain(AsIs(iterator)) if state else itertools.dropwhile(function, AsIs(iterator))
    )


def _takewhile(decoding: Decoding, state: Any, function: Any, iterator: Any) -> Any:
    return itertools.takewhile(function, () if state else AsIs(iterator))


def _pairwise(decoding: Decoding, state: Any, iterator: Any) -> Any:
    return itertools.pairwise(itertools.chain(state, AsIs(iterator)))


def _zip_longest(decoding: Decoding, state: Any, *iterators: Any) -> Any:
    ended = ()
    as_is = (iterator if iterator is ended else AsIs(iterator) for iterator in iterators)
    return itertools.zip_longest(*as_is, fillvalue=state)


_LOADERS: Final[dict[str, Callable[..., Any]]] = {
    "accumulate": _accumulate,
    "chain": _chain,
    "cycle": _cycle,
    "dropwhile": _dropwhile,
    "islice": _islice,
    "pairwise": _pairwise,
    "takewhile": _takewhile,
    "zip_longest": _zip_longest,
}
