"""Stored bytes name functions and classes by their own names, and only those that values need."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from longterm._codec import CannotLoad, NotAllowed, NotStorable, decode, encode, standard
from tests.codec import models
from tests.codec.blobs import items, name, tagged, type_of

LIST = tagged("iterator", "list", ["touch /tmp/forged"], 0)


@pytest.mark.parametrize(
    "text",
    [
        "uuid:os.system", "pathlib:os.remove", "json:codecs.open", "tests.codec.models:enum.auto",
        "pathlib:Path.write_text", "pathlib:Path.unlink", "pathlib:Path.cwd", "pathlib:Path.touch",
        "uuid:_get_command_stdout", "uuid:uuid1", "time:sleep", "builtins:str.format",
        "builtins:str.format_map", "collections:UserString.format", "builtins:print",
        "builtins:type", "builtins:super", "builtins:property", "json:load", "json:dump",
        "operator:itemgetter", "functools:partial", "copy:deepcopy", "decimal:setcontext",
        "builtins:dict.__init__", "builtins:list.__setitem__", "datetime:sys.exit",
        "_operator:setitem", "_operator:iadd", "collections:namedtuple", "zoneinfo:reset_tzpath",
        "longterm._codec:allow", "longterm.engine:Engine",
    ],
)  # fmt: skip
def test_what_acts_or_is_not_its_own_name_is_not_decoded(text: str) -> None:
    for value in (
        name(text),
        tagged("map", name(text), LIST),
        tagged("partial", name(text), tagged("tuple", "x"), {}),
        tagged("method", name(text), "x"),
    ):
        with pytest.raises(NotAllowed, match=text.replace(".", r"\.")):
            decode(items(value))


def test_no_path_through_a_module_leads_anywhere() -> None:
    walked = 0
    for module_name, found in list(sys.modules.items()):
        for step, inner in list(vars(found).items()) if found else []:
            if type(inner) is not type(sys) or walked > 20_000:
                continue
            for last in list(vars(inner)):
                walked += 1
                with pytest.raises(NotAllowed):
                    decode(items(name(f"{module_name}:{step}.{last}")))
    assert walked > 5_000


NAMEABLE = Path(__file__).with_name("nameable.txt")


def test_of_the_standard_library_only_what_was_read_by_people_can_be_named() -> None:
    """The file has the names that a look at every module finds, of any version of Python."""
    shown = set(NAMEABLE.read_text(encoding="utf-8").split())
    found = set(_nameable())
    assert found <= shown
    assert len(found) > 900


def _nameable() -> Iterator[str]:
    for module_name in (*standard.ON_DEMAND, *sorted(sys.stdlib_module_names & set(sys.modules))):
        with suppress(ImportError):
            __import__(module_name)
        for first, found in list(vars(sys.modules.get(module_name, object)).items()):
            candidates = [first]
            if issubclass(type(found), type):
                candidates += [f"{first}.{each}" for each in vars(found)]
            for qualname in candidates:
                try:
                    decode(items(name(f"{module_name}:{qualname}")))
                except NotAllowed:
                    continue
                yield f"{module_name}:{qualname}"


def test_values_need_some_functions_of_the_standard_library() -> None:
    import html
    import json
    import math
    import operator
    import statistics
    from collections import Counter, deque

    named = [
        len, sorted, int, str.upper, dict.get, math.sqrt, operator.add, json.dumps, html.escape,
        statistics.mean, Counter, Counter.most_common, deque, ValueError, Path, map, object,
    ]  # fmt: skip
    assert decode(encode(named)) == named
    assert set(dir(builtins)) > standard.FUNCTIONS["builtins"]


def test_a_class_that_has_moved_is_found_where_its_old_module_imports_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tests.codec import recording

    moved = items(
        [
            tagged("object", type_of("tests.codec.recording:Node"), {"links": [1]}),
            name("tests.codec.recording:double"),
        ]
    )
    with pytest.raises(
        NotAllowed, match="if it was moved, write `from its_new_module import Node`"
    ):
        decode(moved)
    monkeypatch.setattr(recording, "Node", models.Node, raising=False)
    monkeypatch.setattr(recording, "double", models.double, raising=False)
    node, function = decode(moved)
    assert type(node) is models.Node
    assert function is models.double


def test_what_an_application_imported_is_not_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import subprocess

    from tests.codec import recording

    monkeypatch.setattr(recording, "system", os.system, raising=False)
    monkeypatch.setattr(recording, "Popen", subprocess.Popen, raising=False)
    monkeypatch.setattr(recording, "length", len, raising=False)
    for each in ("system", "Popen", "length", "Any"):
        with pytest.raises(NotAllowed):
            decode(items(name(f"tests.codec.recording:{each}")))


@pytest.mark.parametrize(
    ("text", "is_stored"),
    [("plain", True), ("{} and {:>{}}", True), ("{x!r:{y}}", True), ("{0.name}", False),
     ("{x[0]}", False), ("{:{0.width}}", False), ("{", True)],
)  # fmt: skip
def test_a_template_waits_unless_it_reads_attributes(text: str, is_stored: bool) -> None:
    bound = tagged("builtin method", "format", text)
    if is_stored:
        assert decode(encode([text.format]))[0].__self__ == text
        assert decode(items(bound)).__name__ == "format"
    else:
        with pytest.raises(NotStorable, match="f-string"):
            encode([text.format])
        with pytest.raises(Exception, match="of what it is given"):
            decode(items(bound))


def test_methods_of_values_wait_if_they_only_compute() -> None:
    import datetime
    import decimal

    rows: list[int] = []
    bound = [
        rows.append, {"a": 1}.get, "x".join, b"x".hex, {1}.add, decimal.Decimal(1).quantize,
        datetime.date(2026, 1, 1).replace, ValueError("x").add_note,
        models.Node().visit, models.Node.make, dict.fromkeys, int.from_bytes,
        Path("a").with_suffix,
    ]  # fmt: skip
    back = decode(encode(bound))
    assert [each.__name__ for each in back] == [each.__name__ for each in bound]
    with pytest.raises(NotStorable, match="call unlink after the suspend"):
        encode([Path("a").unlink])


def test_what_a_class_has_no_more_is_named_and_is_no_damage() -> None:
    color = type_of("tests.codec.models:Color")
    with pytest.raises(CannotLoad, match=r"models\.Color: it has no member GREEN"):
        decode(items(tagged("enum member", color, "GREEN")))
    slotted = type_of("tests.codec.models:Slotted")
    with pytest.raises(CannotLoad, match=r"models\.Slotted: it has no place for 'middle'"):
        decode(items(tagged("object", slotted, None, {"middle": 1})))
