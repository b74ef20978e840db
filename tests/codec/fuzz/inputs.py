"""Hostile bytes, made by a seed: of every kind and of valid bytes, wrapped, swapped, shared.

Every input is a function of its number, so that a finding can be made again by its number alone.
"""

from __future__ import annotations

import random
import struct
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

from msgpack import ExtType

from longterm._codec import wire
from tests.codec.blobs import tagged
from tests.codec.fuzz import victims
from tests.codec.fuzz.packing import Packed, Pairs, pack, parsed

HERE = victims.__name__
MODULUS = (1 << 61) - 1

ITERTOOLS = [
    "accumulate", "chain", "combinations", "combinations_with_replacement", "compress", "count",
    "cycle", "dropwhile", "filterfalse", "islice", "pairwise", "permutations", "product", "repeat",
    "starmap", "takewhile", "zip_longest",
]  # fmt: skip
SEQUENCES = [
    "list", "reversed list", "tuple", "str", "bytes", "bytearray", "range", "array", "reversed",
]  # fmt: skip
GENERATORS = [
    "keys", "values", "items", "sequence", "reversed sequence", "flags", "addresses", "hosts",
    "hosts of version 6", "members",
]  # fmt: skip
TABLES = [
    "keys", "values", "items", "reversed keys", "reversed values", "reversed items", "set",
    "frozenset", "ordered keys", "ordered values", "reversed ordered items",
]  # fmt: skip
STATE = [
    "args", "__cause__", "__context__", "__suppress_context__", "__traceback__", "msg", "filename",
    "lineno", "offset", "text", "encoding", "object", "start", "end", "reason", "name", "path",
    "name_from", "obj", "errno", "strerror", "characters_written", "value", "code",
    "print_file_and_line",
]  # fmt: skip
DECLARED = [
    "total", "x", "y", "z", ".x", "<tuple>", "<list>", "<dict>", "<int>", "", "a", "\ud800x",
    "__pydantic_fields_set__", "__pydantic_private__", "_attrs_cached_hash", "__dict__",
]  # fmt: skip
TYPES = [
    *(f"{HERE}:{name}" for name in victims.CLASSES),
    *(f"builtins:{name}" for name in (
        "ValueError", "OSError", "KeyError", "SyntaxError", "ImportError", "UnicodeDecodeError",
        "UnicodeEncodeError", "UnicodeTranslateError", "StopIteration", "AttributeError",
        "ExceptionGroup", "BlockingIOError", "tuple", "list", "object", "type",
    )),
    *(f"collections:{name}" for name in (
        "OrderedDict", "defaultdict", "deque", "Counter", "UserDict", "UserList", "UserString",
        "ChainMap",
    )),
    "string:Template", "contextlib:suppress", "contextlib:nullcontext", "argparse:Namespace",
    "json.decoder:JSONDecodeError", "urllib.parse:ParseResult", "urllib.error:HTTPError",
    "subprocess:CalledProcessError", "re:RegexFlag", "uuid:SafeUUID", "http:HTTPStatus",
]  # fmt: skip
FUNCTIONS = [
    f"{HERE}:act", f"{HERE}:Plain.total", "builtins:len", "builtins:sorted", "builtins:str.upper",
    "builtins:str.format", "operator:add", "_operator:add", "math:sqrt", "builtins:map",
    "builtins:list", "builtins:int", "os:system", "os:getcwd", "posix:getpid", "uuid:os.getcwd",
    "pathlib:os.getcwd", "json:codecs.open", "uuid:_get_command_stdout", "pathlib:Path.write_text",
    "pathlib:Path.unlink", "pathlib:Path.touch", "time:sleep", "uuid:uuid1", "builtins:print",
    "functools:reduce", "json:loads", "builtins:type", "builtins:object", "types:FunctionType",
]  # fmt: skip


