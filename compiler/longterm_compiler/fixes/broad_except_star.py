"""Fix `suspend-under-broad-except-star`: catch `Exception` instead of `BaseException`.

Unsafe: `KeyboardInterrupt`, `SystemExit` and a cancelled task then pass the clause.
"""

from __future__ import annotations

import libcst as cst

from longterm_compiler.fixes.place import Edit, Place

RULE = "suspend-under-broad-except-star"


def propose(place: Place) -> Edit | None:
    """Return the edit for one place, if there is one."""
    block = place.nearest(cst.TryStar)
    if block is None:
        return None
    pending: list[cst.CSTNode] = [handler.type for handler in block.handlers]
    found: list[cst.CSTNode] = []
    while pending:
        node = pending.pop()
        if isinstance(node, cst.Name) and node.value == "BaseException":
            found.append(node)
        pending += node.children
    return Edit(False, {node: cst.Name("Exception") for node in found}) if found else None
