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
from longterm_compiler.analysis.bindings import dotted
from longterm_compiler.analysis.callees import Callees
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

_TEMPLATES = ("TemplateStr", "Interpolation")  # classes of `ast` from Python 3.14 on, by PEP 750
_NOT_LOWERED = (
    rules.SUSPEND_IN_GENERATOR_EXPRESSION,
    rules.SUSPEND_IN_TEMPLATE_STRING,
    rules.SUSPEND_IN_TYPE_SCOPE,
)
"""Where lowering can do nothing with a call that is taken for a resume point."""
_CHANGE_CONTEXT = frozenset(
    {
        *("FunctionDef", "AsyncFunctionDef", "Lambda", "ClassDef", "Try", "TryStar", "AnnAssign"),
        *("ListComp", "SetComp", "DictComp", "GeneratorExp", "TypeAlias", *_TEMPLATES),
    }
)
"""The classes of `ast` with parts that stand in another context than they do themselves."""
_NO_NAMES: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class _Context:
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

    def refusing(self, rule: Rule, construct: ast.AST) -> _Context:
        return replace(self, rule=rule, construct=construct)

    def hiding(self, names: Iterable[str]) -> _Context:
        return replace(self, hidden=self.hidden.union(names))


_InContext: TypeAlias = tuple[ast.AST, _Context]


def check_contexts(flow: CheckedFlow) -> Iterator[Diagnostic]:
    """Yield a diagnostic for each construct that holds a suspend and cannot."""
    return _Walk(flow).diagnostics()


@dataclass(slots=True, eq=False)
class _Walk:
    flow: CheckedFlow
    found: dict[ast.AST, tuple[Span, _Context]] = field(default_factory=dict)
    """The first suspend in each construct that cannot hold one."""

    def diagnostics(self) -> Iterator[Diagnostic]:
        flow = self.flow
        callees = Callees(flow.names, flow.definition, flow.scope)
        context = _Context(callees, (*flow.definition.enclosing, flow.definition.node))
        pending: list[_InContext] = [(part, context) for part in flow.definition.node.body]
        while pending:
            node, context = pending.pop()
            if isinstance(node, ast.Call) and context.rule is not None:
                self._look_at(node, context)
            if type(node).__name__ in _CHANGE_CONTEXT:
                pending.extend(self._children(node, context))
            else:
                pending += [(part, context) for part in children(node)]
        for span, context in self.found.values():
            assert context.rule is not None
            yield context.rule.at(flow.path, span, name=context.name)

    def _look_at(self, node: ast.Call, context: _Context) -> None:
        assert context.construct is not None
        if not self._refused(node, context):
            return
        span = Span.of(node)
        known = self.found.get(context.construct)
        if known is None or span < known[0]:
            self.found[context.construct] = span, context

    def _refused(self, node: ast.Call, context: _Context) -> bool:
        if context.rule in _NOT_LOWERED and node in self.flow.suspensions.calls:
            return True
        path = dotted(node.func)
        if path is None or path[0] in context.hidden:
            return False
        return context.callees.verdict(node.func).is_sure

    def _children(self, node: ast.AST, context: _Context) -> Iterator[_InContext]:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from self._function(node, context)
            case ast.Lambda():
                yield from ((part, context) for part in _defaults(node.args))
                body = context.refusing(rules.SUSPEND_IN_LAMBDA, node)
                yield node.body, body.hiding(parameter_names(node.args))
            case ast.ClassDef():
                yield from self._class(node, context)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                yield from self._comprehension(node, context)
            case ast.Try() | ast.TryStar():
                yield from _try(node, context)
            case ast.AnnAssign():
                yield node.annotation, context.refusing(rules.SUSPEND_IN_ANNOTATION, node)
                yield node.target, context
                if node.value is not None:
                    yield node.value, context
            case _ if type(node).__name__ == "TypeAlias":
                alias = context.refusing(rules.SUSPEND_IN_TYPE_SCOPE, node)
                yield from ((part, alias) for part in children(node))
            case _ if type(node).__name__ in _TEMPLATES and context.rule is None:
                template = context.refusing(rules.SUSPEND_IN_TEMPLATE_STRING, node)
                yield from ((part, template) for part in children(node))
            case _:
                yield from ((part, context) for part in children(node))

    def _function(self, node: FunctionNode, context: _Context) -> Iterator[_InContext]:
        yield from ((part, context) for part in [*node.decorator_list, *_defaults(node.args)])
        yield from _type_parameters(node, context)
        noted = context.refusing(rules.SUSPEND_IN_ANNOTATION, node.args)
        yield from ((part, noted) for part in _annotations(node))
        names = self.flow.names
        if names.is_flow(node):
            return  # a flow of its own, checked by itself
        definition = Definition(node, context.enclosing)
        inside = _Context(
            Callees(names, definition, names.scope_of(node)),
            (*context.enclosing, node),
            rules.SUSPEND_IN_PLAIN_FUNCTION,
            node,
            node.name,
        )
        yield from ((part, inside) for part in node.body)

    def _class(self, node: ast.ClassDef, context: _Context) -> Iterator[_InContext]:
        outside = [*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)]
        yield from ((part, context) for part in outside)
        yield from _type_parameters(node, context)
        bound = bindings_of(own_nodes(node.body))
        inside = context.refusing(rules.SUSPEND_IN_CLASS_BODY, node).hiding(bound)
        inside = replace(inside, enclosing=(*context.enclosing, node))
        yield from ((part, inside) for part in node.body)

    def _comprehension(self, node: Comprehension, context: _Context) -> Iterator[_InContext]:
        """The first iterable of a comprehension is evaluated outside of it."""
        first, *rest = node.generators
        yield first.iter, context
        inside = context.hiding(comprehension_variables(node))
        if isinstance(node, ast.GeneratorExp) and node not in self.flow.suspensions.consumers:
            inside = inside.refusing(rules.SUSPEND_IN_GENERATOR_EXPRESSION, node)
        elements = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        yield from ((part, inside) for part in (*elements, first.target, *first.ifs, *rest))


