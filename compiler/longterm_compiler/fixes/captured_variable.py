"""Fix `capture-from-plain-function`: put `@deflow` on the function around the flow as well.

Unsafe: whoever calls that function inside of a flow calls a flow from then on, and its variables
must be storable.
"""

from __future__ import annotations

import libcst as cst

from longterm_compiler.fixes.decorate import make_flow
from longterm_compiler.fixes.place import Edit, Place

RULE = "capture-from-plain-function"


def propose(place: Place) -> Edit | None:
    """Return the edit for one place, if there is one."""
    found = place.deflow_around()
    if found is None:
        return None
    for node in place.around(found[0]):
        if isinstance(node, cst.FunctionDef) and not any(map(place.is_deflow, node.decorators)):
            return make_flow(place, node, is_safe=False)
    return None
