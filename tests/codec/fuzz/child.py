"""The process that tries inputs; its parent reads which one it is at, and what it found."""

from __future__ import annotations

import json
import mmap
import os
import resource
import sys
from collections import Counter
from pathlib import Path

from msgpack import ExtType

import longterm.store.memory  # noqa: F401 - what the default engine would load
from longterm._codec import wire
from tests.codec.corpus import blobs
from tests.codec.fuzz import watch
from tests.codec.fuzz.inputs import Inputs
from tests.codec.fuzz.packing import pack

MEMORY = 3 << 30


def search(folder: Path, first: int, count: int | None, names: bool) -> None:
    """Try inputs, and print each finding as a line of JSON."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    corpus = blobs()
    inputs = Inputs(corpus)
    watch.warm_up(corpus)
    watch.install()
    seen: Counter[str] = Counter()
    with (folder / "state").open("r+b") as file:
        shared = mmap.mmap(file.fileno(), 16)
        if names:
            _try_names(inputs, first, seen, shared)
        number, parent = first, os.getppid()
        # A parent that was ended leaves nobody behind.
        while os.getppid() == parent and (count is None or number < first + count):
            shared[:8] = number.to_bytes(8, "big")
            _note(watch.findings(inputs.make(number)), number, seen)
            number += 1


def _try_names(inputs: Inputs, number: int, seen: Counter[str], shared: mmap.mmap) -> None:
    for count, name in enumerate(inputs.names):
        shared[8:16] = count.to_bytes(8, "big")
        for code in (wire.NAME, wire.TYPE, wire.CLASS):
            data = bytes([wire.VERSION, wire.ITEMS]) + pack(ExtType(code, name.encode()))
            _note(watch.findings(data), number, seen)
    for name in list(sys.modules):
        data = bytes([wire.VERSION, wire.ITEMS]) + pack(ExtType(wire.MODULE, name.encode()))
        _note(watch.findings(data), number, seen)


def _note(found: list[str], number: int, seen: Counter[str]) -> None:
    for text in found:
        seen[text] += 1
        if seen[text] <= 100:
            print(json.dumps({"finding": text, "input": number}), flush=True)
