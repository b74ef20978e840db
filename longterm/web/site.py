"""What all handlers share: the engine, the flows that can be started, and who may do what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from longterm.engine import Engine
from longterm.errors import UnknownRun
from longterm.run import Run
from longterm.web.arguments import Offered
from longterm.web.permission import About, Action, Permission
from longterm.web.refusals import Forbidden, TooManyFollowers, UnlistedFlow

if TYPE_CHECKING:
    from starlette.requests import Request


MOST_FOLLOWERS: Final = 100
"""How many streams of runs are open at once: each looks at its run every two seconds."""


@dataclass(slots=True)
class Followers:
    """How many streams of runs are open."""

    most: int = MOST_FOLLOWERS
    count: int = 0

    def take_place(self) -> None:
        """Take a place, at once: of many requests that come together, no more get one.

        Raises:
            TooManyFollowers: there is none.
        """
        if self.count >= self.most:
            raise TooManyFollowers(self.most)
        self.count += 1


@dataclass(frozen=True, slots=True)
class Site:
    """One application."""

    engine: Engine
    flows: Mapping[str, Offered]
    """The flows that can be started, by their names."""
    permission: Permission
    followers: Followers

    async def run_for(
        self, request: Request, action: Action, run_id: str, event: str | None = None
    ) -> Run:
        """Return a run with which a request may do something.

        Raises:
            UnknownRun: there is none, or the request may not even see it: who may not see it
                does not learn that it is there.
            Forbidden: the request may see it, and no more.
        """
        try:
            run = await self.engine.aget_run(run_id)
        except UnknownRun:
            await self.permission.of(request, action, About())  # may ask who that is first
            raise
        if not await self.may(request, action, run, event):
            if action is Action.SEE or not await self.may(request, Action.SEE, run):
                raise UnknownRun(run.id)
            raise Forbidden(f"this request may not {action} run {run.id!r}")
        return run

    async def may(
        self, request: Request, action: Action, run: Run, event: str | None = None
    ) -> bool:
        """Return whether a request may do something with a run."""
        (is_allowed,) = await self.permission.of(request, action, About(run.flow, run, event))
        return is_allowed

    async def allowed(self, request: Request, action: Action, runs: Sequence[Run]) -> list[Run]:
        """Return those of some runs with which a request may do something."""
        answers = await self.permission.of(request, action, *(About(run.flow, run) for run in runs))
        return [run for run, is_allowed in zip(runs, answers, strict=True) if is_allowed]

    async def require(self, request: Request, action: Action, about: About) -> None:
        """Make sure that a request may do what is about no run.

        Raises:
            Forbidden: it may not.
        """
        (is_allowed,) = await self.permission.of(request, action, about)
        if not is_allowed:
            raise Forbidden(f"this request may not {action} {about.flow or 'runs'}")

    async def flow_for(self, request: Request, name: str) -> Offered:
        """Return a flow that a request may start.

        Raises:
            UnlistedFlow: the application does not offer it.
            Forbidden: it does, but not for this request.
        """
        await self.require(request, Action.START, About(name))
        if name not in self.flows:
            raise UnlistedFlow(name)
        return self.flows[name]


def site_of(request: Request) -> Site:
    """Return the application of a request."""
    site: Site = request.app.state.site
    return site
