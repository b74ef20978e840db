"""Warn of calls that may well suspend where they cannot: `longterm-compile --check` shows them.

Nothing is refused for these, since the text shows only that a method has the name of a flow:

    list(client.ask(q) for q in qs)     # a generator expression cannot wait
    total += shop.seek(x)               # no resume point: a file that is checked too has a flow
                                        # `seek`, and this one knows nothing of it
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from longterm._abi.verdict import Verdict
from longterm_compiler.analysis.callees import Callees
from longterm_compiler.checks.flow import CheckedFlow
from longterm_compiler.diagnostics import Diagnostic, Span
from longterm_compiler.rules import Rule
from longterm_compiler.syntax.tree import children

_WARNING = Rule(
    "call-without-point",
    "`{callee}` may be a flow, and this call is no resume point",
    "a flow cannot wait in this call",
    "{note}",
    "{help}",
)


class _Place(NamedTuple):
    """Where a call can be no point, in words, and what to write instead."""

    words: str
    instead: str


_COMPREHENSION = _Place(
    "in a comprehension whose variable a lambda captures",
    "give the lambda the value as a default: `lambda x=x: …`",
)
_PLACES: dict[type[ast.AST], _Place] = {
    ast.Lambda: _Place("in a lambda", "write an inner function and put `@deflow` on it"),
    ast.GeneratorExp: _Place(
        "in a generator expression", "write a list comprehension, in which it is a resume point"
    ),
    ast.ListComp: _COMPREHENSION,
    ast.SetComp: _COMPREHENSION,
    ast.DictComp: _COMPREHENSION,
    ast.FunctionDef: _Place("in a plain function", "put `@deflow` on that function"),
    ast.AsyncFunctionDef: _Place("in a plain function", "put `@deflow` on that function"),
    ast.ClassDef: _Place("in a class body", "give the value a name before the `class` statement"),
    ast.TryStar: _Place(
        "in a handler of `except*`", "keep what it needs, and call it after the `try` statement"
    ),
}


def warnings_of(flow: CheckedFlow, elsewhere: Mapping[str, str]) -> Iterator[Diagnostic]:
    """Yield a warning for each call that likely suspends and is no resume point.

    Args:
        flow: the flow.
        elsewhere: the names of methods that are flows in other files, each with the flow.
    """
    callees = Callees(flow.names, flow.definition, flow.scope)
    for node, place in _calls(flow):
        if node in flow.suspensions.calls or callees.verdict(node.func).is_sure:
            continue
        callee, is_likely = ast.unparse(node.func), callees.is_likely(node.func)
        if place is not None and is_likely:
            yield _warning(flow, node, f"{place.words} no call can be one", place.instead)
        elif (
            place in (None, _COMPREHENSION)
            and not is_likely
            and _is_unknown_method(node, callees, elsewhere)
        ):
            assert isinstance(node.func, ast.Attribute)
            note = f"{elsewhere[node.func.attr]} has this name, and this file does not import it"
            instead = (
                f"make the call a statement of its own, write `call({callee}, …)`, or import the "
                "class at the top of the file"
            )
            yield _warning(flow, node, note, instead)


def _warning(flow: CheckedFlow, node: ast.Call, note: str, instead: str) -> Diagnostic:
    words = {"callee": ast.unparse(node.func), "note": note, "help": instead}
    return replace(_WARNING.at(flow.path, Span.of(node), **words), is_warning=True)


def _is_unknown_method(node: ast.Call, callees: Callees, elsewhere: Mapping[str, str]) -> bool:
    return (
        isinstance(node.func, ast.Attribute)
        and node.func.attr in elsewhere
        and callees.verdict(node.func) is Verdict.UNKNOWN
    )


def _calls(flow: CheckedFlow) -> Iterator[tuple[ast.Call, _Place | None]]:
    """Yield the calls in a flow, flows inside it aside, and the outermost of the places above.

    A comprehension is named only if nothing else is around the call.
    """
    pending: list[tuple[ast.AST, _Place | None]] = [
        (statement, None) for statement in flow.definition.node.body
    ]
    while pending:
        node, place = pending.pop()
        if isinstance(node, ast.Call):
            yield node, place
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and flow.names.is_flow(node):
            continue
        if place in (None, _COMPREHENSION):
            place = _PLACES.get(type(node), place)
        pending += [(part, place) for part in children(node)]
