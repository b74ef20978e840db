"""Fix `captured-comprehension-variable`: give the lambda the value as a default.

Unsafe: each lambda then keeps the value of its own round, where before all saw the last one.
"""

from __future__ import annotations

import libcst as cst

from longterm_compiler.fixes.place import Edit, Place

RULE = "captured-comprehension-variable"


def propose(place: Place) -> Edit | None:
    """Return the edit for one place, if there is one."""
    function = place.nearest(cst.Lambda)
    if function is None:
        return None
    around = [n for n in place.around(function) if isinstance(n, cst.BaseComp)]
    captured = sorted(_targets(around) & _names(function.body))
    if not captured:
        return None
    given = [
        cst.Param(
            cst.Name(name),
            default=cst.Name(name),
            equal=cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace("")),
        )
        for name in captured
    ]
    return Edit(False, {function: _with_defaults(function, given)})


def _with_defaults(function: cst.Lambda, given: list[cst.Param]) -> cst.Lambda:
    """Add parameters that no caller gives: behind a star, unless they are the only ones."""
    old = function.params
    if not (old.params or old.posonly_params or old.kwonly_params or old.star_kwarg) and not (
        isinstance(old.star_arg, cst.Param)
    ):
        new = old.with_changes(params=given)
        return function.with_changes(params=new, whitespace_after_lambda=cst.SimpleWhitespace(" "))
    star = old.star_arg if isinstance(old.star_arg, cst.Param) else cst.ParamStar()
    return function.with_changes(
        params=old.with_changes(star_arg=star, kwonly_params=(*old.kwonly_params, *given))
    )


def _targets(comprehensions: list[cst.BaseComp]) -> set[str]:
    names: set[str] = set()
    for comprehension in comprehensions:
        clause: cst.CompFor | None = getattr(comprehension, "for_in", None)
        while clause is not None:
            names |= _names(clause.target)
            clause = clause.inner_for_in
    return names


def _names(node: cst.CSTNode) -> set[str]:
    found = {node.value} if isinstance(node, cst.Name) else set()
    return found.union(*(_names(child) for child in node.children))
