"""The wheel holds both packages and the plugin of pytest, whole, and nothing else."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"longterm": ROOT / "longterm", "longterm_compiler": ROOT / "compiler/longterm_compiler"}

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("hatchling") is None,
    reason="NOT CHECKED: the wheel (pip install hatchling, or --group test)",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from the checkout by its own backend, without the network."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def expected_files() -> set[str]:
    """Every file of both packages, and the plugin, by its name in the wheel."""
    return {"pytest_longterm.py"} | {
        f"{name}/{path.relative_to(folder).as_posix()}"
        for name, folder in PACKAGES.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def metadata_of(wheel: zipfile.ZipFile) -> str:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return wheel.read(name).decode()


def test_wheel_holds_every_file_of_both_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}

    assert held == expected_files()


def test_wheel_holds_types_flows_and_schemas(wheel: zipfile.ZipFile) -> None:
    held = set(wheel.namelist())

    assert {"longterm/py.typed", "longterm_compiler/py.typed", "longterm/demo/flows.py"} <= held


def test_wheel_fits_every_python_and_carries_the_licence(wheel: zipfile.ZipFile) -> None:
    assert str(wheel.filename).endswith("-py3-none-any.whl")
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel.namelist())


def test_wheel_needs_what_the_design_names_alone(wheel: zipfile.ZipFile) -> None:
    required = Parser().parsestr(metadata_of(wheel)).get_all("Requires-Dist", [])

    assert [need for need in required if "extra ==" not in need] == ["libcst>=1.8", "msgpack>=1.1"]


def test_wheel_shows_the_readme_and_offers_the_compiler(wheel: zipfile.ZipFile) -> None:
    (entry_points,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))

    assert (ROOT / "README.md").read_text() in metadata_of(wheel)
    assert "longterm-compile = longterm_compiler.cli:main" in wheel.read(entry_points).decode()


def test_wheel_has_the_plugin_of_pytest(wheel: zipfile.ZipFile) -> None:
    (entry_points,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))

    offered = wheel.read(entry_points).decode()
    assert "[pytest11]\npytest_longterm = pytest_longterm" in offered
