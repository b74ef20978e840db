"""Instances that were stored by one version of their class, and are decoded by another.

Each case is a class as it was and as it is: what comes back is checked, or the refusal is, and then
its remedy is followed literally. A class is exchanged by making its module anew.
"""

from __future__ import annotations

import random
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from textwrap import dedent
from types import ModuleType
from typing import Any

import pytest
from msgpack import ExtType, packb

from longterm import CannotLoad, CorruptData, register_upgrade
from longterm._codec import NotAllowed, decode, encode, wire
from longterm.frame import Frame

MODULE = "changing_shop"
PLACE = "order['lines'][0] of changing_shop:sell at line 7"
PRELUDE = """
import enum
from collections import namedtuple
from dataclasses import InitVar, dataclass, field
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, TypedDict
try:
    import attrs
    import pydantic
except ImportError:
    pass

def made():
    return ["made"]
"""


def shop(source: str) -> ModuleType:
    """Make the module of the shop anew, with this source."""
    module = sys.modules[MODULE] = ModuleType(MODULE)
    module.__file__ = "/app/changing_shop.py"
    exec(PRELUDE + dedent(source), vars(module))
    return module


def stored(source: str, make: str) -> bytes:
    """Return the stack of a flow that holds an instance of a class, as it was."""
    made = eval(make, vars(shop(source)))
    return encode([Frame(f"{MODULE}:sell", "v", 1, 7, {"order": {"lines": [made]}})])


def loaded(source: str, data: bytes) -> Any:
    """Return the instance, made by the class as it is now, which then is stored once more."""
    shop(source)
    (frame,) = decode(data)
    (again,) = decode(encode([frame]))
    return again.slots["order"]["lines"][0]


def check(source: str, data: bytes, then: str) -> None:
    found = loaded(source, data)
    names = {**vars(sys.modules[MODULE]), "c": found}
    assert eval(then, names) is True, (then, found, getattr(found, "__dict__", None))


def need(source: str) -> None:
    for library in ("attrs", "pydantic"):
        if f"{library}." in source and find_spec(library) is None:
            pytest.skip(f"{library} is not installed (it is in the group test)")


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    yield
    sys.modules.pop(MODULE, None)


# How each kind of class is written: its head, a field, one with a default, one with a factory.
KINDS = {
    "dataclass": ("@dataclass\nclass C:", "field(default_factory={})"),
    "dataclass-slots": ("@dataclass(slots=True)\nclass C:", "field(default_factory={})"),
    "dataclass-frozen": ("@dataclass(frozen=True)\nclass C:", "field(default_factory={})"),
    "dataclass-frozen-slots": (
        "@dataclass(frozen=True, slots=True)\nclass C:",
        "field(default_factory={})",
    ),
    "dataclass-kw-only": (
        "@dataclass(slots=True, kw_only=True)\nclass C:",
        "field(default_factory={})",
    ),
    "dataclass-derived": (
        "@dataclass\nclass Base:\n    pass\n@dataclass\nclass C(Base):",
        "field(default_factory={})",
    ),
    "attrs": ("@attrs.define\nclass C:", "attrs.field(factory={})"),
    "attrs-dict": ("@attrs.define(slots=False)\nclass C:", "attrs.field(factory={})"),
    "attrs-frozen": ("@attrs.frozen\nclass C:", "attrs.field(factory={})"),
    "attrs-kw-only": ("@attrs.define(kw_only=True)\nclass C:", "attrs.field(factory={})"),
    "pydantic": ("class C(pydantic.BaseModel):", "pydantic.Field(default_factory={})"),
    "pydantic-frozen": (
        "class C(pydantic.BaseModel, frozen=True):",
        "pydantic.Field(default_factory={})",
    ),
    "pydantic-dataclass": (
        "@pydantic.dataclasses.dataclass\nclass C:",
        "pydantic.Field(default_factory={})",
    ),
    "named-tuple": ("class C(NamedTuple):", ""),
    "plain": ("class C:", ""),
    "plain-slots": ("class C:", ""),
    "exception": ("class C(Exception):", ""),
    "of-dict": ("class C(dict):", ""),
}
BY_HAND = ("plain", "plain-slots", "exception", "of-dict")
HAS_SLOTS_ALONE = (
    "dataclass-slots", "dataclass-frozen-slots", "dataclass-kw-only", "attrs", "attrs-frozen",
    "attrs-kw-only", "named-tuple", "plain-slots",
)  # fmt: skip


