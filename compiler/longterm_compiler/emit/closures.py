"""Names for the functions and lambdas inside a flow, so that stored ones find their code again.

An inner function is named by its place among all inner functions of its flow in the order of the
text, and its own name: `2:<lambda>`. The same function occurs in the fresh body and in resume
bodies as different code objects; its place in the author's file tells that they are one.
"""

from __future__ import annotations

import ast
import types
from typing import TypeAlias

from longterm._abi import nested_codes
from longterm_compiler.syntax.source import Definition
from longterm_compiler.syntax.tree import walk

InnerNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def inner_places(definition: Definition, code: types.CodeType) -> tuple[str | None, ...]:
    """Return the place of each code object in a body, outer ones first; None: no function."""
    codes = list(nested_codes(code))
    nodes = _inner_nodes(definition) if codes else []
    return tuple(_name(nodes, each) for each in codes)


def _inner_nodes(definition: Definition) -> list[InnerNode]:
    """Return the functions inside a flow in the order of the text."""
    inside = [
        node
        for statement in definition.node.body
        for node in walk(statement)
        if isinstance(node, InnerNode)
    ]
    return sorted(inside, key=lambda node: (_first_line(node), node.col_offset))


def _name(nodes: list[InnerNode], code: types.CodeType) -> str | None:
    fitting = [
        (number, node)
        for number, node in enumerate(nodes)
        if _node_name(node) == code.co_name and _first_line(node) == code.co_firstlineno
    ]
    if len(fitting) > 1:
        # Several on one line: the innermost whose text holds all of the code's.
        fitting = [each for each in fitting if _holds(each[1], code)]
        fitting.sort(key=lambda each: _length(each[1]))
    return f"{fitting[0][0]}:{code.co_name}" if fitting else None


def _node_name(node: InnerNode) -> str:
    return "<lambda>" if isinstance(node, ast.Lambda) else node.name


def _first_line(node: InnerNode) -> int:
    decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
    return min([node.lineno, *(each.lineno for each in decorators)])


def _holds(node: InnerNode, code: types.CodeType) -> bool:
    start = (node.lineno, node.col_offset)
    end = (node.end_lineno or 0, node.end_col_offset or 0)
    for line, end_line, column, end_column in code.co_positions():
        if None in (line, end_line, column, end_column) or column == end_column == 0:
            continue
        if not (start <= (line or 0, column or 0) and (end_line or 0, end_column or 0) <= end):
            return False
    return True


def _length(node: InnerNode) -> tuple[int, int]:
    lines = (node.end_lineno or 0) - node.lineno
    return (lines, (node.end_col_offset or 0) - node.col_offset)
