"""The compile cache: used when it is right, ignored when it is not, harmless when it is broken."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import longterm_compiler
from longterm._flows.cache import ModuleCache, write_cache

FLOWS = """\
from helpers import step
from longterm import deflow, suspend


@deflow
def outer(x):
    kept = [x]
    add = lambda v: v + kept[0]
    for each in range(2):
        kept.append(inner(add(each)))
    return kept[:] + [step(x)]


@deflow
def inner(x):
    return suspend("value") * x
"""

DRIVER = """\
import sys
import flows
from longterm.testing import play
played = play(flows.outer, [3], [10, 20])
if played.error is not None:
    raise played.error
print(played.result, "longterm_compiler" in sys.modules, end="")
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
    done = run_driver(folder, *flags, **env)
    assert done.stderr == ""
    return done.stdout


def run_driver(folder: Path, *flags: str, **env: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root), str(root / "compiler")])
    base = {k: v for k, v in os.environ.items() if not k.startswith(("LONGTERM", "PYTHON"))}
    return subprocess.run(
        [sys.executable, *flags, "driver.py"],
        cwd=folder,
        env={**base, "PYTHONPATH": path, **env},
        capture_output=True,
        text=True,
        timeout=60,
    )


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
        lambda content: content[:200] + bytes([content[200] ^ 255]) + content[201:],
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


def test_it_is_not_written_where_byte_code_is_not_and_says_so_once(folder):
    driver = folder / "driver.py"
    driver.write_text(f"import logging\nlogging.basicConfig(level=logging.INFO)\n{DRIVER}")

    done = run_driver(folder, "-B")

    assert done.stdout == f"{RIGHT} True"
    assert done.stderr.count("flows are compiled at each start") == 1
    assert cache_files(folder) == []
    assert start(folder, "-B", LONGTERM_CACHE="off") == f"{RIGHT} True"


def test_a_folder_of_its_own_is_written_where_byte_code_is_not(folder, tmp_path_factory):
    elsewhere = str(tmp_path_factory.mktemp("cache"))

    assert start(folder, "-B", LONGTERM_CACHE=elsewhere) == f"{RIGHT} True"
    assert start(folder, "-B", LONGTERM_CACHE=elsewhere) == f"{RIGHT} False"


def test_flows_in_a_zip_file_are_kept_in_a_folder_of_its_own(folder, tmp_path_factory):
    elsewhere = str(tmp_path_factory.mktemp("cache"))
    with zipfile.ZipFile(folder / "app.zip", "w") as archive:
        for name in ("flows.py", "helpers.py"):
            archive.write(folder / name, name)
            (folder / name).unlink()
    (folder / "driver.py").write_text('import sys; sys.path.insert(0, "app.zip")\n' + DRIVER)

    assert start(folder, LONGTERM_CACHE=elsewhere) == f"{RIGHT} True"
    assert start(folder, LONGTERM_CACHE=elsewhere) == f"{RIGHT} False"


def test_assertions_are_kept_or_left_out_as_python_is_told(folder):
    (folder / "flows.py").write_text(
        FLOWS.replace("    kept = [x]\n", "    kept = [x]\n    assert x != 3, 'checked'\n")
    )

    for _ in ("cold", "warm"):
        assert "AssertionError: checked" in run_driver(folder).stderr
        assert run_driver(folder, "-O").stdout.startswith(RIGHT)
    assert len(cache_files(folder)) == 2


def test_a_cache_that_moved_with_its_folder_names_the_files_where_they_are(folder, tmp_path):
    build, app = folder / "build", folder / "app"
    build.mkdir()
    failing = FLOWS.replace('suspend("value") * x', 'suspend("value") / (x - x)')
    for name, text in (("flows.py", failing), ("helpers.py", ""), ("driver.py", DRIVER)):
        (build / name).write_text(text)
    (build / "helpers.py").write_text("def step(x):\n    return x + 1\n")
    precompile(build, "flows.py")
    build.rename(app)

    shown = run_driver(app).stderr

    assert "ZeroDivisionError" in shown
    assert f'"{app / "flows.py"}", line 16, in inner' in shown
    assert f'"{app / "flows.py"}", line 10, in outer' in shown
    assert str(build) not in shown


def plant(file: Path, source: Path) -> None:
    """Put code that nobody wrote into a valid cache file."""
    text = source.read_bytes()
    cache = ModuleCache(str(source), text)
    for name in cache.names():
        entry = cache.get(name)
        code = compile(
            "def planted(*a):\n    print('planted')\n    return [0]", str(source), "exec"
        )
        entry["flow"]["code"] = code.co_consts[0].replace(
            co_name=name.partition("@")[0], co_qualname=name.partition("@")[0]
        )
    write_cache(str(file), str(source), text, {name: cache.get(name) for name in cache.names()})


