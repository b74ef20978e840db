"""Damaged and forged bytes give one typed error: no crash, no hang, no memory out of proportion.

`LONGTERM_MUTATIONS=2000000` tries that many mutations instead of the few thousand of a quick run.
"""

from __future__ import annotations

import os
import random
import time
import tracemalloc
import warnings
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgpack import packb

from longterm._codec import CorruptData, decode, describe, encode, wire
from longterm._codec.types.families import FAMILY_OF_KIND
from longterm.frame import Frame
from tests.codec.blobs import code, items, reference, tagged, type_of
from tests.codec.corpus import blobs

MUTATIONS = int(os.environ.get("LONGTERM_MUTATIONS", "6000"))
SECONDS_AT_MOST = 2.0


def tried(data: bytes) -> Any:
    """Decode bytes; anything but the one error is a failure."""
    begin = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return decode(data)
    except CorruptData:
        return None
    finally:
        assert time.perf_counter() - begin < SECONDS_AT_MOST, data


def test_short_items_that_are_cut_off_are_refused_and_leave_nothing_behind() -> None:
    rows: list[Any] = [1]
    data = encode([rows, {"same": rows}, [rows]])
    assert data[1] == wire.ITEMS
    after_the_first = 4
    for length in {*range(len(data))} - {after_the_first}:
        with pytest.raises(CorruptData):
            decode(data[:length])
        assert decode(data) == [[1], {"same": [1]}, [[1]]]


def mutated(blob: bytes, other: bytes, chance: random.Random) -> bytes:
    """Return bytes with a few changes, of the kinds that reach far into a parser."""
    data = bytearray(blob)
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(7):
            case 0:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del data[at : at + chance.randrange(1, 8)]
            case 2:
                data[at:at] = bytes([chance.randrange(256)])
            case 3:
                start = chance.randrange(len(other))
                data[at:at] = other[start : start + chance.randrange(1, 40)]
            case 4:
                data[at : at + 3] = bytes([0xD4, 1, chance.choice(list(FAMILY_OF_KIND))])
            case 5:
                data[at : at + 3] = bytes([0xD4, 0, chance.randrange(8)])
            case _:
                data[at : at + 1] = bytes(
                    [chance.choice((0xDD, 0xDF, 0xDC, 0x9F, 0x91, 0x81, 0xC7, 0xC9))]
                )
    return bytes(data)


def test_mutations_of_valid_bytes_give_one_error() -> None:
    chance = random.Random(20261124)
    corpus = blobs()
    warm = [tried(blob) for blob in corpus]
    assert len(warm) > 150
    tracemalloc.start()
    largest = 0
    try:
        for number in range(MUTATIONS):
            data = mutated(chance.choice(corpus), chance.choice(corpus), chance)
            data = data[:1] and bytes([wire.VERSION]) + data[1:]
            if number % 20 == 0:
                tracemalloc.reset_peak()
                before = tracemalloc.get_traced_memory()[0]
                tried(data)
                largest = max(largest, tracemalloc.get_traced_memory()[1] - before)
            else:
                tried(data)
    finally:
        tracemalloc.stop()
    print(f"{MUTATIONS} mutations, at most {largest} bytes at once")
    assert largest < 12_000_000


@given(st.binary(max_size=60))
def test_any_bytes_give_one_error_or_a_value(data: bytes) -> None:
    tried(data)
    for layout in range(8):
        tried(bytes([wire.VERSION, layout]) + data)


@given(st.binary(max_size=60), st.integers(0, 5))
def test_describing_any_bytes_gives_text_or_one_error(data: bytes, layout: int) -> None:
    with suppress(CorruptData):
        assert describe(bytes([wire.VERSION, layout]) + data)


@pytest.mark.parametrize("blob", blobs()[::7], ids=lambda blob: str(len(blob)))
def test_bytes_that_are_cut_off_anywhere_are_refused(blob: bytes) -> None:
    for end in range(len(blob)):
        with suppress(CorruptData):
            decode(blob[:end])
            # Cut between two items, what is left is valid, but another value.
            assert blob[1] == wire.ITEMS


@pytest.mark.parametrize(
    "data",
    [b"", b"\x01", b"\x01\x00", b"\x02\x00\x01", b"\x00\x00\x01", b"\x01\x05\xc0", b"\x01\xff\xc0",
     b"\x01\x00\xc1", b"\x01\x00\xc0\xc0", b"\x01\x04", b"\x01\x01\xc0", b"\x01\x01\x91\xc0"],
)  # fmt: skip
def test_what_is_not_the_format_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptData):
        decode(data)


HEADERS = [
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xdc\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xdb\x7f\xff\xff\xff",
    b"\xc9\xff\xff\xff\xff\x02",
    b"\xdd\x00\x00\x40\x00",
]


