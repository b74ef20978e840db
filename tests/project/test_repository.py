"""The checkout itself: its layout, versions that agree, and nothing that ties it to one machine."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pytest

import longterm

ROOT = Path(__file__).resolve().parents[2]

# What a checkout may hold besides the project: environments, caches, builds.
IGNORED = re.compile(r"\.git|\.venv.*|.*_cache|__pycache__|\.hypothesis|build|dist|.*\.egg-info")

# Spelled in halves, since this file is searched as well.
FORBIDDEN = {
    "a package registry's host": ["pypi" + r"\.org", "pythonhosted" + r"\.org", "npmjs" + r"\.org"],
    "a path of one machine": [r"(?<![\w.])/" + "(?:root|work|home)/", r"[A-Z]:\\" + "Users"],
}
FOLDERS = ("longterm", "compiler", "tests", "fixtures", "docs", r"\.ci")
LOCK_FILES = {"uv.lock", "poetry.lock", "Pipfile.lock", "pdm.lock", "package-lock.json"}


def files(folder: Path = ROOT) -> Iterator[Path]:
    """Every file of the project, without what tools leave behind."""
    for path in sorted(folder.iterdir()):
        if IGNORED.fullmatch(path.name):
            continue
        if path.is_dir():
            yield from files(path)
        else:
            yield path


@cache
def texts() -> dict[str, str]:
    """The text of every file that is text, by its path below the root."""
    found = {}
    for path in files():
        content = path.read_bytes()
        if b"\0" not in content and path.suffix not in {".db", ".msgpack"}:
            found[path.relative_to(ROOT).as_posix()] = content.decode()
    return found


def test_the_compiler_folder_is_no_package() -> None:
    assert not (ROOT / "compiler" / "__init__.py").exists()


def test_changelog_has_what_is_to_come_on_top_and_nothing_newer_than_this_version() -> None:
    first, *released = re.findall(
        r"^## \[(.*?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    numbers = [tuple(map(int, each.split("."))) for each in [longterm.__version__, *released]]

    assert first == "Unreleased"
    assert numbers == sorted(numbers, reverse=True)


def test_the_installed_longterm_is_the_one_of_this_checkout() -> None:
    assert version("longterm") == longterm.__version__


@pytest.mark.parametrize(
    ("command", "module"), [("longterm", "longterm"), ("longterm-compile", "longterm_compiler")]
)
def test_command_tells_the_version(command: str, module: str) -> None:
    code = f"from {module}.cli import main; main(['--version'])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert shown.stdout == f"{command} {longterm.__version__}\n"


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_no_file_names(kind: str) -> None:
    pattern = re.compile("|".join(FORBIDDEN[kind]))

    hits = [
        f"{path}: {found[0]}" for path, text in texts().items() for found in pattern.finditer(text)
    ]

    assert not hits


def test_no_lock_file_is_kept() -> None:
    assert not [path for path in files() if path.name in LOCK_FILES]


def test_text_files_end_with_one_newline_and_hold_no_carriage_returns() -> None:
    ragged = [
        path
        for path, text in texts().items()
        if "\r" in text or (text and (not text.endswith("\n") or text.endswith("\n\n")))
    ]

    assert not ragged


def test_both_packages_are_marked_as_typed() -> None:
    assert (ROOT / "longterm" / "py.typed").exists()
    assert (ROOT / "compiler" / "longterm_compiler" / "py.typed").exists()


def headings(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    found = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in found}


def test_local_links_in_the_documents_lead_somewhere() -> None:
    broken = []
    for name, text in texts().items():
        if name.endswith(".md"):
            prose = re.sub(r"^```.*?^```$|`[^`\n]+`", "", text, flags=re.MULTILINE | re.DOTALL)
            for path, heading in re.findall(r"\]\((?!https?:|mailto:)([^)#\s]*)#?([^)\s]*)", prose):
                target = (ROOT / name).parent / path if path else ROOT / name
                if not target.exists() or (heading and heading not in headings(target)):
                    broken.append(f"{name}: {path}#{heading}")

    assert not broken


def test_paths_that_the_documents_name_exist() -> None:
    missing = []
    for name, text in texts().items():
        if name.endswith(".md") and name != "CHANGELOG.md":
            for path in re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]*)`", text):
                if not (ROOT / path).exists():
                    missing.append(f"{name}: {path}")

    assert not missing
