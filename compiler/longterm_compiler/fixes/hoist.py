"""Give a value a name in a statement before: the move that several fixes make."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from longterm_compiler.fixes.place import Edit, Place


def hoist(
    place: Place, value: cst.BaseExpression, before: cst.CSTNode, stem: str, *, is_safe: bool
) -> Edit | None:
    """Propose to name a value in a line of its own before the statement that holds a node.

    Args:
        place: where the fix works.
        value: the expression that moves.
        before: a node that holds it; the new line stands before its statement.
        stem: what the name begins with.
        is_safe: whether the value may be evaluated there instead.
    """
    statement = place.statement_of(before)
    if not isinstance(statement, cst.SimpleStatementLine | cst.BaseCompoundStatement):
        return None
    name = place.fresh_name(f"{stem}_value")
    plain = value.with_changes(lpar=(), rpar=()) if _is_on_one_line(place, value) else value
    assignment = cst.SimpleStatementLine(
        [cst.Assign([cst.AssignTarget(cst.Name(name))], plain)],
        # Comments and blank lines above stay on top.
        leading_lines=statement.leading_lines,
    )
    rest = statement.deep_replace(value, cst.Name(name)).with_changes(leading_lines=())
    return Edit(is_safe, {statement: cst.FlattenSentinel([assignment, rest])})


def names_in(node: cst.CSTNode) -> Iterator[str]:
    """Yield every name that stands in a piece of code, attributes included."""
    pending = [node]
    while pending:
        current = pending.pop()
        if isinstance(current, cst.Name):
            yield current.value
        pending += current.children


def _is_on_one_line(place: Place, value: cst.BaseExpression) -> bool:
    return "\n" not in place.module.code_for_node(value)
