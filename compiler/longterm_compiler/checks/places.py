"""Refuse a suspend that stands where nothing can be stored, as in a lambda or a class body.

Only calls that certainly suspend are refused. One that merely may is left alone here; should it
come to suspend, the runtime refuses it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from longterm_compiler import rules
from longterm_compiler.analysis.callees import Callees, Verdict, dotted
from longterm_compiler.analysis.scope import (
    Comprehension,
    bindings_of,
    comprehension_variables,
    own_nodes,
    parameter_names,
)
from longterm_compiler.checks.flow import CheckedFlow
from longterm_compiler.diagnostics import Diagnostic, Span
from longterm_compiler.rules import Rule
from longterm_compiler.syntax.source import Definition, FunctionNode, ScopeNode
from longterm_compiler.syntax.tree import children

_TEMPLATES = ("TemplateStr", "Interpolation")  # classes of `ast` from Python 3.14 on
_NOT_LOWERED = (
    rules.SUSPEND_IN_GENERATOR_EXPRESSION,
    rules.SUSPEND_IN_TEMPLATE_STRING,
    rules.SUSPEND_IN_TYPE_SCOPE,
)
"""Places in which lowering can do nothing with a call that is taken for a resume point."""
_WITH_PLACES = frozenset(
    {
        *("FunctionDef", "AsyncFunctionDef", "Lambda", "ClassDef", "Try", "TryStar", "AnnAssign"),
        *("ListComp", "SetComp", "DictComp", "GeneratorExp", "TypeAlias", *_TEMPLATES),
    }
)
"""The classes of `ast` with parts that stand in another place than they do themselves."""
_NO_NAMES: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """What surrounds a node."""

    callees: Callees
    enclosing: tuple[ScopeNode, ...]
    """The scopes around, the innermost last, as a definition here would have them."""
    rule: Rule | None = None
    """The rule that refuses a suspend here; None in the flow's own body."""
    construct: ast.AST | None = None
    """What the rule is about: it is reported once."""
    name: str = ""
    """The name of the construct, for the rule's words."""
    hidden: frozenset[str] = _NO_NAMES
    """Names of lambdas, comprehensions and class bodies around, which hide those of the flow."""

    def refusing(self, rule: Rule, construct: ast.AST) -> _Place:
        return replace(self, rule=rule, construct=construct)

    def hiding(self, names: Iterable[str]) -> _Place:
        return replace(self, hidden=self.hidden.union(names))


_Placed: TypeAlias = tuple[ast.AST, _Place]


def check_places(flow: CheckedFlow) -> Iterator[Diagnostic]:
    """Yield a diagnostic for each construct that holds a suspend and cannot."""
    return _Walk(flow).diagnostics()


