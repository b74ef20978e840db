"""A run that goes on in changed code does what it would have done, for random programs and edits.

`LONGTERM_PROFILE=long` tries many more; `python -m tests.property.deploys` goes on for as long as
one likes.
"""

from __future__ import annotations

import os
import warnings
from collections import Counter

from tests.property.deploys import check_deploys

_PROGRAMS = 2_000 if os.environ.get("LONGTERM_PROFILE") == "long" else 12


def test_where_the_rest_is_the_same_a_run_does_what_it_would_have_done() -> None:
    counts = Counter[str]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(_PROGRAMS):
            check_deploys(f"suite:{number}", counts)
    assert counts["same"] > _PROGRAMS
    assert counts["other"] > _PROGRAMS
    assert counts["matched, other"] > _PROGRAMS
