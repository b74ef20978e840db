"""A flow of this process: its compiled code, and the bodies that run it.

Which flows there are is known to `registry`.
"""

from __future__ import annotations

import threading
import types
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final
from weakref import WeakSet

from longterm._abi.inner_code import nested_codes
from longterm._abi.verdict import Verdict
from longterm._flows.compiled import FreshCode, ResumeCode
from longterm._flows.loader import Loader
from longterm._flows.resolve import flow_codes
from longterm._flows.step_calls import Step
from longterm._fork import at_fork

IS_COROUTINE: Final = 0x80
"""The flag of code that makes a coroutine (`inspect` has it too, and takes long to import)."""


class Flow:
    """A flow of this process: its name, its compiled code, and the module it lives in."""

    def __init__(
        self, name: str, loader: Loader, namespace: dict[str, Any], original: types.CodeType
    ) -> None:
        """Take the flow by the name that stores know it by, `module:qualname`."""
        self.name = name
        self.loader = loader
        self.fresh: FreshCode = loader.fresh
        """The fresh body, and what is known of the points."""
        self.is_async = bool(self.fresh.code.co_flags & IS_COROUTINE)
        """Whether the flow is an `async def`."""
        self.globals = namespace
        self.original = original
        """The author's own code, uncompiled."""
        self.functions: WeakSet[types.FunctionType] = WeakSet()
        """The functions that run it: one for a module's function, one a call for an inner one."""
        self._resumes: dict[int | tuple[int, tuple[str, ...]], ResumeCode] = {}
        """By the point, and by the point and the names without a value."""
        self._versions: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<flow {self.name}>"

    @cached_property
    def version(self) -> str:
        """The digest of what the flow means."""
        return self.fresh.version

    def version_as(self, name: str) -> str:
        """Return the version that the flow would have, were its `def` of this name.

        So a flow that was renamed takes the frames that were saved before.
        """
        if name == self.fresh.code.co_name:
            return self.version
        if name not in self._versions:
            self._versions[name] = self.loader.version_as(name)
        return self._versions[name]

    def is_of_version(self, version: str, name: str) -> bool:
        """Tell whether code that was saved under a name, in a version, is what the flow is now."""
        if version == self.version:
            return True
        return name != self.name and self.version_as(_last_name(name)) == version

    def names_inside(self, name: str) -> Iterator[str]:
        """Yield the names of all functions inside, by a name of the flow: flows may be among them.

        Such a flow can be made before it has run here.
        """
        for code in nested_codes(self.original):
            yield name + code.co_qualname.removeprefix(self.original.co_qualname)

    def resume(self, point: int, unbound: tuple[str, ...] = ()) -> ResumeCode:
        """Return the code that finishes the flow from a point on."""
        key = (point, unbound) if unbound else point
        known = self._resumes.get(key)
        return self._make_resume(point, unbound) if known is None else known

    def _make_resume(self, point: int, unbound: tuple[str, ...]) -> ResumeCode:
        key = (point, unbound) if unbound else point
        with making():
            known = self._resumes.get(key)
            if known is None:
                known = self.loader.resume(point, unbound)
                add_body(Body(self, known.code, point, known))
                self._resumes[key] = known
            return known


class StepFlow(Flow):
    """A step that is run as a flow: a run of its own, such as a child."""

    def __init__(self, step: Step) -> None:
        """Take a step, which has no resume points: what a run of it needs is its name."""
        self.name, self.is_async = step.name, step.is_async
        self.functions = WeakSet([step.call] if isinstance(step.call, types.FunctionType) else [])
        vars(self)["version"] = ""  # it is the step of today, whatever it was

    def names_inside(self, name: str) -> Iterator[str]:
        """Yield nothing."""
        return iter(())


def _last_name(name: str) -> str:
    return name.rpartition(":")[2].rpartition(".")[2]


@dataclass(slots=True, eq=False, repr=False)
class Body:
    """One code object of a flow: the fresh body, or the resume body of a point."""

    flow: Flow
    code: types.CodeType
    point: int | None = None
    resume: ResumeCode | None = None

    @property
    def inner(self) -> dict[str, types.CodeType]:
        """The code of the functions inside this body, by their places."""
        return self.flow.fresh.inner if self.resume is None else self.resume.inner

    @property
    def cells(self) -> tuple[str, ...]:
        """The captured names, in the order in which a frame of this body keeps their cells."""
        return self.flow.fresh.shared if self.resume is None else self.resume.cells


_bodies: dict[int, Body] = {}

_making = threading.RLock()


def making() -> AbstractContextManager[object]:
    """Return the lock of the thread that makes a flow or a body.

    What others can find is whole, and all of them run the same code.
    """
    return _making


def add_body(body: Body) -> None:
    """Let the code of a body be known as a flow's."""
    _bodies[id(body.code)] = body
    flow_codes[id(body.code)] = Verdict.SUSPENDS


def body_of(code: types.CodeType) -> Body | None:
    """Return the body of a flow that this code object is, or None."""
    return _bodies.get(id(code))


def known_bodies() -> list[Body]:
    """Return the bodies that were compiled in this process."""
    return list(_bodies.values())


def _after_fork_in_child() -> None:
    global _making
    _making = threading.RLock()  # the thread that held it is the parent's


at_fork(after_in_child=_after_fork_in_child)
