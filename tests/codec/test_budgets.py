"""A few bytes neither freeze nor kill a process: hashing, depth, keys of one hash, stored runs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import MethodType
from typing import Any

import pytest
from msgpack import ExtType

from longterm._codec import CorruptData, NotStorable, decode, encode, wire
from longterm._codec.decode import hashing
from longterm._codec.decode.decoding import FRAGILE_DEPTH as DEPTH
from longterm._codec.types import registered
from tests.codec import models
from tests.codec.blobs import code, items, name, reference, tagged, type_of
from tests.codec.fuzz.packing import Pairs, pack
from tests.codec.models import Point

ROOT = Path(__file__).parents[2]
MODULUS = (1 << 61) - 1


def refused(data: bytes, match: str) -> None:
    begin = time.thread_time()
    with pytest.raises(CorruptData, match=match):
        decode(data)
    assert time.thread_time() - begin < 3.0


def chain(core: Any, wrap: Callable[[Any], Any], length: int, last: Callable[[Any], Any]) -> bytes:
    """Return items that each hold the one before."""
    links = [wrap(reference(number)) for number in range(length)]
    values = [core, *links, last(reference(length))]
    return bytes([wire.VERSION, wire.ITEMS]) + b"".join(map(pack, values))


def twice(kind: str) -> Callable[[Any], Any]:
    return lambda inner: tagged(kind, inner, inner)


def point(inner: Any) -> Any:
    return tagged(
        "object", type_of("tests.codec.models:Point"), None, Pairs([("x", inner), ("y", inner)])
    )


ENDS: dict[str, Callable[[Any], Any]] = {
    "set": lambda last: tagged("set", last),
    "frozenset": lambda last: tagged("frozenset", last),
    "key": lambda last: Pairs([(last, 1)]),
    "key of an ordered dict": lambda last: tagged(
        "object", type_of("collections:OrderedDict"), None, None, None, last, 1
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_tuples_that_share_are_not_hashed_for_ever(end: str) -> None:
    data = chain(tagged("tuple", 1), twice("tuple"), 40, ENDS[end])
    assert len(data) < 500
    refused(data, "take too long to hash")


def test_instances_that_share_are_not_hashed_for_ever() -> None:
    refused(chain(1, point, 40, ENDS["set"]), "take too long to hash")


def test_containers_with_a_hash_of_their_own_are_not_hashed_for_ever() -> None:
    frozen = type_of("tests.codec.models:FrozenDict")
    data = chain(
        1,
        lambda inner: tagged("object", frozen, None, None, None, 1, inner, 2, inner),
        40,
        ENDS["set"],
    )
    refused(data, "take too long to hash")


@pytest.mark.parametrize(
    "holder",
    [
        lambda *keys: tagged("set", *keys),
        lambda *keys: tagged("frozenset", *keys),
        lambda *keys: Pairs([(key, 1) for key in keys]),
        lambda *keys: tagged(
            "object", type_of("collections:Counter"), None, None, None, keys[0], 1, keys[1], 1
        ),
    ],
)
def test_sets_that_share_are_not_compared_for_ever(holder: Any) -> None:
    # A frozenset keeps its hash; to compare two that are alike takes as long as they are big.
    values: list[Any] = []
    for _ in range(2):
        values.append(tagged("frozenset", 1))
        for _ in range(60):
            last = reference(len(values) - 1)
            values.append(tagged("frozenset", last, tagged("tuple", last)))
    keys = reference(60), reference(121)
    data = bytes([wire.VERSION, wire.ITEMS]) + b"".join(map(pack, [*values, holder(*keys)]))
    refused(data, "take too long to hash")


def test_fields_that_are_compared_and_not_hashed_are_not_compared_for_ever() -> None:
    label = type_of("tests.codec.models:Label")
    values: list[Any] = []
    for _ in range(2):
        values.append([1])
        for _ in range(60):
            values.append([reference(len(values) - 1)] * 2)
    keys = [
        tagged("object", label, Pairs([("name", "a"), ("notes", reference(number))]))
        for number in (60, 121)
    ]
    values.append(tagged("set", *keys))
    refused(bytes([wire.VERSION, wire.ITEMS]) + b"".join(map(pack, values)), "too long to hash")


def test_sets_of_sets_that_share_are_put_in_order_at_once() -> None:
    nested: Any = frozenset({1})
    for _ in range(9):
        nested = frozenset({nested, *((nested, number) for number in range(40))})
    begin = time.thread_time()
    assert len(encode({nested, "b"})) < 100_000  # to compare what comes back would take for ever
    assert time.thread_time() - begin < 3.0


def test_a_method_of_what_shares_is_put_in_order_at_once() -> None:
    shared: Any = ["x"]
    for _ in range(60):
        shared = [shared, shared]
    assert len(decode(encode({MethodType(nested_tuple, shared), "a"}))) == 2


def test_what_is_not_hashed_may_share_as_it_will() -> None:
    shared: Any = (1,)
    for _ in range(60):
        shared = (shared, shared)
    back = decode(encode([shared]))
    assert back[0][0] is back[0][1]


def test_keys_nested_deep_are_refused_on_both_sides() -> None:
    assert decode(encode([shallow := nested_tuple(hashing.DEPTH - 5), {shallow: 1}]))
    too_deep = nested_tuple(hashing.DEPTH + 5)
    with pytest.raises(NotStorable, match="nested deeper"):
        encode([too_deep, {too_deep: 1}])
    refused(chain(1, lambda inner: tagged("tuple", inner), 50_000, ENDS["set"]), "nested deeper")


def nested_tuple(depth: int) -> Any:
    nested: Any = 1
    for _ in range(depth):
        nested = (nested,)
    return nested


@pytest.mark.parametrize("of_typing", [True, False])
def test_aliases_of_aliases_are_limited_on_both_sides(of_typing: bool) -> None:
    dict_type = name("builtins:dict")
    data = chain(
        name("builtins:int"),
        lambda inner: tagged("alias", of_typing, dict_type, inner, inner),
        40,
        lambda last: tagged("set", last),
    )
    refused(data, "more than 200 classes")
    alias: Any = int
    for _ in range(40):
        alias = dict[alias, alias]
    with pytest.raises(NotStorable, match="more than 200 classes"):
        encode([alias])


def as_it_is(last: Any) -> Any:
    return last


def as_slot(last: Any) -> Any:
    return [tagged("frame", "m:f", "v", 1, 1, Pairs([("x", last)]))]


FRAGILE: dict[str, Callable[[Any], Any]] = {
    "deque": lambda inner: tagged("deque", None, inner),
    "defaultdict": lambda inner: tagged(
        "object", type_of("collections:defaultdict"), None, None, None, 1, inner
    ),
    "slice": lambda inner: tagged("slice", inner, None, None),
    "enumerate": lambda inner: tagged("enumerate", inner, 0),
    "repeat": lambda inner: tagged("itertools", "repeat", tagged("tuple", inner)),
    "islice": lambda inner: tagged("itertools", "islice", tagged("tuple", inner, None)),
    "cell": lambda inner: tagged("cell", inner),
    "OSError": lambda inner: tagged(
        "exception",
        type_of("builtins:OSError"),
        Pairs([("args", tagged("tuple")), ("__context__", inner)]),
        None,
        None,
    ),
}
CORE: dict[str, Any] = {
    "OSError": tagged(
        "exception", type_of("builtins:ValueError"), {"args": tagged("tuple")}, None, None
    ),
    "enumerate": tagged("iterator", "list", [], 0),
    "islice": tagged("iterator", "list", [], 0),
}


def as_element(last: Any) -> Any:
    return tagged("set", last)


def as_key(last: Any) -> Any:
    return Pairs([(last, 1)])


MANY = 20_000
"""So many values that hold each other in a row end a process that frees them on a small stack."""

DECODE = """
import sys, threading
from longterm._codec import decode, CorruptData

