"""The version of a flow: a digest of what its code means, the same on every Python version.

Comments, blank lines, docstrings, annotations and the place in the file do not count; names,
constants, structure and the set of resume points do. So a frame is resumed only in code that
means what it meant when the frame was saved.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator

from longterm._abi import ABI_VERSION
from longterm_compiler.source import FunctionNode

_IGNORED = frozenset({"ctx", "type_comment", "kind", "returns", "annotation", "type_params"})
_DIGITS = 16


def meaning_digest(
    function: FunctionNode, is_deflow: Iterable[ast.expr], points: Iterable[str]
) -> str:
    """Return the version of a flow, 16 hexadecimal digits.

    Args:
        function: the flow as written.
        is_deflow: its decorators that are `deflow`, which do not count.
        points: a description of each resume point, in order.
    """
    ignored = set(is_deflow)
    digest = hashlib.sha256()
    for piece in (f"abi {ABI_VERSION}", *_describe(function, ignored), *points):
        digest.update(piece.encode("utf-8", "surrogatepass"))
        digest.update(b"\0")
    return digest.hexdigest()[:_DIGITS]


def _describe(node: ast.AST, ignored: set[ast.expr]) -> Iterator[str]:
    """Yield the structure of a tree in a spelling of our own, without recursion."""
    pending: list[object] = [node]
    while pending:
        current = pending.pop()
        if isinstance(current, ast.AST):
            if current in ignored:
                continue
            yield f"({type(current).__name__}"
            pending.append(_CLOSE)
            for name, value in reversed(list(_fields(current))):
                pending.extend([value, _Label(name)])
        elif isinstance(current, list):
            yield f"[{len(current)}"
            pending.extend(reversed(current))
        elif isinstance(current, _Label):
            yield str(current)
        else:
            yield f"{type(current).__name__} {current!r}"


class _Label(str):
    """A field's name, told apart from a value that is text."""


_CLOSE = _Label(")")


def _fields(node: ast.AST) -> Iterator[tuple[str, object]]:
    for name, value in ast.iter_fields(node):
        if name in _IGNORED or value is None or value == []:
            continue
        if isinstance(node, ast.JoinedStr):
            yield name, _merged(node.values)
        elif name == "body" and _has_docstring(node):
            yield name, value[1:]
        else:
            yield name, value


def _merged(values: list[ast.expr]) -> list[ast.expr]:
    """Join the texts of an f-string, which some versions of Python cut up, or leave empty."""
    merged: list[ast.expr] = []
    for each in values:
        if isinstance(each, ast.Constant) and each.value == "":
            continue
        last = merged[-1] if merged else None
        if isinstance(each, ast.Constant) and isinstance(last, ast.Constant):
            merged[-1] = ast.Constant(f"{last.value!s}{each.value!s}")
        else:
            merged.append(each)
    return merged


def _has_docstring(node: ast.AST) -> bool:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return False
    return ast.get_docstring(node, clean=False) is not None
