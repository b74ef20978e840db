"""Flows that assert; not in a test's module, whose assertions are rewritten."""

from longterm import deflow, suspend


@deflow
def compared(x):
    assert suspend("value") == x, "not the same"


@deflow
def explained(x):
    assert x == 2, suspend("why")


@deflow
def asserted(x):
    assert suspend("value")


@deflow
def asserted_of_several(x):
    assert (
        suspend("value")
        or x > 2
        or not (x is None if x != 3 else x < 2)
    ), "several"  # fmt: skip


@deflow
def asserted_of_a_choice(x):
    assert (
        suspend("value")
        if x == 1
        else x < 0
    )  # fmt: skip


@deflow
def not_as_asserted(x, AssertionError=TypeError):
    assert suspend("value"), x
