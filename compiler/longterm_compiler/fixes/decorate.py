"""Put `@deflow` on a function: the move that several fixes make."""

from __future__ import annotations

import libcst as cst

from longterm_compiler.fixes.place import Edit, Place


def make_flow(place: Place, function: cst.FunctionDef, *, is_safe: bool) -> Edit | None:
    """Propose to put `@deflow` directly above the `def`, spelled as the flow around spells it."""
    found = place.deflow_around()
    if found is None:
        return None
    decorator = cst.Decorator(found[1].decorator)
    decorators = (*function.decorators, decorator)
    return Edit(is_safe, {function: function.with_changes(decorators=decorators)})
