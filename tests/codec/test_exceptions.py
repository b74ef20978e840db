"""Exceptions of every shape come back as they were, without their constructors."""

from __future__ import annotations

import sys
import traceback
from typing import Any

import pytest

from longterm._codec import decode, encode
from tests.codec import models


def again(error: Any) -> Any:
    back = decode(encode(error))
    assert type(back) is type(error)
    assert repr(back.args) == repr(error.args)
    assert str(back) == str(error)
    assert repr(back) == repr(error)
    return back


def caught(function: Any) -> Any:
    try:
        function()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


MEMBERS: list[tuple[BaseException, list[str]]] = [
    (
        FileNotFoundError(2, "no such", "a.txt", None, "b.txt"),
        ["errno", "strerror", "filename", "filename2"],
    ),
    (models.OwnOSError("here"), ["errno", "filename", "where"]),
    (StopIteration(5), ["value"]),
    (SystemExit(3), ["code"]),
    (ImportError("m", name="n", path="p"), ["msg", "name", "path"]),
    (ModuleNotFoundError("m", name="n"), ["msg", "name", "path"]),
    (AttributeError("m", name="n", obj=[1]), ["name", "obj"]),
    (NameError("m", name="n"), ["name"]),
    (KeyError("k"), []),
    (
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "why"),
        ["encoding", "object", "start", "end", "reason"],
    ),
    (
        UnicodeEncodeError("ascii", "é", 0, 1, "why"),
        ["encoding", "object", "start", "end", "reason"],
    ),
    (UnicodeTranslateError("é", 0, 1, "why"), ["object", "start", "end", "reason"]),
    (
        caught(lambda: compile("x = = 1", "f.py", "exec")),
        ["msg", "filename", "lineno", "offset", "text", "end_lineno"],
    ),
    (models.Overdrawn(account="a", missing=3), ["account", "missing"]),
    (KeyboardInterrupt(), []),
    (BlockingIOError(11, "busy", 7), ["characters_written"]),
]


@pytest.mark.parametrize(("error", "names"), MEMBERS, ids=lambda value: type(value).__name__)
def test_what_an_exception_holds_besides_its_arguments_is_kept(
    error: Any, names: list[str]
) -> None:
    back = again(error)
    for name in names:
        assert getattr(back, name) == getattr(error, name)


@pytest.mark.parametrize(
    "name", sorted(dir(__builtins__) if not isinstance(__builtins__, dict) else __builtins__)
)
def test_every_builtin_exception_is_stored(name: str) -> None:
    cls = getattr(sys.modules["builtins"], name)
    if not (isinstance(cls, type) and issubclass(cls, BaseException)):
        return
    if issubclass(cls, BaseExceptionGroup):
        again(cls("m", [ValueError(1)]))
    elif not issubclass(cls, UnicodeError) or cls is UnicodeError:
        again(cls("message"))


def test_cause_context_suppression_and_notes_are_kept() -> None:
    def fail() -> None:
        try:
            raise KeyError("first")
        except KeyError as first:
            raise ValueError("second") from first

    error = caught(fail)
    error.add_note("look here")
    back = again(error)
    assert back.__notes__ == ["look here"]
    assert type(back.__cause__) is KeyError
    assert back.__cause__ is back.__context__
    assert back.__suppress_context__
    hidden = caught(lambda: (_ for _ in ()).throw(ValueError))
    hidden.__suppress_context__ = True
    assert again(hidden).__suppress_context__


def test_exceptions_that_are_each_others_context_come_back_so() -> None:
    one, two = ValueError(1), KeyError(2)
    one.__context__, two.__cause__ = two, one
    one.self = one  # type: ignore[attr-defined]
    back = again(one)
    assert back.__context__.__cause__ is back
    assert back.self is back


def test_groups_keep_their_members_and_share_them() -> None:
    inner = ValueError("x")
    group = ExceptionGroup("outer", [inner, ExceptionGroup("inner", [inner, TypeError("y")])])
    inner.group = group  # type: ignore[attr-defined]
    back = again(group)
    assert back.exceptions[0] is back.exceptions[1].exceptions[0]
    assert back.exceptions[0].group is back
    own = models.OwnGroup("own", [ValueError(1)], hint="h")
    assert again(own).hint == "h"
    assert again(BaseExceptionGroup("b", [KeyboardInterrupt()])).exceptions


def test_slots_of_exceptions_are_kept() -> None:
    error = models.SlottedError("m")
    error.code = [7]
    assert again(error).code == [7]


def test_a_traceback_prints_as_before_but_for_the_carets() -> None:
    def fail() -> None:
        raise ValueError("wrong")

    error = caught(fail)
    back = again(error)
    before = [line for line in traceback.format_exception(error) if line.strip()]
    after = [line for line in traceback.format_exception(back) if line.strip()]
    assert [_without_carets(line) for line in after] == [_without_carets(line) for line in before]
    rows = [
        (row.filename, row.lineno, row.name) for row in traceback.extract_tb(back.__traceback__)
    ]
    assert rows == [
        (row.filename, row.lineno, row.name) for row in traceback.extract_tb(error.__traceback__)
    ]
    assert rows[-1][2] == "fail"


def test_the_interpreter_prints_no_empty_lines_for_carets(
    capsys: pytest.CaptureFixture[str],
) -> None:
    back = again(caught(lambda: int("x") + 1))
    last = back.__traceback__.tb_next
    sys.__excepthook__(type(back), back.with_traceback(last), last)
    assert capsys.readouterr().err == (
        "Traceback (most recent call last):\n"
        f'  File "{__file__}", line {last.tb_lineno}, in <lambda>\n'
        '    back = again(caught(lambda: int("x") + 1))\n'
        "ValueError: invalid literal for int() with base 10: 'x'\n"
    )


def _without_carets(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip(" ^~")]


def test_a_traceback_grows_when_the_exception_is_raised_again() -> None:
    back = again(caught(lambda: [][1]))
    entries = len(traceback.extract_tb(back.__traceback__))

    def again_raised() -> None:
        raise back

    assert len(traceback.extract_tb(caught(again_raised).__traceback__)) == entries + 2


def test_a_long_traceback_is_kept_at_both_ends() -> None:
    def deep(level: int) -> None:
        if not level:
            raise ValueError
        deep(level - 1)

    rows = traceback.extract_tb(again(caught(lambda: deep(300))).__traceback__)
    assert len(rows) == 100
    assert rows[0].name == "caught"
    assert rows[-1].name == "deep"


def test_source_lines_are_read_of_imported_modules_only() -> None:
    namespace: dict[str, Any] = {}
    exec(compile("def f(): raise ValueError", "/etc/hostname", "exec"), namespace)
    rows = traceback.extract_tb(again(caught(namespace["f"])).__traceback__)
    assert rows[-1].filename == "</etc/hostname>"
    assert rows[-1].line == ""
