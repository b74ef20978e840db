"""The lines of the author's file that are left to do at a point."""

from __future__ import annotations

import pytest

from longterm_compiler import ModuleNames, SourceFile, Verdict, compile_flow
from longterm_compiler.analysis.resolve import SourceResolver

TEXT = '''\
from longterm import deflow, suspend


@deflow
def f(
    names,
):
    """Say something."""
    before = len(names)
    # a comment
    for name in names:
        try:
            answer = suspend(
                name,
            )
        except ValueError:
            answer = None
        else:
            # all is well
            print(name)
        finally:
            print("asked")
        kept = answer
    if before:
        for other in names:
            print(other)
    grown = [lambda m: m + 1, {
        "a": suspend("last"),
    }]
    return kept, grown


@deflow
async def g(): return suspend("once")
'''
LAST = TEXT.split("\n").index("    grown = [lambda m: m + 1, {") + 1
"""The line of the last wait."""


@pytest.fixture(scope="module")
def flows():
    source = SourceFile.parse("shop.py", TEXT)
    names = ModuleNames(source, "shop", "", SourceResolver([], lambda *_: Verdict.MAY))
    return [compile_flow(each, names) for each in source.definitions]


def test_a_loop_is_left_whole_and_what_comes_before_it_is_not(flows):
    left = flows[0].lines_left(1)

    said = [TEXT.split("\n")[line - 1].strip() for line in left]
    assert said == [
        "for name in names:",
        "try:",
        "answer = suspend(",
        "name,",
        ")",
        "except ValueError:",
        "answer = None",
        "else:",
        "print(name)",
        "finally:",
        'print("asked")',
        "kept = answer",
        "if before:",
        "for other in names:",
        "print(other)",
        "grown = [lambda m: m + 1, {",
        '"a": suspend("last"),',
        "}]",
        "return kept, grown",
    ]


def test_after_the_loop_it_is_done(flows):
    assert (
        min(flows[0].lines_left(2)) == TEXT.split("\n").index("    grown = [lambda m: m + 1, {") + 1
    )


def test_a_function_on_one_line_is_left(flows):
    assert flows[1].lines_left(1) == [len(TEXT.split("\n")) - 1]


def test_functions_inside_are_found_by_number_or_name(flows):
    assert flows[0].lines_inside("0:<lambda>") == [LAST]
    assert flows[0].lines_inside("7:<lambda>") == [LAST]
    assert flows[0].lines_inside("0:gone") == []
    assert flows[1].lines_inside("") == flows[1].lines_left(1)
