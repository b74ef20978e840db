"""Fix `suspend-in-annotation`: quote what is never evaluated, name what is.

Python never evaluates the annotation of a plain local variable (PEP 526), so to quote it is safe.
That of a parameter is evaluated with the `def`: to name it before is unsafe, since defaults and
decorators are evaluated in between.
"""

from __future__ import annotations

import libcst as cst

from longterm_compiler.fixes.hoist import hoist
from longterm_compiler.fixes.place import Edit, Place

RULE = "suspend-in-annotation"


def propose(place: Place) -> Edit | None:
    """Return the edit for one place, if there is one."""
    annotation = place.nearest(cst.Annotation)
    if annotation is None:
        return None
    value = annotation.annotation
    holder = place.parent(annotation)
    if isinstance(holder, cst.AnnAssign):
        return _quoted(place, holder, value)
    function = place.nearest(cst.FunctionDef)
    if function is None:
        return None
    return hoist(place, value, function, "annotation", is_safe=False)


def _quoted(place: Place, holder: cst.AnnAssign, value: cst.BaseExpression) -> Edit | None:
    scope = next(n for n in place.around(holder) if isinstance(n, cst.FunctionDef | cst.ClassDef))
    if isinstance(scope, cst.ClassDef):
        return None  # a class keeps what its annotations are worth
    if not isinstance(holder.target, cst.Name) or holder.target.lpar:
        return None  # Python evaluates the annotation of `self.x: …` and of `(x): …`
    text = place.module.code_for_node(value)
    quote = next((mark for mark in "\"'" if mark not in text), None)
    if quote is None or "\n" in text or "\\" in text:
        return None
    return Edit(True, {value: cst.SimpleString(f"{quote}{text}{quote}")})
