"""Fix `suspend-in-except-clause`: name the type before the `try` statement.

Unsafe: it is then asked for always, and first; before, only when an exception came to the clause.
"""

from __future__ import annotations

import libcst as cst

from longterm_compiler.fixes.hoist import hoist
from longterm_compiler.fixes.place import Edit, Place

RULE = "suspend-in-except-clause"


def propose(place: Place) -> Edit | None:
    """Return the edit for one place, if there is one."""
    for handler in place.around():
        if isinstance(handler, cst.ExceptHandler | cst.ExceptStarHandler):
            block = place.parent(handler)
            if handler.type is None or block is None:
                return None
            return hoist(place, handler.type, block, "caught", is_safe=False)
    return None
