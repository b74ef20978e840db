"""`@upgrade`: what authors say of the runs that wait in earlier versions of a flow.

Where the rest is the same a run goes on without a word. Else it goes on if the author says so:

    upgrade(sell, since="3f2a9c04")         where the same statement is under way

    @upgrade(sell, since="3f2a9c04")        where the body says
    def _(frame: FrameEdit) -> None:
        frame.slots["items"] = [frame.slots.pop("item")]
        frame.goto("agreed")
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from types import CodeType, FunctionType
from typing import Any, Final, TypeVar

from longterm._flows.flow import Flow, StepFlow
from longterm._flows.frame_edit import FrameEdit, edited
from longterm._flows.registry import flow_named, flow_of, frozen_flow, frozen_flows, known_flows
from longterm._flows.same_rest import in_present_code
from longterm._flows.under_way import NotMatched, matched
from longterm.errors import FlowChanged, InvalidUpgrade, UnknownFlow, UpgradeFailed
from longterm.frame import Frame

F = TypeVar("F", bound=Callable[[FrameEdit], object])
_DIGITS: Final = frozenset("0123456789abcdef")
_FEWEST, _ALL = 6, 16


@dataclass(slots=True, eq=False)
class Upgrade:
    """What is said of the runs that wait in one version of a flow."""

    original: CodeType
    """The flow's own code, by which one that is defined anew is told from this."""
    since: str
    """The beginning of the version."""
    place: str
    """Where it is said: `shop.py:31`."""
    body: Callable[[FrameEdit], object] | None = None
    """What edits a frame; None: that goes on where the same statement is under way."""


_upgrades: dict[str, list[Upgrade]] = {}
"""By the names of the flows."""


def upgrade(flow: Callable[..., Any], /, *, since: str) -> Callable[[F], F]:
    """Say that runs which wait in an earlier version of a flow go on in the code of today.

    As a statement, or with an empty body, it holds for each run whose statement under way stands in
    today's code, in the same blocks, if all that is read from there on was stored. With a body it
    is ordinary code that edits the stored frame; it must not do anything else, and what it raises
    leaves the run as it was. The turn that goes on with a run saves what was made of its frames.

    Args:
        flow: the flow of today.
        since: the version that the runs were saved from, or its first six digits or more, as
            `longterm check` shows it.

    Raises:
        NotAFlow: it is none.
        InvalidUpgrade: `since` is no version, or is taken by another one of the flow.
    """
    known, caller = flow_of(flow), sys._getframe(1)
    if isinstance(known, StepFlow):
        raise InvalidUpgrade(known.name, since, "it is a step, of which nothing waits in a frame")
    if not _is_version(since):
        raise InvalidUpgrade(
            known.name, since, "a version is 6 to 16 hexadecimal digits, as `longterm check` shows"
        )
    place = f"{caller.f_code.co_filename}:{caller.f_lineno}"
    said = Upgrade(known.original, since, place)
    others = upgrades_of(known)
    for other in others:
        if other.since.startswith(since) or since.startswith(other.since):
            raise InvalidUpgrade(known.name, since, f"{other.place} speaks of the same version")
    _upgrades[known.name] = [*others, said]

    def with_body(body: F) -> F:
        if not _is_empty(body):
            said.body = body
        return body

    return with_body


def _is_version(since: object) -> bool:
    return isinstance(since, str) and _FEWEST <= len(since) <= _ALL and _DIGITS.issuperset(since)


def upgrades_of(flow: Flow) -> list[Upgrade]:
    """Return what is said of the versions of a flow, as it is defined now."""
    return [said for said in _upgrades.get(flow.name, ()) if said.original is flow.original]


def upgrade_since(flow: Flow, version: str) -> Upgrade | None:
    """Return what is said of a version of a flow, if anything is."""
    said = upgrades_of(flow)
    return next((each for each in said if version.startswith(each.since)), None)


def upgraded(frame: Frame) -> tuple[Flow, Frame]:
    """Return the flow of a frame, and the frame as its code of today would have saved it.

    Where neither the rest is the same nor an `@upgrade` fits, it is the code of the frame's own
    version, if a file keeps that.

    Raises:
        UnknownFlow: this process has no flow of the name.
        FlowChanged: it is of another version, and none of these helps.
        CompileError: the file that says it keeps the version holds another one.
        UpgradeFailed: the body of the `@upgrade` has failed, or left the frame unfit.
        CorruptData: the frame lacks slots that its rest has.
    """
    try:
        return in_present_code(frame)
    except FlowChanged:
        flow = flow_named(frame.flow)
        said = upgrade_since(flow, frame.version)
        if said is None or said.body is None:
            return _accepted(frame, flow, said)
    try:
        return flow, edited(frame, flow, said.body)
    except NotMatched as error:
        cause = str(error)
    except Exception as error:
        cause = f"{type(error).__name__}: {error}"
        raise UpgradeFailed(frame.flow, frame.version, said.place, cause) from error
    raise UpgradeFailed(frame.flow, frame.version, said.place, cause)


def flow_going_on(name: str, begin: str) -> Flow:
    """Return the flow whose code a frame goes on in, as far as the frame's own name tells.

    Args:
        name: the flow of the frame.
        begin: the first digits of its version.

    Raises:
        UnknownFlow: this process has no flow of the name.
    """
    flow = flow_named(name)
    for frozen in frozen_flows():
        if frozen.name == name and frozen.version.startswith(begin) and frozen is not flow:
            said = upgrade_since(flow, frozen.version)
            return flow if said is not None and said.body is not None else frozen
    return flow


def _accepted(frame: Frame, flow: Flow, said: Upgrade | None) -> tuple[Flow, Frame]:
    """Return where a frame goes on by an upgrade without a body, or in the code of a file."""
    reason = ""
    if said is not None:
        try:
            return flow, matched(frame, flow)
        except NotMatched as error:
            reason = f"the upgrade at {said.place} does not help: {error}"
    frozen = frozen_flow(frame.flow, frame.version)
    if frozen is None:
        raise FlowChanged(frame.flow, frame.version, flow.version, reason) from None
    return frozen, frame


def upgrades_judged(versions: set[tuple[str, str]]) -> Iterator[str]:
    """Yield what is to be said of the upgrades of this process, each in words.

    Args:
        versions: the flows on the stacks of all runs, by name, with their versions.
    """
    present: set[tuple[str, str]] = set()
    for name, version in versions:
        with suppress(UnknownFlow):
            present.add((flow_named(name).name, version))
    for flow in sorted(known_flows(), key=attrgetter("name")):
        name = flow.name
        for said in upgrades_of(flow):
            found = sorted(v for known, v in present if known == name and v.startswith(said.since))
            what = f"the upgrade of {name} since {said.since} at {said.place}"
            if not found:
                yield f"{what} is needed by no run (delete it)"
            elif len(found) > 1:
                yield f"{what} is of several versions: {', '.join(found)} (give more digits)"


def _empty(frame: FrameEdit) -> None: ...


def _is_empty(body: Callable[..., object]) -> bool:
    """Tell whether a body does nothing at all."""
    return isinstance(body, FunctionType) and len(body.__code__.co_code) == len(
        _empty.__code__.co_code
    )
