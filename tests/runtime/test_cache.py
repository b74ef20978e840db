"""The compile cache: used when it is right, ignored when it is not, harmless when it is broken."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

FLOWS = """\
from helpers import step
from longterm import deflow, suspend


@deflow
def outer(x):
    kept = [x]
    add = lambda v: v + kept[0]
    for each in range(2):
        kept.append(inner(add(each)))
    return kept + [step(x)]


@deflow
def inner(x):
    return suspend("value") * x
"""

DRIVER = """\
import sys
import flows
from longterm.testing import play
result = play(flows.outer, [3], [10, 20]).result
print(result, "longterm_compiler" in sys.modules, end="")
"""

RIGHT = "[3, 30, 80, 4]"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flows.py").write_text(FLOWS)
    (tmp_path / "driver.py").write_text(DRIVER)
    (tmp_path / "helpers.py").write_text("def step(x):\n    return x + 1\n")
    return tmp_path


def start(folder: Path, *flags: str, **env: str) -> str:
    """Run the driver in a new process and return what it prints."""
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root), str(root / "compiler")])
    base = {k: v for k, v in os.environ.items() if not k.startswith(("LONGTERM", "PYTHON"))}
    done = subprocess.run(
        [sys.executable, *flags, "driver.py"],
        cwd=folder,
        env={**base, "PYTHONPATH": path, **env},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    return done.stdout


def cache_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.longterm"))


def test_warm_start_resumes_without_the_compiler(folder):
    assert start(folder) == f"{RIGHT} True"
    assert len(cache_files(folder)) == 1

    assert start(folder) == f"{RIGHT} False"


def test_edited_source_is_compiled_again(folder):
    start(folder)
    (folder / "flows.py").write_text(FLOWS.replace("* x", "* x * 2"))

    assert start(folder) == "[3, 60, 160, 4] True"
    assert start(folder) == "[3, 60, 160, 4] False"


def test_helper_that_becomes_a_flow_is_seen(folder):
    start(folder)
    (folder / "helpers.py").write_text(
        "from longterm import deflow\n\n\n@deflow\ndef step(x):\n    return x + 1\n"
    )

    assert start(folder) == f"{RIGHT} True"
    assert start(folder) == f"{RIGHT} False"


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:40],
        lambda content: content[:-1],
        lambda content: content[:200] + b"\xff" + content[201:],
        lambda content: b"something else",
        lambda content: content + b"more",
    ],
    ids=["empty", "header only", "cut off", "flipped byte", "foreign", "longer"],
)
def test_broken_file_is_ignored_and_replaced(folder, damage):
    start(folder)
    (file,) = cache_files(folder)
    whole = file.read_bytes()
    file.write_bytes(damage(whole))

    assert start(folder) == f"{RIGHT} True"
    assert start(folder) == f"{RIGHT} False"


def test_same_input_gives_the_same_bytes_under_any_hash_seed(folder):
    contents = set()
    for seed in ("0", "1", "4242"):
        start(folder, PYTHONHASHSEED=seed)
        (file,) = cache_files(folder)
        contents.add(file.read_bytes())
        file.unlink()

    assert len(contents) == 1


def test_it_can_be_turned_off(folder):
    start(folder, LONGTERM_CACHE="off")

    assert cache_files(folder) == []


def test_it_can_be_moved(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("cache")

    start(folder, LONGTERM_CACHE=str(elsewhere))

    assert cache_files(folder) == []
    assert len(cache_files(elsewhere)) == 1
    assert start(folder, LONGTERM_CACHE=str(elsewhere)) == f"{RIGHT} False"


def test_it_is_not_written_where_byte_code_is_not(folder):
    start(folder, "-B")

    assert cache_files(folder) == []


def test_folder_that_cannot_be_written_is_harmless(folder):
    # A file in the place of the folder: root may write anywhere, but not into that.
    (folder / "blocked").write_text("")

    assert start(folder, LONGTERM_CACHE=str(folder / "blocked")) == f"{RIGHT} True"


def test_concurrent_first_starts_all_succeed_and_leave_a_valid_file(folder):
    with ThreadPoolExecutor(6) as pool:
        printed = list(pool.map(lambda _: start(folder), range(6)))

    assert {each.split("] ")[0] + "]" for each in printed} == {RIGHT}
    assert start(folder) == f"{RIGHT} False"