def refuse():
    try:
        decode(data)
    except CorruptData as error:
        said.append(str(error))

data, said = sys.stdin.buffer.read(), []
threading.stack_size(1 << 20)
thread = threading.Thread(target=refuse)
thread.start()
thread.join()
print(*said)
"""


def refused_elsewhere(data: bytes) -> str:
    """Return why bytes are refused in a process of its own, which they could end."""
    done = subprocess.run(
        [sys.executable, "-c", DECODE], cwd=ROOT, input=data, capture_output=True, check=False
    )
    assert done.returncode == 0, (done.returncode, done.stderr[-500:])
    return done.stdout.decode()


@pytest.mark.parametrize("end", [as_element, as_key])
@pytest.mark.parametrize("kind", ["deque", "defaultdict"])
def test_what_is_refused_for_another_reason_is_freed_too(kind: str, end: Any) -> None:
    """The exception's traceback must not keep what takes native stack to be freed."""
    why = refused_elsewhere(chain(None, FRAGILE[kind], MANY, end))

    assert why.strip()
    assert "too deep" not in why


@pytest.mark.parametrize(
    ("kind", "is_backwards"),
    [*((kind, False) for kind in FRAGILE), ("deque", True), ("cell", True)],
)
def test_what_cannot_be_freed_is_not_made(kind: str, is_backwards: bool) -> None:
    if is_backwards:
        placeholders = [tagged("new", code(kind), *([None] if kind == "deque" else []))] * MANY
        fills = [tagged("fill", reference(at), reference(at + 1)) for at in range(MANY - 1)]
        data = items(*placeholders, *fills, reference(0))
    else:
        end = as_slot if kind == "deque" else as_it_is
        data = chain(CORE.get(kind), FRAGILE[kind], MANY, end)

    assert "too deep to be freed" in refused_elsewhere(data)