def own_by_another(file: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give a file to another user")
    os.chown(file, 12345, 12345)


@pytest.mark.parametrize(
    "betray",
    [
        own_by_another,
        lambda file: file.chmod(0o666),
        lambda file: file.chmod(0o664),
        lambda file: (file.rename(file.with_suffix(".kept")),
                      file.symlink_to(file.with_suffix(".kept"))),
    ],
    ids=["of another user", "writable by all", "writable by a group", "link"],
)  # fmt: skip
def test_code_that_others_can_have_written_is_not_run(folder, betray):
    start(folder)
    (file,) = cache_files(folder)
    plant(file, folder / "flows.py")
    assert "planted" in run_driver(folder).stdout  # such a file is run where it can be trusted

    betray(file)

    assert start(folder) == f"{RIGHT} True"
    assert start(folder) == f"{RIGHT} False"  # it was replaced by a right one
    assert not file.is_symlink()


def test_a_pipe_in_the_place_of_the_file_holds_nobody(folder):
    start(folder)
    (file,) = cache_files(folder)
    file.unlink()
    os.mkfifo(file)

    assert start(folder) == f"{RIGHT} True"
    assert file.is_file()


def test_the_cache_of_a_file_of_another_user_is_believed_as_the_file_is(folder):
    start(folder)
    (file,) = cache_files(folder)
    own_by_another(file)
    own_by_another(folder / "flows.py")

    assert start(folder) == f"{RIGHT} False"


def test_nothing_is_written_through_a_link_of_another_user(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    link = folder / "cache"
    link.symlink_to(elsewhere)
    if os.geteuid():
        pytest.skip("only root can give a link to another user")
    os.lchown(link, 12345, 12345)

    assert start(folder, LONGTERM_CACHE=str(link)) == f"{RIGHT} True"

    assert cache_files(elsewhere) == []


def test_folder_that_cannot_be_written_is_harmless(folder):
    # A file in the place of the folder: root may write anywhere, but not into that.
    (folder / "blocked").write_text("")

    assert start(folder, LONGTERM_CACHE=str(folder / "blocked")) == f"{RIGHT} True"


def test_concurrent_first_starts_all_succeed_and_leave_a_valid_file(folder):
    with ThreadPoolExecutor(6) as pool:
        printed = list(pool.map(lambda _: start(folder), range(6)))

    assert {each.split("] ")[0] + "]" for each in printed} == {RIGHT}
    assert start(folder) == f"{RIGHT} False"


def precompile(folder: Path, *targets: str, **env: str) -> str:
    """Run `longterm-compile --cache` in a new process and return what it prints."""
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root), str(root / "compiler")])
    base = {k: v for k, v in os.environ.items() if not k.startswith("LONGTERM")}
    done = subprocess.run(
        [sys.executable, "-m", "longterm_compiler", "--cache", *targets],
        cwd=folder,
        env={**base, "PYTHONPATH": path, **env},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


@pytest.mark.parametrize("target", ["flows.py", "flows", "."])
def test_precompiled_flows_start_without_the_compiler(folder, target):
    printed = precompile(folder, target, PYTHONDONTWRITEBYTECODE="1")

    (file,) = cache_files(folder)
    assert f"flows.py: 2 flows, 4 resume points, in {file}\n" in printed
    assert start(folder) == f"{RIGHT} False"


def test_precompiled_flows_need_no_folder_to_write_to(folder, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    precompile(folder, "flows.py", LONGTERM_CACHE=str(cache))
    (file,) = cache_files(cache)
    before = file.read_bytes()
    for each in (file, *file.parents[: file.parents.index(cache) + 1]):
        each.chmod(each.stat().st_mode & ~0o222)

    assert start(folder, LONGTERM_CACHE=str(cache)) == f"{RIGHT} False"
    assert file.read_bytes() == before
    assert cache_files(cache) == [file]


@pytest.mark.parametrize(
    "text",
    [
        FLOWS.rstrip("\n"),
        FLOWS.replace("\n", "\r\n"),
        "\ufeff" + FLOWS,
        "# coding: latin-1\n# \xe9\n" + FLOWS,
        "from __future__ import annotations\n" + FLOWS,
    ],
    ids=["no end of line", "Windows", "marked", "latin-1", "future"],
)
def test_precompiled_text_is_what_the_runtime_reads(folder, text):
    encoding = "latin-1" if "latin-1" in text else "utf-8"
    (folder / "flows.py").write_bytes(text.encode(encoding))
    precompile(folder, "flows.py")

    assert start(folder) == f"{RIGHT} False"


def test_precompiled_flows_are_compiled_again_when_a_helper_becomes_a_flow(folder):
    precompile(folder, ".")
    (folder / "helpers.py").write_text(
        "from longterm import deflow\n\n\n@deflow\ndef step(x):\n    return x + 1\n"
    )

    assert start(folder) == f"{RIGHT} True"


def test_compiler_is_known_by_times_that_a_container_image_keeps(folder, tmp_path):
    copied = tmp_path / "compiler"
    shutil.copytree(Path(longterm_compiler.__file__).parent, copied / "longterm_compiler")
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root), str(copied)])
    assert start(folder, PYTHONPATH=path) == f"{RIGHT} True"
    for each in copied.rglob("*.py"):
        os.utime(each, (int(each.stat().st_atime), int(each.stat().st_mtime)))

    assert start(folder, PYTHONPATH=path) == f"{RIGHT} False"


MANY = """\
import helpers
from longterm import deflow, suspend
"""
ONE_OF_MANY = """

@deflow
def flow_{number}(x):
    n = helpers.step(x)
    a = suspend("a")
    b = suspend("b")
    return n, a, b
"""
DRIVER_OF_MANY = """\
import gc
import many
import helpers
from longterm import deflow
from longterm.testing import play
from longterm_compiler import CompiledFlow
flows = [getattr(many, f"flow_{number}") for number in range(40)]
first = play(flows[0], [1], [2, 3]).result
for flow in flows:
    assert play(flow, [1], [2, 3]).result == first
kept = sum(isinstance(each, CompiledFlow) for each in gc.get_objects())
print(first, 0 < kept <= 16, end="")
"""


def test_only_the_latest_compilations_are_kept_in_memory(folder):
    flows = "".join(ONE_OF_MANY.format(number=number) for number in range(40))
    (folder / "many.py").write_text(MANY + flows)
    (folder / "driver.py").write_text(DRIVER_OF_MANY)

    assert start(folder, LONGTERM_CACHE="off") == "(2, 2, 3) True"
