"""Decode one input and watch: what runs, what is opened, how long it takes, what can be reached.

In: bytes. Out: findings, each a short text that is the same for inputs of one cause.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import gc
import re
import sys
import threading
import time
import types
import warnings
from typing import Any

from longterm import CorruptData, NotStorable
from longterm._codec import decode, encode
from longterm._codec.standard import may_be_named
from tests.codec.fuzz import victims

SECONDS = 0.75
SECONDS_PER_BYTE = 10e-6
SHOWN_AT_MOST = 3_000
DEQUES_COMPARED = 10

QUIET_EVENTS = {
    "import", "object.__getattr__", "sys._getframe", "exec", "code.__new__", "open", "os.listdir",
    "os.scandir", "object.__setattr__", "object.__delattr__", "gc.get_referents", "marshal.loads",
    "marshal.dumps",
    "compile", "array.__new__", "cpython._PySys_ClearAuditHooks", "builtins.id", "sys.setprofile",
}  # fmt: skip
"""Audit events that say nothing by themselves; `open`, `import` and `exec` are looked at closer."""

_state = threading.local()
_events: list[str] = []
_codes: set[tuple[types.CodeType, Any]] = set()
_OURS = ("longterm", "msgpack", "tests.codec.fuzz")
_VALUE_FILES = re.compile(
    r"/(pathlib|ipaddress|uuid|zoneinfo|re|enum|fractions|decimal|_pydecimal|datetime|contextlib|"
    r"warnings|typing|weakref|copyreg|numbers|abc|_collections_abc|collections|string|dataclasses|functools|importlib|logging)"
    r"(\.py$|/[\w/]+\.py$)"
    r"|<frozen (posixpath|ntpath|genericpath|os|abc|_collections_abc|codecs|importlib\S*)>"
)
"""The files of the standard library whose code makes, hashes and compares values. Whatever is
imported is an event of its own."""


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if not getattr(_state, "on", False):
        return
    if event == "open" and "zoneinfo" in str(args[0]):
        return
    if event == "import" and str(args[0]).startswith(("longterm._codec", "tzdata")):
        return
    if event == "exec" and args[0].co_consts == (None,):
        return
    if event in QUIET_EVENTS - {"open", "import", "exec", "compile"}:
        return
    _events.append(f"audit {event} {str(args[0])[:40] if args else ''}")


def install() -> None:
    """Watch this process from now on, for good."""
    # A finder that an environment adds, as setuptools does, would be taken for code of the bytes'
    # choice when longterm imports a module of its own.
    python = ("_frozen_importlib", "_frozen_importlib_external")
    sys.meta_path[:] = [f for f in sys.meta_path if getattr(f, "__module__", "") in python]
    sys.addaudithook(_audit)


def _profile(frame: types.FrameType, event: str, arg: Any) -> None:
    if event == "call":
        _codes.add((frame.f_code, frame.f_globals.get("__name__")))


class watching:
    """What runs within is noted."""

    def __enter__(self) -> None:
        victims.REPORTS.clear()
        _events.clear()
        _codes.clear()
        _state.on = True
        sys.setprofile(_profile)

    def __exit__(self, *error: object) -> None:
        sys.setprofile(None)
        _state.on = False


def warm_up(corpus: list[bytes]) -> None:
    """Let valid bytes load what they need."""
    for data in corpus:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            decode(data)


def findings(data: bytes) -> list[str]:
    """Return what is wrong with how these bytes are decoded, shown, compared and encoded again."""
    found: list[str] = []
    value: Any = None
    is_decoded = False
    begin = time.thread_time()
    with warnings.catch_warnings(), contextlib.suppress(BaseException):
        warnings.simplefilter("ignore")
        decode(data)
    seconds = time.thread_time() - begin
    if seconds > SECONDS + len(data) * SECONDS_PER_BYTE:
        found.append("decode took long")
    with warnings.catch_warnings(), watching():
        warnings.simplefilter("ignore")
        try:
            value = decode(data)
            is_decoded = True
        except CorruptData:
            pass
        except BaseException as error:
            found.append(f"decode raised {type(error).__name__}")
    found += [f"decode: {each}" for each in dict.fromkeys(_ran_while_decoding())]
    if is_decoded and not found:
        found += _used(value, data)
    return found


def _ran_while_decoding() -> list[str]:
    ran = [each for each in victims.REPORTS if each not in _OF_KEYS]
    for code, module in _codes:
        file, name = code.co_filename, code.co_qualname
        is_ours = str(module).startswith(_OURS) or code.co_consts == (None,)
        if is_ours or _VALUE_FILES.search(file) or name.endswith(("__hash__", "__eq__")):
            continue
        called = f"{file.rpartition('/')[2]}:{name}"
        if called not in _TO_TELL_SIGNALS:
            ran.append(f"python {called}")
    return ran + _events


_TO_TELL_SIGNALS = {
    *("threading.py:current_thread", "threading.py:main_thread"),
    *("signal.py:getsignal", "signal.py:_int_to_enum"),
}
"""What longterm itself calls to tell what the bytes caused from what a signal's handler raised."""

