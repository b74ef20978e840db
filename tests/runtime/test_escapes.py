"""What was stored cannot steer the terminal of whoever looks at it, nor pose as our own lines."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from longterm import Engine
from longterm._codec import describe, encode
from longterm._escapes import escaped, escaped_lines
from longterm.cli import _Escaping, main
from longterm.frame import Frame
from longterm_compiler.cli import main as compile_main
from longterm_compiler.diagnostics import Diagnostic, Span, render
from tests.sealing import envelope  # noqa: F401 - a fixture

HOSTILE = "\x1b]0;mine\x07\x1b[2J\rpaid\u202edneirf\u2066\x9b31m\nstate:         complete"
"""Renames the window, rings, clears the screen, overwrites, turns text round, begins a line."""
EVENT = HOSTILE.replace("\n", " ")
STEERING = "\x1b\x07\r\u202e\u2066\x9b"
FLOWS = f"""\
from datetime import timedelta

from longterm import deflow, respond, set_index, suspend

HOSTILE = {HOSTILE!r}


@deflow
def ask(name):
    set_index(**{{HOSTILE: HOSTILE}})
    respond(HOSTILE, {{HOSTILE: [HOSTILE]}})
    words = HOSTILE
    got = suspend(HOSTILE.replace(chr(10), " "), expires=timedelta(microseconds=1), default="fail")
    if got == "fail":
        raise ValueError(HOSTILE)
    if got == "exit":
        raise SystemError(HOSTILE) from KeyError(HOSTILE)
    return words
