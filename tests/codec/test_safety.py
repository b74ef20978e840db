"""Decoding bytes that someone forged runs nothing, imports nothing and makes nothing that acts."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from longterm._codec import NotAllowed, NotStorable, allow, decode, encode
from longterm._codec import trust as allowed
from longterm.errors import CorruptData
from tests.codec import recording
from tests.codec.blobs import code, items, module, name, reference, tagged, type_of

HERE = "tests.codec.recording"


@pytest.fixture(autouse=True)
def calls() -> Iterator[list[str]]:
    recording.CALLS.clear()
    yield recording.CALLS
    recording.CALLS.clear()


@pytest.fixture(autouse=True)
def prefixes() -> Iterator[None]:
    before = set(allowed._prefixes)
    yield
    allowed._prefixes.clear()
    allowed._prefixes.update(before)


ACTORS = [
    "os:system", "posix:system", "os:popen", "os:remove", "subprocess:Popen", "subprocess:call",
    "builtins:eval", "builtins:exec", "builtins:__import__", "builtins:open", "builtins:getattr",
    "builtins:setattr", "builtins:compile", "importlib:import_module", "operator:attrgetter",
    "operator:methodcaller", "operator:call", "_operator:call", "functools:reduce",
    "runpy:run_path",
    "pickle:loads", "_pickle:loads", "marshal:loads", "shutil:rmtree", "code:interact",
    "pdb:set_trace",
    "builtins:type.__subclasses__", "builtins:object.__getattribute__",
    "builtins:object.__reduce_ex__",
    "builtins:type.__call__", "builtins:type.mro", "types:FunctionType", "builtins:vars",
    "sys:exit",
    "ctypes:CDLL", "msgpack:unpackb", "longterm._codec:allow", "pytest:main", "hypothesis:given",
    "pydantic:create_model", "builtins:breakpoint", "builtins:input", "builtins:globals",
]  # fmt: skip


@pytest.mark.parametrize("actor", ACTORS)
def test_bytes_cannot_name_what_acts(actor: str) -> None:
    with pytest.raises(NotAllowed, match=actor.partition(":")[0]):
        decode(items(name(actor)))
    for holder in (
        tagged("map", name(actor), tagged("iterator", "list", ["echo"], 0)),
        tagged("partial", name(actor), tagged("tuple", "echo"), {}),
        tagged("method", name(actor), "echo"),
        tagged("object", type_of("collections:defaultdict"), None, None, name(actor)),
        tagged("iterator of calls", name(actor), 1),
    ):
        with pytest.raises(NotAllowed):
            decode(items(holder))


@pytest.mark.parametrize(
    "actor", ["subprocess:Popen", "tempfile:_TemporaryFileCloser", "os:_wrap_close"]
)
def test_bytes_cannot_make_instances_of_library_classes_that_act(actor: str) -> None:
    __import__(actor.partition(":")[0])
    with pytest.raises(NotAllowed):
        decode(items(tagged("object", type_of(actor), {"name": "/tmp/x", "args": ["echo"]})))


def test_bytes_do_not_import() -> None:
    target = "tests.codec.imported_on_sight"
    for value in (
        name(f"{target}:Thing"),
        module(target),
        tagged("object", type_of(f"{target}:Thing")),
    ):
        with pytest.raises(NotAllowed, match=r"is not imported|only where a flow itself"):
            decode(items(value))
    assert target not in sys.modules
    assert "LONGTERM_TEST_IMPORTED_ON_SIGHT" not in os.environ


@pytest.mark.parametrize(
    "value", ["decimal.Decimal", "fractions.Fraction", "re.IGNORECASE", "uuid.UUID(int=1)"]
)
def test_what_bytes_mean_does_not_depend_on_the_families_that_are_loaded(value: str) -> None:
    top = value.partition(".")[0]
    write = f"import {top}, sys\nfrom longterm._codec import encode\nprint(encode([{value}]).hex())"
    read = "import sys, longterm._codec as c\nprint(c.decode(bytes.fromhex(sys.argv[1])))"
    run = partial(subprocess.run, capture_output=True, text=True, check=True)

    written = run([sys.executable, "-c", write]).stdout.strip()
    shown = run([sys.executable, "-c", read, written]).stdout.strip()

    assert shown == str([eval(value, {top: __import__(top)})])


def test_what_was_allowed_is_imported_on_demand() -> None:
    script = (
        "import sys; sys.path.insert(0, '.')\n"
        "from longterm._codec import allow, decode\n"
        "from tests.codec.blobs import items, tagged, type_of\n"
        "allow('tests.codec.imported_on_sight')\n"
        "thing = type_of('tests.codec.imported_on_sight:Thing')\n"
        "made = decode(items(tagged('object', thing, {'x': 1})))\n"
        "print(type(made).__name__, made.x)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "Thing 1\n"


def test_allowing_takes_module_names() -> None:
    with pytest.raises(ValueError, match="no module name"):
        allow("shop.*")


def test_a_prefix_is_for_whole_names_of_modules() -> None:
    allow("o")
    with pytest.raises(NotAllowed):
        decode(items(name("os:system")))
    allow("os")
    assert decode(items(name("os:getenv"))) is os.getenv
    assert decode(items(module("os"))) is os
    with pytest.raises(NotAllowed, match=r"what it leads to \(that is posix:getcwd\)"):
        decode(items(name("os:getcwd")))
    allow("posix")
    assert decode(items(name("posix:getcwd"))) is os.getcwd


def test_a_package_that_flows_are_in_is_the_applications_wherever_it_is_installed() -> None:
    with pytest.raises(NotAllowed):
        decode(items(name("pydantic.main:create_model")))
    allowed.own("pydantic.main")
    try:
        assert decode(items(name("pydantic.main:create_model"))).__name__ == "create_model"
    finally:
        allowed._owned.discard("pydantic")


def test_the_flows_of_the_demo_make_nothing_else_of_longterm_the_applications() -> None:
    import longterm.demo.flows

    assert allowed.origin(longterm.demo.flows.__name__) == "application"
    assert allowed.origin("longterm._codec.trust") == "library"
    with pytest.raises(NotAllowed):
        decode(items(name("longterm.cli:main")))


def test_making_an_instance_calls_nothing_of_its_class(calls: list[str]) -> None:
    recorder = type_of(f"{HERE}:Recorder")
    made = decode(items(tagged("object", recorder, {"x": 1, "attribute": 2})))
    assert calls == []
    assert type(made) is recording.Recorder
    assert object.__getattribute__(made, "__dict__") == {"x": 1, "attribute": 2}


@pytest.mark.parametrize("is_of_typing", [True, False])
@pytest.mark.parametrize("cls", ["Recorder", "RecordingPage"])
def test_making_an_alias_calls_nothing_of_its_class(
    cls: str, is_of_typing: bool, calls: list[str]
) -> None:
    parts = [is_of_typing, name(f"{HERE}:{cls}"), name("builtins:int")]
    made = decode(items(tagged("alias", *parts)))
    assert calls == []
    assert (made.__origin__, made.__args__) == (getattr(recording, cls), (int,))


def test_an_alias_is_made_of_classes_that_may_be_named() -> None:
    for parts in (
        [name("subprocess:Popen"), name("builtins:int")],
        [name("builtins:list"), name("pydantic.main:BaseModel")],
        [name("builtins:len"), name("builtins:int")],
        [],
    ):
        with pytest.raises(CorruptData):
            decode(items(tagged("alias", True, *parts)))


def test_exceptions_and_subclasses_are_made_without_their_code(calls: list[str]) -> None:
    error = tagged(
        "exception", type_of(f"{HERE}:RecordingError"), {"args": tagged("tuple", 1)}, None, None
    )
    rows = tagged("object", type_of(f"{HERE}:RecordingList"), None, None, None, 1, 2)
    back = decode(items([error, rows]))
    assert calls == []
    assert back[0].args == (1,)
    assert back[1] == [1, 2]


def test_a_class_with_a_finalizer_has_no_stored_instances(calls: list[str]) -> None:
    with pytest.raises(NotAllowed, match="__del__"):
        decode(items(tagged("object", type_of(f"{HERE}:Deleted"), {})))
    gc.collect()
    assert calls == []
    deleted = recording.Deleted()
    with pytest.raises(NotStorable, match=r"__del__.*register"):
        encode([deleted])


def test_a_type_that_opted_in_is_decoded_by_its_own_function_only(calls: list[str]) -> None:
    decode(items(tagged("registered", "recording:OptedIn", 1, None)))
    assert calls == ["own decode"]


VALUE_ERROR, GROUP = type_of("builtins:ValueError"), type_of("builtins:ExceptionGroup")
RECORDER = tagged("object", type_of(f"{HERE}:Recorder"), {"x": 1})
WITH_A_RECORDER: list[Any] = [
    tagged("range", RECORDER, 2, 3),
    tagged("slice", RECORDER, RECORDER, RECORDER),
    tagged("deque", RECORDER, 1),
    tagged("fraction", RECORDER, 1),
    tagged("datetime", "2026-01-01", RECORDER, None),
    tagged("datetime", "2026-01-01", 0, RECORDER),
    tagged("time", RECORDER, 0, None),
    tagged("timezone", RECORDER),
    tagged("mapping proxy", RECORDER),
    tagged("dict view", "keys", RECORDER),
    tagged("memoryview", RECORDER, "B", True),
    tagged("memoryview", b"x", RECORDER, RECORDER),
    tagged("object", type_of(f"{HERE}:Recorder"), RECORDER),
    tagged("object", type_of(f"{HERE}:Recorder"), None, RECORDER),
    tagged("object", RECORDER, {}),
    tagged("value object", type_of("tests.codec.models:MyInt"), RECORDER),
    tagged("value object", type_of("tests.codec.models:MyTuple"), RECORDER),
    tagged("object", type_of("tests.codec.models:MyBytearray"), None, None, RECORDER),
    tagged("object", type_of("tests.codec.models:MyDeque"), None, None, RECORDER, 1),
    tagged("enum member", type_of("tests.codec.models:Color"), RECORDER),
    tagged("flags", type_of("tests.codec.models:Access"), RECORDER),
    tagged("exception", VALUE_ERROR, RECORDER, None, None),
    tagged("exception", VALUE_ERROR, {"args": RECORDER}, None, None),
    tagged("exception", VALUE_ERROR, {"args": tagged("tuple")}, RECORDER, RECORDER),
    tagged("exception", VALUE_ERROR,
           {"args": tagged("tuple"), "__suppress_context__": RECORDER}, None, None),
    tagged("exception", VALUE_ERROR,
           {"args": tagged("tuple"), "__cause__": RECORDER}, None, None),
    tagged("exception", type_of("builtins:BlockingIOError"),
           {"args": tagged("tuple"), "characters_written": RECORDER}, None, None),
    tagged("exception", type_of("builtins:UnicodeDecodeError"),
           {"args": tagged("tuple"), "start": RECORDER}, None, None),
    tagged("exception group", GROUP, "m", RECORDER, {"args": tagged("tuple")},
           None, None),
    tagged("exception group", GROUP, RECORDER, tagged("tuple", 1),
           {"args": tagged("tuple")}, None, None),
    tagged("traceback", RECORDER, RECORDER, RECORDER),
    tagged("frame", RECORDER, "v", 1, 1, {}),
    tagged("frame", "f", "v", 1, 1, RECORDER),
    tagged("frame", "f", "v", 1, 1, {}, RECORDER),
    tagged("frame", "f", "v", 1, 1, {}, {"c": RECORDER}),
    tagged("cell", RECORDER),
    tagged("inner function", RECORDER, "v", "p", tagged("tuple"), {}),
    tagged("inner function", "f", "v", "p", RECORDER, RECORDER),
    tagged("method", RECORDER, 1),
    tagged("method", name("builtins:len"), RECORDER),
    tagged("builtin method", RECORDER, RECORDER),
    tagged("builtin method", "append", RECORDER),
    tagged("partial", RECORDER, tagged("tuple"), {}),
    tagged("alias", True, RECORDER, name("builtins:int")),
    tagged("alias", RECORDER, name("builtins:list"), name("builtins:int")),
    tagged("alias", True, name("tests.codec.models:Page"), RECORDER),
    tagged("partial", name("builtins:len"), RECORDER, {}),
    tagged("partial", name("builtins:len"), tagged("tuple"), RECORDER),
    tagged("iterator", "list", RECORDER, 0),
    tagged("iterator", RECORDER, [1], RECORDER),
    tagged("iterator", "list", [1], RECORDER),
    tagged("iterator", "reversed", RECORDER, 1),
    tagged("iterator of a dict or set", "keys", RECORDER, 0),
    tagged("iterator of a dict or set", "keys", {}, RECORDER),
    tagged("rest of a set", RECORDER, 1, 2),
    tagged("rest of a set", tagged("set"), RECORDER, RECORDER),
    tagged("enumerate", RECORDER, 0),
    tagged("enumerate", tagged("iterator", "list", [1], 0), RECORDER),
    tagged("zip", RECORDER, RECORDER),
    tagged("map", RECORDER, RECORDER),
    tagged("filter", RECORDER, RECORDER),
    tagged("iterator of calls", RECORDER, RECORDER),
    *(
        tagged("itertools", each, tagged("tuple", *([RECORDER] * count)), *state)
        for each in (
            "accumulate", "chain", "combinations", "compress", "count", "cycle", "dropwhile",
            "filterfalse",
            "islice", "permutations", "product", "repeat", "starmap", "takewhile", "zip_longest",
        )
        for count in range(4)
        for state in ([], [RECORDER], [tagged("tuple", RECORDER, RECORDER)])
    ),
    tagged("registered", RECORDER, 1, 1),
    tagged("registered", "recording:OptedIn", RECORDER, 1),
    tagged("new", RECORDER),
    tagged("fill", RECORDER, 1),
    tagged("new", code("range"), RECORDER, RECORDER, RECORDER),
]  # fmt: skip


@pytest.mark.parametrize("value", WITH_A_RECORDER, ids=range(len(WITH_A_RECORDER)))
def test_an_object_in_the_wrong_place_is_never_called_upon(value: Any, calls: list[str]) -> None:
    try:
        made = decode(items(value))
    except CorruptData:
        made = None
    assert calls == []
    del made
    assert calls == []


def test_only_what_was_made_empty_can_be_filled(calls: list[str]) -> None:
    with pytest.raises(CorruptData):
        decode(items([1], tagged("fill", reference(0), 2)))
    with pytest.raises(CorruptData):
        decode(items(tagged("new", code("tuple")), 1))


def test_instructions_and_tags_stand_at_their_places_only() -> None:
    for value in (
        [tagged("new", code("list"))],
        {"a": tagged("fill", [], 1)},
        [[1, tagged("tuple")[0]]],
    ):
        with pytest.raises(CorruptData):
            decode(items(value))


def test_names_are_looked_up_without_computing_attributes() -> None:
    for text in (
        "tests.codec.models:Node.first", "tests.codec.models:Node.__dict__", "tests.codec.models:",
        "tests.codec.models", ":x", "tests.codec.models:Node..visit", "sys:modules", "os:environ",
    ):  # fmt: skip
        with pytest.raises(CorruptData):
            decode(items(name(text)))


def test_the_same_rules_hold_when_encoding() -> None:
    for value in (os.system, subprocess.Popen, eval, pytest.main, allow):
        with pytest.raises(NotStorable) as caught:
            encode({"handler": value})
        assert caught.value.hint
        assert str(caught.value).startswith("cannot store ['handler'], which is of type")
