"""The standard library's modules: they alone are imported, since they are nobody's application.

Much in it is made by running code (`hashlib.sha256`, `random.choice`, `os.path`), so that no text
tells what it is.
"""

from __future__ import annotations

import importlib
import sys
import sysconfig
import warnings
from collections.abc import Sequence
from pathlib import Path

from longterm_compiler.analysis.modules import find_spec

_DO_MORE = frozenset({"antigravity", "idlelib", "test", "this", "turtledemo"})
"""Importing these opens a browser, prints, or begins something."""


def is_standard(module: str, search_path: Sequence[str]) -> bool:
    """Tell whether an import would find a module in the standard library, and not before it."""
    top = module.partition(".")[0]
    if top not in sys.stdlib_module_names or top in _DO_MORE:
        return False
    spec = None if top in sys.builtin_module_names else find_spec(top, search_path)
    if spec is None or spec.origin is None:
        return True  # built in, or frozen
    library = Path(sysconfig.get_path("stdlib")).resolve()
    place = Path(spec.origin).resolve()
    is_installed = {"site-packages", "dist-packages"} & set(place.parts[len(library.parts) :])
    return place.is_relative_to(library) and not is_installed


def import_standard(module: str, path: tuple[str, ...]) -> bool:
    """Import a module of the standard library, and those below it that a path leads through.

    Returns:
        Whether that module is there, under this system and this build of Python.
    """
    if not _imported(module):
        return False
    for name in path:
        if name not in vars(sys.modules[module]):
            _imported(f"{module}.{name}")
        module = f"{module}.{name}"
        if module not in sys.modules:
            break
    return True


def _imported(name: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is deprecated
        try:
            importlib.import_module(name)
        except Exception:
            # Not a module, or one of another system; some say so by other errors than ImportError.
            return False
    return True