@dataclass(slots=True, eq=False)
class _Walk:
    flow: CheckedFlow
    found: dict[ast.AST, tuple[Span, _Place]] = field(default_factory=dict)
    """The first suspend in each construct that cannot hold one."""

    def diagnostics(self) -> Iterator[Diagnostic]:
        flow = self.flow
        callees = Callees(flow.names, flow.definition, flow.scope)
        place = _Place(callees, (*flow.definition.enclosing, flow.definition.node))
        pending: list[_Placed] = [(each, place) for each in flow.definition.node.body]
        while pending:
            node, place = pending.pop()
            if isinstance(node, ast.Call) and place.rule is not None:
                self._look_at(node, place)
            if type(node).__name__ in _WITH_PLACES:
                pending.extend(self._children(node, place))
            else:
                pending += [(each, place) for each in children(node)]
        for span, place in self.found.values():
            assert place.rule is not None
            yield place.rule.at(flow.path, span, name=place.name)

    def _look_at(self, node: ast.Call, place: _Place) -> None:
        assert place.construct is not None
        if not self._refused(node, place):
            return
        span = Span.of(node)
        known = self.found.get(place.construct)
        if known is None or span < known[0]:
            self.found[place.construct] = span, place

    def _refused(self, node: ast.Call, place: _Place) -> bool:
        if place.rule in _NOT_LOWERED and node in self.flow.suspensions.calls:
            return True
        path = dotted(node.func)
        if path is None or path[0] in place.hidden:
            return False
        return place.callees.verdict(node.func) is Verdict.SUSPENDS

    def _children(self, node: ast.AST, place: _Place) -> Iterator[_Placed]:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from self._function(node, place)
            case ast.Lambda():
                yield from ((each, place) for each in _defaults(node.args))
                body = place.refusing(rules.SUSPEND_IN_LAMBDA, node)
                yield node.body, body.hiding(parameter_names(node.args))
            case ast.ClassDef():
                yield from self._class(node, place)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                yield from _comprehension(node, place)
            case ast.Try() | ast.TryStar():
                yield from _try(node, place)
            case ast.AnnAssign():
                yield node.annotation, place.refusing(rules.SUSPEND_IN_ANNOTATION, node)
                yield node.target, place
                if node.value is not None:
                    yield node.value, place
            case _ if type(node).__name__ == "TypeAlias":
                alias = place.refusing(rules.SUSPEND_IN_TYPE_SCOPE, node)
                yield from ((each, alias) for each in children(node))
            case _ if type(node).__name__ in _TEMPLATES and place.rule is None:
                template = place.refusing(rules.SUSPEND_IN_TEMPLATE_STRING, node)
                yield from ((each, template) for each in children(node))
            case _:
                yield from ((each, place) for each in children(node))

    def _function(self, node: FunctionNode, place: _Place) -> Iterator[_Placed]:
        yield from ((each, place) for each in [*node.decorator_list, *_defaults(node.args)])
        yield from _type_parameters(node, place)
        noted = place.refusing(rules.SUSPEND_IN_ANNOTATION, node.args)
        yield from ((each, noted) for each in _annotations(node))
        names = self.flow.names
        if names.is_flow(node):
            return  # a flow of its own, checked by itself
        definition = Definition(node, place.enclosing)
        inside = _Place(
            Callees(names, definition, names.scope_of(node)),
            (*place.enclosing, node),
            rules.SUSPEND_IN_PLAIN_FUNCTION,
            node,
            node.name,
        )
        yield from ((each, inside) for each in node.body)

    def _class(self, node: ast.ClassDef, place: _Place) -> Iterator[_Placed]:
        outside = [*node.decorator_list, *node.bases, *(each.value for each in node.keywords)]
        yield from ((each, place) for each in outside)
        yield from _type_parameters(node, place)
        bound = bindings_of(own_nodes(node.body))
        inside = place.refusing(rules.SUSPEND_IN_CLASS_BODY, node).hiding(bound)
        inside = replace(inside, enclosing=(*place.enclosing, node))
        yield from ((each, inside) for each in node.body)


def _comprehension(node: Comprehension, place: _Place) -> Iterator[_Placed]:
    """The first iterable of a comprehension is evaluated outside of it."""
    first, *rest = node.generators
    yield first.iter, place
    inside = place.hiding(comprehension_variables(node))
    if isinstance(node, ast.GeneratorExp):
        inside = inside.refusing(rules.SUSPEND_IN_GENERATOR_EXPRESSION, node)
    elements = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    yield from ((each, inside) for each in (*elements, first.target, *first.ifs, *rest))


def _try(node: ast.Try | ast.TryStar, place: _Place) -> Iterator[_Placed]:
    body = handler_body = place
    if place.rule is None and isinstance(node, ast.TryStar):
        handler_body = place.refusing(rules.SUSPEND_IN_EXCEPT_STAR_HANDLER, node)
        if any(_is_broad(each) for each in node.handlers):
            body = place.refusing(rules.SUSPEND_UNDER_BROAD_EXCEPT_STAR, node.body[0])
    yield from ((each, body) for each in node.body)
    for handler in node.handlers:
        if handler.type is not None:
            clause = place.refusing(rules.SUSPEND_IN_EXCEPT_CLAUSE, handler)
            yield handler.type, clause if place.rule is None else place
        yield from ((each, handler_body) for each in handler.body)
    yield from ((each, place) for each in (*node.orelse, *node.finalbody))


def _is_broad(handler: ast.ExceptHandler) -> bool:
    """Tell whether a clause catches every exception, and so a suspend on its way out."""
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(
        each is not None and dotted(each) in (("BaseException",), ("builtins", "BaseException"))
        for each in types
    )


def _defaults(args: ast.arguments) -> list[ast.expr]:
    return [*args.defaults, *(each for each in args.kw_defaults if each is not None)]


def _annotations(node: FunctionNode) -> list[ast.expr]:
    args = node.args
    parameters = (*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg)
    notes = [each.annotation for each in parameters if each is not None]
    return [each for each in (*notes, node.returns) if each is not None]


def _type_parameters(node: FunctionNode | ast.ClassDef, place: _Place) -> Iterator[_Placed]:
    for each in getattr(node, "type_params", []):
        yield each, place.refusing(rules.SUSPEND_IN_TYPE_SCOPE, each)
