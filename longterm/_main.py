"""The program's main module: Python calls it `__main__`, but another process can import it.

Stored names are for other processes. So what is defined there is stored under the name by which
they can import it: that of `python -m shop.orders`, or `orders` if it is `orders.py`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import Any, Final

_MAINS: Final = ("__main__", "__mp_main__")
"""What the main module is called in a program, and in the processes that it spawns."""


def is_main(module: str) -> bool:
    """Tell whether a name is the one that only this program has for its main module."""
    return module in _MAINS


def import_name(module: str, namespace: Mapping[str, Any] | None = None) -> str:
    """Return the name by which other processes can import a module.

    If there is none, as in an interactive shell or for `python -c`, it is the name as it was.

    Args:
        module: the module's name in this process.
        namespace: what the module holds, if that is at hand.
    """
    if module not in _MAINS:
        return module
    if namespace is None:
        found = sys.modules.get(module)
        namespace = {} if found is None else vars(found)
    spec, file = namespace.get("__spec__"), namespace.get("__file__")
    return _name_of_main(getattr(spec, "name", None), file) or module


def main_module_named(name: str) -> ModuleType | None:
    """Return the main module of this process, if others import it by this name."""
    main = sys.modules.get("__main__")
    return main if main is not None and import_name("__main__", vars(main)) == name else None


@cache
def _name_of_main(name_in_spec: object, file: object) -> str | None:
    if isinstance(name_in_spec, str) and name_in_spec not in _MAINS:
        return name_in_spec
    if not isinstance(file, str):
        return None
    from importlib.util import find_spec

    stem = os.path.splitext(os.path.basename(file))[0]
    if not stem.isidentifier() or stem in _MAINS:
        return None
    try:
        found = find_spec(stem)
    except (ImportError, ValueError):
        return None
    origin = None if found is None else found.origin
    is_same = origin is not None and os.path.exists(origin) and os.path.samefile(origin, file)
    return stem if is_same else None
