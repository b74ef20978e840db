"""All the problems of a file at once: what its module binds in, diagnostics out."""

from __future__ import annotations

from collections.abc import Iterable

from longterm_compiler.analysis.names import ModuleNames
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
