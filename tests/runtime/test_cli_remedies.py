"""Every remedy that the command `longterm` names is followed literally, and the command works."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest

import longterm
from longterm import Engine, RunState
from longterm.cli import _parser, main
from longterm.cli.upgrade_lines import with_upgrade
from longterm.store import open_store
from tests.advice import ROOT, advice_of, is_told, printed, said_by_python, tried_in
from tests.runtime import test_check, test_freeze
from tests.sealing import envelope

__all__ = ["envelope"]

CLI = Path(longterm.__file__).parent / "cli"
URL = "sqlite:///runs.db"
FLOWS = """\
from longterm import deflow, set_index, suspend


@deflow
def ask():
    set_index(customer=4711)
    answer = suspend("q")
    return answer
"""

# What is told, and by which command; which one works then. RUN stands for the id of a run.
CASES: list[tuple[str, str, str]] = [
    ("give --store sqlite:///runs.db, or set LONGTERM_URL", "runs", f"--store {URL} runs"),
    ("check the URL, or run `longterm migrate` first",
     "--store sqlite:///run.db runs", f"--store {URL} runs"),
    ("check the URL, or run `longterm migrate` first",
     "--store sqlite:///new.db runs",
     "--store sqlite:///new.db migrate; --store sqlite:///new.db runs"),
    ("--app names modules as an `import` statement would, found from this folder",
     f"--store {URL} --app ./clinic.py runs", f"--store {URL} --app clinic runs"),
    ("--app names modules as an `import` statement would, found from this folder",
     f"--store {URL} --app clinic.py runs", f"--store {URL} --app clinic runs"),
    ("quote a string twice: '\"yes\"'",
     f"--store {URL} --app clinic send RUN q yes",
     f"--store {URL} --app clinic send RUN q \"yes\""),
    ("--force ends the run without its code",
     f"--store {URL} cancel RUN", f"--store {URL} cancel --force RUN"),
    ("a run has one value of it: give one",
     f"--store {URL} runs --index customer=4711 --index customer=4712",
     f"--store {URL} runs --index customer=4711"),
    ("write module:function", "picture ask", "picture clinic:ask"),
    ("write patient=4711",
     f"--store {URL} runs --index patient", f"--store {URL} runs --index patient=4711"),
    ("write ward=B", f"--store {URL} runs --index ward=[1]", f"--store {URL} runs --index ward=B"),
    ("write 100", f"--store {URL} runs --limit none", f"--store {URL} runs --limit 100"),
    ("write 30, or 0.5",
     f"--store {URL} prune --older-than month",
     f"--store {URL} prune --older-than 30; --store {URL} prune --older-than 0.5"),
    ("such as --index customer=4711", f"--store {URL} delete --yes",
     f"--store {URL} cancel --force RUN; --store {URL} delete --yes --index customer=4711"),
    ("give --yes", f"--store {URL} delete RUN",
     f"--store {URL} cancel --force RUN; --store {URL} delete --yes RUN"),
]  # fmt: skip


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with an application and a run of its flow, and the run's id."""
    folder = tmp_path_factory.mktemp("clinic")
    (folder / "clinic.py").write_text(FLOWS)
    begin = f"import clinic, longterm; longterm.set_runstore({URL!r}); "
    begin += "print(longterm.start_flow(clinic.ask).id)"
    command = [sys.executable, "-c", begin]
    done = subprocess.run(command, capture_output=True, text=True, env=ENV, cwd=folder)
    return folder, done.stdout.strip()


