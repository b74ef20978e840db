"""The compiler's passes in their order: a function in a source file in, a `Flow`'s code out.

    source -> scope -> callees -> points -> check -> lower -> text -> codegen
                                                        |-> resume -> liveness -> text -> codegen

The first line makes the fresh body, the second the resume body of a point. All up to `text` plan a
tree; `text` writes it down as source, reads that again, and proves that it is what was planned. So
what is compiled is the text that `longterm-compile` prints.

A resume body is made when it is first asked for, since most points of most flows are never resumed
in a given process.
"""

from __future__ import annotations

import ast
import types
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from longterm._abi import CELLS, NEXT, RESERVED_PREFIX, mangle
from longterm_compiler.analysis.callees import Callees, ModuleNames
from longterm_compiler.analysis.limits import check_depth, nested_blocks, room_for
from longterm_compiler.analysis.liveness import live_at_entry
from longterm_compiler.analysis.points import Suspensions, find_suspensions
from longterm_compiler.analysis.scope import Scope, bound_by, free_names, type_parameters
from longterm_compiler.checks.check import check_flow
from longterm_compiler.diagnostics import Refused
from longterm_compiler.emit.codegen import code_of, resume_function
from longterm_compiler.emit.version import meaning_digest
from longterm_compiler.lower import Lowered, ResumePoint, lower
from longterm_compiler.resume.body import ROUND, resume_body
from longterm_compiler.resume.supers import with_explicit_super
from longterm_compiler.syntax.build import at, changed, load, store
from longterm_compiler.syntax.source import Definition, FunctionNode
from longterm_compiler.syntax.tree import walk

if TYPE_CHECKING:
    from longterm_compiler.text import FlowText, Mark

_MANY_BLOCKS = 14
_MUCH_INDENTATION = 60


@dataclass(frozen=True, slots=True)
class Resume:
    """The code that finishes a flow from a point on, and what it must be given."""

    body: list[ast.stmt] = field(repr=False)
    slots: dict[str, int]
    """The live names, each with the line of a read."""
    cells: tuple[str, ...]
    """The captured names that the rest of the flow shares with inner functions."""