@pytest.mark.parametrize("make", [lambda inner: deque([inner]), lambda inner: slice(inner),
                                  lambda inner: default(inner)])  # fmt: skip
def test_depth_that_python_cannot_free_is_refused_at_the_suspend(make: Any) -> None:
    value: Any = 1
    for _ in range(DEPTH - 1):
        value = make(value)
    decode(encode([value]))
    value = make(make(value))
    with pytest.raises(NotStorable, match="hold each other in a row"):
        encode([value])
    with pytest.raises(NotStorable, match="hold each other in a row"):
        encode(exceptions(DEPTH + 1))


def default(inner: Any) -> Any:
    made: defaultdict[int, Any] = defaultdict(None)
    made[1] = inner
    return made


def exceptions(count: int) -> BaseException:
    error = OSError(1, "first")
    for _ in range(count):
        outer = OSError(2, "next")
        outer.__context__ = error
        error = outer
    return error


def test_other_depth_is_limited_only_by_memory() -> None:
    value: Any = deque()
    for _ in range(20_000):
        value = [deque([{"x": (value,)}])]
    decode(encode(value))


def big(number: int) -> ExtType:
    return ExtType(wire.INTEGER, (MODULUS * number).to_bytes(12, "big", signed=True))


@pytest.mark.parametrize("shape", ["map", "set", "frozenset", "ordered", "fills", "tree"])
def test_keys_of_one_hash_are_refused_before_they_take_long(shape: str) -> None:
    keys = [big(number) for number in range(1 << 20, (1 << 20) + 20_000)]
    pairs = Pairs([(key, 1) for key in keys])
    flat = [part for pair in pairs for part in pair]
    head = bytes([wire.VERSION, wire.ITEMS])
    fills = [
        tagged("fill", reference(0), *flat[start : start + 800])
        for start in range(0, len(flat), 800)
    ]
    data = {
        "map": lambda: head + pack(pairs),
        "set": lambda: items(tagged("set", *keys)),
        "frozenset": lambda: items(tagged("frozenset", *keys)),
        "ordered": lambda: items(
            tagged("object", type_of("collections:OrderedDict"), None, None, None, *flat)
        ),
        "fills": lambda: items(tagged("new", code("dict")), *fills, reference(0)),
        "tree": lambda: bytes([wire.VERSION, 0]) + pack(pairs),
    }[shape]()
    refused(data, "cannot be told apart")


