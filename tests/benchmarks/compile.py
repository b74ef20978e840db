"""How long flows take to compile, cold, and how that grows with their length and number.

CPU time of parsing, all passes, the fresh body and the version; and of one resume body more. Then
the same for each flow of a module that has many. The floor is Python's own compiling of the text.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from longterm_compiler import ModuleNames, SourceFile, Verdict, compile_flow
from longterm_compiler.pipeline import CompiledFlow
from tests.benchmarks.measuring import Row, interleaved, rows_of

REPEATS = {40: 15, 100: 15, 1_000: 5, 10_000: 3}
"""How often flows of so many lines are compiled."""
FLOOR = "Python's own compile"
FLOWS = 50
"""The flows of the module with many, of 40 lines each."""
_PART = """\
    {name} = suspend("{name}")
    if {name} > {number}:
        items.append({name} + other(items, {number}))
    else:
        total -= {number}
"""


def text_of(lines: int) -> str:
    """Return a flow of about so many lines, a fifth of them suspends."""
    parts = "".join(_PART.format(name=f"x{n}", number=n) for n in range(lines // 5))
    return (
        "from longterm import deflow, suspend\n\n\n@deflow\ndef flow(items, total):\n"
        f"{parts}    return items, total\n"
    )


def measure(quick: bool) -> list[Row]:
    """Return the rows of all lengths, then those of the module."""
    rows: list[Row] = []
    for lines, repeats in REPEATS.items():
        if not quick or lines <= 100:
            rows += length(lines, 1 if quick else repeats)
    return rows + module(1 if quick else 5)


def length(lines: int, repeats: int) -> list[Row]:
    """Measure one flow of so many lines."""
    text = text_of(lines)
    middle = lines // 10
    # A flow keeps what it has compiled, so each resume body is that of a flow just made.
    made = compiled_flows(text)
    sides: dict[str, Callable[[int], object]] = {
        FLOOR: lambda _: compile(text, "flow.py", "exec"),
        "the flow, cold": lambda _: made.extend(compiled_flows(text)),
        "a resume body more": lambda _: made.pop().resume_code(middle),
    }
    samples = interleaved(sides, repeats=repeats, clock=time.process_time)
    return rows_of(f"a flow of {lines:,} lines", samples, bases=[FLOOR], unit="ms")


def module(repeats: int) -> list[Row]:
    """Measure a module with many flows, and show it for each flow."""
    header, flow = text_of(40).split("@deflow\n")
    flows = [flow.replace("def flow", f"def flow_{number}") for number in range(FLOWS)]
    text = header + "\n\n".join(f"@deflow\n{each}" for each in flows)
    sides: dict[str, Callable[[int], object]] = {
        FLOOR: lambda _: compile(text, "flows.py", "exec"),
        "a flow, cold": lambda _: compiled_flows(text),
    }
    samples = interleaved(sides, repeats=repeats, clock=time.process_time)
    group = f"each of {FLOWS} flows of 40 lines"
    return rows_of(group, samples, bases=[FLOOR], unit="ms", scale=1e3 / FLOWS)


def compiled_flows(text: str) -> list[CompiledFlow]:
    """Compile all flows of a module, as far as an import needs them."""
    source = SourceFile.parse("flows.py", text)
    found = []
    for definition in source.definitions:
        names = ModuleNames(source, "flows", "", lambda module, path: Verdict.NEVER)
        flow = compile_flow(definition, names)
        assert flow.code
        assert flow.version
        found.append(flow)
    return found