@dataclass(frozen=True, eq=False)
class CompiledFlow:
    """One flow, compiled."""

    definition: Definition
    names: ModuleNames
    flags: int
    scope: Scope
    suspensions: Suspensions
    lowered: Lowered
    depth: int = 0
    """How deep its syntax is nested."""

    @cached_property
    def version(self) -> str:
        """The digest of what the flow means."""
        return self.version_as(self.definition.node.name)

    def version_as(self, name: str) -> str:
        """Return the version that the flow would have under another name."""
        decorators = self.definition.node.decorator_list
        deflow = [each for each in decorators if self.names.is_deflow(each)]
        points = [".".join(each.callee) for each in self.points]
        # Frames of such a flow once had these names in cells that held the wrong values.
        hidden = [f"hidden {name}" for name in sorted(self.scope.hidden_captures)]
        return meaning_digest(changed(self.definition.node, name=name), deflow, [*points, *hidden])

    @property
    def points(self) -> tuple[ResumePoint, ...]:
        """The resume points, numbered from 1 in the order of the fresh body."""
        return self.lowered.points

    @cached_property
    def shared(self) -> tuple[str, ...]:
        """The names that live in cells: captured by inner functions, or from scopes around."""
        return tuple(sorted({*self.scope.captured, *self.free}, key=self.local_name))

    @cached_property
    def free(self) -> tuple[str, ...]:
        """Those of the shared names that belong to scopes around the flow, by CPython's own word.

        It depends on the version and on `from __future__` which annotations count as uses.
        """
        around = set(_names_around(self.definition, self.names))
        if self.definition.class_name is not None:
            around.add("__class__")
        used = free_names(self.definition.node)
        used |= {"__class__"} if "super" in used else set()
        if used.isdisjoint(around):
            return ()
        with self._room():
            code = self._compiled(self.definition.node, around)
        return tuple(each for each in sorted(around) if self.local_name(each) in code.co_freevars)

    @cached_property
    def nested_in_flows(self) -> bool:
        """Whether every function around the flow is a flow too."""
        around = self.definition.enclosing
        functions = [each for each in around if not isinstance(each, ast.ClassDef)]
        return all(self.names.is_flow(each) for each in functions)

    @cached_property
    def fresh_body(self) -> list[ast.stmt]:
        """The statements of the fresh body, with the author's docstring first, if there is one."""
        body = self.lowered.body
        if not (self.shared and self.points):
            return body
        start = 1 if ast.get_docstring(self.definition.node, clean=False) is not None else 0
        return [*body[:start], _keep_cells(self.definition, self.shared), *body[start:]]

    @cached_property
    def text(self) -> FlowText:
        """What writes the bodies down."""
        # Not at the top: libcst takes longer to import than most flows to compile, or is missing.
        from longterm_compiler.text import FlowText

        return FlowText(self.names.source, self.definition, self.marks)

    @cached_property
    def marks(self) -> dict[ast.stmt, Mark]:
        """What the text says of each point, beside its statement."""
        from longterm_compiler.text import Mark

        return {each.statement: Mark(each.number, each.call) for each in self.points}

    @cached_property
    def fresh_plan(self) -> FunctionNode:
        """The fresh body as a function: what its text must mean."""
        return changed(self.definition.node, body=self.fresh_body)

    @cached_property
    def fresh_text(self) -> str:
        """The text of the fresh body, a function."""
        with self.room_for_text():
            return self.text.fresh(self.fresh_plan)

    @cached_property
    def code(self) -> types.CodeType:
        """The code of the fresh body."""
        with self.room_for_text():
            return self._compiled_text(self.fresh_plan, self.fresh_text, self.free)

    def _compiled_text(self, plan: FunctionNode, text: str, free: Iterable[str]) -> types.CodeType:
        from longterm_compiler.text import as_planned

        return self._compiled(as_planned(plan, text), free)

    def _compiled(self, function: FunctionNode, free: Iterable[str]) -> types.CodeType:
        path = self.names.source.path
        return code_of(self.definition, function, free, path, self.flags)

    def _room(self) -> AbstractContextManager[None]:
        return room_for(self.definition, self.names.source, self.depth)

    def room_for_text(self) -> AbstractContextManager[None]:
        """Let libcst recurse as deep as the flow's text needs."""
        with self._room():
            links = self.text.longest_chain
        return room_for(self.definition, self.names.source, self.depth + links)

    def is_awaited(self, number: int) -> bool:
        """Tell whether the call of a point is awaited."""
        statement = self.lowered.points[number - 1].statement
        return isinstance(getattr(statement, "value", None), ast.Await)

    def resume(self, number: int) -> Resume:
        """Return what is left of the flow from a point on."""
        known = self._resumes.get(number)
        if known is None:
            with self._room():
                known = self._resumes[number] = self._resume(self.lowered.points[number - 1])
        return known

    @cached_property
    def _resumes(self) -> dict[int, Resume]:
        return {}

    def _resume(self, point: ResumePoint) -> Resume:
        first = self.scope.parameters[0] if self.scope.parameters else None
        body = resume_body(self.lowered, point, self.scope)
        if first is not None and "__class__" in self.free:
            body = with_explicit_super(body, first)
        ours = self.scope.local - self.scope.captured
        live = {
            name: line
            for name, line in live_at_entry(body, ROUND).items()
            if name in ours or (name.startswith(RESERVED_PREFIX) and name != NEXT)
        }
        used = _mentioned(body) if self.shared else set()
        used |= {"__class__"} if "super" in used else set()
        cells = tuple(each for each in self.shared if each in used)
        if cells:
            body = [_keep_cells(self.definition, cells), *body]
        return Resume(body, live, cells)

    def resume_text(self, number: int) -> str:
        """Return the text of the resume body of a point, a function."""
        plan = self.resume_plan(number)
        with self.room_for_text():
            return self.text.resume(plan, self._mark(number))

    def resume_code(self, number: int, unbound: Iterable[str] = ()) -> types.CodeType:
        """Compile the resume body of a point, for a frame in which some live names are unbound."""
        plan = self.resume_plan(number, unbound)
        with self.room_for_text():
            text = self.text.resume(plan, self._mark(number))
            return self._compiled_text(plan, text, self.resume(number).cells)

    def _mark(self, number: int) -> Mark:
        return self.marks[self.points[number - 1].statement]

    def resume_plan(self, number: int, unbound: Iterable[str] = ()) -> FunctionNode:
        """Return the resume body of a point as a function: what its text must mean."""
        resume = self.resume(number)
        without = sorted(unbound)
        slots = [each for each in resume.slots if each not in without]
        return resume_function(self.definition, resume.body, slots, without, resume.cells)

    def local_name(self, name: str) -> str:
        """Return a slot's name as a running frame spells it (private names are mangled)."""
        return mangle(name, self.definition.class_name)