def test_many_plain_keys_are_no_matter() -> None:
    numbers = {number * 7919: number for number in range(100_000)}
    assert decode(encode(numbers)) == numbers
    assert decode(encode({1 << 70: 1, **numbers})) == {1 << 70: 1, **numbers}
    assert decode(encode(set(numbers))) == set(numbers)
    points = {Point(number, "x"): number for number in range(3_000)}
    assert decode(encode(points)) == points


def test_keys_whose_long_hash_is_taken_again_and_again_are_refused() -> None:
    long_number = ExtType(wire.INTEGER, b"\x01" * 100_000)
    values = [long_number, [Pairs([(reference(0), 1)])] * 4_000]
    refused(bytes([wire.VERSION, wire.ITEMS]) + b"".join(map(pack, values)), "too long to hash")


def test_one_decoding_reads_few_runs_and_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []
    stored = registered._by_name["longterm.run"]
    monkeypatch.setitem(
        registered._by_name,
        "longterm.run",
        registered.Registration(
            stored.cls, stored.name, stored.encode, lambda key: reads.append(key) or key,
            1, None, True, reads_store=True,
        ),
    )  # fmt: skip
    runs = [tagged("registered", "longterm.run", 1, f"{number:x}") for number in range(5_000)]
    refused(items(runs), "more than 1000 runs")
    assert len(reads) == 1_000
    reads.clear()
    assert decode(items(runs[:3] * 1_000)) == ["0", "1", "2"] * 1_000
    assert len(reads) == 3


def test_a_flow_that_holds_too_many_runs_is_told_so() -> None:
    import longterm  # noqa: F401 - registers Run
    from longterm.run import Run, RunState

    runs = [Run(id=f"{number}", flow="m:f", state=RunState.COMPLETE) for number in range(1_001)]
    encode(runs[:1_000])
    with pytest.raises(NotStorable, match="keep their ids"):
        encode(runs)


def test_a_number_of_flags_is_small() -> None:
    flags = type_of("tests.codec.models:Mode")
    refused(items(tagged("flags", flags, ExtType(wire.INTEGER, b"\x01" * 50_000))), "Mode")
    assert decode(encode([models.Mode(8)]))[0] == 8


ALIKE = (1 << 61) - 1
"""What all numbers that are multiples of it have as their hash: none."""


@pytest.mark.parametrize("number", [300, 6_500])
@pytest.mark.parametrize(
    "make",
    [
        lambda keys: dict.fromkeys(keys, 1),
        lambda keys: set(keys),
        lambda keys: [dict.fromkeys(keys, "x"), (1, 2)],
        lambda keys: models.Node(dict.fromkeys(keys, 1)),
        lambda keys: {**dict.fromkeys(keys, 1), ("a", 1): 2},
        lambda keys: [dict.fromkeys(keys, 1)] * 2,
    ],
)
def test_keys_of_one_hash_are_decoded_or_refused_at_once(make: Any, number: int) -> None:
    value = make([each * ALIKE for each in range(number)])
    data = b""
    with suppress(NotStorable):
        data = encode(value)
    if data or number == 300:
        decode(data)


def test_many_numbers_are_no_matter_as_keys() -> None:
    for step in (1, 7, 1_000, 1 << 20, 1 << 32, 1 << 40):
        for keys in (range(0, 20_000 * step, step), map(float, range(20_000))):
            value = dict.fromkeys(keys, 1)
            assert len(decode(encode([value, value]))[0]) == len(value)