def written(kind: str, *fields: str) -> str:
    """Return a class of a kind with fields, such as `a`, `b=2` or `b=list()`."""
    head, factory = KINDS[kind]
    lines = [head]
    if kind == "plain-slots":
        lines.append(f"    __slots__ = {tuple(each.partition('=')[0] for each in fields)}")
    parameters = "".join(f", {each.removesuffix('()')}" for each in fields)
    if kind in BY_HAND:
        lines.append(f"    def __init__(self{parameters}):")
        lines += [f"        self.{each[0]} = {each[0]}" for each in fields] or ["        pass"]
        return "\n".join(lines)
    for each in fields:
        name, _, default = each.partition("=")
        if default.endswith("()"):
            default = factory.format(default.removesuffix("()"))
        lines.append(f"    {name}: Any" + (f" = {default}" if default else ""))
    return "\n".join(lines)


LISTED = [kind for kind in KINDS if kind not in BY_HAND]
WITH_FACTORIES = [kind for kind in LISTED if kind != "named-tuple"]


@pytest.mark.parametrize("kind", LISTED)
def test_a_field_with_a_default_is_filled(kind: str) -> None:
    need(KINDS[kind][0])
    data = stored(written(kind, "a"), "C(a=1)")
    check(written(kind, "a", "b=2"), data, "(c.a, c.b) == (1, 2) and c == C(a=1)")


@pytest.mark.parametrize("kind", WITH_FACTORIES)
def test_a_field_with_a_factory_is_filled_anew_for_each(kind: str) -> None:
    need(KINDS[kind][0])
    data = stored(written(kind, "a"), "[C(a=1), C(a=2)]")
    check(written(kind, "a", "b=list()"), data, "[x.b for x in c] == [[], []]")
    check(written(kind, "a", "b=list()"), data, "c[0].b is not c[1].b and c[0] == C(a=1)")


def refused(source: str, data: bytes, field: str | None, reason: str, hint: str) -> CannotLoad:
    shop(source)
    with pytest.raises(CannotLoad) as caught:
        decode(data)
    error = caught.value
    assert error.name == f"{MODULE}:C"
    assert error.field == field
    assert re.search(reason, error.reason), error.reason
    assert hint in error.hint, error.hint
    for part in (PLACE, f"{MODULE}.C", error.reason, error.hint):
        assert part in str(error)
    assert "damaged" not in str(error)
    return error


@pytest.mark.parametrize("kind", WITH_FACTORIES)
def test_a_field_with_a_factory_of_ones_own_is_refused(kind: str) -> None:
    need(KINDS[kind][0])
    data = stored(written(kind, "a"), "C(a=1)")
    refused(
        written(kind, "a", "b=made()"), data, "b",
        "made by a function that decoding does not call", "give it a plain default, such as None",
    )  # fmt: skip
    check(written(kind, "a", "b=None"), data, "c.b is None")


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_without_a_default_is_refused(kind: str) -> None:
    need(KINDS[kind][0])
    data = stored(written(kind, "a"), "C(a=1)")
    new = written(kind, "a", "b")
    error = refused(new, data, "b", "gained 'b', which has no default", "register_upgrade")
    if kind in LISTED:
        assert "give it a default" in error.hint
        check(written(kind, "a", "b=None"), data, "c.b is None")
    elif kind != "plain-slots":
        assert "give the class a value for it, `b = None`" in error.hint
        check(new + "\n    b = None", data, "c.b is None and 'b' not in vars(c)")
    upgraded = new + "\nfrom longterm import register_upgrade\n"
    upgraded += "register_upgrade(C, lambda fields: {**fields, 'b': 3})"
    check(upgraded, data, "(c.a, c.b) == (1, 3)")


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_that_was_removed_stays_or_is_refused(kind: str) -> None:
    need(KINDS[kind][0])
    data = stored(written(kind, "a", "b"), "C(a=1, b=2)")
    new = written(kind, "a")
    if kind not in HAS_SLOTS_ALONE:
        check(new, data, "c.a == 1 and vars(c)['b'] == 2")
        return
    refused(new, data, "b", "no (place for|element) 'b' any more", "put it back")
    check(written(kind, "a", "b"), data, "(c.a, c.b) == (1, 2)")
    upgraded = new + "\nfrom longterm import register_upgrade\n"
    upgraded += "register_upgrade(C, lambda fields: {'a': fields['a']})"
    check(upgraded, data, "c.a == 1 and not hasattr(c, 'b')")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("default", ["", "=7"])
