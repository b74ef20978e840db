"""The table of support knows every class of `ast`, and says what the compiler does."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from longterm_compiler import lower
from longterm_compiler.checks.support import SUPPORT, TABLE, Inside, with_table
from longterm_compiler.rules import RULES

LANGUAGE = Path(__file__).resolve().parents[2] / "docs" / "language.md"
RETIRED = {"Suite", "AugLoad", "AugStore", "Param", "slice", "Index", "ExtSlice"}
"""Classes that `ast` still has for old programs; no parser makes them."""


def every_class() -> list[type[ast.AST]]:
    """The classes of `ast` that trees are made of: those that have no subclasses of their own."""
    found: list[type[ast.AST]] = []
    pending: list[type[ast.AST]] = [ast.AST]
    while pending:
        kind = pending.pop()
        ours = [e for e in kind.__subclasses__() if e.__module__ in ("ast", "_ast")]
        # `Num` and its like are retired ways to write `Constant`.
        inside = [] if kind is ast.Constant else [e for e in ours if e.__name__ not in RETIRED]
        pending += inside
        if not inside:
            found.append(kind)
    return sorted(found, key=lambda each: each.__name__)


@pytest.mark.parametrize("kind", every_class(), ids=lambda kind: kind.__name__)
def test_every_class_is_in_the_table(kind: type[ast.AST]) -> None:
    assert kind.__name__ in SUPPORT


def test_no_class_is_in_the_table_twice() -> None:
    assert len(SUPPORT) == sum(len(row.nodes) for row in TABLE)


def test_rules_that_the_table_names_exist() -> None:
    named = {rule for row in TABLE for rule in row.but}
    named |= {row.inside for row in TABLE if isinstance(row.inside, str)}

    assert named <= set(RULES)


@pytest.mark.parametrize(
    "kind", [each for each in every_class() if issubclass(each, ast.stmt | ast.expr)]
)
def test_lowering_does_what_the_table_says(kind: type[ast.AST]) -> None:
    lowered = {*lower._STATEMENTS, *lower._EXPRESSIONS}
    # A jump holds no suspend, but lowering writes down where it leaves a `finally` that does.
    jumps = (ast.Break, ast.Continue)

    assert (SUPPORT[kind.__name__].inside is Inside.SUSPEND) == (
        kind in lowered and kind not in jumps
    )


def test_page_holds_the_present_table(update_golden: bool) -> None:
    page = LANGUAGE.read_text("utf-8")
    if update_golden:
        LANGUAGE.write_text(with_table(page), "utf-8")

    assert LANGUAGE.read_text("utf-8") == with_table(page)


def test_page_without_a_place_for_the_table_is_not_written() -> None:
    with pytest.raises(ValueError, match="no place for the table"):
        with_table("# A page\n")
