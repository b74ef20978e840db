"""A process remembers where the latest things are, and no more than so many."""

from __future__ import annotations

import pytest

from longterm.store import _remembered
from longterm.store._remembered import Remembered


def test_what_was_noted_first_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_remembered, "MOST", 2)
    places = Remembered()

    for number in range(3):
        places.note(f"run {number}", f"server {number}")
    places.note("run 2", "server 7")

    assert places == {"run 1": "server 1", "run 2": "server 7"}
