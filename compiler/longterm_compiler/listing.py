"""The listing of a compiled flow, for people: its fresh body first, then one resume body a point.

A `CompiledFlow` in, Python text out. It is what runs: the very text that is compiled, with a
comment above each body.
"""

from __future__ import annotations

from collections.abc import Iterator

from longterm._abi import ABI_VERSION
from longterm_compiler.pipeline import CompiledFlow


def listing(compiled: CompiledFlow) -> str:
    """Return the listing of one flow, its header comment first."""
    return "".join(listing_parts(compiled))


def listing_parts(compiled: CompiledFlow) -> Iterator[str]:
    """Yield the listing of one flow piece by piece, since it can be long."""
    source, definition = compiled.names.source, compiled.definition
    yield (
        f"# {definition.qualname}, a flow of {source.path}: what runs. Generated, do not edit.\n"
        f"# longterm ABI {ABI_VERSION}, version {compiled.version}\n\n\n"
    )
    yield compiled.fresh_text
    for point in compiled.points:
        title = compiled.text.title(compiled.marks[point.statement])
        yield f"\n\n{title}\n{compiled.resume_text(point.number)}"
