"""How long flows take to compile, cold, and how that grows with their length and number.

Run `python tests/benchmarks/bench_compile.py [--json]`. For each length the median of the
repeats, in milliseconds of CPU time, of parsing, all passes, the fresh body and the version; and
of one resume body more. Then the same for each flow of a module that has many.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time

from longterm_compiler import ModuleNames, SourceFile, Verdict, compile_flow

LENGTHS = (40, 100, 1_000, 10_000)
REPEATS = {40: 15, 100: 15, 1_000: 5, 10_000: 3}
FLOWS = 50
"""The flows of the module with many, of 40 lines each."""
_PART = """\
    {name} = suspend("{name}")
    if {name} > {number}:
        items.append({name} + other(items, {number}))
    else:
        total -= {number}
"""


def flow_of(lines: int) -> str:
    """Return a flow of about so many lines, a fifth of them suspends."""
    parts = "".join(_PART.format(name=f"x{n}", number=n) for n in range(lines // 5))
    return (
        "from longterm import deflow, suspend\n\n\n@deflow\ndef flow(items, total):\n"
        f"{parts}    return items, total\n"
    )


def measure(lines: int) -> dict[str, float]:
    """Return the medians for one length, in milliseconds."""
    text = flow_of(lines)
    cold: list[float] = []
    resume: list[float] = []
    for _ in range(REPEATS[lines]):
        start = time.process_time()
        source = SourceFile.parse("flow.py", text)
        names = ModuleNames(source, "flow", "", lambda module, path: Verdict.NEVER)
        flow = compile_flow(source.definitions[0], names)
        assert flow.code
        assert flow.version
        cold.append(time.process_time() - start)
        start = time.process_time()
        flow.resume_code(len(flow.points) // 2)
        resume.append(time.process_time() - start)
    return {
        "cold_ms": round(statistics.median(cold) * 1000, 2),
        "resume_ms": round(statistics.median(resume) * 1000, 2),
    }


def measure_module() -> float:
    """Return the median for each flow of a module with many flows, in milliseconds."""
    header, flow = flow_of(40).split("@deflow\n")
    flows = [flow.replace("def flow", f"def flow_{number}") for number in range(FLOWS)]
    text = header + "\n\n".join(f"@deflow\n{each}" for each in flows)
    cold: list[float] = []
    for _ in range(5):
        start = time.process_time()
        source = SourceFile.parse("flows.py", text)
        for definition in source.definitions:
            names = ModuleNames(source, "flows", "", lambda module, path: Verdict.NEVER)
            compiled = compile_flow(definition, names)
            assert compiled.code
            assert compiled.version
        cold.append(time.process_time() - start)
    return round(statistics.median(cold) * 1000 / FLOWS, 2)


def main() -> None:
    """Measure every length and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    rows = {lines: measure(lines) for lines in LENGTHS}
    each_of_many = measure_module()
    if options.json:
        version = sys.version.split()[0]
        module = {"flows": FLOWS, "cold_ms_a_flow": each_of_many}
        print(json.dumps({"python": version, "lines": rows, "module": module}, indent=2))
        return
    print(f"Python {sys.version.split()[0]}")
    print(f"{'lines':>8}{'cold, ms':>12}{'per 100':>10}{'one resume body, ms':>22}")
    for lines, row in rows.items():
        per = row["cold_ms"] / lines * 100
        print(f"{lines:>8}{row['cold_ms']:>12}{per:>10.2f}{row['resume_ms']:>22}")
    print(f"a module of {FLOWS} flows of 40 lines: {each_of_many} ms a flow")


if __name__ == "__main__":
    main()
