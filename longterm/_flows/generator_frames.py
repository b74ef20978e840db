"""The frames of generators: taken where they wait at a `yield`, and made generators again."""

from __future__ import annotations

from types import FrameType, FunctionType, SimpleNamespace
from typing import Any

from longterm._flows.call_sites import call_site
from longterm._flows.continuation import closure_of, code_and_arguments, frame_at
from longterm._flows.registry import flow_named, frozen_flow
from longterm._flows.same_rest import in_present_code
from longterm._flows.upgrades import upgrade_since, upgraded
from longterm.errors import FlowChanged
from longterm.frame import Frame


class GeneratorFrames:
    """Takes and makes the frames of generators; `longterm._wiring` links it."""

    def save(self, frame: FrameType) -> Frame:
        """Return what is left to do in the frame of a generator that waits at a `yield`."""
        at = SimpleNamespace(tb_frame=frame, tb_lasti=frame.f_lasti, tb_lineno=frame.f_lineno)
        site = call_site(at)  # type: ignore[arg-type]
        assert site is not None
        assert site.point is not None
        return frame_at(site, site.point, frame.f_locals)

    def check(self, frame: Frame) -> None:
        """Raise if a frame cannot go on in the code that is here; nothing of it is run.

        Raises:
            UnknownFlow, FlowChanged: as `continuation.rebuild`.
        """
        try:
            in_present_code(frame)
        except FlowChanged:
            if frozen_flow(frame.flow, frame.version) is not None:
                return
            if upgrade_since(flow_named(frame.flow), frame.version) is None:
                raise

    def make(self, frame: Frame) -> Any:
        """Return a generator, asynchronous or not, whose first `yield` is where the frame waits.

        Raises:
            UnknownFlow, FlowChanged, UpgradeFailed, CorruptData: as `continuation.rebuild`.
        """
        flow, frame = upgraded(frame)
        code, arguments = code_and_arguments(flow, frame)
        closure = closure_of(flow, frame, code) if code.co_freevars else ()
        return FunctionType(code, flow.globals, code.co_name, (None, *arguments), closure)()
