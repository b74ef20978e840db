"""Random programs behave the same uncompiled, compiled, and stored at every suspend.

`LONGTERM_PROFILE=long` tries many more; `python -m tests.property.search` goes on for as long as
one likes, and `python -m tests.property.coverage` shows what the programs contain.
"""

from __future__ import annotations

import os
import sys
import warnings

from hypothesis import HealthCheck, given, settings

from tests.property.oracle import Program, check
from tests.property.programs import programs, seeded_program

_LONG = os.environ.get("LONGTERM_PROFILE") == "long"
_SEEDED = 5_000 if _LONG else 50
_SUITE = f"suite of 3.{sys.version_info.minor}"
"""Each Python tries other programs, so that all together try more."""


@settings(
    max_examples=20_000 if _LONG else 40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(programs())
def test_programs_behave_as_uncompiled(program: Program) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(program)


def test_programs_of_the_seed_behave_as_uncompiled() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(_SEEDED):
            check(seeded_program(f"{_SUITE}:{number}"))
