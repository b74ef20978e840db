"""The demo, driven through a pipe: a new process for every answer, and no hurry between them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

TO_THE_END = ["payments", "friday", "Ada", "yes", "lots", "3", "yes", "yes", "yes"]


@dataclass
class Folder:
    """A folder with a demo's file in it, and the demo to run there."""

    path: Path
    seeds: list[int] = field(default_factory=lambda: list(range(1, 100)))

    def demo(self, *answers: str, arguments: tuple[str, ...] = ()) -> str:
        """Run the demo with these answers piped in, each time under another hash seed."""
        shown = self.try_demo(*answers, arguments=arguments)
        assert shown.returncode == 0, shown.stderr
        assert shown.stderr == ""
        return shown.stdout

    def try_demo(
        self, *answers: str, arguments: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "longterm.cli", "demo", *arguments],
            input="".join(f"{answer}\n" for answer in answers),
            cwd=self.path,
            env={**os.environ, "PYTHONHASHSEED": str(self.seeds.pop())},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Folder, str]:
    """A folder in which one run waits and one has ended, and what the demo showed at last."""
    folder = Folder(tmp_path_factory.mktemp("demo"))
    folder.demo("payments")
    return folder, folder.demo(*TO_THE_END)


def run_id_in(output: str) -> str:
    """The id that the demo says to go on with."""
    found = re.search(r"--run (\w+)$", output, re.MULTILINE)
    assert found, output
    return found[1]


def test_answers_from_a_pipe_lead_to_the_end(finished: tuple[Folder, str]) -> None:
    folder, shown = finished

    assert "payments went out on Friday, to all 12 servers" in shown
    assert "'lots' is no number from 1 to 12" in shown
    assert (folder.path / "longterm-demo.db").stat().st_size > 0


def test_the_start_and_every_answer_have_a_process_each(finished: tuple[Folder, str]) -> None:
    processes = re.findall(r"process (\d+) ended", finished[1])

    assert len(processes) == 1 + len(TO_THE_END)
    assert len(set(processes)) == len(processes)


def test_the_table_shows_every_run_of_the_file(finished: tuple[Folder, str]) -> None:
    table = finished[1].partition("Runs in ")[2]

    assert re.search(r"\w{8,} +suspended +2 +day +\d+ bytes\n", table)
    assert re.search(r"\w{8,} +complete +10 +- +-\n", table)


def test_a_run_that_has_ended_shows_how(finished: tuple[Folder, str]) -> None:
    folder, shown = finished
    run_id = re.findall(r"(\w{8,}) +complete", shown)[0]

    again = folder.demo(arguments=("--run", run_id))

    assert "payments went out on Friday" in again


def test_a_pipe_gets_no_colours(finished: tuple[Folder, str]) -> None:
    assert "\x1b" not in finished[1]


def test_a_run_goes_on_in_another_invocation(folder: Folder) -> None:
    first = folder.demo("billing", "fri")
    run_id = run_id_in(first)
    second = folder.demo(arguments=("--run", run_id))
    third = folder.demo("Ada", "no", "12", "no", arguments=("--run", run_id))

    assert "the run stays suspended" in first
    assert "Who carries the pager for billing" in second
    assert run_id_in(second) == run_id
    assert "billing is rolled back, and Monday is saved" in third


def test_another_store_is_named_in_the_command_to_go_on(folder: Folder) -> None:
    shown = folder.demo(arguments=("--store", "sqlite:///elsewhere.db"))

    assert "--store sqlite:///elsewhere.db --run " in shown
    assert (folder.path / "elsewhere.db").exists()


def test_an_unknown_run_is_refused_in_one_sentence(folder: Folder) -> None:
    shown = folder.try_demo(arguments=("--run", "no-such-run"))

    assert shown.returncode == 1
    assert shown.stderr.startswith("longterm: there is no run 'no-such-run'")
    assert "Traceback" not in shown.stderr


def test_a_reader_that_has_seen_enough_ends_it_without_a_complaint(folder: Folder) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "longterm.cli", "demo"],
        cwd=folder.path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("You are talking to a flow")
        process.stdout.close()
        process.stdin.write("payments\n")
        process.stdin.close()
        assert process.stderr.read() == ""
        assert process.wait() == 141