def names_of_everything() -> list[str]:
    """Return the path of every attribute of every loaded module, and of what is in it."""
    found: dict[str, None] = {}
    for module_name, module in sorted(sys.modules.items()):
        if not isinstance(module, types.ModuleType):
            continue
        for name, value in list(vars(module).items()):
            found[f"{module_name}:{name}"] = None
            if isinstance(value, (type, types.ModuleType)):
                for inner in list(vars(value)):
                    found[f"{module_name}:{name}.{inner}"] = None
    return list(found)


class Inputs:
    """Makes input after input."""

    def __init__(self, corpus: list[bytes]) -> None:
        """Take valid bytes to start from."""
        self.corpus = corpus
        self.names = names_of_everything()
        self.shapes = _shapes()
        self.chance = random.Random(0)
        self.items = 0

    def make(self, seed: int) -> bytes:
        """Return the input of a number."""
        self.chance = random.Random(seed)
        self.items = 0
        choose = self.chance.random()
        if choose < 0.30:
            return self.of_corpus()
        if choose < 0.85:
            return self.of_kinds()
        return self.of_sharing()

    def of_kinds(self) -> bytes:
        """Return items of random kinds, which refer to those before."""
        made = []
        for _ in range(self.chance.choice((1, 1, 2, 3, 5, 8))):
            made.append(self.instruction() if self.chance.random() < 0.15 else self.value(4))
            self.items += 1
        if self.chance.random() < 0.15:
            return bytes([wire.VERSION, self.chance.randrange(5)]) + pack(self.frames())
        return _items(made)

    def of_corpus(self) -> bytes:
        """Return valid bytes with parts swapped, wrapped, replaced and held twice."""
        blob = self.chance.choice(self.corpus)
        values = parsed(blob[2:])
        layout = self.chance.choice((blob[1], blob[1], wire.ITEMS))
        self.items = len(values) if layout == wire.ITEMS else 0
        for _ in range(self.chance.choice((1, 1, 2, 3))):
            places = list(_places(values))
            holder, key = self.chance.choice(places)
            other, other_key = self.chance.choice(places)
            match self.chance.randrange(5):
                case 0:
                    holder[key] = self.value(3)
                case 1:
                    holder[key] = self.wrapped(holder[key])
                case 2:
                    holder[key], other[other_key] = other[other_key], holder[key]
                case 3:
                    holder[key] = other[other_key]
                case _:
                    holder.insert(key, self.value(2)) if type(holder) is list else None
        try:
            return bytes([wire.VERSION, layout]) + b"".join(map(pack, values))
        except (RecursionError, TypeError, ValueError):
            return _items([self.value(3)])  # a part was put into itself

    def of_sharing(self) -> bytes:
        """Return a chain of items that each hold the one before, once or twice, some very long."""
        times = self.chance.choice((1, 2, 2, 3))
        length = self.chance.choice((30, 60, 60, 300, 3_000, 60_000)) if times == 1 else 60
        wraps = self.chance.choices(_WRAPS, k=self.chance.choice((1, 1, 2, 3)))
        core = pack(self.chance.choice(_CORES)(self))
        # Two chains that are alike are compared, if a set holds both.
        chains = 2 if length == 60 and self.chance.random() < 0.3 else 1
        out: list[bytes] = []
        for _ in range(chains):
            out.append(core)
            for number in range(1, length):
                inner = wire.reference(len(out) - 1)
                out.append(pack(wraps[number % len(wraps)](inner, times)))
        last = wire.reference(length * chains - 1)
        if chains == 2:
            out.append(pack(self.chance.choice(_PAIRS)(wire.reference(length - 1), last)))
        else:
            out.append(pack(self.chance.choice(_ENDS)(last)))
        return bytes([wire.VERSION, wire.ITEMS]) + b"".join(out)

    def frames(self) -> Any:
        """Return rows of frames, or what stands where they do."""
        if self.chance.random() < 0.3:
            return self.wrapped([])
        rows = []
        for _ in range(self.chance.randrange(3)):
            flow = self.chance.choice(("m:f", f"{HERE}:f"))
            row: Any = [flow, "v", 1, 2, Pairs([("x", self.value(3))])]
            if self.chance.random() < 0.5:
                row[self.chance.randrange(5)] = self.value(3)
            rows.append(row if self.chance.random() < 0.7 else self.wrapped(row))
        return rows

    def instruction(self) -> Any:
        """Return a `new` or a `fill`."""
        if self.items and self.chance.random() < 0.5:
            target = self.reference()
            parts = [self.value(2) for _ in range(self.chance.randrange(4))]
            return [_tag(121), target, *parts]
        code = self.chance.choice((1, 2, 4, 6, 10, 20, 21, 24, 25, 30, 31, 34, 35, 40))
        shape = self.shapes.get(code, ())
        return [_tag(120), code, *(make(self, 2) for make in shape[:3])]

    def value(self, depth: int) -> Any:
        """Return any value."""
        chance = self.chance.random()
        if depth <= 0 or chance < 0.25:
            return self.leaf()
        if chance < 0.35:
            return [self.value(depth - 1) for _ in range(self.chance.randrange(4))]
        if chance < 0.45:
            return Pairs(
                [(self.value(depth - 2), self.value(depth - 1))
                 for _ in range(self.chance.randrange(4))]
            )  # fmt: skip
        code = self.chance.choice(list(self.shapes))
        return self.of_kind(code, depth)

    def of_kind(self, code: int, depth: int) -> Any:
        """Return a tagged array whose parts are mostly of the right shape."""
        parts = [
            make(self, depth - 1) if self.chance.random() < 0.85 else self.value(depth - 1)
            for make in self.shapes[code]
        ]
        if self.chance.random() < 0.1 and parts:
            del parts[self.chance.randrange(len(parts))]
        if self.chance.random() < 0.1:
            parts.append(self.value(depth - 1))
        return [_tag(code), *parts]

    def wrapped(self, value: Any) -> Any:
        """Return a value inside of what acts when it is gone through or called."""
        name = self.name
        iterator = [_tag(40), "list", [value], 0]
        return self.chance.choice(
            (
                lambda: [_tag(45), name(), iterator],
                lambda: [_tag(46), name(), iterator],
                lambda: [_tag(47), name(), value],
                lambda: [_tag(34), name(), [_tag(3), value], Pairs([])],
                lambda: [_tag(32), name(), value],
                lambda: [_tag(43), iterator, 0],
                lambda: [_tag(48), "chain", [_tag(3)], [_tag(3), iterator]],
                lambda: [_tag(48), "starmap", [_tag(3), name(), iterator]],
                lambda: [_tag(48), "accumulate", [_tag(3), iterator, name()]],
                lambda: self.instance(2),
                lambda: [_tag(20), self.type(), None, None, None, value],
                lambda: [_tag(21), self.type(), value],
                lambda: [_tag(3), value, value],
            )
        )()

    def leaf(self) -> Any:
        """Return a value without parts."""
        return self.chance.choice(_LEAVES)(self)

    def reference(self) -> ExtType:
        """Return a reference to an item before this one."""
        return wire.reference(self.chance.randrange(max(self.items, 1)))

    def name(self) -> ExtType:
        """Return the name of a function or class as a value."""
        text = (
            self.chance.choice(FUNCTIONS + TYPES)
            if self.chance.random() < 0.7
            else self.chance.choice(self.names)
        )
        return ExtType(wire.NAME, text.encode())

    def type(self) -> ExtType:
        """Return the class of an instance."""
        text = (
            self.chance.choice(TYPES)
            if self.chance.random() < 0.9
            else self.chance.choice(self.names)
        )
        if self.chance.random() < 0.5:
            return ExtType(wire.TYPE, text.encode())
        names = self.chance.choices(DECLARED, k=self.chance.randrange(4))
        return ExtType(wire.CLASS, "\0".join([text, *names]).encode("utf-8", "surrogatepass"))

    def module(self) -> ExtType:
        """Return the name of a module."""
        return ExtType(wire.MODULE, self.chance.choice(sorted(sys.modules)).encode())

    def instance(self, depth: int) -> Any:
        """Return an instance of a class that watches, with attributes."""
        attributes: Any = Pairs([
            (self.chance.choice(["x", "y", "total", "data", "maps", "args", "template"]),
             self.value(depth - 1))
            for _ in range(self.chance.randrange(3))
        ])  # fmt: skip
        return [_tag(20), self.type(), attributes]


