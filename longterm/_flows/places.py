"""The author's text at an instruction, read again only when something may be refused."""

from __future__ import annotations

from itertools import islice
from types import CodeType
from typing import Any


def text_at(code: CodeType, offset: int, namespace: dict[str, Any]) -> str | None:
    """Return the text of the expression that an instruction belongs to; None if it is unknown."""
    import linecache

    place = next(islice(code.co_positions(), offset // 2, None))
    line, end_line, column, end_column = place
    if line is None or end_line is None or column is None or end_column is None:
        return None
    lines = linecache.getlines(code.co_filename, namespace)[line - 1 : end_line]
    encoded = [line.encode("utf-8", "surrogatepass") for line in lines]
    if not encoded or encoded[0][:column].rstrip().endswith(b"."):
        # From 3.12 on a method's call in a chain of several lines begins at the method's name.
        return None
    encoded[-1] = encoded[-1][:end_column]
    encoded[0] = encoded[0][column:]
    return b"".join(encoded).decode("utf-8", "replace")
