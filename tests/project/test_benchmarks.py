"""The benchmarks run and write what they found. Nothing here looks at how long anything took."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.benchmarks import page
from tests.benchmarks.__main__ import BY_NAME_ONLY, DEFAULT, main
from tests.benchmarks.charts import bars
from tests.benchmarks.measuring import Ratio, Row, Spread, interleaved, rows_of
from tests.benchmarks.tables import as_markdown

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "performance.md").read_text()


def benchmarks(*arguments: str) -> subprocess.CompletedProcess[str]:
    paths = [str(ROOT), str(ROOT / "compiler")] if (ROOT / "compiler").exists() else [str(ROOT)]
    return subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_prints_rows_and_writes_them_as_json(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"

    shown = benchmarks("bodies", "compile", "--quick", "--json", str(file))

    assert shown.returncode == 0, shown.stderr
    assert re.search(r"^  fresh body +[\d.]+ ms .* x\d", shown.stdout, re.MULTILINE)
    written = json.loads(file.read_text())
    assert written["machine"]["repeats"] == "few (--quick)"
    assert list(written["benchmarks"]) == ["bodies", "compile"]
    assert all(row["figure"]["median"] > 0 for row in written["benchmarks"]["compile"])


def test_an_unknown_benchmark_is_named() -> None:
    shown = benchmarks("trun")

    assert shown.returncode == 2
    assert "no benchmark is called trun" in shown.stderr


def test_a_busy_machine_writes_no_page(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (99.0, 99.0, 99.0))

    with pytest.raises(SystemExit, match="2"):
        main(["bodies", "--write-docs"])

    assert "the machine is busy, so its figures are for trying only" in capsys.readouterr().err


def test_each_benchmark_has_a_file_and_a_place_on_the_page() -> None:
    names = [*DEFAULT, *BY_NAME_ONLY]

    assert sorted(re.findall("<!-- figures: (.*) -->", PAGE)) == sorted(names)
    assert all((ROOT / "tests" / "benchmarks" / f"{name}.py").exists() for name in names)


def test_each_chart_is_on_the_page() -> None:
    drawn = {f"performance/{file}.svg" for charts in page.DRAWN.values() for file, _, _ in charts}

    assert set(re.findall(r"\((performance/.*\.svg)\)", PAGE)) == drawn


def test_variants_take_turns_and_lead_as_often_as_they_follow() -> None:
    seen = ""

    def variant(name: str, number: int) -> None:
        nonlocal seen
        seen += name

    interleaved(
        {name: lambda number, name=name: variant(name, number) for name in "ab"},  # type: ignore[misc]
        repeats=1,
        each=4,
    )

    assert seen == "abbabaab" * 2


def test_ratios_are_taken_repeat_by_repeat() -> None:
    floor, ours = rows_of("g", {"floor": [1.0, 2.0, 4.0], "ours": [2.0, 4.0, 8.0]}, bases=["floor"])

    assert floor.ratios == ()
    assert ours.ratios == (Ratio("floor", Spread(2.0, 2.0, 2.0)),)


def test_a_chart_is_well_formed_and_shows_every_figure() -> None:
    rows = [
        Row(group="a & b", name="<floor>", figure=Spread(2.0, 1.0, 3.0)),
        Row(group="a & b", name="nothing", note="not measured here"),
    ]

    root = ElementTree.fromstring(bars("title", rows))

    assert [each.text for each in root if each.tag.endswith("text")] == [
        "title",
        "a & b",
        "<floor>",
        "2.00 µs",
    ]


def test_figures_replace_what_stood_between_the_markers() -> None:
    text = "before\n<!-- figures: a -->\nold\n<!-- end -->\nafter"

    assert page.with_figures(text, "a", "new") == text.replace("old", "new")
    with pytest.raises(ValueError, match="has 0 places for the figures of 'b'"):
        page.with_figures(text, "b", "new")


def test_a_missed_target_is_said() -> None:
    missed = Row(
        group="g",
        name="slow",
        figure=Spread(3.0, 3.0, 3.0),
        ratios=(Ratio("floor", Spread(3.0, 2.9, 3.1), target=2.0),),
    )

    assert "(wanted: 2.00, MISSED)" in as_markdown([missed])
    assert page.missed([missed]) == ["g, slow: x3.00 of floor, where x2.00 is wanted"]
