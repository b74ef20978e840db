"""The demo, driven through a pipe: a new process for every answer, and no hurry between them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

TO_THE_END = ["payments", "", "yes", "ben: yes", "yes"]


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

    assert "payments is out. Cake?" in shown
    assert (folder.path / "longterm-demo.db").stat().st_size > 0


def test_two_are_asked_at_once_and_reminded_each_day(finished: tuple[Folder, str]) -> None:
    asked, _, rest = finished[1].partition("Ada, Ben> \n")
    reminded, _, answered = rest.partition("Ada, Ben> yes\n")

    assert "\nAda, may payments go out?\nBen, may payments go out?\n" in asked
    assert "\nAda, payments still waits for you.\nBen, payments still waits" in reminded
    assert answered.startswith("    Who says so? Answer as in: Ada: yes\nAda, Ben> ben: yes\n")
    assert "\nAda> yes\n" in answered


def test_the_start_and_every_answer_have_a_process_each(finished: tuple[Folder, str]) -> None:
    processes = re.findall(r"process (\d+) ended", finished[1])

    assert len(processes) == len(TO_THE_END)  # nobody knows who said one of them
    assert len(set(processes)) == len(processes)


def test_the_table_shows_every_run_of_the_file(finished: tuple[Folder, str]) -> None:
    table = finished[1].partition("Runs in ")[2]

    assert re.search(r"\w{8,} +release +suspended +2 +its children +\d+ bytes\n", table)
    assert len(re.findall(r"\w{8,} +approval +suspended +2 +answer +\d+ bytes\n", table)) == 2
    assert re.search(r"\w{8,} +release +complete +4 +- +-\n", table)


def test_a_run_that_has_ended_shows_how(finished: tuple[Folder, str]) -> None:
    folder, shown = finished
    run_id = re.findall(r"(\w{8,}) +release +complete", shown)[0]

    again = folder.demo(arguments=("--run", run_id))

    assert "payments is out. Cake?" in again


def test_a_pipe_gets_no_colours(finished: tuple[Folder, str]) -> None:
    assert "\x1b" not in finished[1]


def test_a_run_goes_on_in_another_invocation(folder: Folder) -> None:
    first = folder.demo("", "billing")
    run_id = run_id_in(first)
    second = folder.demo(arguments=("--run", run_id))
    third = folder.demo("Ben: it is Friday", arguments=("--run", run_id))

    assert "Sorry, I did not hear that." in first
    assert "the run stays suspended" in first
    assert "Ada, may billing go out?\nBen, may billing go out?" in second
    assert run_id_in(second) == run_id
    assert "billing stays in the drawer. Ben says: it is Friday" in third
    assert len(re.findall(r"approval +cancelled", third)) == 1  # Ada is asked no more


def test_a_cancel_ends_all(folder: Folder) -> None:
    shown = folder.demo("billing", "cancel")

    assert "(the run is cancelled)" in shown
    assert re.search(r"release +cancelled( .*\n.*approval +cancelled){2} ", shown)


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
