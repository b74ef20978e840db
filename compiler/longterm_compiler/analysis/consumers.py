"""Calls of builtins that take a generator expression apart at once: `any(ask(q) for q in qs)`.

The generator is born in such a call and dies in it, so nobody else sees its frame. The loop that it
is can be written out in the flow, with what the builtin does with each element: then a suspend may
stand in it. Only builtins that are surely these builtins count, with arguments that they accept.

    any(ask(q) for q in qs)             # consumed by `any`
    max((ask(q) for q in qs), key=len)  # consumed by `max`
    ", ".join(ask(q) for q in qs)       # consumed by `join`
    Counter(ask(q) for q in qs)         # not: its code is not known here
    list(await ask(q) for q in qs)      # not: Python refuses it, an asynchronous generator
"""

from __future__ import annotations

import ast
from typing import Final

from longterm_compiler.analysis.callees import Callees
from longterm_compiler.syntax.tree import walk

JOIN: Final = "join"
_NONE: Final[frozenset[str]] = frozenset()
_KEYWORDS: Final = {
    **dict.fromkeys(("all", "any", "dict", "frozenset", "list", "next", "set", "tuple"), _NONE),
    "anext": _NONE,
    "max": frozenset({"key", "default"}),
    "min": frozenset({"key", "default"}),
    "sorted": frozenset({"key", "reverse"}),
    "sum": frozenset({"start"}),
}
"""The builtins that are known here, each with the keywords that it takes."""
_TAKE_A_SECOND: Final = frozenset({"anext", "next", "sum"})
"""Those that take another argument by its position: the default, the start."""


def consumer_of(call: ast.Call, callees: Callees) -> str | None:
    """Return the builtin that a call gives a generator expression to, if it is a known one."""
    first = call.args[0] if call.args else None
    if not isinstance(first, ast.GeneratorExp) or _is_asynchronous(first):
        return None
    name = taker_of(call, callees)
    return None if name == "anext" else name


def taker_of(call: ast.Call, callees: Callees) -> str | None:
    """Return the builtin that takes the first argument of a call apart, if it is a known one."""
    others = call.args[1:]
    name = JOIN if _is_join(call.func) else callees.builtin(call.func)
    keywords = [keyword.arg for keyword in call.keywords]
    if name == JOIN:
        return None if others or keywords else name
    if name not in _KEYWORDS or not _KEYWORDS[name].issuperset(map(str, keywords)):
        return None
    if any(isinstance(other, ast.Starred) for other in others):
        return None
    most = 1 if name in _TAKE_A_SECOND and not keywords else 0
    return name if len(others) <= most else None


def _is_join(callee: ast.expr) -> bool:
    """Tell whether it is the `join` of a string that is written here; it collects all first."""
    if not isinstance(callee, ast.Attribute) or callee.attr != "join":
        return False
    text = callee.value
    is_literal = isinstance(text, ast.Constant) and isinstance(text.value, str | bytes)
    return is_literal or isinstance(text, ast.JoinedStr)


def _is_asynchronous(node: ast.GeneratorExp) -> bool:
    """Tell whether it makes an asynchronous generator. Its first iterable is none of its own."""
    first, *rest = node.generators
    own = [part for top in (node.elt, *first.ifs, *rest) for part in walk(top)]
    return bool(first.is_async) or any(
        isinstance(part, ast.Await) or (isinstance(part, ast.comprehension) and part.is_async)
        for part in own
    )
