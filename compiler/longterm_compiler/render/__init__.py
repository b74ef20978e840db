"""The text of a compiled flow, for people: its fresh body first, then one resume body a point.

A `CompiledFlow` in, Python text out, which parses to the very trees that run. What cannot suspend
is the author's own text; the statement of a resume point says its number and the author's line.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from longterm._abi import ABI_VERSION, NEXT
from longterm_compiler.analysis.limits import room_for
from longterm_compiler.lower import ResumePoint
from longterm_compiler.pipeline import CompiledFlow
from longterm_compiler.render.author import RAW_BREAK, AuthorText, start_of
from longterm_compiler.render.blocks import Blocks, Lines, indented

__all__ = ["render_flow", "render_parts"]

_WIDTH = 88
_SHORTEST = 16


def render_flow(compiled: CompiledFlow) -> str:
    """Return the text of one compiled flow, its header comment first."""
    return "".join(render_parts(compiled))


def render_parts(compiled: CompiledFlow) -> Iterator[str]:
    """Yield the text of one compiled flow piece by piece, since it can be long."""
    flow = _Flow(compiled)
    yield "\n".join(_header(compiled))
    yield flow.fresh().replace(RAW_BREAK, "\n")
    for point in compiled.points:
        yield "\n\n" + flow.resume(point).replace(RAW_BREAK, "\n")


def _header(compiled: CompiledFlow) -> Lines:
    source, definition = compiled.names.source, compiled.definition
    return [
        f"# {definition.qualname}, a flow of {source.path}: what runs. Generated, do not edit.",
        f"# longterm ABI {ABI_VERSION}, version {compiled.version}",
        "\n\n",
    ]


class _Flow:
    def __init__(self, compiled: CompiledFlow) -> None:
        self._compiled = compiled
        self._author = AuthorText(compiled.names.source, compiled.definition)
        self._points = {
            each.statement: point
            for each, point in zip(compiled.lowered.points, compiled.points, strict=True)
        }
        self._blocks = Blocks(self._author, self._note)
        self._current: ResumePoint | None = None

    def fresh(self) -> str:
        """Write the function as the author declared it, with the fresh body."""
        self._current = None
        return self._function(self._declaration(), self._compiled.fresh_body)

    def resume(self, point: ResumePoint) -> str:
        """Write what is left to do of the flow from a point on."""
        self._current = point
        resume = self._compiled.resume(point.number)
        node = self._compiled.definition.node
        keyword = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
        body = list(resume.body)
        shared = [each for each in resume.cells if each != "__class__"]
        if shared:
            body.insert(0, ast.Nonlocal(shared))
        line = self._author.line_of_call(self._call(point))
        title = f"# Point {point.number}, line {point.line}: {line}"
        head = _signature(f"{keyword} {node.name}", [NEXT, *resume.slots])
        return self._function([title, *head], body)

    def _call(self, point: ResumePoint) -> ast.Call:
        return self._compiled.lowered.points[point.number - 1].call

    def _function(self, head: Lines, body: list[ast.stmt]) -> str:
        compiled = self._compiled
        with room_for(compiled.definition, compiled.names.source, compiled.depth):
            return "\n".join([*head, *indented(self._blocks.block(body)), ""])

    def _declaration(self) -> Lines:
        author, node = self._author, self._compiled.definition.node
        layout = author.layout
        start, _ = author.span(node)
        first = node.body[0]
        line = author.opening(first)
        end = layout.end_of(line)
        if line == start_of(first)[0]:
            end = layout.offset(*start_of(first))
        return author.slice(start, end).rstrip().split("\n")

    def _note(self, statement: ast.stmt, text: str, depth: int) -> str | None:
        """Return the comment for a resume point's statement; the author's line if it is another."""
        point = self._points.get(statement)
        if point is None and self._current is not None and _takes_the_event(statement):
            return _short(self._current)
        if point is None:
            return None
        note, source = _short(point), self._author.line_of_call(self._call(point))
        room = _WIDTH - 4 * depth - len(text.rpartition("\n")[2]) - len(note) - len("  : ")
        if text.partition("\n")[0] in source or room < min(_SHORTEST, len(source)):
            return note
        return f"{note}: {source}" if len(source) <= room else f"{note}: {source[: room - 1]}…"


def _short(point: ResumePoint) -> str:
    return f"# point {point.number}, line {point.line}"


def _takes_the_event(statement: ast.stmt) -> bool:
    value = getattr(statement, "value", None)
    if isinstance(value, ast.Await):
        value = value.value
    return (
        isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == NEXT
    )


def _signature(name: str, parameters: list[str]) -> Lines:
    line = f"{name}({', '.join(parameters)}):"
    if len(line) <= _WIDTH:
        return [line]
    return [f"{name}(", *(f"    {each}," for each in parameters), "):"]
