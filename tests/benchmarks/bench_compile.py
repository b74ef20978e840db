"""How long flows take to compile, cold, and how that grows with their length.

Run `python tests/benchmarks/bench_compile.py [--json]`. For each length the median of the
repeats, in milliseconds, of parsing, all passes, the fresh body and the version; and of one resume
body more.
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
        start = time.perf_counter()
        source = SourceFile.parse("flow.py", text)
        names = ModuleNames(source, "flow", "", lambda module, path: Verdict.NEVER)
        flow = compile_flow(source.definitions[0], names)
        assert flow.code
        assert flow.version
        cold.append(time.perf_counter() - start)
        start = time.perf_counter()
        flow.resume_code(len(flow.points) // 2)
        resume.append(time.perf_counter() - start)
    return {
        "cold_ms": round(statistics.median(cold) * 1000, 2),
        "resume_ms": round(statistics.median(resume) * 1000, 2),
    }


def main() -> None:
    """Measure every length and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    rows = {lines: measure(lines) for lines in LENGTHS}
    if options.json:
        print(json.dumps({"python": sys.version.split()[0], "lines": rows}, indent=2))
        return
    print(f"Python {sys.version.split()[0]}")
    print(f"{'lines':>8}{'cold, ms':>12}{'per 100':>10}{'one resume body, ms':>22}")
    for lines, row in rows.items():
        per = row["cold_ms"] / lines * 100
        print(f"{lines:>8}{row['cold_ms']:>12}{per:>10.2f}{row['resume_ms']:>22}")


if __name__ == "__main__":
    main()
