"""Mend files in place, or show how, for `longterm-compile --fix` and `--diff`."""

from __future__ import annotations

import difflib
import io
import os
import tokenize
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from longterm_compiler.analysis.modules import Located
from longterm_compiler.analysis.names import ModuleNames
from longterm_compiler.cli.targets import BadTarget, names_in
from longterm_compiler.problems import check_file
from longterm_compiler.syntax.source import SourceFile

if TYPE_CHECKING:
    from longterm_compiler.fixes.table import Fixed


@dataclass(frozen=True, slots=True)
class Mended:
    """A file before and after its fixes."""

    path: str
    before: str
    encoding: str
    fixed: Fixed

    @property
    def diff(self) -> str:
        """The change as a unified diff, which `patch -p0` and `git apply -p0` take."""
        lines = difflib.unified_diff(
            self.before.splitlines(keepends=True),
            self.fixed.text.splitlines(keepends=True),
            self.path,
            self.path,
        )
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)

    def write(self) -> None:
        """Put the new text into place as a whole, with the permissions that the file had.

        Raises:
            BadTarget: it cannot be written.
        """
        place = os.path.realpath(self.path)  # a link stays one
        aside = f"{place}.{os.getpid()}"
        try:
            Path(aside).write_bytes(self.fixed.text.encode(self.encoding))
            os.chmod(aside, os.stat(place).st_mode)
            os.replace(aside, place)
        except OSError as error:
            Path(aside).unlink(missing_ok=True)
            raise BadTarget(
                f"cannot write {self.path}: {error.strerror} (let this user write to its folder)"
            ) from None


def mend(located: Located, *, with_unsafe: bool) -> Mended:
    """Return what becomes of a file; nothing is written yet.

    Raises:
        BadTarget: the file cannot be read, or its layout cannot be kept.
    """
    # Only those who ask for fixes pay for libcst.
    from longterm_compiler.fixes.table import CannotFix, Fixed, fix_text

    read = names_in(located)
    text, encoding = _as_written(located.path)
    path = read.source.path
    names = ModuleNames(SourceFile.parse(path, text), read.module, read.package, read.resolve)
    if not check_file(names):
        return Mended(path, text, encoding, Fixed(text, (), (), ()))
    try:
        return Mended(path, text, encoding, fix_text(names, with_unsafe=with_unsafe))
    except CannotFix as error:
        raise BadTarget(f"cannot fix {path}: {error}") from None


def _as_written(path: Path) -> tuple[str, str]:
    """Return a file's text with its own line ends, and its encoding."""
    content = path.read_bytes()
    encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    return content.decode(encoding), encoding