def test_a_field_that_was_renamed_is_never_lost(kind: str, default: str) -> None:
    need(KINDS[kind][0])
    data = stored(written(kind, "a", "b"), "C(a=1, b=2)")
    new = written(kind, "a", f"z{default}")
    if kind in BY_HAND and default and kind != "plain-slots":
        new += f"\n    z {default}"
    refused(
        new, data, "z", "has 'z' now, and no 'b' any more, which may be the same",
        "say what became of 'b' by longterm.register_upgrade",
    )  # fmt: skip
    upgraded = new + "\nfrom longterm import register_upgrade\n"
    upgraded += "register_upgrade(C, lambda fields: {'a': fields['a'], 'z': fields['b']})"
    check(upgraded, data, "(c.a, c.z) == (1, 2)")


@pytest.mark.parametrize("kind", KINDS)
def test_fields_in_another_order_keep_their_values(kind: str) -> None:
    need(KINDS[kind][0])
    data = stored(written(kind, "a", "b"), "C(a=1, b=2)")
    check(written(kind, "b", "a"), data, "(c.a, c.b) == (1, 2)")


@pytest.mark.parametrize("kind", LISTED)
def test_a_field_of_another_type_keeps_what_was_stored(kind: str) -> None:
    need(KINDS[kind][0])
    data = stored(written(kind, "a").replace("Any", "int"), "C(a=1)")
    check(written(kind, "a").replace("Any", "str"), data, "c.a == 1")


LIKE_EACH_OTHER = [kind for kind in KINDS if kind not in ("named-tuple", "exception", "of-dict")]


@pytest.mark.parametrize("new", LIKE_EACH_OTHER)
@pytest.mark.parametrize("old", LIKE_EACH_OTHER)
def test_classes_with_fields_become_each_other(old: str, new: str) -> None:
    need(KINDS[old][0] + KINDS[new][0])
    data = stored(written(old, "a", "b"), "C(a=1, b=[2])")
    check(written(new, "a", "b"), data, "(c.a, c.b) == (1, [2])")
    if new in LISTED:
        check(written(new, "a", "b", "d=4"), data, "c == C(a=1, b=[2], d=4)")
        check(written(new, "a", "b", "d=4"), data, "repr(c) == repr(C(a=1, b=[2], d=4))")


KEEP = "keep the class under its name as it was"
ENUM = "class C(enum.Enum):\n    a = 1"
OTHERS = {kind: written(kind, "a") for kind in ("plain", "named-tuple", "exception", "of-dict")}
OTHERS |= {"enum": ENUM, "of-list": "class C(list): pass", "of-int": "class C(int): pass"}
MADE = {"enum": "C.a", "of-list": "C([1])", "of-int": "C(1)"}


@pytest.mark.parametrize("new", OTHERS)
@pytest.mark.parametrize("old", OTHERS)
def test_what_becomes_another_kind_is_refused(old: str, new: str) -> None:
    data = stored(OTHERS[old], MADE.get(old, "C(1)"))
    if old == new:
        check(OTHERS[new], data, "type(c) is C")
        return
    refused(OTHERS[new], data, None, "it was .*, and is .* now", KEEP)
    check(OTHERS[old] + "\n" + OTHERS[new].replace("class C", "class New"), data, "type(c) is C")


@dataclass
class Case:
    """A change, and either what is then true or what is refused, and what is true when mended."""

    old: str
    new: str
    make: str
    then: str = ""
    field: str | None = None
    reason: str = ""
    hint: str = ""
    mended: str = ""


