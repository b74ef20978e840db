"""Write modules whose flows are compiled, for `longterm-compile --output DIR`.

A file in; a file in the folder out, under the name by which the module is imported. A file without
flows is copied, so that the folder holds all of a package.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from longterm_compiler.analysis.modules import Located, root_of
from longterm_compiler.cli.targets import BadTarget, names_in


@dataclass(frozen=True, slots=True)
class Output:
    """What was written: the flows in it, and where."""

    flows: int
    path: Path


def write_output(located: Located, folder: Path) -> Output:
    """Write one file.

    Raises:
        Refused: a flow of it cannot be compiled; nothing was written.
        BadTarget: it cannot be read, or cannot be written as it shall be.
    """
    # Only those who ask for it pay for libcst.
    from longterm_compiler.written import write_module

    source = located.path.resolve()
    path = folder / source.relative_to(root_of(source))
    if path.resolve() == source:
        raise BadTarget(f"{path} is the file itself (name another folder, such as build)")
    names = names_in(located)
    flows = names.flows()
    try:
        text = write_module(names) if flows else None
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            shutil.copyfile(source, path)
        else:
            _replace(path, text)
    except OSError as error:
        raise BadTarget(
            f"cannot write {path}: {error.strerror or error} (name a folder that can be written)"
        ) from None
    return Output(len(flows), path)


def _replace(path: Path, text: str) -> None:
    """Put a file into place as a whole."""
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    aside.write_text(text, encoding="utf-8", newline="\n")
    aside.replace(path)
