"""How facts are written: a run's index in, a text for each fact out, and back.

A fact is written as `patient=4711`: its name, and its value as JSON. Two facts are the same if they
are written the same, so `1`, `1.0`, `True` and `"1"` are four. Any name and value can be written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from longterm.run import Fact

__all__ = ["read_facts", "write_facts"]

# What would end a name too early, and what databases cannot hold as text.
_UNSAFE = re.compile("[%=\0\ud800-\udfff]")
_ESCAPED = re.compile("%([0-9a-f]{4})")
_SURROGATE = re.compile("[\ud800-\udfff]")


def write_facts(index: Mapping[str, Fact]) -> list[str]:
    """Return the facts of an index, each as a text without NUL."""
    return [f"{_UNSAFE.sub(_escaped, name)}={exact_json(value)}" for name, value in index.items()]


def read_facts(written: Iterable[str]) -> dict[str, Fact]:
    """Return the index whose facts were written."""
    parts = (fact.partition("=") for fact in written)
    return {_ESCAPED.sub(_unescaped, name): json.loads(value) for name, _, value in parts}


def exact_json(value: Any) -> str:
    """Return a value as JSON that every database can hold as text, and people read if it can be."""
    text = json.dumps(value, ensure_ascii=False)
    return json.dumps(value) if _SURROGATE.search(text) else text


def _escaped(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):04x}"


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))
