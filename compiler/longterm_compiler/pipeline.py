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
from longterm._abi.inner_code import InnerFunction, inner_places, nested_codes
from longterm_compiler.analysis.callees import Callees
from longterm_compiler.analysis.limits import check_depth, nested_blocks, room_for
from longterm_compiler.analysis.liveness import live_at_entry
from longterm_compiler.analysis.names import ModuleNames
from longterm_compiler.analysis.points import Suspensions, find_suspensions
from longterm_compiler.analysis.scope import (
    Scope,
    bound_by,
    free_names,
    is_async_generator,
    type_parameters,
)
from longterm_compiler.checks.check import check_flow
from longterm_compiler.diagnostics import Refused
from longterm_compiler.emit.closures import InnerNode, inner_functions
from longterm_compiler.emit.codegen import code_of, resume_function
from longterm_compiler.emit.lines import lines_of
from longterm_compiler.emit.rest import Rest, inner_digest, rest_of
from longterm_compiler.emit.under_way import under_way_digest
from longterm_compiler.emit.version import meaning_digest
from longterm_compiler.lower import Lowered, ResumePoint, lower
from longterm_compiler.resume.body import ROUND, resume_body
from longterm_compiler.resume.supers import with_explicit_super
from longterm_compiler.syntax.build import assign, at, changed, header, load
from longterm_compiler.syntax.source import Definition, FunctionNode
from longterm_compiler.syntax.temporaries import is_reserved
from longterm_compiler.syntax.tree import walk

if TYPE_CHECKING:
    from longterm_compiler.text import FlowText, Mark

_MANY_BLOCKS = 14
"""CPython takes 20 inside each other, and 3.13 takes 21 (`CO_MAXBLOCKS` in its `code.h`)."""
_MUCH_INDENTATION = 60
"""CPython takes less than 100 levels (`MAXINDENT` of its tokenizer)."""


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
        returns_values = not is_async_generator(definition.node)
        lowered = lower(
            definition.node.body, suspensions, scope, around, returns_values=returns_values
        )
    flow = CompiledFlow(definition, names, flags, scope, suspensions, lowered, depth)
    _compile_what_may_fail(flow)
    return flow


