"""Fix `decorator-order`: move `@deflow` to the place directly above the `def`.

Safe above `@staticmethod` and `@classmethod`. What other decorators make of a flow is theirs: a
cache, for example, calls it from C code, through which no suspend goes.
"""

from __future__ import annotations

import libcst as cst

from longterm_compiler.fixes.place import Edit, Place

RULE = "decorator-order"
_HAND_ON = frozenset({"staticmethod", "classmethod"})


def propose(place: Place) -> Edit | None:
    """Return the edit for one place, if there is one."""
    function = place.nearest(cst.FunctionDef)
    if function is None:
        return None
    deflows = [decorator for decorator in function.decorators if place.is_deflow(decorator)]
    others = [decorator for decorator in function.decorators if decorator not in deflows]
    if len(deflows) != 1 or not others:
        return None
    # Each line keeps the comments above it.
    ordered = [
        decorator.with_changes(leading_lines=old.leading_lines)
        for decorator, old in zip((*others, *deflows), function.decorators, strict=True)
    ]
    passed = function.decorators[function.decorators.index(deflows[0]) + 1 :]
    is_safe = all(_name(decorator) in _HAND_ON for decorator in passed)
    return Edit(is_safe, {function: function.with_changes(decorators=ordered)})


def _name(decorator: cst.Decorator) -> str | None:
    return decorator.decorator.value if isinstance(decorator.decorator, cst.Name) else None
