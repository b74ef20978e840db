"""Programs that once behaved differently when compiled; each is replayed in all three ways.

A file's docstring says what must hold; `PLAYS` has the flow, its arguments and the events. `OPEN`
says why a program still differs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

import longterm
from longterm import CompileError
from tests.property.oracle import Mismatch, Program, check, file_of, module_of

_FOLDER = Path(__file__).parents[2] / "fixtures" / "counterexamples"
_OPEN = (Mismatch, CompileError)


def _plays() -> list[Any]:
    found: list[Any] = []
    for path in sorted(_FOLDER.glob("*.py")):
        text = path.read_text()
        program = Program(text)
        with (
            file_of(program),
            patch.object(longterm, "deflow", lambda f: f),
            module_of(program) as m,
        ):
            plays, reason = m.PLAYS, getattr(m, "OPEN", None)
        for number, (entry, args, events) in enumerate(plays):
            marks = [pytest.mark.xfail(reason=reason, raises=_OPEN)] if reason else []
            play = Program(text, entry, tuple(args), tuple(events))
            found.append(pytest.param(play, id=f"{path.stem}-{number}", marks=marks))
    return found


@pytest.mark.parametrize("program", _plays())
def test_stays_found(program: Program) -> None:
    check(program)