MODEL = "class C(pydantic.BaseModel):\n    a: int = 1\n"
DATA = "@dataclass\nclass C:\n    a: int = 1\n"
ATTRS = "@attrs.define\nclass C:\n    a: int = 1\n"
PLAIN = "class C:\n    def __init__(self, a):\n        self.a = a\n"
FLAG = "class C(enum.Flag):\n    A = 1\n"
PAIR = "class C(NamedTuple):\n    a: int\n    b: int = 2\n"
CASES = {
    "dataclass: a field that is no parameter": Case(
        DATA, DATA + "    b: list = field(default_factory=list, init=False)\n", "C()", "c.b == []"),
    "dataclass: one that __post_init__ sets": Case(
        DATA, DATA + "    b: int = field(init=False)\n"
        "    def __post_init__(self):\n        self.b = 2 * self.a\n", "C()",
        field="b", reason="no default", hint="give it a default",
        mended=DATA + "    b: int = field(init=False, default=0)\n", then="c.b == 0"),
    "dataclass: an InitVar is no field": Case(
        DATA, DATA + "    b: InitVar[int] = 3\n    d: ClassVar[int] = 4\n", "C()",
        "vars(c) == {'a': 1}"),
    "dataclass: what was unset stays unset": Case(
        DATA + "    b: int = field(init=False)\n", DATA + "    b: int = field(init=False)\n"
        "    d: int = 3\n", "C()", "not hasattr(c, 'b') and c.d == 3"),
    "dataclass: a field of a base": Case(
        "@dataclass\nclass B:\n    x: int = 0\n@dataclass\nclass C(B):\n    a: int = 1\n",
        "@dataclass\nclass B:\n    x: int = 0\n    y: int = 5\n@dataclass\nclass C(B):\n"
        "    a: int = 1\n", "C()", "c == C(x=0, y=5, a=1)"),
    "dataclass: a factory with parameters of types": Case(
        DATA, DATA + "    b: Any = field(default_factory=dict[str, int])\n", "C()", "c.b == {}"),
    "dataclass: a factory that has no such meaning": Case(
        DATA, DATA + "    b: Any = field(default_factory=open)\n", "C()",
        field="b", reason="decoding does not call", hint="a plain default, such as None",
        mended=DATA + "    b: Any = None\n", then="c.b is None"),
    "dataclass: an attribute of its own stays, a cached one too": Case(
        DATA + "    @cached_property\n    def twice(self): return 2 * self.a\n",
        DATA + "    b: int = 2\n    @cached_property\n    def twice(self): return 2 * self.a\n",
        "[(x := C(), x.twice), x][1]", "c.b == 2 and vars(c)['twice'] == 2"),
    "attrs: a converter of Python's": Case(
        ATTRS, ATTRS + "    b: int = attrs.field(default='4', converter=int)\n", "C()", "c.b == 4"),
    "attrs: a converter that refuses the default": Case(
        ATTRS, ATTRS + "    b: int = attrs.field(default='x', converter=int)\n", "C()",
        field="b", reason=r"cannot be made \(ValueError\)", hint="a plain default, such as None",
        mended=ATTRS + "    b: int = None\n", then="c.b is None"),
    "attrs: another converter": Case(
        ATTRS, ATTRS + "    b: int = attrs.field(default='4', converter=lambda x: x)\n", "C()",
        field="b", reason="passes a converter", hint="a plain default, such as None",
        mended=ATTRS + "    b: int = None\n", then="c.b is None"),
    "attrs: a factory that takes the instance": Case(
        ATTRS, ATTRS + "    b: int = attrs.Factory(lambda self: self.a, takes_self=True)\n", "C()",
        field="b", reason="decoding does not call", hint="a plain default, such as None",
        mended=ATTRS + "    b: int = None\n", then="c.b is None"),
    "attrs: a private name": Case(
        ATTRS, ATTRS + "    _b: int = attrs.field(default=4, alias='other')\n", "C()", "c._b == 4"),
    "attrs: a hash that was kept": Case(
        "@attrs.frozen(cache_hash=True)\nclass C:\n    a: str\n",
        "@attrs.frozen(cache_hash=True)\nclass C:\n    a: str\n    b: int = 2\n",
        "[x := C('a'), hash(x)][0]", "hash(c) == hash(C('a'))"),
    "attrs: a hash that is not kept any more": Case(
        "@attrs.frozen(cache_hash=True)\nclass C:\n    a: str\n",
        "@attrs.frozen\nclass C:\n    a: str\n", "[x := C('a'), hash(x)][0]",
        "hash(c) == hash(C('a'))"),
    "attrs: a hash that is kept now": Case(
        "@attrs.frozen\nclass C:\n    a: str\n",
        "@attrs.frozen(cache_hash=True)\nclass C:\n    a: str\n", "C('a')",
        "hash(c) == hash(C('a'))"),
    "pydantic: a mutable default is copied": Case(
        MODEL, MODEL + "    b: dict = {'x': []}\n", "C()",
        "c.b == {'x': []} and c.b is not C.model_fields['b'].default"),
    "pydantic: a default that is validated": Case(
        MODEL, MODEL + "    b: int = pydantic.Field(default='4', validate_default=True)\n", "C()",
        field="b", reason="passes validators", hint="a plain default, such as None",
        mended=MODEL + "    b: Any = None\n", then="c.b is None"),
    "pydantic: an alias": Case(
        MODEL, MODEL + "    b: int = pydantic.Field(default=4, alias='other')\n", "C()",
        "c.b == 4 and c.model_dump(by_alias=True) == {'a': 1, 'other': 4}"),
    "pydantic: private attributes": Case(
        MODEL, MODEL + "    _b: list = pydantic.PrivateAttr(default_factory=list)\n"
        "    _d: int = 3\n    _e: int\n", "C()",
        "(c._b, c._d) == ([], 3) and not hasattr(c, '_e') and c == C()"),
    "pydantic: a private attribute more": Case(
        MODEL + "    _b: int = 1\n", MODEL + "    _b: int = 1\n    _d: int = 3\n",
        "[x := C(), setattr(x, '_b', 9)][0]", "(c._b, c._d) == (9, 3)"),
    "pydantic: what is given, and what is default": Case(
        MODEL + "    b: int = 2\n", MODEL + "    b: int = 2\n    d: int = 3\n", "C(b=5)",
        "c.model_fields_set == {'b'} and c.model_dump(exclude_unset=True) == {'b': 5}"),
    "pydantic: an extra that is a field now": Case(
        MODEL + "    model_config = {'extra': 'allow'}\n",
        MODEL + "    model_config = {'extra': 'allow'}\n    note: str = ''\n",
        "C(note='hello', more=1)", "c.note == 'hello' and c.model_extra == {'more': 1}"),
    "pydantic: extras are allowed now": Case(
        MODEL, MODEL + "    model_config = {'extra': 'allow'}\n", "C()",
        "[setattr(c, 'new', 1), c.new][1] == 1 and c.model_extra == {'new': 1}"),
    "pydantic: extras are not allowed any more": Case(
        MODEL + "    model_config = {'extra': 'allow'}\n", MODEL, "C(more=1)", "c.more == 1"),
    "pydantic: a model made without all its fields": Case(
        MODEL + "    b: int\n", MODEL + "    b: int\n    d: int = 4\n", "C.model_construct(a=2)",
        "not hasattr(c, 'b') and (c.a, c.d) == (2, 4)"),
    "pydantic: a class with a private attribute becomes a model": Case(
        "class C:\n    def __init__(self):\n        self.a, self._p = 1, 2\n",
        MODEL + "    _p: int = 0\n", "C()", "c._p == 2 and c.model_fields_set == {'a'}"),
    "named tuple: from namedtuple": Case(
        "C = namedtuple('C', 'a b')", "C = namedtuple('C', 'a b d', defaults=[3])", "C(1, 2)",
        "c == (1, 2, 3)"),
    "named tuple: a field in the middle": Case(
        PAIR, "class C(NamedTuple):\n    a: int\n    x: int = 9\n    b: int = 2\n", "C(1, 5)",
        "c == (1, 9, 5)"),
    "named tuple: with attributes besides": Case(
        PAIR.replace("C", "P", 1) + "class C(P):\n    pass\n",
        PAIR.replace("C", "P", 1) + "    d: int = 3\nclass C(P):\n    pass\n",
        "[x := C(1), setattr(x, 'note', 'n')][0]", "c == (1, 2, 3) and c.note == 'n'"),
    "plain: an attribute that another method sets is no field": Case(
        PLAIN, PLAIN + "    def total(self):\n        self.sum = 1\n", "C(1)", "c.a == 1"),
    "plain: what one branch sets was unset, and stays so": Case(
        PLAIN + "        if a > 5:\n            self.big = True\n",
        PLAIN + "        if a > 5:\n            self.big = True\n    d = 1\n", "C(1)",
        "vars(c) == {'a': 1}"),
    "plain: a property in the place of an attribute": Case(
        PLAIN, PLAIN + "        self.b = 1\n    @property\n    def b(self): return 2\n"
        "    @b.setter\n    def b(self, value): pass\n", "C(1)", "c.b == 2"),
    "plain: inner functions in __init__": Case(
        PLAIN, PLAIN + "        self.b = lambda: self.a\n", "C(1)",
        field="b", reason="no default", hint="`b = None`",
        mended=PLAIN + "        self.b = lambda: self.a\n    b = None\n", then="c.b is None"),
    "plain: private names": Case(
        "class C:\n    def __init__(self):\n        self.__x = 1\n",
        "class C:\n    __slots__ = ('__x',)\n    def x(self): return self.__x\n", "C()",
        "c.x() == 1"),
    "plain: its own ways to be pickled are not asked": Case(
        PLAIN + "    def __getstate__(self): 1 / 0\n    def __setstate__(self, s): 1 / 0\n",
        PLAIN + "        self.b = 2\n    b = 3\n    def __setstate__(self, s): 1 / 0\n", "C(1)",
        "(c.a, c.b) == (1, 3)"),
    "plain: slots in a base": Case(
        PLAIN, "class B:\n    __slots__ = ('a',)\nclass C(B):\n    pass\n", "C(1)",
        "c.a == 1 and vars(c) == {}"),
    "plain: the only attribute": Case(
        "class C:\n    pass\n",
        "class C:\n    def __init__(self):\n        self.a = 1\n    a = 0\n", "C()", "c.a == 0"),
    "exception: arguments and attributes": Case(
        "class C(ValueError):\n    def __init__(self, a):\n        super().__init__('no', a)\n"
        "        self.a = a\n",
        "class C(ValueError):\n    def __init__(self, a):\n        super().__init__('no', a)\n"
        "        self.a = a\n        self.b = 0\n    b = 7\n", "C(1)",
        "(c.args, c.a, c.b) == (('no', 1), 1, 7)"),
    "exception: of the system no more": Case(
        "class C(OSError): pass", "class C(Exception): pass", "C(2, 'no', 'file')",
        reason="was an exception with 'errno'", hint=KEEP, mended="class C(OSError): pass",
        then="c.errno == 2"),
    "enum: a value changed": Case(ENUM, ENUM.replace("1", "'one'"), "C.a", "c.value == 'one'"),
    "enum: a member removed": Case(
        ENUM + "\n    b = 2", ENUM, "C.b", field="b", reason="it has no member b",
        hint="`b = ANOTHER` in the class", mended=ENUM + "\n    b = a", then="c is C.a"),
    "enum: a member renamed": Case(
        ENUM + "\n    b = 2", ENUM + "\n    new = 2", "C.b", field="b", reason="no member b",
        hint="put it back, or let it stand for another: `b = ANOTHER` in the class",
        mended=ENUM + "\n    new = 2\n    b = new", then="c is C.new"),
    "enum: another kind of enum": Case(
        ENUM, "class C(enum.StrEnum):\n    a = 'one'", "C.a", "c is C.a"),
    "flags: values changed": Case(
        FLAG + "    B = 2\n", FLAG + "    N = 2\n    B = 4\n", "C.A | C.B", "c == C.A | C.B"),
    "flags: a member removed": Case(
        FLAG + "    B = 2\n", FLAG, "C.A | C.B", field="B", reason="it has no member B",
        hint="put it back", mended=FLAG + "    B = 2\n", then="c == C.A | C.B"),
    "flags: bits without a name": Case(
        "class C(enum.IntFlag):\n    A = 1\n", "class C(enum.IntFlag):\n    A = 1\n    B = 2\n",
        "C(9)", "c == 9"),
    "flags: none": Case(FLAG, FLAG + "    B = 2\n", "C(0)", "c == C(0)"),
    "typed dict: it is a dict": Case(
        "class C(TypedDict):\n    a: int\n", "class C(TypedDict):\n    a: int\n    b: int\n",
        "C(a=1)", "c == {'a': 1}"),
    "subclass of a builtin: an attribute": Case(
        "class C(list):\n    pass\n",
        "class C(list):\n    def __init__(self):\n        self.b = 1\n    b = 0\n", "C([1])",
        "c == [1] and c.b == 0"),
    "generic: its parameters stay": Case(
        "from typing import Generic, TypeVar\nT = TypeVar('T')\n@dataclass\nclass C(Generic[T]):\n"
        "    a: T\n",
        "from typing import Generic, TypeVar\nT = TypeVar('T')\n@dataclass\nclass C(Generic[T]):\n"
        "    a: T\n    b: int = 2\n", "C[int](1)", "c.b == 2 and c.__orig_class__ == C[int]"),
    "moved: within the application": Case(
        DATA, "@dataclass\nclass New:\n    a: int = 1\n    b: int = 2\nC = New\n", "C(5)",
        "c == New(5, 2) and type(c) is New"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_change(name: str) -> None:
    case = CASES[name]
    need(case.old + case.new)
    data = stored(case.old, case.make)
    if case.reason:
        refused(case.new, data, case.field, case.reason, case.hint)
    check(case.mended or case.new, data, case.then)


def test_what_is_gone_says_where_it_may_be() -> None:
    data = stored(DATA, "C()")
    shop("")
    with pytest.raises(NotAllowed) as caught:
        decode(data)
    assert PLACE in str(caught.value)
    assert f"write `from its_new_module import C` in {MODULE}" in str(caught.value)
    assert "if it was renamed, `C = NewName`" in str(caught.value)
    shop("def C(): pass")
    with pytest.raises(NotAllowed, match="is not a class"):
        decode(data)
    check("@dataclass\nclass NewName:\n    a: int = 1\nC = NewName\n", data, "c == NewName(1)")


def test_an_instance_in_a_cycle_is_filled_when_all_is_made() -> None:
    node = "@dataclass\nclass C:\n    next: Any = None\n"
    data = stored(node, "[x := C(), setattr(x, 'next', [x])][0]")
    check(
        node + "    b: list = field(default_factory=list)\n", data, "c.next[0] is c and c.b == []"
    )
    check(node.replace("@dataclass", "@dataclass(slots=True)"), data, "c.next[0] is c")
    refused(node.replace("next", "following"), data, "following", "no 'next' any more", "'next'")
    upgraded = node.replace("next", "following") + "\nfrom longterm import register_upgrade\n"
    upgraded += "register_upgrade(C, lambda fields: {'following': fields['next'][0]})"
    check(upgraded, data, "c.following is c")


def test_what_is_hashed_is_filled_before() -> None:
    frozen = "@dataclass(frozen=True)\nclass C:\n    a: int\n"
    data = stored(frozen, "[{C(1), C(2)}, {C(3): 'x'}]")
    check(frozen + "    b: int = 2\n", data, "c == [{C(1), C(2)}, {C(3): 'x'}]")


def test_the_dict_of_an_instance_stays_its_dict() -> None:
    data = stored(DATA, "[x := C(), vars(x)]")
    check(DATA + "    b: int = 2\n", data, "c[1] is vars(c[0]) and c[1] == {'a': 1, 'b': 2}")


def test_an_upgrade_that_raises_is_named() -> None:
    data = stored(DATA, "C()")
    shop(DATA + "    b: int = 2\ndef upgrade(fields):\n    return fields['gone']\n")
    module = sys.modules[MODULE]
    register_upgrade(module.C, module.upgrade)
    with pytest.raises(CorruptData, match=r"changing_shop\.upgrade raised KeyError"):
        decode(data)
    register_upgrade(module.C, lambda fields: None)  # type: ignore[arg-type,return-value]
    with pytest.raises(CannotLoad, match="its upgrade returned a NoneType"):
        decode(data)


def test_a_class_that_has_not_changed_is_not_upgraded() -> None:
    data = stored(DATA, "C()")
    module = sys.modules[MODULE]
    register_upgrade(module.C, lambda fields: 1 / 0)  # type: ignore[arg-type,return-value]
    assert decode(data)[0].slots["order"]["lines"] == [module.C()]


def test_bytes_that_do_not_say_what_a_class_declared() -> None:
    """As longterm 0.1 wrote them: what an instance lacks counts as new."""

    def older(source: str, make: str) -> bytes:
        plan_name = f"{MODULE}:C".encode()
        data = stored(source, make)
        begin = data.index(plan_name) - 3
        end = begin + 3 + data[begin + 1]
        assert data[begin : begin + 3] == bytes([0xC7, end - begin - 3, 21])
        return data[:begin] + bytes([0xC7, len(plan_name), 20]) + plan_name + data[end:]

    check(DATA + "    b: int = 2\n", older(DATA, "C()"), "c == C(1, 2)")
    check(MODEL + "    b: int = 2\n", older(MODEL, "C()"), "c == C(a=1, b=2)")
    without = "@dataclass\nclass C:\n    a: int\n"
    refused(
        without + "    b: int\n", older(without, "C(1)"), "b", "no default", "give it a default"
    )
    lazy = PLAIN + "        if a > 5:\n            self.big = True\n"
    check(lazy, older(lazy, "C(1)"), "vars(c) == {'a': 1}")
    check(PAIR, older(PAIR, "C(1)"), "c == (1, 2)")
    with pytest.raises(CannotLoad, match=r"had 2 elements, of which the names are not known"):
        loaded(PAIR + "    d: int = 3\n", older(PAIR, "C(1)"))


def test_names_are_the_same_on_each_python() -> None:
    """`__init__` of another Python has other instructions."""
    source = """
    class C:
        def __init__(self, a, b=2, *args, c, **more):
            self.one = a
            self.two = self.three = b
            self.four, self.five = args or (1, 2)
            self.six: int = c
            (self.seven,) = [self.one]
            a.other = 1
            self.one += 1
            self.__eight = lambda: self
            for self.nine in range(2):
                pass
            with open(__file__) as self.ten:
                pass
            if c:
                self.eleven = [self.twelve for _ in ()]
            def inner(self):
                self.thirteen = 1
            del self.ten
    """
    shop(source)
    from longterm._codec.types.declared import names_of

    assert names_of(sys.modules[MODULE].C, {}, has_namespace=True) == (
        "one", "two", "three", "four", "five", "six", "seven", "_C__eight", "nine", "ten", "eleven",
    )  # fmt: skip


def test_the_place_is_found_in_no_time_however_deep_it_is() -> None:
    deep: list[Any] = [eval("C()", vars(shop(DATA)))]
    for _ in range(50_000):
        deep = [deep]
    slots = {f"slot{number}": [deep] for number in range(500)}
    data = encode([Frame(f"{MODULE}:sell", "v", 1, 7, {"one": deep, **slots})])
    shop("")
    begin = time.thread_time()
    with pytest.raises(NotAllowed, match=r"\[one\[0\]\[0\].*…"):
        decode(data)
    assert time.thread_time() - begin < 2


def test_a_place_of_damaged_frames_runs_no_code_of_values() -> None:
    gone = ExtType(wire.CLASS, f"{MODULE}:Gone\0a".encode())
    held = [ExtType(wire.TAG, bytes([20])), gone]
    rows = [[ExtType(9, b"1"), "v", 1, ExtType(9, b"2"), {b"slot": held}]]
    with pytest.raises(NotAllowed, match=r"not imported.*\[a value\]"):
        decode(bytes([wire.VERSION, wire.FRAMES + wire.TAGGED]) + packb(rows, strict_types=True))


@pytest.mark.parametrize("seed", range(20))
def test_random_changes_are_filled_or_refused_by_name(seed: int) -> None:
    chance = random.Random(seed)
    kinds = list(KINDS)
    for _ in range(20):
        old, new = chance.choices(kinds, k=2)
        need(KINDS[old][0] + KINDS[new][0])
        names = chance.sample("abdefg", 6)
        before = names[: chance.randrange(1, 4)]
        after = [name for name in names if chance.random() < (0.9 if name in before else 0.3)]
        after = after or before
        chance.shuffle(after)
        defaults = [""] if new in BY_HAND else ["", "=7"]
        defaults += ["=list()", "=made()"] if new in WITH_FACTORIES else []
        fields = sorted((name + chance.choice(defaults) for name in after), key=lambda f: "=" in f)
        given = {name: 100 + number for number, name in enumerate(before)}
        data = stored(written(old, *before), f"C(**{given})")

        added = {name: default for name, _, default in (field.partition("=") for field in fields)
                 if name not in given}  # fmt: skip
        removed = given.keys() - set(after)
        is_refused = (
            (old != new and not {old, new} <= set(LIKE_EACH_OTHER))
            or not {"", "made()"}.isdisjoint(added.values())
            or (removed and (added or new in HAS_SLOTS_ALONE))
        )
        source = written(new, *fields)
        if is_refused:
            shop(source)
            with pytest.raises(CannotLoad) as caught:
                decode(data)
            assert caught.value.place == PLACE
            continue
        found = loaded(source, data)
        assert repr(found)
        for name in after:
            expected = {"7": 7, "list()": []}[added[name]] if name in added else given[name]
            assert getattr(found, name) == expected
