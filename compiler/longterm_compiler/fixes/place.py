"""Where a fix works: the place of a diagnostic in the author's syntax tree, and an edit of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, ParentNodeProvider, PositionProvider

from longterm_compiler.analysis.names import ModuleNames
from longterm_compiler.diagnostics import Diagnostic, Span

N = TypeVar("N", bound=cst.CSTNode)
Replacement: TypeAlias = "cst.CSTNode | cst.FlattenSentinel[cst.CSTNode]"


@dataclass(frozen=True, slots=True)
class Edit:
    """What to put in the place of some nodes of the tree, and whether that is safe."""

    is_safe: bool
    replacements: Mapping[cst.CSTNode, Replacement] = field(repr=False)

    def apply(self, module: cst.Module) -> str:
        """Return the text of the module with this edit made."""
        return module.visit(_Replace(self.replacements)).code


class _Replace(cst.CSTTransformer):
    """Replaces nodes of one tree, told apart by identity."""

    def __init__(self, replacements: Mapping[cst.CSTNode, Replacement]) -> None:
        super().__init__()
        self._replacements = replacements

    def on_leave(self, original_node: cst.CSTNodeT, updated_node: cst.CSTNodeT) -> Replacement:  # type: ignore[override]
        return self._replacements.get(original_node, updated_node)


@dataclass(frozen=True)
class Place:
    """The place of a diagnostic: the smallest node that holds its span, and what is around it."""

    diagnostic: Diagnostic
    names: ModuleNames
    module: cst.Module
    node: cst.CSTNode
    _parents: Mapping[cst.CSTNode, cst.CSTNode] = field(repr=False)

    @classmethod
    def of(cls, diagnostic: Diagnostic, names: ModuleNames) -> Place:
        """Find the place of a diagnostic in the text that it is about."""
        wrapper = MetadataWrapper(cst.parse_module(names.source.text), unsafe_skip_copy=True)
        positions = wrapper.resolve(PositionProvider)
        parents = wrapper.resolve(ParentNodeProvider)
        span = _in_characters(diagnostic.span, names.source.lines)
        holding = [node for node, place in positions.items() if _holds(place, span)]
        # Of nodes with the same range, the one that stands deepest.
        node = min(holding, key=lambda node: (_extent(positions[node]), -_depth(node, parents)))
        return cls(diagnostic, names, wrapper.module, node, parents)

    def around(self, node: cst.CSTNode | None = None) -> Iterator[cst.CSTNode]:
        """Yield what holds a node (the place's own unless told otherwise), the nearest first."""
        node = self.node if node is None else node
        while node in self._parents:
            node = self._parents[node]
            yield node

    def nearest(self, *kinds: type[N]) -> N | None:
        """Return the nearest node of some kinds, at the place or around it."""
        for node in (self.node, *self.around()):
            if isinstance(node, kinds):
                return node
        return None

    def statement_of(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """Return the statement of a block that holds a node, before which another may be put."""
        for outer in (node, *self.around(node)):
            if isinstance(self._parents.get(outer), cst.IndentedBlock | cst.Module):
                return outer
        return None

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """Return what directly holds a node."""
        return self._parents.get(node)

    def deflow_around(self) -> tuple[cst.FunctionDef, cst.Decorator] | None:
        """Return the nearest flow at or around the place, and `@deflow` as it is spelled there.

        Without arguments: the names that a flow was once called by are its own.
        """
        for node in (self.node, *self.around()):
            if isinstance(node, cst.FunctionDef):
                for decorator in node.decorators:
                    if self.is_deflow(decorator):
                        spelled = decorator.decorator
                        called = spelled.func if isinstance(spelled, cst.Call) else spelled
                        return node, cst.Decorator(called)
        return None

    def is_deflow(self, decorator: cst.Decorator) -> bool:
        """Tell whether a decorator is longterm's `deflow`."""
        return self.names.is_deflow(self.as_ast(decorator.decorator))

    def as_ast(self, node: cst.BaseExpression) -> ast.expr:
        """Return an expression as the passes of the compiler know it."""
        return ast.parse(f"({self.module.code_for_node(node)}\n)", mode="eval").body

    def fresh_name(self, wanted: str) -> str:
        """Return a name that the file uses nowhere: the wanted one, or the same with a number."""
        used = set(_identifiers(self.module))
        number, name = 1, wanted
        while name in used:
            number += 1
            name = f"{wanted}{number}"
        return name


def _identifiers(module: cst.Module) -> Iterator[str]:
    pending: list[cst.CSTNode] = [module]
    while pending:
        node = pending.pop()
        if isinstance(node, cst.Name):
            yield node.value
        pending += node.children


def _depth(node: cst.CSTNode, parents: Mapping[cst.CSTNode, cst.CSTNode]) -> int:
    depth = 0
    while node in parents:
        node = parents[node]
        depth += 1
    return depth


def _in_characters(span: Span, lines: list[str]) -> Span:
    """Return a span whose columns count characters, as libcst does, not bytes, as `ast` does."""

    def column(line: int, offset: int) -> int:
        return len(lines[line - 1].encode()[:offset].decode())

    return Span(
        span.line,
        column(span.line, span.column),
        span.end_line,
        column(span.end_line, span.end_column),
    )


def _holds(place: CodeRange, span: Span) -> bool:
    start, end = place.start, place.end
    return (start.line, start.column) <= (span.line, span.column) and (
        span.end_line,
        span.end_column,
    ) <= (end.line, end.column)


def _extent(place: CodeRange) -> tuple[int, int]:
    """Return how large a range is, for comparison with others that hold the same span."""
    lines = place.end.line - place.start.line
    return lines, place.end.column - place.start.column if not lines else 0
