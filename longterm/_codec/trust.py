"""What stored bytes may name: which modules, which callables, which classes of instances.

The default lets the application's own code be stored without ceremony, and denies bytes that were
forged a way to act. Bytes never import a module of the application's or of a library; they name
what is imported already, unless the application allowed a prefix. Of that:

- the application's own modules (those neither of the standard library nor installed into
  site-packages) may be named for everything;
- an installed library's classes may have instances, and its exceptions and enums too, but its
  functions cannot be named: a stored `map` that is made to call one would act when it is iterated;
- of the standard library only what is listed here as harmless can be called, and only enums,
  exceptions, named tuples, dataclasses and a few listed classes have instances.

`allow("shop")` adds everything under `shop` and `shop.*`, imported on demand.
"""

from __future__ import annotations

import importlib
import os
import sys
from functools import cache
from types import ModuleType
from typing import Final

from longterm.errors import NotAllowed

HARMLESS_MODULES: Final = frozenset(
    {
        "_collections", "_datetime", "_decimal", "_operator", "_statistics", "_struct", "_uuid",
        "cmath", "collections", "dataclasses", "datetime", "decimal", "fractions", "html",
        "ipaddress", "itertools", "json", "math", "numbers", "operator", "pathlib", "statistics",
        "string", "textwrap", "time", "unicodedata", "urllib.parse", "uuid", "zoneinfo",
    }
)  # fmt: skip
"""Modules of the standard library whose functions and classes only compute."""

_ON_DEMAND: Final = frozenset(
    {
        "_decimal", "_uuid", "array", "contextlib", "dataclasses", "decimal", "enum", "fractions",
        "ipaddress", "json", "math", "numbers", "pathlib", "pathlib._local", "re", "string",
        "textwrap", "urllib.parse", "uuid", "zoneinfo",
    }
)  # fmt: skip
"""Modules of the standard library that the codec itself may have loaded in one process and not yet
in another. What bytes mean must not depend on that, so naming one of these loads it."""

HARMFUL: Final = frozenset(
    {
        "operator:attrgetter", "operator:methodcaller", "operator:call", "_io:open", "io:open",
        "_operator:attrgetter", "_operator:methodcaller", "_operator:call",
        "builtins:__import__", "builtins:breakpoint", "builtins:compile", "builtins:delattr",
        "builtins:eval", "builtins:exec", "builtins:exit", "builtins:getattr", "builtins:globals",
        "builtins:help", "builtins:input", "builtins:locals", "builtins:open", "builtins:quit",
        "builtins:setattr", "builtins:vars", "builtins:super", "builtins:type.mro",
        "collections:namedtuple", "dataclasses:make_dataclass",
    }
)  # fmt: skip
"""What reaches any attribute or runs text; a chain of stored iterators could do all."""

PLAIN_STANDARD_CLASSES: Final = frozenset(
    {
        "collections:ChainMap", "collections:Counter", "collections:OrderedDict",
        "collections:UserDict", "collections:UserList", "collections:UserString",
        "collections:defaultdict", "collections:deque", "string:Template", "argparse:Namespace",
        "contextlib:nullcontext", "contextlib:suppress",
    }
)  # fmt: skip
"""Classes of the standard library that are plain data."""

_OPERATORS: Final = (
    "abs add and bool bytes ceil complex contains delitem divmod eq float floor floordiv ge "
    "getitem gt hash iadd iand imul int invert ior isub iter itruediv ixor le len length_hint "
    "lshift lt mod mul ne neg next or pos pow radd rand repr reversed ror round rshift rsub rxor "
    "setitem str sub truediv trunc xor"
)
HARMLESS_UNDERSCORES: Final = frozenset(f"__{name}__" for name in _OPERATORS.split())
"""Methods with underscores that only compute, or change the container that they are of."""

_prefixes: set[str] = set()
_owned: set[str] = set()


def allow(*prefixes: str) -> None:
    """Let stored bytes name all that is in these modules and packages, and import them on demand.

    Call it where the application starts. `allow("shop")` is for `shop` and for `shop.anything`.
    """
    for prefix in prefixes:
        if not all(part.isidentifier() for part in prefix.split(".")):
            raise ValueError(f"{prefix!r} is no module name (allow 'shop' or 'shop.orders')")
        _prefixes.add(prefix)


def own(package: str) -> None:
    """Take the modules of a top-level package for the application's, wherever it is installed.

    Nothing of it is imported on demand.
    """
    _owned.add(package.partition(".")[0])


def is_allowed_by_name(module_name: str) -> bool:
    """Return whether the application called `allow` for this module or a package around it."""
    while module_name:
        if module_name in _prefixes:
            return True
        module_name = module_name.rpartition(".")[0]
    return False


def module(name: str) -> ModuleType:
    """Return the module of this name, imported only if the application allowed that.

    Raises:
        NotAllowed: it is not imported and was not allowed.
    """
    found = sys.modules.get(name)
    if found is None and (name in _ON_DEMAND or is_allowed_by_name(name)):
        try:
            found = importlib.import_module(name)
        except ImportError as error:
            raise NotAllowed(name, f"cannot be imported: {error}") from error
    if not isinstance(found, ModuleType):
        raise NotAllowed(
            name,
            "is not imported (import it where the application starts, or "
            f"longterm.allow({name.partition('.')[0]!r}))",
        )
    return found


def may_be_called(name: str, owner: ModuleType) -> bool:
    """Return whether a function or class may be stored by this name as a value."""
    module_name, _, qualname = name.partition(":")
    if is_allowed_by_name(module_name) or origin(owner) == "application":
        return True
    hidden = {part for part in qualname.split(".") if part.startswith("__")}
    if name in HARMFUL or not hidden <= HARMLESS_UNDERSCORES:
        return False
    return module_name == "builtins" or module_name in HARMLESS_MODULES


def may_have_instances(cls: type, name: str, owner: ModuleType) -> bool:
    """Return whether instances of the class of this name may be made of stored attributes."""
    if is_allowed_by_name(name.partition(":")[0]):
        return True
    if any("__del__" in vars(base) for base in cls.__mro__):
        return False
    if origin(owner) != "standard":
        return True
    return (
        issubclass(cls, (BaseException, tuple))
        or any("__dataclass_fields__" in vars(base) for base in cls.__mro__)
        or "_member_map_" in vars(cls)
        or name in PLAIN_STANDARD_CLASSES
    )


def origin(owner: ModuleType) -> str:
    """Return whose a module is: "standard", "library" or "application"."""
    top = owner.__name__.partition(".")[0]
    if top in _owned:
        return "application"
    if top in sys.stdlib_module_names and top != "__main__":
        return "standard"
    if top == "longterm":
        return "library"
    return _origin_of_file(vars(owner).get("__file__") or "")


@cache
def _origin_of_file(path: str) -> str:
    parts = path.replace(os.sep, "/").split("/")
    return "library" if "site-packages" in parts or "dist-packages" in parts else "application"
