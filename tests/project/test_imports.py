"""Who imports what: importing longterm stays light, and each library is named in one place only."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (ROOT / "longterm", ROOT / "compiler" / "longterm_compiler")
PLUGIN = ROOT / "pytest_longterm.py"

# Modules of other people, and the places (below the root) that may name them.
ALLOWED = {
    "cronsim": ("longterm/_cron.py",),
    "msgpack": ("longterm/_codec/",),
    "libcst": ("compiler/longterm_compiler/fixes/", "compiler/longterm_compiler/text/"),
    "greenlet": ("longterm/store/postgres/_loop_step.py",),
    "psycopg": ("longterm/store/postgres/", "longterm/database/_psycopg.py"),
    "psycopg_pool": ("longterm/store/postgres/_borrowed.py",),
    "sqlite3": (
        "longterm/store/sqlite/",
        "longterm/database/_sqlite.py",
        "longterm/demo/table.py",
    ),
    "opentelemetry": ("longterm/telemetry/",),
    "sqlalchemy": ("longterm/database/_sqlalchemy.py",),
    "starlette": ("longterm/web/",),
    "jinja2": ("longterm/web/pages/rendering.py",),
    "markupsafe": ("longterm/web/pages/",),
    "uvicorn": ("longterm/web/serving.py",),
    "django": (),  # is imported by its name
    "argparse": (
        "longterm/_terminal.py",
        "longterm/cli/",
        "longterm/demo/turn.py",
        "compiler/longterm_compiler/cli/",
    ),
    "longterm_compiler": ("compiler/", "longterm/_flows/loader.py"),
    "pygments": ("compiler/longterm_compiler/cli/highlight.py",),
    "hypothesis": ("longterm/testing/",),
    "pytest": ("longterm/testing/", "pytest_longterm.py"),
    "pydantic": ("longterm/_validation.py",),
    "pydantic_core": ("longterm/_run_json.py",),
    "typing_extensions": ("longterm/run.py",),  # of the type checkers: nothing imports it
}

NOT_AT_IMPORT = {
    "argparse",
    "asyncio",
    "decimal",
    "fractions",
    "hashlib",
    "importlib.metadata",
    "libcst",
    "hypothesis",
    "longterm._engine.transaction",
    "longterm._records.deletion",
    "longterm._records.resealing",
    "longterm._records.search",
    "longterm._flows.wants",
    "longterm._observer",
    "longterm._run_json",
    "longterm._terminal",
    "longterm.cli",
    "longterm.database",
    "longterm.demo",
    "longterm.pictures",
    "longterm.streams",
    "longterm.telemetry",
    "longterm.testing",
    "longterm._turns.checks",
    "longterm.web",
    "longterm._turns.deliveries",
    "longterm._turns.due",
    "longterm._turns.once",
    "longterm._turns.unstorable",
    "longterm._validation",
    "longterm._worker",
    "longterm.worker",
    "longterm_compiler",
    "opentelemetry",
    "pathlib",
    "greenlet",
    "psycopg",
    "pydantic",
    "pydantic_core",
    "pytest",
    "sqlite3",
    "starlette",
    "tempfile",
    "typing_extensions",
    "unittest",
    "uuid",
    "zoneinfo",
}
# What a process needs to import flows and carry them on is loaded at once, the rest when it is met:
# the whole encoder of graphs, and all families but those of frames and registered types.
CODEC_AT_IMPORT = {
    *("atoms", "collector", "decode", "decoder", "decoding", "encode", "envelope", "families"),
    *("frames", "functions", "instructions", "introspect", "keys", "kinds", "names", "payload"),
    *("plain", "references", "refusal", "registered", "registry", "standard", "trust", "types"),
    "wire",
}


def modules_after(statement: str) -> set[str]:
    """The modules that a fresh Python has loaded after one statement."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(json.loads(process.stdout))


def imports_of(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever the statement stands."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module
            case _:
                pass


def sources() -> list[Path]:
    return [PLUGIN, *sorted(path for package in PACKAGES for path in package.rglob("*.py"))]


def test_importing_longterm_loads_neither_compiler_nor_drivers_nor_command_lines() -> None:
    loaded = modules_after("import longterm")

    assert not loaded & NOT_AT_IMPORT


def test_importing_longterm_loads_only_those_families_of_types_that_every_run_has() -> None:
    loaded = modules_after("import longterm")

    names = {each.rpartition(".")[2] for each in loaded if each.startswith("longterm._codec.")}
    assert names == CODEC_AT_IMPORT


def test_family_of_types_is_loaded_by_the_first_value_of_it() -> None:
    loaded = modules_after(
        "from longterm._codec import decode, encode; data = encode({'a': 1}); decode(data)"
    )
    assert "longterm._codec.types.times" not in loaded

    loaded = modules_after(
        "from datetime import datetime, UTC; from longterm._codec import encode;"
        "encode({'a': datetime.now(UTC)})"
    )
    assert "longterm._codec.types.times" in loaded


def test_encoding_a_graph_loads_nothing_that_only_refusals_need() -> None:
    loaded = modules_after("from longterm._codec import encode; held = [1]; encode([held, held])")

    assert "longterm._codec.encode.scan" in loaded
    assert "longterm._codec.encode.paths" not in loaded


def test_a_memory_store_loads_no_driver() -> None:
    loaded = modules_after("from longterm import set_runstore; set_runstore('memory://')")

    assert not loaded & {"sqlite3", "psycopg"}


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_libraries_are_imported_only_where_they_belong(path: Path) -> None:
    place = path.relative_to(ROOT).as_posix()
    standard = sys.stdlib_module_names
    own = {"longterm", "__future__"}

    for module in imports_of(path):
        top = module.partition(".")[0]
        if top in ALLOWED:
            assert place.startswith(ALLOWED[top]), f"{place} imports {module}"
        else:
            assert top in standard or top in own, f"{place} imports {module}"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_packages_know_neither_tests_nor_fixtures(path: Path) -> None:
    tops = {module.partition(".")[0] for module in imports_of(path)}

    assert not tops & {"tests", "fixtures", "compiler"}