"""


@pytest.fixture
def flows(tmp_path, monkeypatch):
    name = f"hostile_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(FLOWS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("LONGTERM_APP", name)
    monkeypatch.setenv("LONGTERM_URL", f"sqlite:///{tmp_path}/runs.db")
    return __import__(name)


@pytest.fixture
def engine(flows, tmp_path):
    engine = Engine(f"sqlite:///{tmp_path}/runs.db")
    yield engine
    engine.store.close()


@pytest.fixture
def longterm(capsys, engine):
    def run(*arguments):
        capsys.readouterr()
        status = main(arguments)
        said = capsys.readouterr()
        assert harmless(said.out + said.err), said
        return status, said.out + said.err

    return run


def harmless(text):
    """No character of it steers a terminal, and no line of it poses as a field of ours."""
    return not set(text) & set(STEERING) and "\nstate:         complete" not in text


def test_every_command_shows_hostile_text_escaped(longterm, engine, flows):
    run = engine.start_flow(flows.ask, HOSTILE)

    for arguments, words in (
        (["runs"], r"\x1b]0;mine\x07"),
        (["runs", "--json"], r"\u001b]0;mine\u0007"),
        (["show", run.id], r"waiting for:   \x1b]0;mine\x07\x1b[2J\rpaid\u202edneirf"),
        (["show", run.id, "--json"], r"\u001b]0;mine"),
        (["send", run.id, "wrong"], r"it waits for '\x1b]0;mine"),
        (["send", run.id, EVENT, '"exit"'], r"SystemError: \x1b]0;mine"),
        (["show", run.id], r"    KeyError: '\x1b]0;mine"),
        (["retry", run.id], r"SystemError: \x1b]0;mine"),  # by the same event
        (["discard", run.id, "0"], r"\x1b]0;mine"),
        (["retry", run.id], r"is suspended, waiting for \x1b]0;mine"),
        (["send", run.id, EVENT, "1"], r'result: "\u001b]0;mine'),
    ):
        assert words in longterm(*arguments)[1], arguments

    longterm("cancel", HOSTILE)
    longterm("show", HOSTILE)
    assert longterm("--app", HOSTILE.replace(",", ""), "runs")[0] == 2
    assert longterm("--store", HOSTILE, "runs")[0] == 1


@pytest.mark.usefixtures("envelope")
def test_hostile_names_in_a_row_are_shown_escaped(longterm, engine, flows, tmp_path):
    run = engine.start_flow(flows.ask, 1)
    stack = encode([Frame(HOSTILE, HOSTILE, 1, 1, {HOSTILE: 1})])
    with closing(sqlite3.connect(tmp_path / "runs.db")) as connection, connection:
        connection.execute("UPDATE runs SET checksum = NULL, flow = ?, stack = ?", (HOSTILE, stack))

    assert r"flow:          \x1b]0;mine" in longterm("show", run.id)[1]
    assert r"frame 0: \x1b]0;mine" in longterm("show", run.id)[1]
    assert longterm("send", run.id, HOSTILE)[0] == 1
    assert r"\x1b]0;mine" in longterm("runs")[1]


def test_description_has_one_line_for_each_slot():
    stack = encode([Frame(HOSTILE, HOSTILE, 1, 1, {HOSTILE: HOSTILE})])

    assert len(describe(stack).splitlines()) == 2
    assert harmless(describe(stack))


def test_an_application_that_cannot_be_imported_is_told_escaped(longterm, engine, flows, tmp_path):
    engine.start_flow(flows.ask, 1)
    (tmp_path / "broken_app.py").write_text(f"raise ValueError({HOSTILE!r})\n")

    status, said = longterm("--app", "broken_app", "runs")

    assert status == 1
    assert r"ValueError: \x1b]0;mine" in said


def test_commands_log_hostile_text_escaped():
    code = (
        "import logging; from longterm.cli import _log_to_stderr\n"
        "_log_to_stderr()\n"
        f"logging.getLogger('app').warning('%s', {HOSTILE!r})\n"
        "try:\n"
        f"    raise ValueError({HOSTILE!r})\n"
        "except ValueError:\n"
        "    logging.getLogger('app').exception('failed')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    first, *_ = done.stderr.splitlines()
    assert first.endswith("dneirf\\u2066\\x9b31m\\nstate:         complete")
    assert not set(done.stderr) & set(STEERING)
    assert r"ValueError: \x1b]0;mine" in done.stderr


def test_the_compiler_shows_hostile_text_escaped(tmp_path, capsys, monkeypatch):
    comment = HOSTILE.replace("\n", "").replace("\r", "")
    folder = tmp_path / "a\x1b[2J"
    folder.mkdir()
    file = folder / "flows.py"
    file.write_text(
        "from longterm import deflow, suspend\n\n\n@deflow\ndef ask():\n"
        f"    return [*(suspend(x) for x in 'ab')]  # {comment}\n"
    )

    for arguments in (["--check", str(file)], ["--points", str(file)], [f"{file}:nope"]):
        assert compile_main(arguments) > 0
        said = capsys.readouterr()
        assert not set(said.out + said.err) & set(STEERING)
        assert said.out + said.err

    file.write_text(
        "from longterm import deflow, suspend\n\n\n@deflow\ndef ask():\n"
        f"    return suspend('a')  # {comment}\n"
    )
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for arguments in ([str(file)], ["--points", str(file)], ["--color", "never", str(file)]):
        monkeypatch.setenv("NO_COLOR", "1")
        assert compile_main(arguments) == 0
        assert not set(capsys.readouterr().out) & set(STEERING)


def test_carets_stand_below_what_they_mean_behind_hidden_characters():
    text = "x = '\u202e' + bad\n"
    begin = text.encode().index(b"bad")
    span = Span(1, begin, 1, begin + 3)
    shown = render(Diagnostic("m.py", span, "rule", "it is bad", "here", "why", "what"), text)

    line, carets = shown.splitlines()[2:4]
    assert line.index("bad") == carets.index("^^^")
    assert "\u202e" not in shown


def test_what_steers_is_written_out_and_all_else_stays():
    assert escaped("Grüße, 漢字 \u200d\xa0\t") == "Grüße, 漢字 \u200d\xa0\\t"
    assert escaped_lines("a\tb\nc\r\x85\u2028\ud800") == "a\tb\nc\\r\\x85\\u2028\\ud800"
    assert (
        _Escaping("%(message)s").format(
            logging.LogRecord("x", logging.INFO, "", 1, "a\nb", None, None)
        )
        == r"a\nb"
    )
