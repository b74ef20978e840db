"""The version of a flow: a digest of what its code means, the same on every Python version.

Comments, blank lines, docstrings, annotations and the place in the file do not count; names,
constants, structure and the set of resume points do. So a frame is resumed only in code that
means what it meant when the frame was saved. The annotations in a class do count: they are its
fields, and running the class evaluates them.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Collection, Iterable
from functools import cache

from longterm._abi import ABI_VERSION
from longterm_compiler.analysis.scope import own_nodes
from longterm_compiler.syntax.source import FunctionNode
from longterm_compiler.syntax.tree import walk

_NO_MEANING = frozenset({"ctx", "type_comment", "kind"})
_IGNORED = frozenset({"returns", "annotation", "type_params"})
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
    fields = _fields_of_classes(function)

    def spell(node: ast.AST, label: str, value: object) -> object:
        return None if label in _IGNORED and node not in fields else value

    return digest_of([*describe(function, spell, set(is_deflow)), *points, ""])


def _fields_of_classes(function: FunctionNode) -> set[ast.AST]:
    """Return the annotated assignments in the bodies of classes inside a function."""
    classes = (node for node in walk(function) if isinstance(node, ast.ClassDef))
    nodes = (node for each in classes for node in own_nodes(each.body))
    return {node for node in nodes if isinstance(node, ast.AnnAssign)}


def digest_of(pieces: Iterable[str]) -> str:
    """Return the digest of what is described by some texts, 16 hexadecimal digits."""
    text = "\0".join([f"abi {ABI_VERSION}", *pieces])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]


def describe(
    root: object,
    spell: Callable[[ast.AST, str, object], object],
    ignored: Collection[ast.AST] = frozenset(),
) -> list[str]:
    """Return the structure of a tree in a spelling of our own, found without recursion.

    Args:
        root: the tree, or a list of trees; annotations and type parameters count.
        spell: returns what stands for the value of a node's field; None: nothing.
        ignored: the nodes that do not count.
    """
    described: list[str] = []
    pending: list[object] = [root]
    while pending:
        current = pending.pop()
        if isinstance(current, ast.AST):
            if current not in ignored:
                described.append(f"({type(current).__name__}")
                pending.append(_CLOSE)
                for label in _labels(current._fields):
                    value = spell(current, label, _value(current, label))
                    if value is not None and value != []:
                        pending += (value, label)
        elif isinstance(current, _Label):
            described.append(current)
        elif isinstance(current, list):
            described.append(f"[{len(current)}")
            pending += reversed(current)
        else:
            described.append(f"{type(current).__name__} {current!r}")
    return described


class _Label(str):
    """A field's name, told apart from a value that is text."""

    __slots__ = ()


_CLOSE = _Label(")")


@cache
def _labels(fields: tuple[str, ...]) -> list[_Label]:
    """Return those of a node's fields that count, the last one first."""
    return [_Label(field) for field in reversed(fields) if field not in _NO_MEANING]


def _value(node: ast.AST, field: str) -> object:
    if field == "values" and isinstance(node, ast.JoinedStr):
        return _merged(node.values)
    value: object = getattr(node, field, None)
    if field == "body" and _has_docstring(node):
        assert isinstance(value, list)
        return value[1:]
    return value


def _merged(values: list[ast.expr]) -> list[ast.expr]:
    """Join the texts of an f-string, which some versions of Python cut up, or leave empty."""
    merged: list[ast.expr] = []
    for part in values:
        if isinstance(part, ast.Constant) and part.value == "":
            continue
        last = merged[-1] if merged else None
        if isinstance(part, ast.Constant) and isinstance(last, ast.Constant):
            merged[-1] = ast.Constant(f"{last.value!s}{part.value!s}")
        else:
            merged.append(part)
    return merged


def _has_docstring(node: ast.AST) -> bool:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return False
    return ast.get_docstring(node, clean=False) is not None
