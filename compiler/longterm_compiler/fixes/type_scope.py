"""Fix `suspend-in-type-scope`: name the value before the alias or the function.

Unsafe: it is then asked for at once; before, when somebody first looked at it, if ever.
"""

from __future__ import annotations

import libcst as cst

from longterm_compiler.fixes.hoist import hoist
from longterm_compiler.fixes.place import Edit, Place

RULE = "suspend-in-type-scope"


def propose(place: Place) -> Edit | None:
    """Return the edit for one place, if there is one."""
    holder = place.nearest(cst.TypeAlias, cst.FunctionDef, cst.ClassDef)
    if holder is None or not isinstance(place.node, cst.Call):
        return None
    return hoist(place, place.node, holder, "type", is_safe=False)
