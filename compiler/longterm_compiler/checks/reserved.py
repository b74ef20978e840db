"""Refuse names of the author's that are, or could be, names of the compiler's."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from longterm._abi import RESERVED_PREFIX, RUNTIME
from longterm_compiler.analysis.scope import bound_by, imported_name
from longterm_compiler.checks.flow import CheckedFlow
from longterm_compiler.diagnostics import Diagnostic, Span, split_lines
from longterm_compiler.rules import RESERVED_NAME
from longterm_compiler.syntax.temporaries import is_reserved
from longterm_compiler.syntax.tree import walk


def check_reserved(flow: CheckedFlow) -> Iterator[Diagnostic]:
    """Yield a diagnostic for the first occurrence of each reserved name in a flow.

    Functions and classes inside count too, since they may capture what the flow binds. The name
    under which generated code finds the runtime must not be bound by the module either.
    """
    first: dict[str, Span] = {}
    inside = [(n, name) for n in walk(flow.definition.node) for name in _names(n)]
    outside = [(n, RUNTIME) for n in flow.names.bindings.get(RUNTIME, [])]
    for node, name in [*inside, *outside]:
        if is_reserved(name) or name == RUNTIME:
            span = _span_of(flow, node, name)
            first[name] = min(span, first.get(name, span))
    for name, span in first.items():
        prefix = RUNTIME if name == RUNTIME else RESERVED_PREFIX
        yield RESERVED_NAME.at(flow.path, span, name=name, prefix=prefix)


def _names(node: ast.AST) -> Iterable[str]:
    """Return the variables that this very node reads, binds or declares."""
    match node:
        case ast.Name(id=name):
            return (name,)
        case ast.expr() | ast.Import() | ast.ImportFrom():
            return ()
        case ast.arg(arg=name):
            return (name,)
        case ast.alias(name=name):
            return (imported_name(node),) if name != "*" else ()
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            return names
        case _ if type(node).__name__ in ("TypeVar", "ParamSpec", "TypeVarTuple"):
            return (getattr(node, "name"),)  # noqa: B009 - these classes are not in every version
    return bound_by(node)


def _span_of(flow: CheckedFlow, node: ast.AST, name: str) -> Span:
    """Return where a node's text spells the name: a `def`'s span begins with the keyword."""
    assert isinstance(
        node, ast.expr | ast.stmt | ast.arg | ast.alias | ast.ExceptHandler | ast.pattern
    )
    spelled = re.compile(rb"(?<![\w.])" + re.escape(name.encode()) + rb"\b")
    lines = split_lines(flow.names.source.text)
    start = node.col_offset
    for number in range(node.lineno, (node.end_lineno or node.lineno) + 1):
        found = spelled.search(lines[number - 1].encode("utf-8", "surrogatepass"), start)
        if found is not None:
            return Span(number, found.start(), number, found.end())
        start = 0
    # A name with a letter that Python folds to another is spelled otherwise in the text.
    return Span(node.lineno, node.col_offset, node.lineno, node.col_offset + 1)
