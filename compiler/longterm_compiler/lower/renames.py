"""Give the variables of comprehensions names of their own, where the flow's would get in their way.

    x = "mine"                                  x = "mine"
    f = lambda: x                               f = lambda: x
    g = [lambda: x for x in "ab"]               g = [lambda: _lt_x1 for _lt_x1 in "ab"]

A comprehension is a scope of its own, so its x is another than the flow's. In a resume body the
flow's x is a free variable, since it lives in a cell that the lambda f shares. From 3.12 on Python
inlines the comprehension (PEP 709), and takes a variable that is free around it and captured inside
it for one and the same (gh-156664): the comprehension would leave its last x in the flow's. The x
is renamed in the fresh body too, so that the functions made there and in resume bodies have the
same free variables in the same order.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from longterm_compiler.analysis.scope import comprehension_variables, parameter_names
from longterm_compiler.lower.context import Lowering
from longterm_compiler.syntax.build import changed

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def rename_hiding_variables(low: Lowering, body: list[ast.stmt]) -> list[ast.stmt]:
    """Rename the variables of comprehensions that hide a captured variable of the flow.

    Only where a function inside the comprehension captures them as well. All else is the author's
    own node, untouched.
    """
    hiding = low.scope.hidden_captures & low.scope.captured
    if not hiding:
        return body
    renamed: list[ast.stmt] = []
    for statement in body:
        new = _renamed(low, statement, hiding)
        assert isinstance(new, ast.stmt)
        renamed.append(new)
    return renamed


def _renamed(low: Lowering, node: ast.AST, hiding: frozenset[str]) -> ast.AST:
    if isinstance(node, _COMPREHENSIONS):
        names = hiding.intersection(comprehension_variables(node))
        if names:
            fresh = {name: low.names.fresh(name) for name in sorted(names)}
            node = _with_variables(low, node, fresh)
    # The body of a function or class inside is a scope that hides nothing of this one.
    inside = "body" if isinstance(node, _SCOPES) else ""
    fields = {
        name: value if name == inside else _renamed_field(low, value, hiding)
        for name, value in ast.iter_fields(node)
    }
    if all(fields[name] is value for name, value in ast.iter_fields(node)):
        return node
    new = changed(node, **fields)
    low.suspensions.record_copy(node, new)
    return new


def _renamed_field(low: Lowering, value: object, hiding: frozenset[str]) -> object:
    if isinstance(value, list):
        new = [_renamed_field(low, item, hiding) for item in value]
        return value if all(a is b for a, b in zip(new, value, strict=True)) else new
    return _renamed(low, value, hiding) if isinstance(value, ast.AST) else value


def _with_variables(low: Lowering, node: ast.AST, renamed: dict[str, str]) -> ast.AST:
    """Return a comprehension with its variables renamed. Its first iterable is none of its own."""
    assert isinstance(node, _COMPREHENSIONS)
    fields = {name: _copied_field(low, value, renamed) for name, value in ast.iter_fields(node)}
    new = changed(node, **fields)
    new.generators[0].iter = node.generators[0].iter
    low.suspensions.record_copy(node, new)
    return new


def copy_renamed(low: Lowering, node: ast.expr, renamed: dict[str, str]) -> ast.expr:
    """Copy an expression with the comprehension's variables renamed, marks of suspends kept."""
    copied = _copied(low, node, renamed)
    assert isinstance(copied, ast.expr)
    return copied


def _copied(low: Lowering, node: ast.AST, renamed: dict[str, str]) -> ast.AST:
    if isinstance(node, ast.Name) and node.id in renamed:
        return ast.copy_location(ast.Name(renamed[node.id], node.ctx), node)
    inner = renamed
    if isinstance(node, ast.Lambda):
        inner = _without(renamed, parameter_names(node.args))
    elif isinstance(node, _COMPREHENSIONS):
        inner = _without(renamed, comprehension_variables(node))
    fields = {
        name: _copied_field(low, value, renamed if name == "args" else inner)
        for name, value in ast.iter_fields(node)
    }
    new = changed(node, **fields)
    if isinstance(node, _COMPREHENSIONS):
        # Its first iterable is evaluated in the scope around it.
        assert isinstance(new, _COMPREHENSIONS)
        new.generators[0].iter = copy_renamed(low, node.generators[0].iter, renamed)
    low.suspensions.record_copy(node, new)
    return new


def _without(renamed: dict[str, str], own: Iterable[str]) -> dict[str, str]:
    return {old: new for old, new in renamed.items() if old not in set(own)}


def _copied_field(low: Lowering, value: object, renamed: dict[str, str]) -> object:
    if isinstance(value, list):
        return [_copied_field(low, item, renamed) for item in value]
    return _copied(low, value, renamed) if isinstance(value, ast.AST) else value
