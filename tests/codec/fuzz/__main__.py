"""The command: search in a process of its own, which is watched for crashes and for time."""

from __future__ import annotations

import argparse
import json
import mmap
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[3]
STUCK_SECONDS = 30.0
SLOT = 1 << 22


def main(arguments: list[str]) -> int:
    """Search for a time or a number of inputs, and print what was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.codec.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, help="how long to search")
    parser.add_argument("--inputs", type=int, help="how many inputs to try")
    parser.add_argument("--first", type=int, default=0, help="the number of the first input")
    parser.add_argument("--names", action="store_true", help="also try every name there is")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        from tests.codec.fuzz.child import search

        search(options.child, options.first, options.inputs, options.names)
        return 0
    found = run(options.first, options.inputs, options.minutes, options.names)
    return 1 if found else 0


def run(first: int, inputs: int | None, minutes: float | None, names: bool) -> Counter[str]:
    """Run child after child, since an input may end one."""
    begin = time.monotonic()
    end = begin + minutes * 60 if minutes else None
    found: Counter[str] = Counter()
    examples: dict[str, int] = {}
    number, last = first, None if inputs is None else first + inputs
    while (last is None or number < last) and (end is None or time.monotonic() < end):
        number = _one_child(number, last, end, names and number == first, found, examples)
    for text, count in found.most_common():
        print(f"{count:6} {text}  (input {examples[text]})")
    tried, seconds = number - first, time.monotonic() - begin
    print(f"{tried} inputs, {len(found)} distinct findings, {seconds:.0f} s, "
          f"Python {sys.version.split()[0]}", flush=True)  # fmt: skip
    return found


def _one_child(
    number: int, last: int | None, end: float | None, names: bool,
    found: Counter[str], examples: dict[str, int],
) -> int:  # fmt: skip
    """Let a child try inputs from a number on; return the number after its last."""
    with tempfile.TemporaryDirectory() as folder:
        state, log = Path(folder, "state"), Path(folder, "log")
        state.write_bytes(bytes(16))
        with log.open("w") as out, state.open("r+b") as file:
            shared = mmap.mmap(file.fileno(), 16)
            command = [sys.executable, "-X", "faulthandler", "-m", __package__, "--child", folder,
                       "--first", str(number), *(["--names"] if names else []),
                       *(["--inputs", str(last - number)] if last is not None else [])]  # fmt: skip
            child = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.PIPE)
            ended = _watch(child, shared, end)
            at = int.from_bytes(shared[:8], "big")
        for line in log.read_text().splitlines():
            entry = json.loads(line)
            found[entry["finding"]] += 1
            examples.setdefault(entry["finding"], entry["input"])
        if ended:
            found[ended] += 1
            examples.setdefault(ended, at)
            return at + 1
        return max(at, number) + 1


def _seconds_of(process: int) -> float:
    """Return how long a process has run: others may keep it waiting for minutes."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _watch(child: subprocess.Popen[bytes], shared: mmap.mmap, end: float | None) -> str:
    """Wait for a child; return how it ended if not well."""
    at, since = b"", 0.0
    while True:
        try:
            child.wait(0.5)
        except subprocess.TimeoutExpired:
            now = shared[:16]
            if now != at:
                at, since = now, _seconds_of(child.pid)
            elif _seconds_of(child.pid) - since > STUCK_SECONDS:
                child.kill()
                child.wait()
                return "stuck"
            if end is not None and time.monotonic() > end:
                child.kill()
                child.wait()
                return ""
            continue
        assert child.stderr is not None
        text = child.stderr.read().decode(errors="replace")
        if child.returncode < 0:
            return f"killed by signal {-child.returncode}"
        if child.returncode:
            sys.stderr.write(text)
            raise SystemExit(2)
        return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
