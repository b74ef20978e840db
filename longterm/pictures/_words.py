"""The words of a picture: expressions of a flow in, short text for people out."""

from __future__ import annotations

import ast
import copy
import types
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from inspect import getattr_static
from typing import Any, Final

from longterm._escapes import escaped

_LONGEST: Final = 44
_UNITS: Final = ("weeks", "days", "hours", "minutes", "seconds")


class Words:
    """Says what the expressions of one function mean, by the names of its module."""

    def __init__(
        self,
        namespace: Mapping[str, Any],
        local: Collection[str],
        source: str,
        is_point: Callable[[ast.AST], bool],
    ) -> None:
        """Read names.

        Args:
            namespace: what the module holds.
            local: the names that are the function's own, so that only running code can tell.
            source: the text of the file.
            is_point: tells whether an expression is a call at which the function may wait.
        """
        self._namespace = namespace
        self._local = local
        self._source = source
        self._is_point = is_point

    def text(self, node: ast.AST) -> str:
        """Return an expression as its author wrote it, without the arguments of calls that wait."""
        if any(map(self._is_point, ast.walk(node))):
            text = ast.unparse(_Shortened(self._is_point).visit(copy.deepcopy(node)))
        else:
            text = ast.get_source_segment(self._source, node) or ast.unparse(node)
        return shortened(" ".join(text.split()))

    def value(self, node: ast.expr) -> object:
        """Return what a dotted name stands for in the module, without running any code; or None."""
        path: list[str] = []
        while isinstance(node, ast.Attribute):
            path.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id in self._local:
            return None
        found = self._namespace.get(node.id)
        for name in reversed(path):
            if isinstance(found, types.ModuleType):
                found = vars(found).get(name)
            elif isinstance(found, type):
                found = getattr_static(found, name, None)
            else:
                return None
        return found

    def event(self, node: ast.expr) -> str:
        """Return the name of an event, or how it is made."""
        if isinstance(node, ast.Starred):
            return f"any of {self.text(node.value)}"
        if isinstance(node, ast.JoinedStr):
            return "".join(map(_part_of_name, node.values))
        found = node.value if isinstance(node, ast.Constant) else self.value(node)
        return str(found) if isinstance(found, str) else self.text(node)

    def duration(self, node: ast.expr) -> str:
        """Return a length of time, or a moment."""
        if isinstance(found := self.value(node), timedelta):
            return _spoken(found)
        if isinstance(node, ast.Call) and self.value(node.func) is timedelta and not node.args:
            amounts = [(word.arg, word.value) for word in node.keywords]
            if all(unit in _UNITS and isinstance(value, ast.Constant) for unit, value in amounts):
                given = {str(unit): ast.literal_eval(value) for unit, value in amounts}
                return _spoken(timedelta(**given))
        return self.text(node)

    def is_no_time(self, node: ast.expr) -> bool:
        """Tell whether an expression is `timedelta(0)`, or `timedelta()`."""
        match node:
            case ast.Call(func=callee, args=[] | [ast.Constant(value=0)], keywords=[]):
                return self.value(callee) is timedelta
        return False


def shortened(text: str) -> str:
    """Return a text that is not too long for a box, with what cannot be seen written out."""
    text = escaped(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


class _Shortened(ast.NodeTransformer):
    def __init__(self, is_point: Callable[[ast.AST], bool]) -> None:
        self._is_point = is_point

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Leave the arguments of a call that waits out."""
        if self._is_point(node):
            return ast.Call(node.func, [ast.Constant(...)], [])
        return self.generic_visit(node)


def _part_of_name(part: ast.expr) -> str:
    if isinstance(part, ast.FormattedValue):
        return f"{{{ast.unparse(part.value)}}}"
    return str(part.value) if isinstance(part, ast.Constant) else ast.unparse(part)


def _spoken(duration: timedelta) -> str:
    """Return a length of time in words: `2 days`, `1 hour 30 minutes`."""
    left = int(duration.total_seconds())
    said: list[str] = []
    for unit, seconds in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        count, left = divmod(left, seconds)
        if count:
            said.append(f"{count:,} {unit}{'s' if count > 1 else ''}")
    return " ".join(said) if said and duration > timedelta(0) else str(duration)