_OF_KEYS = {
    *("class __hash__", "class __eq__"),
    *("class metaclass __hash__", "class metaclass __eq__"),
}
"""What keys of dicts and elements of sets are asked; those that are classes, by metaclasses."""


def _used(value: Any, data: bytes) -> list[str]:
    reached, is_small = _reached(value)
    found = [f"holds {each}" for each in dict.fromkeys(map(_acts, reached)) if each]
    if not is_small:
        return found + _encoded_again(value, data)
    with warnings.catch_warnings(), watching():
        warnings.simplefilter("ignore")
        try:
            encode(value)
        except NotStorable as error:
            found.append(f"cannot be encoded again: {error.value_type}: {error.reason}")
        except BaseException as error:
            found.append(f"encode raised {type(error).__name__}")
        with contextlib.suppress(Exception):
            repr(value)
        # CPython compares what differs in two deques twice, so that each level doubles the time.
        if sum(type(each) is collections.deque for each in reached) <= DEQUES_COMPARED:
            with contextlib.suppress(Exception):
                _ = value == decode(data)
    ran = [each for each in victims.REPORTS if each.startswith("function")] + _events
    return found + [f"use: {each}" for each in dict.fromkeys(ran)]


def _encoded_again(value: Any, data: bytes) -> list[str]:
    """Return what is wrong with how a value is encoded that is long when it is written out."""
    found = []
    begin = time.thread_time()
    with warnings.catch_warnings(), contextlib.suppress(NotStorable):
        warnings.simplefilter("ignore")
        encode(value)
    seconds = time.thread_time() - begin
    if seconds > 4 * SECONDS + len(data) * SECONDS_PER_BYTE:
        found.append("encode took long")
    return found


def _reached(value: Any) -> tuple[list[Any], bool]:
    """Return what a value holds, and whether it is small when all sharing is written out."""
    seen: dict[int, Any] = {}
    stack, steps = [value], 0
    while stack and steps < 200_000:
        each = stack.pop()
        steps += 1
        if id(each) in seen:
            continue
        seen[id(each)] = each
        if type(each) in _ENDS_HERE or issubclass(type(each), type):
            continue
        stack += gc.get_referents(each)
    return list(seen.values()), _weight(value, [SHOWN_AT_MOST]) and len(seen) < SHOWN_AT_MOST


_ENDS_HERE = (
    types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType,
    types.FrameType, types.MethodDescriptorType, types.WrapperDescriptorType,
    type(functools.lru_cache(len)),
)  # fmt: skip


def _weight(value: Any, left: list[int], depth: int = 0) -> bool:
    if left[0] < 0 or depth > 100:
        left[0] = -1
        return False
    left[0] -= 1
    if type(value) in _ENDS_HERE or issubclass(type(value), type):
        return True
    return all(_weight(each, left, depth + 1) for each in gc.get_referents(value))


def _acts(value: Any) -> str:
    """Return the name of a thing that acts or is a secret, or nothing."""
    if value is victims.SETTINGS or value is victims.REPORTS:
        return "what only a module should hold"
    if type(value) is types.ModuleType:
        return f"module {value.__name__}"
    if type(value) is types.BuiltinFunctionType and type(value.__self__) is types.ModuleType:
        return _foreign(f"{value.__module__}:{value.__qualname__}")
    if type(value) is types.FunctionType:
        return _foreign(f"{value.__module__}:{value.__qualname__}")
    return ""


_OF_GENERATORS = {
    "enum:EnumType.__iter__.<locals>.<genexpr>", "enum:EnumType.__reversed__.<locals>.<genexpr>",
    "enum:Flag.__iter__", "enum:Flag._iter_member_by_value_", "enum:Flag._iter_member_by_def_",
    "enum:_iter_bits_lsb", "collections.abc:KeysView.__iter__",
    "collections.abc:ValuesView.__iter__", "collections.abc:ItemsView.__iter__",
    "collections.abc:Sequence.__iter__",
    "collections.abc:Sequence.__reversed__", "ipaddress:_BaseNetwork.__iter__",
    "ipaddress:_BaseNetwork.hosts", "ipaddress:IPv6Network.hosts", "_operator:getitem",
    "longterm._matches:_behind",
}  # fmt: skip
"""What only generators hold: those of the standard library's containers, and of the matches that
are left of `finditer`. Nobody can call it."""


def _foreign(name: str) -> str:
    if name.startswith(("tests.codec.", "__main__:")) or name in _OF_GENERATORS:
        return ""
    return "" if may_be_named(*name.split(":")) else f"function {name}"
