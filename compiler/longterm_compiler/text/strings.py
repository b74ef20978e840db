"""Write f-strings that lowering made, such that every supported Python reads them.

Before Python 3.12 (PEP 701) what stands in the braces can have neither the quotes of the string nor
a backslash; so the quotes are chosen by what is in the braces.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Final, Literal, TypeAlias

import libcst as cst

Write: TypeAlias = Callable[[ast.expr], cst.BaseExpression]
_Quotes: TypeAlias = Literal['"', "'", '"""', "'''"]
_QUOTES: Final[tuple[_Quotes, ...]] = ('"', "'", '"""', "'''")


def f_string(node: ast.JoinedStr, write: Write) -> cst.FormattedString:
    """Return an f-string of a tree; `write` gives the expressions in it."""
    values = [cst.Module([]).code_for_node(write(value)) for value in _values(node)]
    lines = any("\n" in text for text in values)
    quotes: _Quotes = '"""'
    for quote in reversed(_QUOTES[2:] if lines else _QUOTES):
        if not any(quote in value for value in values):
            quotes = quote
    return cst.FormattedString(_parts(node, quotes, write), start=f"f{quotes}", end=quotes)


def _values(node: ast.JoinedStr) -> Iterator[ast.expr]:
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            yield part.value
            if isinstance(part.format_spec, ast.JoinedStr):
                yield from _values(part.format_spec)


def _parts(node: ast.JoinedStr, quotes: str, write: Write) -> list[cst.BaseFormattedStringContent]:
    parts: list[cst.BaseFormattedStringContent] = []
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(cst.FormattedStringText(_text(str(part.value), quotes)))
        else:
            assert isinstance(part, ast.FormattedValue)
            parts.append(_value(part, quotes, write))
    return parts


def _value(node: ast.FormattedValue, quotes: str, write: Write) -> cst.FormattedStringExpression:
    spec = node.format_spec
    value = write(node.value)
    # `{{` would be a brace of the text.
    is_brace = cst.Module([]).code_for_node(value).startswith("{")
    return cst.FormattedStringExpression(
        value,
        conversion=None if node.conversion == -1 else chr(node.conversion),
        format_spec=_parts(spec, quotes, write) if isinstance(spec, ast.JoinedStr) else None,
        whitespace_before_expression=cst.SimpleWhitespace(" " if is_brace else ""),
    )


def _text(text: str, quotes: str) -> str:
    if text.isprintable():
        text = text.replace("\\", r"\\")
    else:
        text = text.encode("unicode_escape").decode("ascii")
    return text.replace("{", "{{").replace("}", "}}").replace(quotes[0], f"\\{quotes[0]}")
