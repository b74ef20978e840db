"""How the codec stores generators of flows, and the managers that `@contextmanager` makes of them.

Neither has a form of its own on the wire: both are registered types, as an application has them.
"""

from __future__ import annotations

from contextlib import _GeneratorContextManager
from typing import Any

from longterm._codec.refusal import NotEncodable
from longterm._codec.types.registered import register_type
from longterm._flows.generator import FlowGenerator, as_declared, as_stored
from longterm._flows.generator import link as link_frames
from longterm._flows.generator_frames import GeneratorFrames


def connect() -> None:
    """Tell the codec, and tell the generators who knows their frames."""
    link_frames(GeneratorFrames())
    register_type(FlowGenerator, encode=as_stored, decode=as_declared, name="longterm.generator")
    register_type(
        _GeneratorContextManager,
        encode=_generator_of,
        decode=_managing,
        name="longterm.generator_manager",
    )


def _generator_of(manager: Any) -> FlowGenerator:
    """Return the generator of a manager that has been entered: it holds nothing else then."""
    generator = manager.gen
    if type(generator) is not FlowGenerator:
        from longterm._codec.hints import UNKNOWN, hint_for  # most managers are not refused

        raise NotEncodable(*(hint_for(_GeneratorContextManager) or UNKNOWN))
    if hasattr(manager, "func"):
        raise NotEncodable("it has not been entered", "make it in the `with` statement itself")
    return generator


def _managing(generator: Any) -> Any:
    if type(generator) is not FlowGenerator:
        raise TypeError("a manager of a generator has a generator")
    made: Any = object.__new__(_GeneratorContextManager)
    made.gen = generator
    return made
