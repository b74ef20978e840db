"""All families of storable types: importing this makes each of them known."""

from longterm.codec import (
    adaptors,
    atoms,
    callables,
    containers,
    exceptions,
    frames,
    functions,
    instances,
    iterators,
    itertool,
    patterns,
    registered,
    times,
    tracebacks,
    views,
)

__all__ = [
    "adaptors", "atoms", "callables", "containers", "exceptions", "frames", "functions",
    "instances", "iterators", "itertool", "patterns", "registered", "times", "tracebacks", "views",
]  # fmt: skip