def _compile_what_may_fail(flow: CompiledFlow) -> None:
    """Compile now what CPython's own compiler may yet refuse, rather than when an event arrives.

    That is the fresh body; and, of a flow that comes near CPython's limits, the resume bodies,
    which can have more blocks inside each other than the fresh body has.
    """
    _ = flow.code
    lines = flow.fresh_text.splitlines()
    indentation = max(len(line) - len(line.lstrip()) for line in lines) // len(flow.text.indent)
    if nested_blocks(flow.lowered.body) > _MANY_BLOCKS or indentation > _MUCH_INDENTATION:
        for point in flow.points:
            flow.resume_code(point.number)


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
        deflow = [decorator for decorator in decorators if self.names.is_deflow(decorator)]
        points = [".".join(point.callee) for point in self.points]
        # Frames that an older compiler stored of a flow with such names may hold wrong values for
        # them (see `lower.renames`). They must not go on in this one, so the flow is another.
        hidden = [f"hidden {variable}" for variable in sorted(self.scope.hidden_captures)]
        # And it stored the state of a `sum` in another form (see `lower.consumers`).
        sums = ["sum"] if self.suspensions.has_waiting("sum") else []
        described = [*points, *hidden, *sums]
        return meaning_digest(changed(self.definition.node, name=name), deflow, described)

    @property
    def points(self) -> tuple[ResumePoint, ...]:
        """The resume points, numbered from 1 in the order of the fresh body."""
        return self.lowered.points

    def local_name(self, name: str) -> str:
        """Return a slot's name as a running frame spells it (private names are mangled)."""
        return mangle(name, self.definition.class_name)

    def is_awaited(self, number: int) -> bool:
        """Tell whether the call of a point is awaited."""
        statement = self.lowered.points[number - 1].statement
        return isinstance(getattr(statement, "value", None), ast.Await)

    @cached_property
    def fresh_body(self) -> list[ast.stmt]:
        """The statements of the fresh body, with the author's docstring first, if there is one."""
        body = self.lowered.body
        if not (self.shared and self.points):
            return body
        start = 1 if ast.get_docstring(self.definition.node, clean=False) is not None else 0
        return [*body[:start], _keep_cells(self.definition, self.shared), *body[start:]]

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

    def resume(self, number: int) -> ResumeBody:
        """Return what is left of the flow from a point on."""
        known = self._resume_bodies.get(number)
        if known is None:
            with self._room():
                known = self._resume_body(self.points[number - 1])
            self._resume_bodies[number] = known
        return known

    def resume_plan(self, number: int, unbound: Iterable[str] = ()) -> FunctionNode:
        """Return the resume body of a point as a function: what its text must mean."""
        resume = self.resume(number)
        without = sorted(unbound)
        slots = [name for name in resume.slots if name not in without]
        return resume_function(self.definition, resume.statements, slots, without, resume.cells)

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

    def rest(self, number: int) -> Rest:
        """Return what tells whether another version of the flow has the same left to do."""
        resume = self.resume(number)
        temporaries = [name for name in _mentioned(resume.statements) if is_reserved(name)]
        with self._room():
            return rest_of(
                resume.statements,
                resume.slots,
                resume.cells,
                local=[*(self.scope.local - self.scope.captured), *temporaries],
                around=self._said_around,
            )

    def under_way(self, point: ResumePoint) -> str:
        """Return the digest of the statement under way at a point, and of the blocks around it."""
        resume = self.resume(point.number)
        with self._room():
            return under_way_digest(
                point, self.lowered.made, resume.slots, resume.cells, self._said_around
            )

    @property
    def _said_around(self) -> list[str]:
        """What else says what statements mean: the kind of function, the class around."""
        kind = type(self.definition.node).__name__
        return [kind, self.definition.class_name or "", str(self.flags)]

    def lines_left(self, number: int) -> list[int]:
        """Return the lines of the author's file that are left to do from a point on."""
        statements = [self.points[number - 1].statement, *self.resume(number).statements]
        lines = lines_of(statements, self.names.source.lines)
        begin = self.definition.node.body[0].lineno  # what is added has the place of the header
        return [line for line in lines if line >= begin]

    def lines_inside(self, place: str) -> list[int]:
        """Return the lines of a function inside, `2:<lambda>`, or of the flow itself (empty).

        Of several of the name the one with the number comes first; none if there is none.
        """
        found: list[InnerNode | FunctionNode] = [self.definition.node]
        if place:
            named = {
                function.place: node
                for node, function in inner_functions(self.definition).items()
                if function.name == place.partition(":")[2]
            }
            found = [named[place]] if place in named else [*named.values()]
        return [
            line
            for node in found[:1]
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
        ]

    def point_data(self, point: ResumePoint) -> tuple[object, ...]:
        """Return what the runtime must know of a resume point: the fields of its `ResumePoint`."""
        rest, under_way = self.rest(point.number), self.under_way(point)
        place = (point.number, point.line, point.end, point.callee)
        return (*place, rest.digest, rest.names, under_way)

    @cached_property
    def inner_functions(self) -> tuple[InnerFunction, ...]:
        """The functions inside the flow, each with the digest of what it does."""
        found = inner_functions(self.definition)
        if not found:
            return ()
        places = inner_places(self.code, found.values())
        codes = dict(zip(places, nested_codes(self.code), strict=True))
        with self._room():
            digests = {
                # CPython may leave out a function, where it is never reached.
                function: inner_digest(node, codes[function.place], self.definition.class_name)
                for node, function in found.items()
                if function.place in codes
            }
        return tuple(function.with_digest(digests.get(function)) for function in found.values())

    @cached_property
    def _resume_bodies(self) -> dict[int, ResumeBody]:
        return {}

    def _resume_body(self, point: ResumePoint) -> ResumeBody:
        body = resume_body(self.lowered, point, self.scope)
        if self.scope.parameters and "__class__" in self.free and not self._has_other_super:
            # A resume body has other parameters, so a bare `super()` would not find `self`.
            body = with_explicit_super(body, self.scope.parameters[0])
        uncaptured = self.scope.local - self.scope.captured
        slots = {
            name: line
            for name, line in live_at_entry(body, ROUND).items()
            if name in uncaptured or (name.startswith(RESERVED_PREFIX) and name != NEXT)
        }
        cells = self._used_cells(body) if self.shared else ()
        if cells:
            body = [_keep_cells(self.definition, cells), *body]
        return ResumeBody(body, slots, cells)

    @property
    def _has_other_super(self) -> bool:
        """Whether the author calls something else `super`, which is called as it is written."""
        has_own = "super" in self.scope.local or "super" in self.free
        return has_own or bool(self.names.bound_to(("super",)))

    def _used_cells(self, body: list[ast.stmt]) -> tuple[str, ...]:
        """Return those of the shared names that a body uses, `__class__` by `super()` too."""
        used = _mentioned(body)
        used |= {"__class__"} if "super" in used else set()
        return tuple(name for name in self.shared if name in used)

    @cached_property
    def shared(self) -> tuple[str, ...]:
        """The names that live in cells: the flow's own that inner functions capture, and `free`."""
        return tuple(sorted({*self.scope.captured, *self.free}, key=self.local_name))

    @cached_property
    def free(self) -> tuple[str, ...]:
        """The names that the flow captures from scopes around it.

        CPython's compiler is asked, since an annotation may count as a use of a name or not: that
        depends on `from __future__ import annotations` (PEP 563), and on the version (PEP 649).
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
        return tuple(name for name in sorted(around) if self.local_name(name) in code.co_freevars)

    @cached_property
    def nested_in_flows(self) -> bool:
        """Whether every function around the flow is a flow too."""
        scopes = self.definition.enclosing
        functions = [scope for scope in scopes if not isinstance(scope, ast.ClassDef)]
        return all(self.names.is_flow(function) for function in functions)

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

        return {point.statement: Mark(point.number, point.call) for point in self.points}

    def _mark(self, number: int) -> Mark:
        return self.marks[self.points[number - 1].statement]

    def _compiled_text(self, plan: FunctionNode, text: str, free: Iterable[str]) -> types.CodeType:
        """Compile a text, once it is proven to mean what was planned."""
        from longterm_compiler.text import as_planned

        return self._compiled(as_planned(plan, text), free)

    def _compiled(self, function: FunctionNode, free: Iterable[str]) -> types.CodeType:
        path = self.names.source.path
        return code_of(self.definition, function, free, path, self.flags)

    def room_for_text(self) -> AbstractContextManager[None]:
        """Let libcst recurse as deep as the flow's text needs."""
        with self._room():
            links = self.text.longest_chain
        return room_for(self.definition, self.names.source, self.depth + links)

    def _room(self) -> AbstractContextManager[None]:
        """Let the passes recurse as deep as the flow's tree needs."""
        return room_for(self.definition, self.names.source, self.depth)


