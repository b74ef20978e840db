"""Fix `suspend-in-generator-expression`: make it a list comprehension.

Safe where the consumer takes all elements before it does anything with them: `list`, `tuple`,
`sorted` and `str.join`. Others work with one element before the next is made (`sum` adds, `set`
hashes), which could be seen. `any`, `all` and those that hand elements on one by one may take fewer
elements, so that a list would ask for more events: for them there is no fix.
"""

from __future__ import annotations

import libcst as cst

from longterm_compiler.fixes.place import Edit, Place

RULE = "suspend-in-generator-expression"
_COLLECT_FIRST = frozenset({"list", "tuple", "sorted"})
_TAKE_ALL = frozenset({"dict", "frozenset", "max", "min", "set", "sum"})


def propose(place: Place) -> Edit | None:
    """Return the edit for one place, if there is one."""
    generator = place.nearest(cst.GeneratorExp)
    argument = generator and place.parent(generator)
    call = argument and place.parent(argument)
    if not isinstance(call, cst.Call) or not isinstance(argument, cst.Arg) or argument.keyword:
        return None
    if generator is None or argument is not call.args[0] or argument.star:
        return None
    is_safe = _is_one_of(call.func, _COLLECT_FIRST, place) or _joins(call.func)
    if not is_safe and not _is_one_of(call.func, _TAKE_ALL, place):
        return None
    if _is_one_of(call.func, frozenset({"list"}), place) and len(call.args) == 1:
        return Edit(is_safe, {call: _in_place_of(call, argument, generator)})
    return Edit(is_safe, {generator: _listed(generator)})


def _listed(generator: cst.GeneratorExp) -> cst.ListComp:
    """Return the comprehension; what stood in parentheses of its own stands in the brackets."""
    left, right = cst.LeftSquareBracket(), cst.RightSquareBracket()
    lpar, rpar = list(generator.lpar), list(generator.rpar)
    if lpar:
        left = cst.LeftSquareBracket(lpar.pop().whitespace_after)
        right = cst.RightSquareBracket(rpar.pop(0).whitespace_before)
    return cst.ListComp(generator.elt, generator.for_in, left, right, lpar, rpar)


def _in_place_of(call: cst.Call, argument: cst.Arg, generator: cst.GeneratorExp) -> cst.ListComp:
    """Return the comprehension for `list(…)`, with the comments and line ends of the call."""
    if generator.lpar or argument.comma is not cst.MaybeSentinel.DEFAULT:
        comprehension = _listed(generator)
    else:
        comprehension = cst.ListComp(
            generator.elt,
            generator.for_in,
            cst.LeftSquareBracket(call.whitespace_before_args),
            cst.RightSquareBracket(argument.whitespace_after_arg),
        )
    return comprehension.with_changes(lpar=call.lpar, rpar=call.rpar)


def _is_one_of(called: cst.BaseExpression, builtins: frozenset[str], place: Place) -> bool:
    """Tell whether a builtin is called, and nothing in the file has its name."""
    if not isinstance(called, cst.Name) or called.value not in builtins:
        return False
    binders = (cst.AssignTarget, cst.FunctionDef, cst.ClassDef, cst.Param, cst.ImportAlias)
    pending: list[cst.CSTNode] = [place.module]
    while pending:
        node = pending.pop()
        if isinstance(node, cst.ImportStar):
            return False
        if isinstance(node, binders) and _bound_name(node) == called.value:
            return False
        pending += node.children
    return True


def _bound_name(node: cst.CSTNode) -> str | None:
    match node:
        case cst.AssignTarget(target=cst.Name(value=name)):
            return name
        case cst.FunctionDef(name=cst.Name(value=name)) | cst.ClassDef(name=cst.Name(value=name)):
            return name
        case cst.Param(name=cst.Name(value=name)):
            return name
        case cst.ImportAlias():
            return node.evaluated_alias or node.evaluated_name
        case _:
            return None


def _joins(called: cst.BaseExpression) -> bool:
    """Tell whether `str.join` of a string that is written here is called."""
    match called:
        case cst.Attribute(value=cst.SimpleString(), attr=cst.Name(value="join")):
            return True
        case _:
            return False
