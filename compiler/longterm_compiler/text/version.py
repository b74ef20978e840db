"""Make sure that there is a libcst which reads what this Python runs; else say what to install.

Before 1.8 it does not read all syntax of the Pythons that longterm supports. Where pip finds no
wheel and no Rust compiler, it may come up with a libcst of years ago, in pure Python, which reads
none of what is newer than Python 3.8.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

_OLDEST = (1, 8)
_REMEDY = (
    "install it with `pip install 'libcst>=1.8'`; where there is no wheel for the platform, pip needs "
    "a Rust compiler to build it. Or compile elsewhere: modules written by `longterm-compile "
    "--output` run without it"
)


class NoLibcst(ImportError):
    """Raised when flows cannot be compiled because libcst is missing, or is too old."""


def _check() -> None:
    try:
        found = version("libcst")
    except PackageNotFoundError:
        raise NoLibcst(
            f"longterm compiles flows with libcst, which is missing ({_REMEDY})"
        ) from None
    if tuple(map(int, found.split(".")[:2])) < _OLDEST:
        raise NoLibcst(f"longterm compiles flows with libcst, and {found} is too old ({_REMEDY})")


_check()