@dataclass(frozen=True, slots=True)
class ResumeBody:
    """The statements that finish a flow from a point on, and what they must be given."""

    statements: list[ast.stmt] = field(repr=False)
    slots: dict[str, int]
    """The live names, each with the line of a read. A captured name is none: its cell is stored."""
    cells: tuple[str, ...]
    """Those of the flow's shared names that the statements use."""


def _names_around(definition: Definition, names: ModuleNames) -> frozenset[str]:
    """Return what a flow can use of the functions and the type parameters around it."""
    found: set[str] = set()
    for node in definition.enclosing:
        found |= type_parameters(node)
        if not isinstance(node, ast.ClassDef):
            scope = names.scope_of(node)
            found = (found | scope.local) - scope.declared_global
    return frozenset(found | type_parameters(definition.node))


def _mentioned(body: list[ast.stmt]) -> set[str]:
    """Return the names that a body reads or binds in any way, the functions inside it included."""
    nodes = [node for statement in body for node in walk(statement)]
    read = {node.id for node in nodes if isinstance(node, ast.Name)}
    declared = {name for node in nodes if isinstance(node, ast.Nonlocal) for name in node.names}
    return read | declared | {name for node in nodes for name in bound_by(node)}


def _keep_cells(definition: Definition, names: Iterable[str]) -> ast.stmt:
    """Return `_lt_cells = (lambda: (a, b)).__closure__`: the cells of the frame, to be saved.

    A frame's `f_locals` has the values of captured names, and not the cells that hold them.
    """
    empty = ast.arguments([], [], None, [], [], None, [])
    inner = ast.Lambda(empty, ast.Tuple([load(name) for name in names], ast.Load()))
    cells = ast.Attribute(inner, "__closure__", ast.Load())
    return at(header(definition.node), assign(CELLS, cells))
