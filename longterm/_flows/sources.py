"""The source of one version of a flow, as data: what its file said when its runs waited there.

It is the text of the whole file, since a function alone does not say what its names mean: so it can
be compiled again, and is then proven to be the version. Nothing executes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from longterm._flows.cache import ImportedName
from longterm._flows.flow import Flow, StepFlow
from longterm._flows.loader import Compiled, FlowLoader, compile_text
from longterm.errors import CompileError

_UTF8: Final = "utf-8", "surrogatepass"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The source of a version."""

    flow: str
    """The flow, as `module:qualname`."""
    version: str
    """The digest of what the flow means, as frames have it."""
    path: str
    """The file, as tracebacks show it."""
    text: str
    """All that stood in the file; of a notebook, in the cell."""
    qualname: str
    """The function's name in the file: the flow may be known by another."""
    first_line: int
    """The line on which the function starts, with its decorators."""
    module: str
    """The module that the file was imported as."""
    package: str
    """What its relative imports begin from."""
    flags: int
    """The bits of `co_flags` that `from __future__` imports set there."""
    is_part: bool
    """Whether the text is but a part of the module, as a notebook's cell is."""
    lines: dict[int, int]
    """The line of each resume point."""
    verdicts: tuple[ImportedName, ...] = ()
    """What the names stood for that the flow imports."""

    @property
    def name(self) -> str:
        """The name that stores keep it under."""
        return version_name(self.flow, self.version)

    def line_of(self, point: int) -> str:
        """Return the text of the line of a point, without the spaces around it; empty: no such."""
        lines = self.text.split("\n")
        number = self.lines.get(point, 0)
        return lines[number - 1].strip() if 0 < number <= len(lines) else ""


def version_name(flow: str, version: str) -> str:
    """Return the name that stores keep the source of a version under."""
    return f"{flow}@{version}"


def source_of(flow: Flow) -> Source | None:
    """Return the source of a flow as it was compiled; None of code that was written ahead of time.

    Such a module has no source; its lines are the author's all the same.
    """
    if isinstance(flow, StepFlow) or not isinstance(flow.loader, FlowLoader):
        return None
    loader, module = flow.loader, flow.loader.module
    return Source(
        flow=flow.name,
        version=flow.version,
        path=module.path,
        text=module.cache.text.decode(*_UTF8),
        qualname=loader.qualname,
        first_line=loader.first_line,
        module=module.name,
        package=module.package,
        flags=loader.flags,
        is_part=module.namespace is not None,
        verdicts=tuple(loader.verdicts),
        lines={point.number: point.line for point in flow.fresh.by_number.values()},
    )


def compiled(source: Source) -> Compiled:
    """Compile the source of a version again; the code is not executed.

    Raises:
        CompileError: it cannot be compiled here, or is another version with this compiler.
    """
    flow = compile_text(
        (source.qualname, source.first_line),
        source.text,
        source.path,
        (source.module, source.package, source.is_part),
        source.verdicts,
        source.flags,
    )
    if flow.version != source.version:
        raise CompileError(
            f"what is kept of {source.name} is version {flow.version} for this longterm "
            "(it was kept by another one)"
        )
    return flow
