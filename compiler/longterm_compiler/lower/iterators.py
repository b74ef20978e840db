"""Make the iterator of a loop that may suspend: one that has a name, and can be stored.

What `re.finditer` returns cannot be stored, so a call of that name is put into `matches`:

    for m in p.finditer(t):     _lt_iter1 = __longterm__.iter(__longterm__.matches(p.finditer(t)))
        ask(m[0])               for m in __longterm__.rest(_lt_iter1):
                                    ask(m[0])
"""

from __future__ import annotations

import ast
from operator import is_

from longterm_compiler.lower.context import Lowering
from longterm_compiler.syntax.build import at, call, changed, runtime


def iterator_of(low: Lowering, iterable: ast.expr, make: str = "iter") -> ast.expr:
    """Return what makes the iterator of what a loop goes over, at the place of that."""
    return at(iterable, call(runtime(make), _with_matches(low, iterable)))


def _with_matches(low: Lowering, node: ast.expr) -> ast.expr:
    """Return what a loop goes over with each call of `finditer` in it put into `matches`."""
    if not isinstance(node, ast.Call):
        return node
    args = [_with_matches(low, arg) for arg in node.args]
    made = node
    if not all(map(is_, args, node.args)):
        made = changed(node, args=args)
        low.suspensions.record_copy(node, made)
    match node.func:
        case ast.Attribute(attr="finditer") | ast.Name(id="finditer"):
            made = at(node, call(runtime("matches"), made))
            low.suspensions.mark(made)
    return made
