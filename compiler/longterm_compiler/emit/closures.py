"""Names for the functions and lambdas inside a flow, so that stored ones find their code again.

An inner function is named by its place among all inner functions of its flow in the order of the
text, and its own name: `2:<lambda>`; the digest of what it does is put behind these. The same
function occurs in the fresh body and in resume bodies as different code objects; its place in the
author's file tells that they are one.
"""

from __future__ import annotations

import ast
from typing import TypeAlias

from longterm._abi.inner_code import InnerFunction
from longterm_compiler.syntax.source import Definition
from longterm_compiler.syntax.tree import walk

InnerNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def inner_functions(definition: Definition) -> dict[InnerNode, InnerFunction]:
    """Return the functions inside a flow in the order of the text."""
    inside = [
        node
        for statement in definition.node.body
        for node in walk(statement)
        if isinstance(node, InnerNode)
    ]
    inside.sort(key=lambda node: (_first_line(node), node.col_offset))
    return {node: inner_function(number, node) for number, node in enumerate(inside)}


def inner_function(number: int, node: InnerNode) -> InnerFunction:
    """Describe an inner function of a number, where its node stands."""
    name = "<lambda>" if isinstance(node, ast.Lambda) else node.name
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return InnerFunction(
        f"{number}:{name}",
        _first_line(node),
        (node.lineno, node.col_offset),
        (node.end_lineno, node.end_col_offset),
    )


def _first_line(node: InnerNode) -> int:
    decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])
