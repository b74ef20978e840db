"""Make sure that there is a libcst which reads what this Python runs; else say what to install.

Before 1.8 it does not read all syntax of the Pythons that longterm supports. Where pip finds no
wheel and no Rust compiler, it may come up with a libcst of years ago, in pure Python, which reads
nothing that is newer than Python 3.8.
"""

from __future__ import annotations

from longterm_compiler.diagnostics import NoLibcst

_OLDEST = (1, 8)
_HINT = (
    "install it with `pip install 'libcst>=1.8'`, which needs a Rust compiler where there is no "
    "wheel; or compile elsewhere, with `longterm-compile --output`, whose modules run without it"
)


def check() -> None:
    """Import libcst.

    Raises:
        NoLibcst: it is missing, or is too old.
    """
    try:
        from libcst import LIBCST_VERSION as found
    except ImportError as error:
        raise NoLibcst(f"flows are compiled with libcst, and {error} ({_HINT})") from error
    if tuple(map(int, found.split(".")[:2])) < _OLDEST:
        raise NoLibcst(f"flows are compiled with libcst, and {found} is too old ({_HINT})")
