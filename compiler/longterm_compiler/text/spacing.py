"""Space out a text that Python reads and libcst does not: `[x for x in y if(x)and z]`.

libcst wants a space beside a keyword wherever it is not sure that none is needed. Text in; the same
text with spaces around its keywords out, the insides of f-strings aside.
"""

from __future__ import annotations

import io
import token
import tokenize
from keyword import iskeyword

_STARTS = {getattr(token, name, -1) for name in ("FSTRING_START", "TSTRING_START")}
_ENDS = {getattr(token, name, -1) for name in ("FSTRING_END", "TSTRING_END")}
_TIGHT = frozenset(".,:;=")
"""What may stand right beside a keyword and needs no space: `None.x`, `else:`, `x=None`."""


def spaced(text: str) -> str:
    """Return a text with a space between each keyword and what stands right beside it."""
    lines = text.split("\n")
    gaps: list[tuple[int, int]] = []
    before: tokenize.TokenInfo | None = None
    depth = 0
    for current in tokenize.generate_tokens(io.StringIO(text, newline="\n").readline):
        if (
            before is not None
            and not depth
            and before.end == current.start
            and _is_tight(before, current)
        ):
            gaps.append(current.start)
        depth += (current.type in _STARTS) - (current.type in _ENDS)
        before = current
    for line, column in reversed(gaps):
        lines[line - 1] = f"{lines[line - 1][:column]} {lines[line - 1][column:]}"
    return "\n".join(lines)


def _is_tight(before: tokenize.TokenInfo, after: tokenize.TokenInfo) -> bool:
    pair = (before, after)
    if any(part.type in (token.NEWLINE, token.NL, token.INDENT, token.DEDENT) for part in pair):
        return False
    return any(iskeyword(part.string) for part in pair) and not any(
        part.string in _TIGHT for part in pair
    )
