"""Diagnostics as text: the caret stands under what it means, whatever the line is made of."""

from __future__ import annotations

import ast
import re

from longterm_compiler.diagnostics import Diagnostic, Refused, Span, render, render_all

SGR = re.compile(r"\x1b\[[\d;]*m")


def about(span: Span, *, message: str = "this is refused") -> Diagnostic:
    return Diagnostic("shop.py", span, "some-rule", message, "here", "a cause", "a remedy")


def shown(text: str, wanted: str) -> list[str]:
    """Render a diagnostic about the expression `wanted` in a text; return the lines of source."""
    nodes = [each for each in ast.walk(ast.parse(text)) if isinstance(each, ast.expr)]
    node = next(each for each in nodes if ast.get_source_segment(text, each) == wanted)
    return [line for line in render(about(Span.of(node)), text).split("\n") if "|" in line]


def test_whole_text() -> None:
    text = "x = 1\n" * 17 + "replies = ask(1)\n"

    assert render(about(Span(18, 10, 18, 16)), text) == (
        "error[some-rule]: this is refused\n"
        "  --> shop.py:18:11\n"
        "18 | replies = ask(1)\n"
        "   |           ^^^^^^ here\n"
        "   = note: a cause\n"
        "   = help: a remedy"
    )


def test_bytes_are_not_columns() -> None:
    assert shown("naïve = 'é' + ask()\n", "ask()") == [
        "1 | naïve = 'é' + ask()",
        "  |               ^^^^^ here",
    ]


def test_column_in_the_heading_counts_characters() -> None:
    assert "shop.py:1:6\n" in render(about(Span(1, 6, 1, 7)), "é = [x]\n")


def test_wide_characters_take_two_columns() -> None:
    assert shown("名前 = ask('年')\n", "ask('年')") == [
        "1 | 名前 = ask('年')",
        "  |        ^^^^^^^^^ here",
    ]


def test_combining_characters_take_no_column() -> None:
    assert shown("s = 'e\u0301' + ask()\n", "ask()")[1] == "  |           ^^^^^ here"


def test_tabs_are_four_columns_in_both_lines() -> None:
    assert shown("if x:\n\ty =\task()\n", "ask()") == [
        "2 |     y =    ask()",
        "  |            ^^^^^ here",
    ]


def test_what_would_move_a_terminal_is_shown_as_a_picture() -> None:
    source, caret = shown("s = '\x1b[31m' + ask()\n", "ask()")

    assert source == "1 | s = '␛[31m' + ask()"
    assert caret == "  |               ^^^^^ here"


def test_form_feed_ends_no_line() -> None:
    assert shown("x = 1\n\x0cy = ask()\n", "ask()")[0] == "2 | ␌y = ask()"


def test_span_of_two_lines_shows_both() -> None:
    assert shown("x = ask(\n    1)\n", "ask(\n    1)") == [
        "1 | x = ask(",
        "  |     ^^^^",
        "2 |     1)",
        "  |     ^^ here",
    ]


def test_span_of_many_lines_shows_its_ends() -> None:
    text = "x = ask(\n" + "    1,\n" * 8 + ")\n"

    assert render(about(Span(1, 4, 10, 1)), text).split("\n")[2:7] == [
        " 1 | x = ask(",
        "   |     ^^^^",
        "...",
        "10 | )",
        "   | ^ here",
    ]


def test_long_line_is_cut_around_the_span() -> None:
    text = f"x = [{'1, ' * 500}ask(), {'2, ' * 500}]\n"
    source, caret = shown(text, "ask()")

    assert len(source) < 140
    assert source[caret.index("^") :].startswith("ask(), 2")
    assert source.startswith("1 | ...")
    assert source.endswith("...")


def test_span_longer_than_what_is_shown_of_its_line() -> None:
    text = f"x = [{'1, ' * 500}]\n"
    source, caret = shown(text, text[4:-1])

    assert len(caret) < 140
    assert source[caret.index("^")] == "["


def test_span_past_the_end_of_the_file_has_a_caret() -> None:
    assert render(about(Span(3, 0, 3, 1)), "x\n").split("\n")[2:4] == ["3 |", "  | ^ here"]


def test_colour_changes_no_letter() -> None:
    text = "x = 1\nreplies = ask(\n    1)\n"
    diagnostic = about(Span(2, 10, 3, 6))
    coloured = render(diagnostic, text, colour=True)

    assert "\x1b[" in coloured
    assert SGR.sub("", coloured) == render(diagnostic, text)


def test_several_are_parted_by_an_empty_line() -> None:
    both = [about(Span(1, 0, 1, 1)), about(Span(2, 0, 2, 1))]

    first, second = render_all(both, "x\ny\n").split("\n\n")
    assert "shop.py:1:1" in first
    assert "shop.py:2:1" in second


def test_refusal_keeps_its_diagnostics_by_position_and_each_once() -> None:
    late, early = about(Span(2, 0, 2, 1)), about(Span(1, 4, 1, 5))
    refused = Refused([late, early, late], "x\ny\n")

    assert refused.diagnostics == (early, late)
    assert str(refused) == render_all([early, late], "x\ny\n")
