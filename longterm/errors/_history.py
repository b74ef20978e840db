"""What is raised about histories, and about runs that are forked or put back."""

from __future__ import annotations

from longterm.errors._base import LongtermError, shown


class InvalidActor(LongtermError):
    """Raised when the name of somebody who acts is no string that every store can hold."""

    def __init__(self, name: object) -> None:
        """Say what was given."""
        super().__init__(
            "the name of an actor is a string of 1 to 500 characters without NUL, not "
            f"{shown(name)} (give the user's name or id, as text)"
        )


class UnknownRevision(LongtermError):
    """Raised when a run is to be forked from, or put back to, a revision that is not kept."""

    def __init__(self, run_id: str, revision: int) -> None:
        """Keep the run and the revision."""
        self.run_id = run_id
        self.revision = revision
        super().__init__(
            f"the history of run {run_id!r} does not hold what the run was at revision {revision} "
            '(Engine(store, history="frames") keeps that from then on; '
            f"`longterm history {run_id}` lists the revisions that are kept)"
        )


class CannotFork(LongtermError):
    """Raised when a run is at a revision from which no other can go on."""

    def __init__(self, run_id: str, reason: str, hint: str) -> None:
        """Keep the run; say why, and what to do."""
        self.run_id = run_id
        super().__init__(f"run {run_id!r} cannot be forked: {reason} ({hint})")


class CannotRewind(LongtermError):
    """Raised when a run cannot be put back to a revision."""

    def __init__(self, run_id: str, reason: str, hint: str) -> None:
        """Keep the run; say why, and what to do."""
        self.run_id = run_id
        super().__init__(f"run {run_id!r} cannot be put back: {reason} ({hint})")
