"""What stored bytes may name: which modules, which callables, which classes of instances.

The default lets the application's own code be stored without ceremony, and denies bytes that were
forged a way to act. Bytes never import a module of the application's or of a library; they name
what is imported already, unless the application allowed a prefix. Of that:

- the application's own modules (those neither of the standard library nor installed into
  site-packages) may be named for everything;
- an installed library's classes may have instances, and its exceptions and enums too, but its
  functions cannot be named: a stored `map` that is made to call one would act when it is iterated;
- of the standard library only what `standard` lists can be named, and only enums, exceptions, named
  tuples, dataclasses and a few listed classes have instances.

`allow("shop")` adds everything under `shop` and `shop.*`, imported on demand.
"""

from __future__ import annotations

import importlib
import os
import sys
from functools import cache
from types import ModuleType
from typing import Any, Final

from longterm._codec import standard
from longterm._codec.introspect import is_a, mro_of, namespace_of
from longterm._main import main_module_named
from longterm._signals import is_of_signal
from longterm.errors import NotAllowed

_STANDARD_FOLDER: Final = os.path.dirname(os.__file__).replace(os.sep, "/") + "/"
_OURS: Final = frozenset({"longterm", "longterm_compiler"})

namespace_of_module: Final[Any] = vars(ModuleType)["__dict__"].__get__
"""The names of a module, past any `__getattr__` or lazy loading."""

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


def own(module_name: str) -> None:
    """Take a module, and all of its top-level package, for the application's, wherever it is.

    Of longterm itself, which has a demo, the module alone. Nothing is imported on demand.
    """
    top = module_name.partition(".")[0]
    _owned.add(module_name if top in _OURS else top)


def is_allowed_by_name(module_name: str) -> bool:
    """Return whether the application called `allow` for this module or a package around it."""
    while module_name:
        if module_name in _prefixes:
            return True
        module_name = module_name.rpartition(".")[0]
    return False


def loaded(name: str) -> Any:
    """Return what Python holds as the module of this name; None if it is not imported."""
    found = sys.modules.get(name)
    return main_module_named(name) if found is None else found


def module(name: str) -> ModuleType:
    """Return the module of this name, imported only if the application allowed that.

    Raises:
        NotAllowed: it is not imported and was not allowed.
    """
    found = loaded(name)
    if found is None and (name in standard.ON_DEMAND or is_allowed_by_name(name)):
        try:
            found = importlib.import_module(name)
        except Exception as error:
            if is_of_signal(error):
                raise
            raise NotAllowed(name, f"cannot be imported: {error}") from error
    if not is_a(found, ModuleType):
        raise NotAllowed(
            name,
            "is not imported (import it where the application starts, or "
            f"longterm.allow({name.partition('.')[0]!r}); if what it held was moved, keep a module "
            f"{name} with `from its_new_module import *` in it)",
        )
    return found  # type: ignore[no-any-return]


_OF_GENERATORS: Final = frozenset(
    (f"longterm._flows.{module}", f"{kind}.{name}")
    for module, kind, names in (
        ("generator", "FlowGenerator", "__next__ close send throw"),
        ("async_generator", "AsyncFlowGenerator", "__anext__ aclose asend athrow"),
    )
    for name in names.split()
)
"""The methods of generators that flows make."""


def may_be_named(name: str) -> bool:
    """Return whether a function or class may be stored by this name as a value."""
    module_name, _, qualname = name.partition(":")
    if is_allowed_by_name(module_name):
        return True
    whose = origin(module_name)
    return (
        whose == "application"
        or (module_name, qualname) in _OF_GENERATORS
        or (whose == "standard" and standard.may_be_named(module_name, qualname))
    )


def may_have_instances(cls: type, name: str) -> bool:
    """Return whether instances of the class of this name may be made of stored attributes."""
    module_name = name.partition(":")[0]
    if is_allowed_by_name(module_name):
        return True
    bases = mro_of(cls)
    if any("__del__" in namespace_of(base) for base in bases):
        return False
    if origin(module_name) != "standard" or name in standard.PLAIN_CLASSES:
        return True
    if issubclass(cls, BaseException):
        # One that is something else besides, such as an open response, may act.
        return all(base is object or issubclass(base, BaseException) for base in bases)
    return (
        issubclass(cls, tuple)
        or "_member_map_" in namespace_of(cls)
        or any("__dataclass_fields__" in namespace_of(base) for base in bases)
    )


def origin(module_name: str) -> str:
    """Return whose a module is: "standard", "library" or "application"."""
    top = module_name.partition(".")[0]
    if top in _owned or module_name in _owned:
        return "application"
    if top in sys.stdlib_module_names and top != "__main__":
        return "standard"
    if top in _OURS:
        return "library"
    found: Any = sys.modules.get(module_name)
    file = namespace_of_module(found).get("__file__") if is_a(found, ModuleType) else None
    return _origin_of_file(file if type(file) is str else "")


@cache
def _origin_of_file(path: str) -> str:
    path = path.replace(os.sep, "/")
    if not {"site-packages", "dist-packages"}.isdisjoint(path.split("/")):
        return "library"
    # Such as `test.support`, which is no module of `sys.stdlib_module_names`.
    return "standard" if path.startswith(_STANDARD_FOLDER) else "application"