def compile_flow(definition: Definition, names: ModuleNames, flags: int = 0) -> CompiledFlow:
    """Compile one function of a file.

    Args:
        definition: the function as written.
        names: what its module binds.
        flags: the `__future__` flags in force there.

    Raises:
        Refused: it, or a flow inside it, holds what cannot be compiled.
        NoLibcst: libcst is missing, or is too old.
        InternalError: the compiler itself has failed.
    """
    source = names.source
    with room_for(definition, source, check_depth(definition, source)):
        scope = names.scope_of(definition.node)
        suspensions = find_suspensions(definition.node, Callees(names, definition, scope))
        found = check_flow(definition, names, scope, suspensions)
    if found:
        raise Refused(found, source.text)
    depth = check_depth(definition, source, suspensions.containing)
    with room_for(definition, source, depth):
        around = _names_around(definition, names)
        lowered = lower(definition.node.body, suspensions, scope, around)
    flow = CompiledFlow(definition, names, flags, scope, suspensions, lowered, depth)
    _prove(flow)
    return flow


def _prove(flow: CompiledFlow) -> None:
    """Make now what CPython's own compiler may yet refuse, rather than when an event arrives."""
    assert flow.code
    lines = flow.fresh_text.splitlines()
    indentation = max(len(each) - len(each.lstrip()) for each in lines) // len(flow.text.indent)
    if nested_blocks(flow.lowered.body) > _MANY_BLOCKS or indentation > _MUCH_INDENTATION:
        # A resume body can have more blocks inside each other than the fresh body has.
        for each in flow.lowered.points:
            flow.resume_code(each.number)


def _names_around(definition: Definition, names: ModuleNames) -> frozenset[str]:
    """Return what a flow can use of the functions and the type parameters around it."""
    found: set[str] = set()
    for each in definition.enclosing:
        found |= type_parameters(each)
        if not isinstance(each, ast.ClassDef):
            scope = names.scope_of(each)
            found = (found | scope.local) - scope.declared_global
    return frozenset(found | type_parameters(definition.node))


def _mentioned(body: list[ast.stmt]) -> set[str]:
    """Return the names that a body reads or binds in any way, the functions inside it included."""
    nodes = [each for node in body for each in walk(node)]
    read = {each.id for each in nodes if isinstance(each, ast.Name)}
    declared = {name for each in nodes if isinstance(each, ast.Nonlocal) for name in each.names}
    return read | declared | {name for each in nodes for name in bound_by(each)}


def _keep_cells(definition: Definition, names: Iterable[str]) -> ast.stmt:
    """Return `_lt_cells = (lambda: (a, b)).__closure__`: the cells of the frame, to be saved."""
    node = definition.node
    place = ast.Pass(
        lineno=node.lineno,
        col_offset=node.col_offset,
        end_lineno=node.lineno,
        end_col_offset=node.col_offset,
    )
    empty = ast.arguments([], [], None, [], [], None, [])
    inner = ast.Lambda(empty, ast.Tuple([load(each) for each in names], ast.Load()))
    value = ast.Attribute(inner, "__closure__", ast.Load())
    return at(place, ast.Assign([store(CELLS)], value))
