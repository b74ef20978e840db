"""How the codec stores generators of flows, and the managers that `contextlib` makes of them.

None of them has a form of its own on the wire: all are registered types, as an application has
them.
"""

from __future__ import annotations

from contextlib import _AsyncGeneratorContextManager, _GeneratorContextManager
from functools import partial
from typing import Any

from longterm._codec.refusal import NotEncodable
from longterm._codec.types.registered import register_holder
from longterm._flows.async_generator import AsyncFlowGenerator
from longterm._flows.generator import Asked, FlowGenerator
from longterm._flows.generator import link as link_frames
from longterm._flows.generator_frames import GeneratorFrames
from longterm._flows.generator_functions import declared


def connect() -> None:
    """Tell the codec, and tell the generators who knows their frames."""
    link_frames(GeneratorFrames())
    for name, kind, manager in (
        ("longterm.generator", FlowGenerator, _GeneratorContextManager),
        ("longterm.async_generator", AsyncFlowGenerator, _AsyncGeneratorContextManager),
    ):
        register_holder(kind, encode=_kept, decode=partial(declared, kind), name=name)
        register_holder(
            manager,
            encode=partial(_generator_of, kind),
            decode=partial(_managing, manager, kind),
            name=f"{name}_manager",
        )


def _kept(generator: Any) -> Any:
    """Return what is stored of a generator."""
    kept = generator.keep()
    if type(generator) is AsyncFlowGenerator and generator.is_running:
        raise NotEncodable(
            "it is awaited at this moment, by a task of its own",
            "await that task before the suspend",
        )
    return kept.stored if type(kept) is Asked else kept


def _generator_of(kind: type, manager: Any) -> Any:
    """Return the generator of a manager that has been entered: it holds nothing else then."""
    generator = manager.gen
    if type(generator) is not kind:
        from longterm._codec.hints import UNKNOWN, hint_for  # most managers are not refused

        raise NotEncodable(*(hint_for(type(manager)) or UNKNOWN))
    if hasattr(manager, "func"):
        raise NotEncodable("it has not been entered", "make it in the `with` statement itself")
    return generator


def _managing(manager: type, kind: type, generator: Any) -> Any:
    if type(generator) is not kind:
        raise TypeError("a manager of a generator has a generator")
    made: Any = object.__new__(manager)
    made.gen = generator
    return made
