"""The documentation is true: its code runs as shown, and what it names exists, and the reverse."""

from __future__ import annotations

import builtins
import inspect
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from longterm import errors
from tests.project.pages import (
    PAGES,
    ROOT,
    commands,
    files_of,
    module_of,
    promised_output,
    quotations,
)

ALL_TEXT = "\n".join(page.read_text() for page in PAGES)
ERRORS = {
    name
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, errors.LongtermError)
}


def ids(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def write_files(page: Path, folder: Path) -> None:
    for name, code in files_of(page).items():
        (folder / name).write_text(code)


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, as a reader whose `python` has longterm installed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    clean = {name: value for name, value in os.environ.items() if name != "LONGTERM_URL"}
    clean["PYTEST_PLUGINS"] = "pytest_longterm"  # the environment may be older than its entry point
    return subprocess.run(
        command,
        cwd=folder,
        env={**clean, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("page", [page for page in PAGES if module_of(page)], ids=ids)
def test_code_runs_and_prints_what_the_page_says(page: Path, tmp_path: Path) -> None:
    if page.name == "web.md":
        pytest.importorskip("jinja2", reason="NOT CHECKED: its library is missing")
    code = module_of(page)
    write_files(page, tmp_path)
    module = page.stem.lower().replace("-", "_") + "_page"
    (tmp_path / f"{module}.py").write_text(code)

    done = run([sys.executable, "-c", f"import {module}"], tmp_path)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == promised_output(code)


@pytest.mark.skipif(os.name == "nt", reason="the pages' commands are for a Unix shell")
@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=ids)
def test_commands_print_what_the_page_says(page: Path, tmp_path: Path) -> None:
    if page.name == "telemetry.md":
        pytest.importorskip("opentelemetry.sdk", reason="NOT CHECKED: its library is missing")
    write_files(page, tmp_path)
    shown = commands(page)
    mark = "=-=-= next command"
    script = f"\necho '{mark}'\n".join(command.line for command in shown)

    done = run(["bash", "-c", f"exec 2>&1\n{script}"], tmp_path)
    printed = [part.strip() for part in done.stdout.split(mark)]

    for command, output in zip(shown, printed, strict=True):
        pattern = re.escape(command.output).replace(re.escape("..."), ".*")
        assert re.fullmatch(pattern, output, re.DOTALL), f"{command.line} printed\n{output}"


@pytest.mark.parametrize("page", [page for page in PAGES if quotations(page)], ids=ids)
def test_quotations_are_word_for_word(page: Path) -> None:
    for path, quotation in quotations(page):
        assert quotation in (ROOT / path).read_text()


def test_every_error_that_is_named_exists() -> None:
    named = set(re.findall(r"`(\w+(?:Error|Exception))`", ALL_TEXT))

    assert not named - ERRORS - set(dir(builtins))


def test_the_two_commands_of_the_readme_are_a_line_each_and_name_what_exists() -> None:
    demo, tests = re.findall(
        r"^python3 -m venv .*$", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())

    assert demo.endswith(" && .venv/bin/longterm demo")
    assert tests.endswith(" && .venv/bin/pytest")
    assert "longterm" in project["project"]["scripts"]
    assert set(re.findall(r"--group (\S+)", demo + tests)) <= set(project["dependency-groups"])


def test_the_commands_of_longterm_are_the_documented_ones() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "longterm.cli", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    offered = set(re.findall(r"^    (\w+)  ", shown, re.MULTILINE))
    named = set(
        re.findall(r"(?:`|^\$ |bin/)longterm (?:--\S+ \S+ )*([a-z]+)\b", ALL_TEXT, re.MULTILINE)
    )

    assert offered == named


def test_the_options_of_longterm_compile_are_the_documented_ones() -> None:
    code = "from longterm_compiler.cli import main; main(['--help'])"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    ).stdout
    offered = set(re.findall(r"--\w[\w-]*", shown)) - {"--help", "--version"}
    named = set(re.findall(r"`longterm-compile[^`]* (--[\w-]+)`", ALL_TEXT))

    assert offered == named


def test_every_rule_of_the_compiler_has_a_page_and_a_case() -> None:
    pages = {page.stem for page in (ROOT / "docs" / "errors").glob("*.md")}
    cases = {case.name for case in (ROOT / "fixtures" / "rejected").glob("*") if case.is_dir()}
    named = set(re.findall(r"error\[([\w-]+)\]", ALL_TEXT))

    assert pages == cases
    assert named <= pages
