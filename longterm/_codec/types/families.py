"""The table of what can be stored: which file stores which types, by which kinds and extensions.

The numbers of the wire format stand here alone; how values are stored, each file says itself, in a
`FAMILY` (see `kinds`). Types stand here by name, so that a file, and the module that its types are
from, is loaded when one of them is first met (see `registry`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from longterm._codec import wire

_Family: TypeAlias = tuple[str, str, Mapping[int, str], tuple[int, ...]]

# The file; its types (those of builtins without a module); its kinds of tagged arrays, with the
# names by which people read of them; its extensions.
FAMILIES: Final[tuple[_Family, ...]] = (
    (
        "adaptors",
        "enumerate zip map filter callable_iterator",
        {43: "enumerate", 44: "zip", 45: "map", 46: "filter", 47: "iterator of calls"},
        (),
    ),
    (
        "atoms",
        "complex ellipsis NotImplementedType bytearray datetime.date datetime.timedelta "
        "array.array",
        {},
        (
            wire.INTEGER,
            wire.STRING,
            wire.COMPLEX,
            wire.DATE,
            wire.TIMEDELTA,
            wire.SINGLETON,
            wire.BYTEARRAY,
            wire.ARRAY,
        ),
    ),
    ("decimals", "decimal.Decimal fractions.Fraction", {9: "fraction"}, (wire.DECIMAL,)),
    ("zones", "zoneinfo.ZoneInfo", {}, (wire.ZONE,)),
    ("identifiers", "uuid.UUID", {}, (wire.UUID,)),
    (
        "paths",
        "pathlib.PosixPath pathlib.WindowsPath pathlib.PurePosixPath pathlib.PureWindowsPath "
        "pathlib._local.PosixPath pathlib._local.WindowsPath pathlib._local.PurePosixPath "
        "pathlib._local.PureWindowsPath",
        {},
        (wire.PATH,),
    ),
    (
        "addresses",
        "ipaddress.IPv4Address ipaddress.IPv6Address ipaddress.IPv4Network "
        "ipaddress.IPv6Network ipaddress.IPv4Interface ipaddress.IPv6Interface",
        {},
        (wire.IP,),
    ),
    (
        "callables",
        "function type functools._lru_cache_wrapper method_descriptor wrapper_descriptor "
        "method builtin_function_or_method method-wrapper functools.partial "
        "operator.itemgetter",
        {32: "method", 33: "builtin method", 34: "partial", 38: "item getter"},
        (wire.NAME,),
    ),
    ("modules", "module", {}, (wire.MODULE,)),
    ("aliases", "typing._GenericAlias types.GenericAlias", {36: "alias"}, ()),
    ("classes", "", {}, (wire.TYPE, wire.CLASS)),
    ("constants", "", {37: "constant"}, ()),
    ("buffers", "_io.StringIO _io.BytesIO", {49: "buffer"}, ()),
    ("generators", "random.Random", {50: "random"}, ()),
    ("loggers", "logging.Logger logging.RootLogger", {51: "logger"}, ()),
    ("enumerations", "", {52: "members of an enum"}, ()),
    ("library", "generator", {54: "generator of the standard library"}, ()),
    (
        "containers",
        "tuple set frozenset collections.deque range slice types.SimpleNamespace",
        {
            1: "list",
            2: "dict",
            3: "tuple",
            4: "set",
            5: "frozenset",
            6: "deque",
            7: "range",
            8: "slice",
            10: "namespace",
        },
        (),
    ),
    ("exceptions", "", {24: "exception", 25: "exception group"}, ()),
    ("frames", "longterm.frame.Frame cell", {30: "frame", 31: "cell"}, ()),
    ("functions", "", {35: "inner function"}, ()),
    ("instances", "", {20: "object", 21: "value object", 22: "enum member", 23: "flags"}, ()),
    (
        "iterators",
        "list_iterator list_reverseiterator tuple_iterator bytes_iterator bytearray_iterator "
        "str_iterator str_ascii_iterator reversed range_iterator longrange_iterator "
        "collections._deque_iterator _collections._deque_iterator "
        "collections._deque_reverse_iterator _collections._deque_reverse_iterator iterator "
        "dict_keyiterator dict_valueiterator dict_itemiterator dict_reversekeyiterator "
        "dict_reversevalueiterator dict_reverseitemiterator odict_iterator "
        "array.arrayiterator set_iterator "
        "longterm._codec.types.iterators.SetIterator",
        {
            40: "iterator",
            41: "iterator of a dict or set",
            42: "rest of a set",
            53: "iterator of items",
        },
        (),
    ),
    (
        "itertool",
        "itertools.accumulate itertools.chain itertools.combinations "
        "itertools.combinations_with_replacement itertools.compress itertools.count "
        "itertools.cycle itertools.dropwhile itertools.filterfalse itertools.islice "
        "itertools.pairwise itertools.permutations itertools.product itertools.repeat "
        "itertools.starmap itertools.takewhile itertools.zip_longest",
        {48: "itertools"},
        (),
    ),
    ("matches", "longterm._matches.Matches", {55: "matches"}, ()),
    ("patterns", "re.Pattern", {}, (wire.PATTERN,)),
    ("registered", "", {100: "registered"}, ()),
    (
        "times",
        "datetime.datetime datetime.time datetime.timezone",
        {14: "datetime", 15: "time", 16: "timezone"},
        (wire.DATETIME, wire.TIME),
    ),
    ("tracebacks", "traceback", {26: "traceback"}, ()),
    (
        "windows",
        "dict_keys dict_values dict_items odict_keys odict_values odict_items "
        "collections.abc.KeysView collections.abc.ValuesView collections.abc.ItemsView "
        "mappingproxy memoryview",
        {17: "dict view", 18: "mapping proxy", 19: "memoryview"},
        (),
    ),
    ("instructions", "", {120: "new", 121: "fill"}, ()),
)

_type_module: Final[Any] = vars(type)["__module__"].__get__
_type_qualname: Final[Any] = vars(type)["__qualname__"].__get__


def family_of_type(cls: type) -> str | None:
    """Return the file that stores values of exactly this type, as far as its name tells."""
    # Past the metaclass, which may compute what it is asked for.
    name = f"{_type_module(cls)}.{_type_qualname(cls)}".removeprefix("builtins.")
    return _FAMILY_OF_TYPE.get(name)


def _by_key(rows: Iterable[tuple[str, Iterable[Any]]]) -> dict[Any, str]:
    return {key: family for family, keys in rows for key in keys}


_FAMILY_OF_TYPE: Final = _by_key((family, types.split()) for family, types, _, _ in FAMILIES)
FAMILY_OF_KIND: Final = _by_key((family, kinds) for family, _, kinds, _ in FAMILIES)
FAMILY_OF_EXTENSION: Final = _by_key((family, codes) for family, _, _, codes in FAMILIES)
CODE_OF_KIND: Final = {name: code for _, _, kinds, _ in FAMILIES for code, name in kinds.items()}
