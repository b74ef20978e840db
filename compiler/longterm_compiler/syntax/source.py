"""A source file and the functions in it: text in, definitions out. Knows nothing of flows.

A `Definition` is a function's tree with the scopes around it, which decide how its names resolve.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from longterm_compiler.syntax.tree import in_blocks

# As Python counts lines: a form feed or a Unicode separator ends none.
_LINE_END = re.compile(r"\r\n|\r|\n")
FunctionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
ScopeNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """A function as written: its node and the classes and functions that enclose it."""

    node: FunctionNode
    enclosing: tuple[ScopeNode, ...] = ()

    @property
    def qualname(self) -> str:
        """The name as Python spells it: `Shop.approve`, `outer.<locals>.inner`."""
        parts: list[str] = []
        for scope in self.enclosing:
            parts.append(scope.name)
            if not isinstance(scope, ast.ClassDef):
                parts.append("<locals>")
        return ".".join([*parts, self.node.name])

    @property
    def first_line(self) -> int:
        """The line on which CPython says that the function starts: its first decorator's."""
        decorators = self.node.decorator_list
        return min([self.node.lineno, *(decorator.lineno for decorator in decorators)])

    @property
    def class_name(self) -> str | None:
        """The name of the nearest class around, by which private names are mangled."""
        classes = [scope.name for scope in self.enclosing if isinstance(scope, ast.ClassDef)]
        return classes[-1] if classes else None

    @property
    def is_method(self) -> bool:
        """Whether the function stands directly in a class body."""
        return bool(self.enclosing) and isinstance(self.enclosing[-1], ast.ClassDef)


@dataclass(frozen=True, eq=False)
class SourceFile:
    """One file: its path as tracebacks show it, its text, and its tree."""

    path: str
    text: str
    tree: ast.Module = field(repr=False)

    @classmethod
    def parse(cls, path: str, text: str) -> SourceFile:
        """Parse a file's text.

        Raises:
            SyntaxError: the text is not Python; the words are CPython's own.
        """
        return cls(path, text, ast.parse(text, path))

    @cached_property
    def lines(self) -> list[str]:
        """The text as lines without their ends, the first at index 0."""
        return _LINE_END.split(self.text)

    @cached_property
    def definitions(self) -> list[Definition]:
        """Every function of the file, in the order of the text."""
        return list(_definitions(self.tree, ()))

    def find(self, name: str, first_line: int) -> Definition | None:
        """Return the function of this name that starts on this line."""
        for definition in self.definitions:
            if definition.node.name == name and definition.first_line == first_line:
                return definition
        return None

    def find_qualname(self, qualname: str) -> Definition | None:
        """Return the last function of this qualified name, as a module ends up with it."""
        found = [definition for definition in self.definitions if definition.qualname == qualname]
        return found[-1] if found else None


def _definitions(node: ast.AST, enclosing: tuple[ScopeNode, ...]) -> Iterator[Definition]:
    pending = [(node, enclosing)]
    while pending:
        current, scopes = pending.pop()
        if isinstance(current, ast.FunctionDef | ast.AsyncFunctionDef):
            yield Definition(current, scopes)
        if isinstance(current, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            scopes = (*scopes, current)
        pending.extend((inner, scopes) for inner in reversed(in_blocks(current)))
