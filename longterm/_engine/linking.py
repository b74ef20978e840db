"""How an engine makes links that answer a wait."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from longterm._engine.parts import Parts
from longterm._later import later
from longterm.run import Run

if TYPE_CHECKING:
    from uuid import UUID
else:
    UUID = later("uuid", "UUID")

_NOTHING: Final = object()
_WEEK: Final = timedelta(days=7)


class Linking(Parts):
    """The part of an engine that makes links."""

    def link(
        self,
        run: Run | str | UUID,
        event_id: str,
        *,
        value: Any = _NOTHING,
        lasts: timedelta = _WEEK,
    ) -> str:
        """Return a URL that answers a wait once: to be opened in a browser, without an account.

        Opening it shows what is asked, and a button: programs that look at e-mails open links, and
        answer nothing by that.

        Args:
            run: a run: the link is for the wait at which it rests, and no later one. Or its id,
                such as a flow has it from `current_run()` before it waits: the link is for the
                next wait for the event, whenever that is.
            event_id: the event that the link brings.
            value: what it answers; plain JSON. Without it, whoever opens the link says that.
            lasts: how long it is good, 30 days at most.

        Raises:
            ValueError: the engine has no `links`, or an argument is not what it should be.
            InvalidRunId, InvalidEventId: nor is a name.
        """
        from longterm.links import new_link  # most engines make none

        if self.links is None:
            raise ValueError(
                "this engine signs no links (give it a secret: "
                "Engine(store, links=Links(url, secret)))"
            )
        run_id, revision = (run.id, run.revision) if isinstance(run, Run) else (run, None)
        chosen = () if value is _NOTHING else (value,)
        link = new_link(run_id, event_id, self.clock.now(), lasts, revision, chosen)
        return self.links.make(link)
