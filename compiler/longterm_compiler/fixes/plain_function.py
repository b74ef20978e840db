"""Fix `suspend-in-plain-function`: put `@deflow` on the inner function that suspends.

Safe unless other decorators are there, which may do anything with a flow.
"""

from __future__ import annotations

import libcst as cst

from longterm_compiler.fixes.decorate import make_flow
from longterm_compiler.fixes.place import Edit, Place

RULE = "suspend-in-plain-function"


def propose(place: Place) -> Edit | None:
    """Return the edit for one place, if there is one."""
    function = place.nearest(cst.FunctionDef)
    if function is None:
        return None
    return make_flow(place, function, is_safe=not function.decorators)
