"""Which generators of a file may suspend inside themselves, so that who asks them must be a point.

@deflow
def answers(questions):             # may: a call in it suspends
    for question in questions:
        yield suspend(question)

@deflow
def all_answers(pages):             # may: it asks one that may
    for page in pages:
        yield from answers(page)

@deflow
def numbers():                      # may not: its points are where it yields
    yield 1
"""

from __future__ import annotations

from dataclasses import dataclass, field

from longterm_compiler.analysis.callees import Callees
from longterm_compiler.analysis.names import ModuleNames
from longterm_compiler.analysis.points import find_suspensions
from longterm_compiler.syntax.source import FunctionNode


@dataclass(slots=True, eq=False)
class Inside:
    """Tells of each generator of a file whether it may suspend inside itself."""

    names: ModuleNames
    _known: dict[FunctionNode, bool] = field(default_factory=dict)
    _under_way: list[FunctionNode] = field(default_factory=list)
    """The generators that are looked at just now, which may ask each other in a circle."""
    _met: bool = False
    """Whether one was met that is looked at: then it may yet turn out otherwise."""

    def may_suspend(self, node: FunctionNode) -> bool:
        """Tell whether the text shows that a generator flow may suspend inside itself."""
        known = self._known.get(node)
        if known is not None:
            return known
        if node in self._under_way:
            self._met = True
            return False
        if not self._under_way:
            self._met = False
        self._under_way.append(node)
        found = self._looked_at(node)
        self._under_way.pop()
        if found or not self._met or not self._under_way:
            self._known[node] = found
        return found

    def _looked_at(self, node: FunctionNode) -> bool:
        definition = next((d for d in self.names.source.definitions if d.node is node), None)
        if definition is None:
            return False
        callees = Callees(self.names, definition, self.names.scope_of(node))
        return bool(find_suspensions(node, callees).calls_or_asks)
