"""The families of storable types, each with a file of its own that is loaded when it is first met.

Here stands by name what a family stores: its types, the kinds of its tagged arrays and its
extensions, as numbers of the wire format. A table of the codec that is asked for one of these loads
the family, which then enters what it knows (see `kinds`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, Final, TypeAlias, TypeVar

from longterm._codec import wire

K = TypeVar("K")
V = TypeVar("V")

_Family: TypeAlias = tuple[str, str, tuple[int, ...], tuple[int, ...]]

FAMILIES: Final[tuple[_Family, ...]] = (
    # the file, its types (those of builtins without a module), its kinds, its extensions
    ("adaptors", "enumerate zip map filter callable_iterator", (43, 44, 45, 46, 47), ()),
    (
        "atoms",
        "complex ellipsis NotImplementedType bytearray datetime.date datetime.timedelta "
        "array.array",
        (),
        (
            *(wire.INTEGER, wire.STRING, wire.COMPLEX, wire.DATE, wire.TIMEDELTA, wire.SINGLETON),
            *(wire.BYTEARRAY, wire.ARRAY),
        ),
    ),
    ("decimals", "decimal.Decimal fractions.Fraction", (9,), (wire.DECIMAL,)),
    ("zones", "zoneinfo.ZoneInfo", (), (wire.ZONE,)),
    ("identifiers", "uuid.UUID", (), (wire.UUID,)),
    (
        "paths",
        "pathlib.PosixPath pathlib.WindowsPath pathlib.PurePosixPath pathlib.PureWindowsPath "
        "pathlib._local.PosixPath pathlib._local.WindowsPath pathlib._local.PurePosixPath "
        "pathlib._local.PureWindowsPath",
        (),
        (wire.PATH,),
    ),
    (
        "addresses",
        "ipaddress.IPv4Address ipaddress.IPv6Address ipaddress.IPv4Network ipaddress.IPv6Network "
        "ipaddress.IPv4Interface ipaddress.IPv6Interface",
        (),
        (wire.IP,),
    ),
    (
        "callables",
        "function type functools._lru_cache_wrapper method_descriptor wrapper_descriptor "
        "method builtin_function_or_method method-wrapper functools.partial "
        "operator.itemgetter",
        (32, 33, 34, 38),
        (wire.NAME,),
    ),
    ("modules", "module", (), (wire.MODULE,)),
    ("aliases", "typing._GenericAlias types.GenericAlias", (36,), ()),
    ("classes", "", (), (wire.TYPE, wire.CLASS)),
    ("constants", "", (37,), ()),
    ("buffers", "_io.StringIO _io.BytesIO", (49,), ()),
    ("generators", "random.Random", (50,), ()),
    ("loggers", "logging.Logger logging.RootLogger", (51,), ()),
    ("enumerations", "generator", (52,), ()),
    (
        "containers",
        "tuple set frozenset collections.deque range slice types.SimpleNamespace",
        (1, 2, 3, 4, 5, 6, 7, 8, 10),
        (),
    ),
    ("exceptions", "", (24, 25), ()),
    ("frames", "longterm.frame.Frame cell", (30, 31), ()),
    ("functions", "", (35,), ()),
    ("instances", "", (20, 21, 22, 23), ()),
    (
        "iterators",
        "list_iterator list_reverseiterator tuple_iterator bytes_iterator bytearray_iterator "
        "str_iterator str_ascii_iterator reversed range_iterator longrange_iterator "
        "collections._deque_iterator _collections._deque_iterator "
        "collections._deque_reverse_iterator _collections._deque_reverse_iterator iterator "
        "dict_keyiterator dict_valueiterator "
        "dict_itemiterator dict_reversekeyiterator dict_reversevalueiterator "
        "dict_reverseitemiterator odict_iterator set_iterator "
        "longterm._codec.types.iterators.SetIterator",
        (40, 41, 42, 53),
        (),
    ),
    (
        "itertool",
        "itertools.accumulate itertools.chain itertools.combinations "
        "itertools.combinations_with_replacement itertools.compress itertools.count "
        "itertools.cycle itertools.dropwhile itertools.filterfalse itertools.islice "
        "itertools.pairwise itertools.permutations itertools.product itertools.repeat "
        "itertools.starmap itertools.takewhile itertools.zip_longest",
        (48,),
        (),
    ),
    ("patterns", "re.Pattern", (), (wire.PATTERN,)),
    ("registered", "", (100,), ()),
    (
        "times",
        "datetime.datetime datetime.time datetime.timezone",
        (14, 15, 16),
        (wire.DATETIME, wire.TIME),
    ),
    ("tracebacks", "traceback", (26,), ()),
    (
        "windows",
        "dict_keys dict_values dict_items odict_keys odict_values odict_items mappingproxy "
        "memoryview",
        (17, 18, 19),
        (),
    ),
    ("instructions", "", (120, 121), ()),
)

_type_module: Final[Any] = vars(type)["__module__"].__get__
_type_qualname: Final[Any] = vars(type)["__qualname__"].__get__


class Table(dict[K, V]):
    """What the families have entered, by a key; a family is loaded when a key of its is missed."""

    def __init__(self, home_of: Callable[[K], str | None]) -> None:
        """Start with nothing; `home_of` names the family that will enter a key."""
        super().__init__()
        self._home_of = home_of

    def __missing__(self, key: K) -> V:
        if self.finds(key):
            return self[key]
        raise KeyError(key)

    def finds(self, key: K) -> bool:
        """Load the family that enters a key, and tell whether it is there now."""
        home = self._home_of(key)
        if home is not None:
            load(home)
        return key in self


def load(family: str) -> None:
    """Make a family known."""
    import_module(f"longterm._codec.types.{family}")


def load_all() -> None:
    """Make every family known, for those who go through the tables as wholes."""
    for family, *_ in FAMILIES:
        load(family)


def home_of_type(cls: type) -> str | None:
    """Return the family that stores values of exactly this type, as far as its name tells."""
    # Past the metaclass, which may compute what it is asked for.
    return _HOME_OF_TYPE.get(f"{_type_module(cls)}.{_type_qualname(cls)}".removeprefix("builtins."))


def place_of_type(cls: type) -> int:
    """Return where a type stands among all that are stored, in the order of the families."""
    return _ORDER.index(home_of_type(cls) or "")


def _homes(rows: Iterable[tuple[str, Iterable[Any]]]) -> dict[Any, str]:
    return {key: family for family, keys in rows for key in keys}


_ORDER: Final = [family for family, *_ in FAMILIES]
_HOME_OF_TYPE: Final = _homes((family, types.split()) for family, types, _, _ in FAMILIES)
HOME_OF_KIND: Final = _homes((family, kinds) for family, _, kinds, _ in FAMILIES)
HOME_OF_EXTENSION: Final = _homes((family, codes) for family, _, _, codes in FAMILIES)