Shape = tuple[Callable[[Inputs, int], Any], ...]


def _tag(code: int) -> ExtType:
    return ExtType(wire.TAG, bytes([code]))


def _items(values: list[Any]) -> bytes:
    return bytes([wire.VERSION, wire.ITEMS]) + b"".join(map(pack, values))


def _places(values: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    for index, value in enumerate(values):
        yield values, index
        if type(value) is Pairs:
            for place, (key, each) in enumerate(value):
                pair = [key, each]
                if type(each) is list and depth < 30:
                    yield from _places(each, depth + 1)
                del pair, place
        elif type(value) is list and depth < 30:
            yield from _places(value, depth + 1)


def _any(inputs: Inputs, depth: int) -> Any:
    return inputs.value(depth)


def _rest(inputs: Inputs, depth: int) -> Any:
    return inputs.value(depth)


def _one_of(*choices: Any) -> Callable[[Inputs, int], Any]:
    return lambda inputs, depth: inputs.chance.choice(choices)


def _integer(inputs: Inputs, depth: int) -> Any:
    return inputs.chance.choice((0, 1, 2, 3, -1, 5, 2**31, 2**63 - 1, -(2**63)))


def _text(inputs: Inputs, depth: int) -> Any:
    return inputs.chance.choice(("", "x", "a-b", "2026-01-01", "08:14:00", "keys", "total", "f"))


def _tuple(inputs: Inputs, depth: int) -> Any:
    return [_tag(3), *(inputs.value(depth - 1) for _ in range(inputs.chance.randrange(4)))]


def _map(inputs: Inputs, depth: int) -> Any:
    return Pairs(
        [(inputs.chance.choice(("x", "y", "total", "c", "data")), inputs.value(depth - 1))
         for _ in range(inputs.chance.randrange(3))]
    )  # fmt: skip


def _state(inputs: Inputs, depth: int) -> Any:
    more = [
        (inputs.chance.choice(STATE), inputs.value(depth - 1))
        for _ in range(inputs.chance.randrange(4))
    ]
    return Pairs([("args", _tuple(inputs, depth)), *more])


def _iterator(inputs: Inputs, depth: int) -> Any:
    if inputs.chance.random() < 0.6:
        return [_tag(40), "list", [inputs.value(depth - 1)], 0]
    return inputs.of_kind(
        inputs.chance.choice((40, 41, 43, 44, 45, 46, 47, 48, 53, 54, 55)), depth - 1
    )


def _iterator_or_integer(inputs: Inputs, depth: int) -> Any:
    return inputs.chance.choice((_iterator, _integer))(inputs, depth)


def _function(inputs: Inputs, depth: int) -> Any:
    return inputs.name()


def _class(inputs: Inputs, depth: int) -> Any:
    return inputs.type()


def _path(inputs: Inputs, depth: int) -> Any:
    """Return the path of something in a module, such as one that a flow of the frames is of."""
    known = [f"{HERE}:NOTHING", f"{HERE}:SETTINGS", f"{HERE}:REPORTS", "math:nan", "m:f"]
    return inputs.chance.choice(known if inputs.chance.random() < 0.6 else inputs.names)


def _shapes() -> dict[int, Shape]:
    anything, integer, text = _any, _integer, _text
    return {
        1: (anything,), 2: (anything, anything), 3: (anything, anything), 4: (anything, anything),
        5: (anything, anything), 6: (_one_of(None, 3), anything), 7: (integer, integer, integer),
        8: (anything,) * 3, 9: (integer, integer), 10: (text, anything),
        14: (text, _one_of(0, 1), anything), 15: (text, _one_of(0, 1), anything),
        16: (lambda i, d: ExtType(wire.TIMEDELTA, struct.pack(">iII", 0, 3600, 0)), text),
        17: (_one_of("keys", "values", "items", "abstract items"), _map), 18: (_map,),
        19: (_one_of(b"abcd", b""), _one_of("B", "I", "c", "f"), _one_of(True, False)),
        20: (_class, _map, _one_of(None), anything, anything, anything),
        21: (_class, anything, _map), 22: (_class, _one_of("RED", "READ", "safe", "OK")),
        23: (_class, integer), 24: (_class, _state, _map, _one_of(None)),
        25: (_class, text, _tuple, _state, _map, _one_of(None)),
        26: (text, integer, text),
        30: (_one_of("f", f"{HERE}:f"), text, integer, integer, _map), 31: (anything,),
        32: (_function, anything),
        33: (_one_of("append", "get", "upper", "format", "__len__", "fromkeys", "mro", "update",
                     "__getitem__", "__init__", "write_text", "__next__", "sort", "join"),
             anything),
        34: (_function, _tuple, _map), 35: (text, text, text, _tuple, _map),
        36: (_one_of(True, False), _function, _function), 37: (_path, anything), 38: (anything,),
        40: (_one_of(*SEQUENCES), anything, integer),
        41: (_one_of(*TABLES), _map, integer), 42: (anything, integer, anything),
        43: (_iterator, integer), 44: (_one_of(True, False), _iterator, _iterator),
        45: (_function, _iterator), 46: (_function, _iterator), 47: (_function, anything),
        48: (_one_of(*ITERTOOLS), _tuple, anything),
        49: (_one_of(0, 1, 2**60), _one_of("ab", b"ab"), _one_of("\n", None, "x")),
        50: (_one_of(None, 0.5), *(integer,) * 3), 51: (text,), 52: (_class, _one_of(0, 1, -1)),
        53: (anything, integer), 54: (_one_of(*GENERATORS), anything, _iterator_or_integer),
        55: (_one_of(ExtType(wire.PATTERN, b"s\0\0\0\0a")), text, *(integer,) * 4),
        100: (_one_of("fuzz:Made", "longterm.run", "x"), integer, anything),
    }  # fmt: skip


_LEAVES: list[Callable[[Inputs], Any]] = [
    lambda i: i.name(), lambda i: i.name(), lambda i: i.type(), lambda i: i.module(),
    lambda i: i.reference(), lambda i: i.reference(), lambda i: i.instance(1),
    lambda i: i.instance(1), lambda i: _integer(i, 0), lambda i: _text(i, 0), lambda i: None,
    lambda i: True, lambda i: 1.5, lambda i: b"x", lambda i: [], lambda i: Pairs([]),
    lambda i: [_tag(3)],
    lambda i: ExtType(wire.INTEGER, (MODULUS * i.chance.randrange(1 << 40)).to_bytes(14, "big")),
    lambda i: ExtType(wire.DECIMAL, i.chance.choice((b"1.5", b"1E+999999999", b"sNaN", b"NaN"))),
    lambda i: ExtType(wire.ZONE, i.chance.choice((b"UTC", b"../../etc/passwd", b"Europe/Paris"))),
    lambda i: ExtType(wire.PATTERN, b"s\0\0\0\0" + i.chance.choice((b"a", b"(", b"[a-z]{9}"))),
    lambda i: ExtType(wire.PATH, i.chance.choice((b"Px", b"wy", b"pz"))),
    lambda i: ExtType(wire.IP, b"\x00" + i.chance.choice((b"10.0.0.1", b"x"))),
    lambda i: ExtType(wire.ARRAY, b"u\x04" + b"\xff\xff\xff\xff"),
    lambda i: ExtType(wire.SINGLETON, b"..."),
    lambda i: ExtType(i.chance.randrange(22), i.chance.randbytes(i.chance.randrange(6))),
]  # fmt: skip

_CORES: list[Callable[[Inputs], Any]] = [
    lambda i: [], lambda i: [_tag(3), 1], lambda i: [_tag(40), "list", [], 0],
    lambda i: ExtType(wire.NAME, b"builtins:list"), lambda i: i.value(2),
    lambda i: [_tag(24), ExtType(wire.TYPE, b"builtins:OSError"), Pairs([("args", [_tag(3)])]),
               None, None],
]  # fmt: skip
_DEFAULTDICT = ExtType(wire.TYPE, b"collections:defaultdict")
_POINT = ExtType(wire.TYPE, f"{HERE}:Point".encode())
_OSERROR = ExtType(wire.TYPE, b"builtins:OSError")
_WRAPS: list[Callable[[Any, int], Any]] = [
    lambda inner, times: [_tag(3), *[inner] * times],
    lambda inner, times: [_tag(5), *[inner] * times],
    lambda inner, times: [_tag(5), [_tag(3), *[inner] * times]],
    lambda inner, times: [_tag(5), inner, [_tag(3), *[inner] * times]],
    lambda inner, times: [inner] * times,
    lambda inner, times: [_tag(6), None, *[inner] * times],
    lambda inner, times: [_tag(8), *[inner] * min(times, 3), *[None] * (3 - min(times, 3))],
    lambda inner, times: [_tag(20), _DEFAULTDICT, None, None, None, 1, inner],
    lambda inner, times: [_tag(31), inner],
    lambda inner, times: [_tag(36), True, ExtType(wire.NAME, b"builtins:dict"), *[inner] * times],
    lambda inner, times: [_tag(36), False, ExtType(wire.NAME, b"builtins:dict"), *[inner] * times],
    lambda inner, times: [_tag(43), inner, 0],
    lambda inner, times: [_tag(44), False, *[inner] * times],
    lambda inner, times: [_tag(45), ExtType(wire.NAME, b"builtins:len"), inner],
    lambda inner, times: [_tag(48), "islice", [_tag(3), inner, None]],
    lambda inner, times: [_tag(48), "repeat", [_tag(3), inner]],
    lambda inner, times: [_tag(34), ExtType(wire.NAME, b"builtins:len"), [_tag(3), inner], Pairs()],
    lambda inner, times: [_tag(32), ExtType(wire.NAME, b"builtins:len"), inner],
    lambda inner, times: [_tag(20), _POINT, Pairs([("x", inner), ("y", inner)])],
    lambda inner, times: [
        _tag(24), _OSERROR, Pairs([("args", [_tag(3)]), ("__context__", inner)]), None, None,
    ],
    lambda inner, times: [_tag(100), "fuzz:Made", 1, [inner] * times],
]  # fmt: skip
_PAIRS: list[Callable[[Any, Any], Any]] = [
    lambda first, second: [_tag(4), first, second],
    lambda first, second: [_tag(5), first, second],
    lambda first, second: Pairs([(first, 1), (second, 2)]),
    lambda first, second: [_tag(4), [_tag(3), first], [_tag(3), second]],
]
_ENDS: list[Callable[[Any], Any]] = [
    lambda last: last,
    lambda last: [_tag(4), last, "another"],
    lambda last: [_tag(4), [_tag(32), ExtType(wire.NAME, f"{HERE}:act".encode()), last], "another"],
    lambda last: [last, last],
    lambda last: [_tag(4), last],
    lambda last: [_tag(5), last],
    lambda last: Pairs([(last, 1)]),
    lambda last: [
        _tag(20),
        ExtType(wire.TYPE, b"collections:OrderedDict"),
        None,
        None,
        None,
        last,
        1,
    ],
]

__all__ = ["Inputs", "Packed", "tagged"]
