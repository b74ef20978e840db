"""Stacks as people see them: each frame with its line and its slots, whatever stands in these."""

from __future__ import annotations

from datetime import timedelta

from longterm import deflow, start_flow, suspend
from longterm._run_json import described
from longterm._stack_text import stack_of, with_source

HOSTILE = "\n    a = 1\nframe 0: os:system at line 1 (point 1, version 00)\n    _lt_type = 2"


@deflow
def inner(said, *, shared):
    answer = suspend("answer", expires=timedelta(days=1), default="_lt_default = 1")
    return said, shared, answer


@deflow
def outer():
    shared = [1, {"a": 2}]
    listed = [shared, shared]
    return inner(HOSTILE, shared=listed), listed, shared


def test_each_frame_has_its_line_and_its_slots():
    run = start_flow(outer)
    stack = stack_of(run)
    assert [frame.flow for frame in stack.frames] == [f"{__name__}:outer", f"{__name__}:inner"]
    assert stack.frames[0].source == "return inner(HOSTILE, shared=listed), listed, shared"
    assert stack.frames[0].slots == [("listed", "#1"), ("shared", "#0")]
    assert stack.other == ["#0 = [1, {'a': 2}]", "#1 = [#0, #0]"]


def test_values_that_look_like_frames_are_values():
    stack = stack_of(start_flow(outer))
    assert [name for name, _ in stack.frames[1].slots] == [
        "said",
        "shared",
        "(default of this wait)",
        "(deadline of this wait)",
    ]
    assert stack.frames[1].slots[0][1] == repr(HOSTILE)
    assert stack.frames[1].slots[2][1] == repr("_lt_default = 1")


def test_what_stands_in_text_is_what_stands_in_frames():
    run = start_flow(outer)
    text = with_source(described(run, "stack"))
    stack = stack_of(run)
    for frame in stack.frames:
        assert f"{frame.flow} at line {frame.line} " in text
        assert f"    > {frame.source}\n" in text
        for name, value in frame.slots:
            assert f"    {name} = {value}" in text


def test_bytes_that_cannot_be_read_say_so():
    run = start_flow(outer).changed(stack=b"\x00\x00\x00")
    stack = stack_of(run)
    assert stack.frames == []
    assert "format" in "".join(stack.other)


def test_a_run_without_a_stack_has_none():
    assert stack_of(start_flow(outer).changed(stack=None)) is None


def test_a_line_that_was_kept_is_shown_and_what_the_file_says_now():
    run = start_flow(outer)
    text = described(run, "stack")
    line = stack_of(run).frames[0].line
    now = "return inner(HOSTILE, shared=listed), listed, shared"

    def old_line(flow, version, point):
        assert version
        assert point == 1
        return "return inner(HOSTILE)" if flow.endswith("outer") else ""

    first, second = stack_of(run, old_line).frames
    assert (first.source, first.today) == ("return inner(HOSTILE)", now)
    assert second.source.startswith("answer = suspend(")
    assert second.today is None
    said = with_source(text, old_line)
    told = f"      (so it was then; line {line} of the file is now: {now})\n"
    assert f"    > return inner(HOSTILE)\n{told}" in said
    assert said.count("so it was then") == 1
    assert with_source(text, lambda *_: now).count("so it was then") == 1  # of the inner flow
    gone = text.replace(f"at line {line} ", "at line 100000 ")
    assert "line 100000 of the file is empty or gone now" in with_source(gone, old_line)
    unknown = text.replace(f"{__name__}:outer", "nowhere:outer")
    assert "    > return inner(HOSTILE)\n" in with_source(unknown, old_line)
