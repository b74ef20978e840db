"""All the problems of a file at once: what its module binds in, diagnostics out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from longterm_compiler.analysis.callees import Callees
from longterm_compiler.analysis.names import ModuleNames
from longterm_compiler.analysis.points import find_suspensions
from longterm_compiler.checks.flow import CheckedFlow
from longterm_compiler.checks.out_of_reach import warnings_of
from longterm_compiler.diagnostics import Diagnostic, Refused, sort_diagnostics
from longterm_compiler.pipeline import compile_flow
from longterm_compiler.syntax.source import Definition


def check_file(
    names: ModuleNames, flows: Iterable[Definition] | None = None
) -> tuple[Diagnostic, ...]:
    """Return what keeps the flows of a file from being compiled, in the order of the text.

    Args:
        names: the file, and what its module binds.
        flows: only these of its functions; all of its flows unless told otherwise.
    """
    found: list[Diagnostic] = []
    for definition in names.flows() if flows is None else flows:
        try:
            compile_flow(definition, names)
        except Refused as refused:
            found += refused.diagnostics
    return sort_diagnostics(found)


def warn_of_file(
    names: ModuleNames, flows: Iterable[Definition], elsewhere: Mapping[str, str]
) -> tuple[Diagnostic, ...]:
    """Return what may keep flows of a file from waiting, though it can be compiled.

    Args:
        names: the file, and what its module binds.
        flows: those of its functions that are looked at.
        elsewhere: the names of methods that are flows in other files, each with the flow.
    """
    found: list[Diagnostic] = []
    for definition in flows:
        scope = names.scope_of(definition.node)
        suspensions = find_suspensions(definition.node, Callees(names, definition, scope))
        found += warnings_of(CheckedFlow(definition, names, scope, suspensions), elsewhere)
    return sort_diagnostics(found)
