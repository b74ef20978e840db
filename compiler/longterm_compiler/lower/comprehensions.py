"""Lower comprehensions with a suspend inside to loops.

    x = [ask(r) for r in reviewers]     _lt_list1 = []
                                        _lt_iter1 = __longterm__.iter(reviewers)
                                        for _lt_r1 in __longterm__.rest(_lt_iter1):
                                            _lt_item1 = ask(_lt_r1)
                                            _lt_list1.append(_lt_item1)
                                        x = _lt_list1

The comprehension's own variables are renamed, since a comprehension is a scope of its own.
"""

from __future__ import annotations

import ast
from typing import TypeAlias

from longterm_compiler.analysis.scope import comprehension_variables
from longterm_compiler.lower.context import ExpressionLowerer, Lowering, Out
from longterm_compiler.lower.renames import copy_renamed
from longterm_compiler.syntax.build import assign, at, call, changed, load

_Node: TypeAlias = ast.ListComp | ast.SetComp | ast.DictComp
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def _lower_comprehension(low: Lowering, node: ast.expr, out: Out) -> ast.expr:
    assert isinstance(node, _COMPREHENSIONS)
    first = low.in_place(node.generators[0].iter, out)
    if not low.suspensions.rounds_may_suspend(node):
        return _with_first_iterable(node, first)
    assert not isinstance(node, ast.GeneratorExp), "refused by the check pass"
    kind, start = _start(node)
    result = low.spill(kind, at(node, start), out)
    renamed = {name: low.names.fresh(name) for name in comprehension_variables(node)}
    loop = _loops(low, node, renamed, first, result.id)
    low.suspensions.mark(loop)
    out += low.block([loop])
    return result


def _with_first_iterable(node: _Node | ast.GeneratorExp, first: ast.expr) -> ast.expr:
    start, *rest = node.generators
    return changed(node, generators=[changed(start, iter=first), *rest])


def _start(node: _Node) -> tuple[str, ast.expr]:
    if isinstance(node, ast.ListComp):
        return "list", ast.List([], ast.Load())
    if isinstance(node, ast.DictComp):
        return "dict", ast.Dict([], [])
    return "set", ast.Set([ast.Starred(ast.Tuple([], ast.Load()), ast.Load())])


def _loops(
    low: Lowering, node: _Node, renamed: dict[str, str], first: ast.expr, result: str
) -> ast.stmt:
    """Write the comprehension as nested statements, from the element outwards."""
    inner: Out = _element(low, node, renamed, result)
    for depth, generator in reversed(list(enumerate(node.generators))):
        for test in reversed(generator.ifs):
            inner = [at(test, ast.If(copy_renamed(low, test, renamed), inner, []))]
        iterable = copy_renamed(low, generator.iter, renamed) if depth else first
        target = copy_renamed(low, generator.target, renamed)
        make = ast.AsyncFor if generator.is_async else ast.For
        loop = at(generator.target, make(target, iterable, inner, []))
        low.suspensions.record_asking(generator, loop)
        inner = [loop]
    return inner[0]


def _element(low: Lowering, node: _Node, renamed: dict[str, str], result: str) -> Out:
    item = low.names.fresh("item")
    if isinstance(node, ast.DictComp):
        key = low.names.fresh("key")
        place = ast.Subscript(load(result), load(key), ast.Store())
        return [
            at(node.key, assign(key, copy_renamed(low, node.key, renamed))),
            at(node.value, assign(item, copy_renamed(low, node.value, renamed))),
            at(node.key, ast.Assign([place], load(item))),
        ]
    add = ast.Attribute(load(result), "append" if isinstance(node, ast.ListComp) else "add")
    add.ctx = ast.Load()
    return [
        at(node.elt, assign(item, copy_renamed(low, node.elt, renamed))),
        at(node.elt, ast.Expr(call(add, load(item)))),
    ]


EXPRESSIONS: dict[type[ast.expr], ExpressionLowerer] = {
    ast.ListComp: _lower_comprehension,
    ast.SetComp: _lower_comprehension,
    ast.DictComp: _lower_comprehension,
    ast.GeneratorExp: _lower_comprehension,
}
