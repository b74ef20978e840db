"""Fix `suspend-in-class-body`: name the value before the `class` statement.

Safe if nothing that could be seen runs between there and the value's place: decorators, bases,
and the statements of the body before it.
"""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from longterm_compiler.fixes.hoist import hoist, names_in
from longterm_compiler.fixes.place import Edit, Place

RULE = "suspend-in-class-body"


def propose(place: Place) -> Edit | None:
    """Return the edit for one place, if there is one."""
    node = place.nearest(cst.ClassDef)
    line = place.statement_of(place.node)
    if node is None or not isinstance(line, cst.SimpleStatementLine) or len(line.body) != 1:
        return None
    match line.body[0]:
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=stem))], value=value):
            pass
        case cst.AnnAssign(target=cst.Name(value=stem), value=cst.BaseExpression() as value):
            pass
        case _:
            return None
    used = set(names_in(value))
    if used & _names_bound_in(node) or any(_is_private(name) for name in used):
        return None  # there it would mean something else
    before = list(node.body.body)[: list(node.body.body).index(line)]
    is_safe = _shows_nothing(node, before) and not isinstance(line.body[0], cst.AnnAssign)
    return hoist(place, value, node, stem, is_safe=is_safe)


def _names_bound_in(node: cst.ClassDef) -> set[str]:
    """Return at least the names that a class body binds: every name in it that is not only read."""
    bound: set[str] = set()
    for statement in node.body.body:
        match statement:
            case (
                cst.FunctionDef(name=cst.Name(value=name)) | cst.ClassDef(name=cst.Name(value=name))
            ):
                bound.add(name)
            case cst.SimpleStatementLine(body=parts):
                for part in parts:
                    match part:
                        case cst.Assign(targets=targets):
                            bound.update(name for part in targets for name in names_in(part.target))
                        case cst.AnnAssign(target=target) | cst.AugAssign(target=target):
                            bound.update(names_in(target))
                        case cst.Expr(value=cst.SimpleString()) | cst.Pass():
                            pass
                        case other:
                            bound.update(names_in(other))
            case other:
                bound.update(names_in(other))
    return bound


def _is_private(name: str) -> bool:
    """Tell whether a name is spelled otherwise inside a class, or means the class itself."""
    return name == "super" or (name.startswith("__") and not name.endswith("__"))


def _shows_nothing(node: cst.ClassDef, before: Sequence[cst.CSTNode]) -> bool:
    """Tell whether nothing of the author's runs before the body reaches the value."""
    plain_bases = all(isinstance(base.value, cst.Name) for base in node.bases)
    if node.decorators or node.keywords or not plain_bases:
        return False
    return all(_is_inert(statement) for statement in before)


def _is_inert(statement: cst.CSTNode) -> bool:
    match statement:
        case cst.SimpleStatementLine(body=[cst.Pass() | cst.Expr(value=cst.SimpleString())]):
            return True
        case cst.SimpleStatementLine(
            body=[cst.Assign(targets=[cst.AssignTarget(target=cst.Name())], value=value)]
        ):
            return isinstance(value, cst.SimpleString | cst.Integer | cst.Float)
        case cst.FunctionDef(decorators=[], params=parameters, returns=None):
            every = (*parameters.params, *parameters.kwonly_params, *parameters.posonly_params)
            return all(
                parameter.default is None and parameter.annotation is None for parameter in every
            )
        case _:
            return False