def _try(node: ast.Try | ast.TryStar, context: _Context) -> Iterator[_InContext]:
    body = context
    if context.rule is None and isinstance(node, ast.TryStar) and _is_broad(node, context.callees):
        body = context.refusing(rules.SUSPEND_UNDER_BROAD_EXCEPT_STAR, node.body[0])
    yield from ((part, body) for part in node.body)
    for handler in node.handlers:
        if handler.type is not None:
            yield handler.type, context
        yield from ((part, context) for part in handler.body)
    yield from ((part, context) for part in (*node.orelse, *node.finalbody))


def _is_broad(node: ast.TryStar, callees: Callees) -> bool:
    """Tell whether a clause catches every exception, and so a suspend on its way out."""
    named = [handler.type for handler in node.handlers]
    types = [
        kind for each in named for kind in (each.elts if isinstance(each, ast.Tuple) else [each])
    ]
    return any(
        kind is not None and callees.origin(kind) == "builtins.BaseException" for kind in types
    )


def _defaults(args: ast.arguments) -> list[ast.expr]:
    return [*args.defaults, *(default for default in args.kw_defaults if default is not None)]


def _annotations(node: FunctionNode) -> list[ast.expr]:
    args = node.args
    parameters = (*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg)
    notes = [parameter.annotation for parameter in parameters if parameter is not None]
    return [note for note in (*notes, node.returns) if note is not None]


def _type_parameters(node: FunctionNode | ast.ClassDef, context: _Context) -> Iterator[_InContext]:
    for parameter in getattr(node, "type_params", []):  # a field from Python 3.12 on, by PEP 695
        yield parameter, context.refusing(rules.SUSPEND_IN_TYPE_SCOPE, parameter)
