"""Inner functions of flows are stored as the name of their code, with all that they hold."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

import pytest

from longterm._codec import NotAllowed, NotStorable, decode, encode
from longterm._codec.types import functions
from tests.codec.models import double


def flow(start: Any) -> Any:
    """Return two closures that share a cell, as a flow would make them."""
    count = start

    def step(by: int = 1, *, times: Any = None) -> int:
        nonlocal count
        count += by * len(times or [1])
        return count

    def again(n: int) -> int:
        return n if n <= 0 else again(n - 1) + count

    return step, again, lambda: count


CODES = {each.co_name: each for each in flow.__code__.co_consts if isinstance(each, CodeType)}


class Table:
    """Knows the code inside of `flow`."""

    def name_of(self, code: CodeType) -> tuple[str, str, str] | None:
        return next((("m:flow", "v1", path) for path, each in CODES.items() if each is code), None)

    def function_of(self, made: FunctionType) -> FunctionType:
        return made

    def as_called(self, function: FunctionType) -> FunctionType:
        return function

    def find(self, name: tuple[str, str, str]) -> tuple[CodeType, dict[str, Any]]:
        if name[:2] != ("m:flow", "v1"):
            raise LookupError(name)
        return CODES[name[2]], globals()


@pytest.fixture
def table() -> Iterator[None]:
    before = list(functions._tables)
    functions.link(Table())
    yield
    functions._tables[:] = before


@pytest.mark.usefixtures("table")
def test_closures_share_their_cells() -> None:
    step, again, read = decode(encode(flow(5)))
    assert type(step) is FunctionType
    assert step(2) == 7
    assert read() == 7
    assert step.__closure__[0] is read.__closure__[0]
    assert again(2) == 14
    assert again.__closure__[0].cell_contents is again


@pytest.mark.usefixtures("table")
def test_all_that_a_function_holds_is_kept() -> None:
    step, _, read = flow(0)
    box = [1]
    step.__defaults__, step.__kwdefaults__ = (10,), {"times": box}
    step.note, step.self = box, step
    step.__name__, step.__qualname__, step.__doc__ = "renamed", "flow.renamed", "doc"
    step.__annotations__ = {"by": int, "times": "Any", "return": None, "odd": [object()]}
    back, back_box = decode(encode([step, box]))
    assert back() == 10
    assert back.__kwdefaults__["times"] is back_box is back.note
    assert back.self is back
    assert (back.__name__, back.__qualname__, back.__doc__) == ("renamed", "flow.renamed", "doc")
    assert back.__annotations__ == {"by": int, "times": "Any", "return": None}
    assert decode(encode(read)).__name__ == "<lambda>"


@pytest.mark.skipif(sys.version_info < (3, 14), reason="a `def` evaluates its annotations")
@pytest.mark.usefixtures("table")
def test_annotations_that_cannot_be_evaluated_are_left_out() -> None:
    step = flow(0)[0]
    step.__annotate__ = lambda form: {"by": missing}  # type: ignore[name-defined]  # noqa: F821
    assert decode(encode(step)).__annotations__ == {}


@pytest.mark.usefixtures("table")
def test_a_function_at_the_top_of_a_module_is_stored_by_name() -> None:
    assert decode(encode(double)) is double


def test_an_inner_function_that_no_table_knows_is_refused() -> None:
    step = flow(1)[0]
    with pytest.raises(NotStorable, match="define it at the top of a module, or inside the flow"):
        encode({"step": step})


@pytest.mark.usefixtures("table")
def test_the_path_through_a_function_names_what_holds_the_value() -> None:
    def refused(function: Any) -> str:
        with pytest.raises(NotStorable) as caught:
            encode([function])
        return "".join(map(str, caught.value.path))

    lock = threading.Lock()
    assert refused(flow(lock)[2]) == "[0].<variable count>.cell_contents"
    step = flow(0)[0]
    step.__kwdefaults__ = {"times": lock}
    assert refused(step) == "[0].__kwdefaults__['times']"
    step.__defaults__ = (1, [lock])
    assert refused(step) == "[0].__defaults__[1][0]"


def test_code_that_is_not_known_here_is_refused_by_name() -> None:
    before = list(functions._tables)
    functions.link(Table())
    try:
        data = encode(flow(1)[2])
    finally:
        functions._tables[:] = before
    if not before:
        with pytest.raises(NotAllowed, match="m:flow:v1:<lambda>"):
            decode(data)
