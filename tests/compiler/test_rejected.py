"""Every file in `fixtures/rejected` is refused, in the words beside it, by its folder's rule."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from longterm_compiler import Diagnostic, ModuleNames, SourceFile, Verdict, check_file, render_all
from longterm_compiler.rules import RULES

ROOT = Path(__file__).resolve().parents[2]
REJECTED = ROOT / "fixtures" / "rejected"
PAGES = ROOT / "docs" / "errors"
INDEX = ROOT / "docs" / "errors.md"
CASES = sorted(REJECTED.glob("*/*.py"))
NEEDS = re.compile(r"# needs Python (\d+)\.(\d+)\n")


def diagnostics_of(case: Path) -> tuple[Diagnostic, ...]:
    shown = case.relative_to(ROOT).as_posix()
    source = SourceFile.parse(shown, case.read_text("utf-8"))
    return check_file(ModuleNames(source, case.stem, "", lambda module, path: Verdict.MAY))


def is_too_new(case: Path) -> bool:
    """Tell whether a case is written in syntax that this Python does not have."""
    needs = NEEDS.match(case.read_text("utf-8"))
    return needs is not None and sys.version_info < (int(needs[1]), int(needs[2]))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.stem}")
def test_says_what_stands_beside_it(case: Path, update_golden: bool) -> None:
    if is_too_new(case):
        pytest.skip("its syntax is newer than this Python")
    found = diagnostics_of(case)
    said = render_all(found, case.read_text("utf-8")) + "\n"
    expected = case.with_suffix(".txt")
    if update_golden:
        expected.write_text(said, "utf-8")

    assert {each.rule for each in found} == {case.parent.name}
    assert said == expected.read_text("utf-8")


def test_every_rule_has_a_case() -> None:
    assert {case.parent.name for case in CASES} == set(RULES)


def test_every_rule_has_a_page_and_every_page_a_rule() -> None:
    pages = {page.stem for page in PAGES.glob("*.md")}

    assert pages == set(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_page_says_what_why_and_how_to_fix(rule: str) -> None:
    page = (PAGES / f"{rule}.md").read_text("utf-8")

    assert page.startswith(f"# {rule}\n")
    assert "## Why" in page
    assert "## How to fix it" in page
    assert f"](errors/{rule}.md)" in INDEX.read_text("utf-8")


@pytest.mark.parametrize("rule", RULES)
def test_examples_of_the_page_show_the_mistake_and_its_remedy(rule: str) -> None:
    blocks = re.findall(
        r"```python\n(.*?)```", (PAGES / f"{rule}.md").read_text("utf-8"), re.DOTALL
    )
    wrong, *right = (
        f"from longterm import deflow, respond, step, suspend\n{each}" for each in blocks
    )

    # Nobody wants to read an example that is nested a thousand levels deep.
    if rule != "too-deep" and not is_newer(wrong):
        assert rule in refusals(wrong)
    assert right
    assert not [each for each in right if not is_newer(each) and refusals(each)]


def is_newer(text: str) -> bool:
    try:
        compile(text, "page.py", "exec")
    except SyntaxError:
        return True
    return False


def refusals(text: str) -> set[str]:
    source = SourceFile.parse("page.py", text)
    names = ModuleNames(source, "page", "", lambda module, path: Verdict.MAY)
    return {each.rule for each in check_file(names)}


def test_expected_texts_belong_to_cases() -> None:
    texts = {each.with_suffix(".py") for each in REJECTED.glob("*/*.txt")}

    assert texts <= set(CASES)
    assert {each for each in CASES if not is_too_new(each)} <= texts
