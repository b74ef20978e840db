"""How facts are written: a run's index and audience in, a text for each fact out, and back.

A fact is written as `patient=4711`: its name, and its value as JSON. Two facts are the same if they
are written the same, so `1`, `1.0`, `True` and `"1"` are four. Any name and value can be written.
That a run waits for managers is a fact as well, `%to="managers"`: a store finds both in one way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from longterm.run import Fact
from longterm.store.base import Query

__all__ = ["asked_facts", "read_facts", "write_facts"]

# What would end a name too early, and what databases cannot hold as text.
_UNSAFE = re.compile("[%=\0\ud800-\udfff]")
_ESCAPED = re.compile("%([0-9a-f]{4})")
_SURROGATE = re.compile("[\ud800-\udfff]")
# No name is written so: four digits follow each of its percent signs.
_TO = "%to="


def write_facts(index: Mapping[str, Fact], audience: Iterable[str] = ()) -> list[str]:
    """Return the facts of an index, and those of an audience, each as a text without NUL."""
    facts = [f"{_UNSAFE.sub(_escaped, name)}={exact_json(value)}" for name, value in index.items()]
    return facts + [_TO + exact_json(name) for name in dict.fromkeys(audience)]


def asked_facts(query: Query) -> list[str]:
    """Return the facts that a run must have to fit a query."""
    return write_facts(query.index, () if query.to is None else (query.to,))


def read_facts(written: Iterable[str]) -> dict[str, Fact]:
    """Return the index whose facts were written; the audience is kept with the wait."""
    parts = (fact.partition("=") for fact in written if not fact.startswith(_TO))
    return {_ESCAPED.sub(_unescaped, name): json.loads(value) for name, _, value in parts}


def exact_json(value: Any) -> str:
    """Return a value as JSON that every database can hold as text, and people read if it can be."""
    text = json.dumps(value, ensure_ascii=False)
    return json.dumps(value) if _SURROGATE.search(text) else text


def _escaped(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):04x}"


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))
