"""A blind index: facts by which runs are found, and which nobody can read in the store.

A fact in, its keyed hash out, which is a fact too. Whoever has the key finds the runs that have it;
whoever reads the database sees only which runs have the same one.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

from longterm._codec import hash_text
from longterm._names import check_fact
from longterm.run import Fact


def blind(**facts: Fact) -> dict[str, str]:
    """Return facts as their keyed hashes: `set_index(**blind(patient=4711))`.

    `find_runs(blind={"patient": 4711})` finds the run. As ever, type and value count.

    Raises:
        InvalidFact: a value is not a string, a number, a bool or None.
        InvalidKey: there is no key.
    """
    return {name: _hashes(name, value)[0] for name, value in facts.items()}


def blinded(facts: Mapping[str, Fact]) -> list[dict[str, str]]:
    """Return each way in which facts can have been blinded: with any of the keys, each by itself.

    Raises:
        InvalidFact: a value is not a string, a number, a bool or None.
        InvalidKey: there is no key.
    """
    hashes = [_hashes(name, value) for name, value in facts.items()]
    return [dict(zip(facts, chosen, strict=True)) for chosen in product(*hashes)]


def _hashes(name: str, value: Fact) -> list[str]:
    """Return the keyed hash of a fact under each key; the first key's is the first."""
    check_fact(name, value)
    from longterm.store.facts import write_facts  # only for those who use it

    # The name is part of what is hashed, so that a patient's number is not known as a doctor's.
    (fact,) = write_facts({name: value})
    return [f"blind:{hashed}" for hashed in hash_text(fact)]