@pytest.mark.parametrize("layout", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("header", HEADERS, ids=lambda header: header.hex())
def test_a_length_that_is_not_there_takes_no_memory(header: bytes, layout: int) -> None:
    for depth in (1, 900):
        data = bytes([wire.VERSION, layout]) + header * depth + b"\xc0" * 20_000
        tracemalloc.start()
        try:
            assert tried(data) is None
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 400_000


def measured(data: bytes) -> int:
    """Return how many bytes of memory decoding took, beyond what is free, for each input byte."""
    tried(data)  # what is loaded or looked up once is not the input's
    tracemalloc.start()
    try:
        tried(data)
        return max(tracemalloc.get_traced_memory()[1] - FREE, 0) // len(data)
    finally:
        tracemalloc.stop()


FREE = 1_500_000
"""Bytes of memory that any input may take, however short."""
LARGE = [0] * 20_000
TEXT = "x" * 20_000
NAMES = {str(number): 1 for number in range(5_000)}


def of_first(kind: str, cls: str = "", *parts: Any) -> list[Any]:
    """Return a value that is made of item 0 once more."""
    if cls:
        return tagged(kind, type_of(cls), *parts, reference(0))
    return tagged(kind, *parts, reference(0))


MODELS = "tests.codec.models:"
GROUP = tagged(
    "exception group",
    type_of("builtins:ExceptionGroup"),
    "message",
    reference(0),
    {"args": tagged("tuple")},
    None,
    None,
)
LONG_SELECTION = tagged("tuple", tagged("tuple"), 2**30)
KEYS = tagged("iterator of a dict or set", "keys", reference(0), 4_999)
ENDED = tagged("iterator", "list", reference(0), None)
PARTIAL = tagged("partial", tagged("method", 1, 2), tagged("tuple"), reference(0))

REPEATED: dict[str, list[Any]] = {
    "lists of lists": [LARGE, [reference(0)] * 5_000],
    "subclass of str": [TEXT, *[of_first("value object", MODELS + "MyStr")] * 2_000],
    "subclass of bytes": [TEXT.encode(), *[of_first("value object", MODELS + "MyBytes")] * 2_000],
    "subclass of int": [2**60, *[of_first("value object", MODELS + "MyInt")] * 2_000],
    "subclass of tuple": [
        tagged("tuple", *LARGE),
        *[of_first("value object", MODELS + "MyTuple")] * 2_000,
    ],
    "bytearray": [TEXT.encode(), *[of_first("object", MODELS + "MyBytearray", None, None)] * 2_000],
    "groups": [tagged("tuple", *LARGE), *[GROUP] * 2_000],
    "attributes": [NAMES, *[of_first("object", MODELS + "Node")] * 2_000],
    "iterators of a dict": [NAMES, *[KEYS] * 2_000],
    "ended iterators": [LARGE, *[ENDED] * 2_000],
    "permutations": [tagged("itertools", "permutations", LONG_SELECTION)] * 10,
    "combinations": [tagged("itertools", "combinations", LONG_SELECTION)] * 10,
    "product": [
        tagged("tuple", *LARGE),
        tagged("tuple", *[reference(0)] * 2_000),
        *[tagged("itertools", "product", reference(1))] * 500,
    ],
    "tracebacks": [tagged("traceback", *["a", 1, "b"] * 20_000)],
    "fills": [tagged("new", 1), *[tagged("fill", reference(0), *[1] * 20)] * 500],
    "partials": [NAMES, *[PARTIAL] * 10],
}


@pytest.mark.parametrize("case", REPEATED, ids=list(REPEATED))
def test_few_bytes_cannot_ask_for_much(case: str) -> None:
    data = items(*REPEATED[case])
    # The tracebacks are limited in all, to five thousand entries of about a kilobyte.
    assert measured(data) < (150 if case == "tracebacks" else 60)


def test_patterns_that_compile_for_long_are_refused() -> None:
    import re
    import struct

    from msgpack import ExtType

    text = "[a-\uffff]" * 400
    payload = b"s" + struct.pack(">I", re.IGNORECASE | re.UNICODE)
    many = [ExtType(wire.PATTERN, payload + f"{i}{text}".encode()) for i in range(20)]
    begin = time.perf_counter()
    with pytest.raises(CorruptData, match="too long to compile"):
        decode(items(many))
    assert time.perf_counter() - begin < SECONDS_AT_MOST
    assert decode(encode(re.compile("[\u4e00-\u9fff]+[a-z]", re.IGNORECASE))).match("\u5000A")


def test_nesting_beyond_what_msgpack_reads_is_refused() -> None:
    for byte in (b"\x91", b"\x81\xa1a"):
        with pytest.raises(CorruptData):
            decode(bytes([wire.VERSION, 0]) + byte * 50_000 + b"\xc0")


def test_many_hashes_of_one_value_are_no_matter_for_strings() -> None:
    data = encode({str(i): i for i in range(20_000)})
    assert len(tried(data)) == 20_000


def test_references_to_what_is_not_there_are_refused() -> None:
    for value in (reference(0), [reference(1)], reference(2**40), [1, reference(0)]):
        with pytest.raises(CorruptData):
            decode(items(value))


def test_frames_of_the_wrong_shape_are_refused() -> None:
    good = packb([["f", "v", 1, 2, {}]])
    assert decode(b"\x01\x01" + good) == [Frame("f", "v", 1, 2)]
    for row in (
        [],
        [1],
        ["f", "v", 1, 2],
        ["f", "v", 1, 2, []],
        ["f", "v", True, 2, {}],
        {"a": 1},
        None,
    ):
        with pytest.raises(CorruptData):
            decode(b"\x01\x01" + packb([row]))


def test_a_partial_that_is_begun_and_not_completed_is_refused() -> None:
    """It would hold a function of the codec's own, which cannot be encoded again."""
    with pytest.raises(CorruptData, match="begun and not completed"):
        decode(items(tagged("new", code("partial")), reference(0)))
