"""A sum between whose elements a flow may wait is the sum that Python's own `sum` makes."""

from decimal import Decimal
from enum import IntEnum
from fractions import Fraction

from hypothesis import example, given, settings
from hypothesis import strategies as st

from longterm import deflow, suspend
from longterm.testing import play


class Size(IntEnum):
    SMALL = 1
    LARGE = 2**62


class Odd(int):
    """An int that `sum` does not ask how it is added to a float."""

    def __radd__(self, other):
        return Fraction(other) + 1


EDGES = [1_000_000_000, 2**30, 2**31, 2**62, 2**63, 2**64]
NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.builds(int.__mul__, st.sampled_from([1, -1]), st.sampled_from(EDGES)).flatmap(
        lambda edge: st.integers(edge - 3, edge + 3)
    ),
    st.booleans(),
    st.sampled_from([*Size, Odd(3), Odd(2**64), 1e16, -1e16, 0.1, float("inf"), -float("inf")]),
    st.floats(),
    st.sampled_from([Decimal("0.1"), Fraction(1, 3), 1j]),
)


def of_python(numbers, start):
    try:
        return described(sum(numbers, start), None)
    except (TypeError, OverflowError) as error:
        return described(None, error)


def described(total, error):
    return type(total), repr(total), repr(error)


@deflow
def total_of(items, start):
    return sum((each if each is not None else suspend("more") for each in items), start)


@deflow
def asked(count, start):
    return sum((suspend("more") for _ in range(count)), start=start)


@settings(deadline=None, max_examples=300)
@given(st.lists(NUMBERS, max_size=8), NUMBERS)
@example([2**64, -(2**64), 1e16, 1.0, -1e16], 0)
@example([-5, 2**63 + 2, 0.1, 0.2, 0.3, -0.6], 0)
@example([2**63, 0.1, 0.2, 0.3], -(2**63))
@example([999_999_999, 999_999_999, 2**63, -(2**63), 0.1, 0.2, 0.3], 1)
@example([True, True, 0.1, 0.2, 0.3], 0)
@example([Size.SMALL, 0.1, 0.2, 0.3], 0)
@example([0.5, Odd(3), Size.SMALL, 2**70, 0.1], 0)
def test_a_sum_is_pythons_sum_however_often_it_waits(numbers, start):
    expected = of_python(numbers, start)
    for flow, args, events in (
        (total_of, (numbers, start), ()),
        (asked, (len(numbers), start), numbers),
    ):
        played = play(flow, args, events)
        assert described(played.result, played.error) == expected


def test_what_cannot_be_added_fails_before_the_next_element_is_asked_for():
    played = play(asked, (3, 0), [1, "a"])
    assert isinstance(played.error, TypeError)
    assert played.asked == ["more", "more"]
