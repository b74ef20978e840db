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
    registered,
    times,
)

__all__ = [
    "adaptors", "atoms", "callables", "containers", "exceptions", "frames", "functions",
    "instances", "iterators", "registered", "times",
]  # fmt: skip
