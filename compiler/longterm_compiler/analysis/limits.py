"""How deep a flow may be nested: what recursion in the passes and in CPython's compiler can take.

A tree is measured without recursion. One that is too deep is refused; for one that is merely deep
Python's recursion limit is raised while it is compiled.
"""

from __future__ import annotations

import ast
import sys
import threading
from collections.abc import Container, Iterator
from contextlib import contextmanager
from typing import Final

from longterm_compiler.diagnostics import Refused, Span
from longterm_compiler.rules import TOO_DEEP, TOO_MANY_NESTED_BLOCKS
from longterm_compiler.syntax.source import Definition, SourceFile
from longterm_compiler.syntax.tree import children, in_blocks

DEEPEST: Final = 1200
"""The levels of syntax of a flow, its `def` included: an `elif` is one, a chained call is two."""

_SHALLOW = 40
"""Up to this depth Python's own recursion limit is left alone."""
_CALLS_A_LEVEL = 12
"""More calls than any pass makes to go one level down."""
_TOO_MANY_BLOCKS = "too many statically nested blocks"
TOO_MUCH_INDENTATION: Final = "too many levels of indentation"
"""CPython's words for a text with a hundred of them (`MAXINDENT` of its tokenizer)."""
_MOST_INDENTATION = 99
_raising = threading.RLock()


def check_depth(
    definition: Definition, source: SourceFile, suspending: Container[ast.AST] = ()
) -> int:
    """Return how deep a flow is nested.

    Args:
        definition: the flow.
        source: its file.
        suspending: the nodes that contain a suspend, as far as they are known. `a and b and c` is
            one level, but lowering makes a level of each part when one of them suspends, or when
            the whole is such a part.

    Raises:
        Refused: it is nested too deeply.
    """
    depth = 0
    place: ast.stmt | ast.expr = definition.node
    pending: list[tuple[ast.AST, int, ast.stmt | ast.expr, bool]] = [(place, 1, place, False)]
    while pending:
        node, level, place, is_part = pending.pop()
        if isinstance(node, ast.stmt | ast.expr):
            place = node
        if level > depth:
            depth = level
            if level > DEEPEST:
                raise _too_deep(definition, source, place)
        is_split = node in suspending or is_part
        is_part = is_split and isinstance(node, ast.BoolOp | ast.IfExp)
        level += _levels(node) if is_split else 1
        pending += [(child, level, place, is_part) for child in children(node)]
    return depth


def _levels(node: ast.AST) -> int:
    if isinstance(node, ast.BoolOp):
        return len(node.values)
    return len(node.ops) if isinstance(node, ast.Compare) else 1


@contextmanager
def room_for(definition: Definition, source: SourceFile, depth: int) -> Iterator[None]:
    """Let the passes recurse as deep as a flow needs, and say so if CPython's compiler cannot.

    Raises:
        Refused: the compiled flow is too deep, or has too many blocks inside each other.
    """
    try:
        with _raised_limit(depth):
            yield
    except RecursionError:
        raise _too_deep(definition, source, definition.node) from None
    except SyntaxError as error:
        if error.msg == TOO_MUCH_INDENTATION:
            raise _too_indented(definition, source) from None
        if error.msg != _TOO_MANY_BLOCKS:
            raise
        place = _innermost_block(definition)
        span = Span(place.lineno, place.col_offset, place.lineno, place.col_offset + 1)
        found = TOO_MANY_NESTED_BLOCKS.at(source.path, span, name=definition.node.name)
        raise Refused([found], source.text) from None


def _too_deep(definition: Definition, source: SourceFile, place: ast.stmt | ast.expr) -> Refused:
    span = Span(place.lineno, place.col_offset, place.lineno, place.col_offset + 1)
    name, reason = definition.node.name, "a deeper flow could exhaust the stack of the process"
    found = TOO_DEEP.at(source.path, span, name=name, limit=DEEPEST, reason=reason)
    return Refused([found], source.text)


def _too_indented(definition: Definition, source: SourceFile) -> Refused:
    """Refuse a flow of which CPython's parser cannot read the text that it is compiled to."""
    node = definition.node
    span = Span(node.lineno, node.col_offset, node.lineno, node.col_offset + 1)
    reason = "Python reads no text with more, and a part that suspends can become a block"
    limit = _MOST_INDENTATION
    found = TOO_DEEP.at(source.path, span, name=node.name, limit=limit, reason=reason)
    return Refused([found], source.text)


@contextmanager
def _raised_limit(depth: int) -> Iterator[None]:
    if depth <= _SHALLOW:
        yield
        return
    # The limit is the process's own: one thread at a time may have it raised.
    with _raising:
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(limit + depth * _CALLS_A_LEVEL)
        try:
            yield
        finally:
            sys.setrecursionlimit(limit)


def nested_blocks(body: list[ast.stmt]) -> int:
    """Return how many blocks of a body, as Python counts them, stand inside each other at most."""
    return max((count for _, count in _blocks(body)), default=0)


def _innermost_block(definition: Definition) -> ast.stmt:
    """Return the author's block that stands within most others, the first if there are several."""
    blocks = (block for block in _blocks(definition.node.body) if hasattr(block[0], "body"))
    found = max(blocks, key=lambda block: (block[1], -block[0].lineno))
    return found[0]


def _blocks(body: list[ast.stmt]) -> Iterator[tuple[ast.stmt, int]]:
    """Yield each statement, and how many blocks there are within it and around it."""
    pending: list[tuple[ast.AST, int]] = [(statement, 0) for statement in body]
    while pending:
        node, count = pending.pop()
        if isinstance(node, ast.Try | ast.TryStar):
            # A handler, or what a `finally` guards, is a block within the block.
            count += 2 if node.handlers and node.finalbody else 1
        elif isinstance(node, ast.For | ast.AsyncFor | ast.While | ast.With | ast.AsyncWith):
            count += 1
        if isinstance(node, ast.stmt):
            yield node, count
        pending += [(inner, count) for inner in in_blocks(node)]
