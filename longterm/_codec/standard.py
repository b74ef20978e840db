"""What of the standard library stored bytes may name: a list of what values need, and no more.

Whatever is named here can end up in a loop over a stored `map`, or be called by a flow that expects
another function, with any arguments. So all of it only computes. What opens, prints, sleeps, starts
processes, makes classes or reads attributes by name is not here.
"""

from __future__ import annotations

from typing import Any, Final


def _table(**names: str) -> dict[str, frozenset[str]]:
    return {module.replace("__", "."): frozenset(words.split()) for module, words in names.items()}


_IPS: Final = "IPv4Address IPv4Interface IPv4Network IPv6Address IPv6Interface IPv6Network"
_PURE_PATHS: Final = "PurePath PurePosixPath PureWindowsPath"
_PATHS: Final = "Path PosixPath WindowsPath"

CLASSES: Final = _table(
    builtins="bool bytearray bytes complex dict enumerate filter float frozenset int list map "
    "memoryview object range reversed set slice str tuple zip",
    collections="ChainMap Counter OrderedDict UserDict UserList UserString defaultdict deque",
    datetime="date datetime time timedelta timezone tzinfo",
    decimal="Decimal",
    fractions="Fraction",
    ipaddress=_IPS,
    itertools="accumulate batched chain combinations combinations_with_replacement compress count "
    "cycle dropwhile filterfalse groupby islice pairwise permutations product repeat starmap "
    "takewhile zip_longest",
    pathlib=_PURE_PATHS,
    pathlib___abc="PurePathBase",
    pathlib___local=_PURE_PATHS,
    types="SimpleNamespace",
    typing="Any",
    uuid="UUID",
)
"""Classes that may be named as values, and whose methods only compute."""

CONSTRUCTORS: Final = _table(pathlib=_PATHS, pathlib___local=_PATHS, zoneinfo="ZoneInfo")
"""Classes that may be named as values, but whose methods act."""

FUNCTIONS: Final = _table(
    builtins="abs all any ascii bin callable chr divmod format hash hex isinstance issubclass iter "
    "len max min next oct ord pow repr round sorted sum",
    _operator="abs add and_ concat contains countOf eq floordiv ge getitem gt index indexOf inv "
    "invert is_ is_not le length_hint lshift lt matmul mod mul ne neg not_ or_ pos pow rshift sub "
    "truediv truth xor",
    html="escape unescape",
    json="dumps loads",
    statistics="fmean geometric_mean harmonic_mean mean median median_grouped median_high "
    "median_low mode multimode pstdev pvariance quantiles stdev variance",
    string="capwords",
    textwrap="dedent fill indent shorten wrap",
    time="monotonic perf_counter time",
    unicodedata="category normalize",
    urllib__parse="parse_qs parse_qsl quote quote_plus unquote unquote_plus urlencode urljoin "
    "urlparse urlsplit urlunparse urlunsplit",
)
"""Functions that may be named."""

WHOLE_MODULES: Final = frozenset({"math", "cmath"})
"""Modules of which every function may be named."""

_OPERATORS: Final = (
    "abs add and bool bytes ceil complex contains divmod eq float floor floordiv ge getitem gt "
    "hash int invert le len length_hint lshift lt mod mul ne neg next or pos pow radd rand repr "
    "reversed ror round rshift rsub rxor str sub truediv trunc xor"
)
UNDERSCORES: Final = frozenset(f"__{name}__" for name in _OPERATORS.split())
"""Methods with underscores that only compute."""

TEMPLATES: Final = frozenset({"format", "format_map"})
"""Methods that read any attribute of what they are given, as the text that they are of says."""

_UNBOUND: Final = frozenset(
    {
        "type", "super", "property", "classmethod", "staticmethod", "function", "method",
        "builtin_function_or_method", "code", "frame", "module", "generator", "coroutine",
        "async_generator",
    }
)  # fmt: skip
"""Types of builtins of which stored bytes may have no methods."""

PLAIN_CLASSES: Final = frozenset(
    {
        "argparse:Namespace", "collections:ChainMap", "collections:Counter",
        "collections:OrderedDict", "collections:UserDict", "collections:UserList",
        "collections:UserString", "collections:defaultdict", "collections:deque",
        "contextlib:nullcontext", "contextlib:suppress", "string:Template",
        "subprocess:CompletedProcess",
    }
)  # fmt: skip
"""Classes whose instances are plain data, or only hold it."""

ON_DEMAND: Final = frozenset(
    {
        "array", "contextlib", "dataclasses", "decimal", "enum", "fractions", "html", "ipaddress",
        "json", "math", "cmath", "numbers", "pathlib", "pathlib._abc", "pathlib._local", "re",
        "statistics", "string", "textwrap", "unicodedata", "urllib.parse", "uuid", "zoneinfo",
    }
)  # fmt: skip
"""Modules that the codec itself, or what may be named, may have loaded in one process and not yet
in another. What bytes mean must not depend on that, so naming one of these loads it."""


def may_be_named(module_name: str, qualname: str) -> bool:
    """Return whether bytes may name this function, class or method as a value."""
    first, _, method = qualname.partition(".")
    if not method:
        return (
            first in FUNCTIONS.get(module_name, ())
            or first in CLASSES.get(module_name, ())
            or first in CONSTRUCTORS.get(module_name, ())
            or (module_name in WHOLE_MODULES and not first.startswith("_"))
            or (module_name == "builtins" and _is_exception(first))
        )
    return first in CLASSES.get(module_name, ()) and _only_computes(method)


def may_be_bound(module_name: str, class_name: str, method: str) -> bool:
    """Return whether bytes may bind this method, which is written in C, to a value."""
    if module_name == "builtins":
        return class_name not in _UNBOUND and _only_computes(method, of_text=True)
    return class_name in CLASSES.get(module_name, ()) and _only_computes(method)


def _only_computes(method: str, *, of_text: bool = False) -> bool:
    if method.startswith("_"):
        return method in UNDERSCORES
    return "." not in method and (of_text or method not in TEMPLATES)


def _is_exception(name: str) -> bool:
    import builtins

    found: Any = None if name.startswith("_") else vars(builtins).get(name)
    return issubclass(type(found), type) and issubclass(found, BaseException)
