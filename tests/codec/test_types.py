"""Every type that can be stored comes back as the very type, with the very content."""

from __future__ import annotations

import functools
import itertools
import subprocess
import sys
import types
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import pytest

from longterm._codec import decode, encode
from longterm._codec.types.table import all_rows
from tests.codec import models, samples
from tests.codec.shapes import assert_same

ROOT = Path(__file__).parents[2]


def again(value: Any) -> Any:
    """Return a value after a journey through bytes, on its own and inside of something shared."""
    alone = decode(encode(value))
    box = [value]
    first, second = decode(encode([box, box]))
    assert first is second
    assert type(first[0]) is type(alone)
    return alone


def ids(value: Any) -> str:
    return f"{type(value).__name__}-{value!r}"[:60].encode("ascii", "backslashreplace").decode()


@pytest.mark.parametrize("value", samples.SCALARS + samples.CONTAINERS, ids=ids)
def test_scalars_and_containers_come_back_the_same(value: Any) -> None:
    assert_same(value, again(value))


@pytest.mark.parametrize("value", samples.VALUES, ids=ids)
def test_values_come_back_equal_and_of_the_same_type(value: Any) -> None:
    back = again(value)
    assert type(back) is type(value)
    assert repr(back) == repr(value)
    assert str(back) == str(value)


@pytest.mark.parametrize("value", samples.instances(), ids=lambda value: type(value).__name__)
def test_instances_come_back_the_same(value: Any) -> None:
    assert_same(value, again(value))


@pytest.mark.parametrize("value", samples.frames(), ids=ids)
def test_frames_and_cells_come_back_the_same(value: Any) -> None:
    assert_same(value, again(value))


@pytest.mark.parametrize("value", samples.CALLABLES, ids=ids)
def test_what_has_a_name_comes_back_as_itself(value: Any) -> None:
    back = again(value)
    assert back == value
    if not isinstance(value, (types.MethodType, types.BuiltinMethodType)):
        assert back is value


@pytest.mark.parametrize("value", samples.VIEWS, ids=ids)
def test_views_of_dicts_show_the_dict(value: Any) -> None:
    back = again(value)
    assert type(back) is type(value)
    assert list(back) == list(value)


@pytest.mark.parametrize("value", samples.MEMORYVIEWS, ids=ids)
def test_memoryviews_show_the_same(value: Any) -> None:
    back = again(value)
    assert (back.tobytes(), back.format, back.readonly) == (
        value.tobytes(),
        value.format,
        value.readonly,
    )


def test_a_memoryview_shows_the_bytearray_that_is_stored_with_it() -> None:
    buffer = bytearray(b"abc")
    view, back = decode(encode([memoryview(buffer), buffer]))
    back[0] = 65
    assert view.tobytes() == b"Abc"


def test_ordinary_collections_keep_order_and_factory() -> None:
    value = [OrderedDict(b=1, a=2), defaultdict(list, a=[1]), defaultdict(None, a=1)]
    back = again(value)
    assert list(back[0]) == ["b", "a"]
    assert back[1]["new"] == []
    with pytest.raises(KeyError):
        back[2]["new"]


def _all_samples() -> list[Any]:
    return [
        *samples.VALUES, *samples.CONTAINERS, *samples.VIEWS, *samples.MEMORYVIEWS,
        *samples.CALLABLES,
        *samples.methods(), *samples.frames(), *samples.iterators(), *samples.itertools_iterators(),
        *samples.library_iterators(), *samples.matches(), *samples.tracebacks(),
        *samples.generics(), *samples.stateful(),
    ]  # fmt: skip


# Types of the table that are stored by the tests of their own, or exist on another platform only.
ELSEWHERE = {"SetIterator", "WindowsPath", "module"}


def test_every_row_of_the_table_has_a_sample() -> None:
    tried = {type(value) for value in _all_samples()}
    missing = [
        cls.__name__ for row in all_rows() for cls in row.types
        if cls not in tried and cls.__name__ not in ELSEWHERE
    ]  # fmt: skip
    assert missing == []


def test_every_iterator_of_itertools_has_a_sample_or_is_refused_by_name() -> None:
    stored = {type(value).__name__ for value in samples.itertools_iterators()}
    known = {name for name, each in vars(itertools).items() if isinstance(each, type)}
    public = {name for name in known if not name.startswith("_")}
    assert public - stored <= {"groupby", "batched"}


def test_a_partial_keeps_function_arguments_and_keywords() -> None:
    box = [1]
    back, shared = decode(encode([functools.partial(max, box, key=len), box]))
    assert type(back) is functools.partial
    assert back.func is max
    assert back.args[0] is shared
    assert back.keywords == {"key": len}


def test_combinations_of_flags_are_made_where_they_were_never_made_before() -> None:
    script = (
        "import sys; from longterm._codec import decode; import tests.codec.models as models\n"
        "made = decode(bytes.fromhex(sys.argv[1]))\n"
        "assert made[0] is models.Mode.A | models.Mode.B, made\n"
        "assert made[1] is models.Access.READ | models.Access.RUN, made\n"
        "assert made[2] is models.Mode(8), made"
    )
    flags = [models.Mode.A | models.Mode.B, models.Access.READ | models.Access.RUN, models.Mode(8)]
    done = subprocess.run(
        [sys.executable, "-c", script, encode(flags).hex()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