@pytest.fixture(autouse=True)
def run_id(begun: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a run in this folder, of a flow that this process has not imported."""
    folder, run_id = begun
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("LONGTERM_URL", "LONGTERM_APP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delitem(sys.modules, "clinic", raising=False)
    return run_id


ENV = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "compiler"), "."])}


def command(text: str) -> int:
    try:
        return main(text.split())
    except SystemExit as usage:
        return int(usage.code or 0)


@pytest.mark.parametrize("number", range(len(CASES)), ids=[each[:40] for each, *_ in CASES])
def test_a_remedy_works_when_it_is_followed(
    number: int, run_id: str, monkeypatch: Any, capsys: Any
) -> None:
    remedy, refused, works = CASES[number]
    monkeypatch.setattr("longterm._flows.registry._flows", {})

    assert command(refused.replace("RUN", run_id)) in (1, 2)
    assert is_told(remedy, capsys.readouterr().err)

    for text in works.split("; "):
        assert command(text.replace("RUN", run_id)) == 0, capsys.readouterr().err


def test_the_store_is_given_by_the_environment(monkeypatch: Any) -> None:
    monkeypatch.setenv("LONGTERM_URL", URL)

    assert main(["runs"]) == 0


def test_what_needs_the_store_and_not_a_file(run_id: str, capsys: Any) -> None:
    assert command("--app clinic check --values --positions places.json") == 2
    assert is_told("leave out --positions", capsys.readouterr().err)
    assert command(f"--store {URL} --app clinic check --values") == 0


WORKER = [
    ("write 1, or 0.2", "worker --poll 0", ["worker --poll 1", "worker --poll 0.2"]),
    ("write 30, or 0.5; a year at most",
     "worker --lease x", ["worker --lease 30", "worker --lease 0.5"]),
    ("write 0, or 3", "fork RUN --at now", ["fork RUN --at 0", "rewind RUN --to 3"]),
]  # fmt: skip


@pytest.mark.parametrize(("remedy", "refused", "works"), WORKER)
def test_options_that_are_numbers(remedy: str, refused: str, works: list[str], capsys: Any) -> None:
    with pytest.raises(SystemExit):
        _parser().parse_args(refused.split())
    assert is_told(remedy, capsys.readouterr().err)

    for each in works:
        _parser().parse_args(each.split())


def test_a_page_that_is_followed_by_another(capsys: Any) -> None:
    engine, flow = Engine(URL), import_module("clinic").ask
    ids = {engine.start_flow(flow).id for _ in range(2)} | {
        run.id for run in engine.find_runs(limit=9)
    }
    seen: list[str] = []
    after = ""
    while len(seen) < 3:
        assert command(f"--store {URL} runs --limit 1 {after}") == 0
        shown = capsys.readouterr()
        seen += re.findall(r"^\w{32}", shown.out, re.MULTILINE)
        assert is_told("there may be more: --after *", shown.err)
        after = shown.err.partition("there may be more: ")[2].rstrip(")\n")

    assert set(seen) == ids


def test_a_run_that_is_in_a_turn_while_all_are_sealed(
    run_id: str, envelope: None, monkeypatch: Any, capsys: Any
) -> None:
    store = open_store(URL)
    claimed = store.unsuspend(run_id, "q")
    assert claimed is not None
    monkeypatch.setenv("LONGTERM_KEY", secrets.token_urlsafe(32))
    monkeypatch.setenv("LONGTERM_ACCEPT_UNSEALED", "yes")

    assert command(f"--store {URL} seal") == 1
    assert is_told("seal once more, later", capsys.readouterr().err)
    store.update(claimed.changed(state=RunState.SUSPENDED, waiting_for="q"))

    assert command(f"--store {URL} seal") == 0


def test_a_worker_that_knows_no_flows() -> None:
    def said_by_worker(*application: str) -> str:
        """Return what a worker says until it has started, and is stopped."""
        command = [sys.executable, "-m", "longterm.cli", "--store", URL, *application, "worker"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENV) as worker:
            assert worker.stderr is not None
            said = ""
            while "worker started" not in said:
                said += worker.stderr.readline()
            worker.terminate()
            return said

    assert is_told("name their modules by --app", said_by_worker())

    assert "no flows are known" not in said_by_worker("--app", "clinic")


ELSEWHERE = dict.fromkeys(
    [
        "at most 300",
        "make the table of what is done once in a database of yours instead",
        "oldest first",
        "one run each",
        "or LONGTERM_APP, separated by commas",
        "outermost call first",
        "send, cancel, retry,\nworker",
        "revision * is kept",
    ],
    "no advice",
) | {
    "`longterm check` says why": "tests/runtime/test_accept.py",
    "leave it out": "tests/store/test_sharded_cli.py",
    **dict.fromkeys(
        ["give --authorize MODULE:FUNCTION, or leave --host out", "the last is *",
         "write shop:may"],
        "tests/web/test_serve.py",
    ),
}  # fmt: skip


@pytest.mark.parametrize("extra", ["web", "web,pydantic"])
def test_a_python_without_what_serves(extra: str) -> None:
    for package in ("starlette", "uvicorn", "pydantic"):
        pytest.importorskip(package)
    command, module = ("serve", "web.serving") if extra == "web" else ("demo --web", "demo.pages")
    line = f"--store {URL} {command}".split()
    without = "import sys; sys.modules['starlette'] = None; from longterm.cli import main; "

    said = said_by_python("-c", f"{without}main({line})")
    if extra == "web":
        assert is_told("pip install 'longterm[web]'", said)
    else:
        assert is_told("pip install 'longterm[web,pydantic]'", said)

    assert said_by_python("-c", f"import longterm.{module}") == ""  # where it is installed


def test_spans_that_nobody_makes() -> None:
    pytest.importorskip("opentelemetry.sdk")
    Path("spans.py").write_text(
        "from opentelemetry import trace\n"
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "trace.set_tracer_provider(TracerProvider())\n"
    )

    def said(*application: str) -> str:
        line = ["-m", "longterm.cli", "--store", URL, "--telemetry", *application, "runs"]
        return said_by_python(*line)

    assert is_told(
        "put opentelemetry-instrument before the command, or set a tracer provider in a module "
        "that --app names",
        said(),
    )

    followed = said("--app", "spans")
    assert "clinic:ask" in followed
    assert "OpenTelemetry" not in followed


def test_upgrade_of_a_module_that_longterm_compile_wrote(run_id: str) -> None:
    source = Path("clinic.py")
    source.write_text(FLOWS.replace("return answer", "return answer, 1"))
    written = ["-m", "longterm_compiler", "clinic.py", "--output", "made"]
    line = ["-m", "longterm.cli", "--store", f"sqlite:///../{URL[10:]}", "--app", "clinic"]

    said_by_python(*written)
    said = said_by_python(*line, "accept", "--write", cwd="made")
    assert is_told("put the line into its source", said)
    upgrade = re.search(r"upgrade\(.*\)", said)
    assert upgrade is not None
    source.write_text(f"from longterm import upgrade\n{source.read_text()}\n{upgrade[0]}\n")
    said_by_python(*written)

    assert "complete" in said_by_python(*line, "send", run_id, "q", "1", cwd="made")


def test_upgrade_of_a_flow_that_is_not_at_the_top_of_its_file(run_id: str) -> None:
    start, flow = FLOWS.split("@deflow", 1)
    inside = "if True:\n" + indent(
        "@deflow" + flow.replace("return answer", "return answer, 1"), "    "
    )
    Path("clinic.py").write_text(start + inside)
    line = ["-m", "longterm.cli", "--store", URL, "--app", "clinic"]

    said = said_by_python(*line, "accept", "--write")
    assert is_told("put the line there", said)
    upgrade = re.search(r"upgrade\(.*\)", said)
    assert upgrade is not None
    Path("clinic.py").write_text(
        f"from longterm import upgrade\n{start}{inside}\n    {upgrade[0]}\n"
    )

    assert "complete" in said_by_python(*line, "send", run_id, "q", "1")


LINES = [
    ("write `from longterm import upgrade`", "def f(): ...\n", "f",
     "from longterm import upgrade\ndef f(): ...\n"),
]  # fmt: skip


@pytest.mark.parametrize(("remedy", "refused", "name", "followed"), LINES)
def test_line_of_an_upgrade(remedy: str, refused: str, name: str, followed: str) -> None:
    with printed(remedy):
        with_upgrade(refused, name, "abcdef")

    assert 'upgrade(f, since="abcdef")' in with_upgrade(followed, name, "abcdef")


def test_no_remedy_is_forgotten() -> None:
    others = {"--force ends the run without its code"}  # after no colon, and in no parentheses
    of_stores = {"check the URL, or run `longterm migrate` first"}
    tried = tried_in(__file__) | {remedy for remedy, *_ in [*CASES, *WORKER, *LINES]}

    named = advice_of(CLI)
    for other in (test_check, test_freeze):
        tried |= tried_in(other.__file__) & named

    assert (tried | set(ELSEWHERE)) - others - of_stores == named
