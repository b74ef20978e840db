"""Fix `suspend-in-generator-expression`: make it a list comprehension.

Only unsafe fixes are left. The builtins that are known to take a generator apart at once need none;
what others do with an element before the next is made could be seen, and could keep them from
taking more. Some are known by their names to take all elements.
"""

from __future__ import annotations

import libcst as cst

from longterm_compiler.fixes.place import Edit, Place

RULE = "suspend-in-generator-expression"
_TAKE_ALL = frozenset({"Counter", "OrderedDict", "bytearray", "bytes", "deque", "fsum", "prod"})
_METHODS_TAKE_ALL = frozenset({"extend", "join", "update"})


def propose(place: Place) -> Edit | None:
    """Return the edit for one place, if there is one."""
    generator = place.nearest(cst.GeneratorExp)
    argument = generator and place.parent(generator)
    call = argument and place.parent(argument)
    if not isinstance(call, cst.Call) or not isinstance(argument, cst.Arg) or argument.keyword:
        return None
    if generator is None or argument is not call.args[0] or argument.star:
        return None
    return Edit(False, {generator: _listed(generator)}) if _takes_all(call.func) else None


def _takes_all(called: cst.BaseExpression) -> bool:
    match called:
        case cst.Name(value=name):
            return name in _TAKE_ALL
        case cst.Attribute(attr=cst.Name(value=name)):
            return name in _METHODS_TAKE_ALL or name in _TAKE_ALL
    return False


def _listed(generator: cst.GeneratorExp) -> cst.ListComp:
    """Return the comprehension; what stood in parentheses of its own stands in the brackets."""
    left, right = cst.LeftSquareBracket(), cst.RightSquareBracket()
    lpar, rpar = list(generator.lpar), list(generator.rpar)
    if lpar:
        left = cst.LeftSquareBracket(lpar.pop().whitespace_after)
        right = cst.RightSquareBracket(rpar.pop(0).whitespace_before)
    return cst.ListComp(generator.elt, generator.for_in, left, right, lpar, rpar)
