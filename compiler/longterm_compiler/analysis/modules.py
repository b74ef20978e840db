"""Find modules and read their source, as an import would find them, without importing anything.

The finders of `sys.path` are asked, one name after the other; no package is executed on the way.
"""

from __future__ import annotations

import importlib
import sys
import tokenize
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from longterm_compiler.syntax.source import SourceFile


@dataclass(frozen=True, slots=True)
class Located:
    """A module's file, and the names by which it is imported."""

    path: Path
    module: str
    package: str

    @classmethod
    def of_file(cls, path: Path) -> Located:
        """Name a file as an import from the folder above its outermost package would."""
        folders = _package_folders(path.resolve())
        parts = [*folders, *([] if path.stem == "__init__" else [path.stem])]
        package = parts if path.stem == "__init__" else parts[:-1]
        return cls(path, ".".join(parts), ".".join(package))


def root_of(path: Path) -> Path:
    """Return the folder from which a file is imported: the one above its outermost package."""
    path = path.resolve()
    return path.parents[len(_package_folders(path))]


def locate(module: str, search_path: Sequence[str]) -> Located | None:
    """Find the source file of a module; None if there is none, or it is not written in Python."""
    spec = find_spec(module, search_path)
    if spec is None or not spec.has_location or spec.origin is None:
        return None
    if not spec.origin.endswith(".py"):
        return None
    is_package = spec.submodule_search_locations is not None
    package = module if is_package else module.rpartition(".")[0]
    return Located(Path(spec.origin), module, package)


def find_spec(module: str, search_path: Sequence[str]) -> ModuleSpec | None:
    """Find a module as an import would, its parents only searched and not executed."""
    importlib.invalidate_caches()
    folders: Sequence[str] | None = search_path
    spec: ModuleSpec | None = None
    for part in module.split("."):
        if folders is None:
            return None
        # By its last name: of a dotted one the finders of namespace packages (PEP 420) want the
        # parent to be imported.
        spec = PathFinder.find_spec(part, folders)
        if spec is None:
            return None
        locations = spec.submodule_search_locations
        folders = None if locations is None else list(locations)
    return spec


def is_native(module: str, search_path: Sequence[str]) -> bool:
    """Tell whether a module is built into Python or compiled: no flow is defined in such."""
    if module in sys.builtin_module_names:
        return True
    spec = find_spec(module, search_path)
    return spec is not None and spec.origin is not None and not spec.origin.endswith(".py")


def read_source(path: Path, shown: str | None = None) -> SourceFile:
    """Read and parse a file.

    Args:
        path: where it is.
        shown: how it is called in messages and in generated text.

    Raises:
        OSError: it cannot be read.
        SyntaxError: it is not Python; the words are CPython's own.
    """
    name = str(path) if shown is None else shown
    try:
        with tokenize.open(path) as file:
            text = file.read()
        source = SourceFile.parse(name, text)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Some mistakes are found only past the parser. Nothing is run.
            compile(text, name, "exec", dont_inherit=True)
    except SyntaxError as error:
        error.filename = name
        raise
    except UnicodeDecodeError as error:
        raise SyntaxError(f"(unicode error) {error}", (name, None, None, None)) from None
    except ValueError as error:
        raise SyntaxError(str(error), (name, None, None, None)) from None
    return source


def _package_folders(path: Path) -> list[str]:
    """Return the names of the packages that a file is in, the outermost first."""
    folders: list[str] = []
    for folder in path.parents:
        if not (folder / "__init__.py").is_file():
            break
        folders.insert(0, folder.name)
    return folders
