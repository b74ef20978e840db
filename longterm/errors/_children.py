"""Errors of children, where the flow that has spawned them waits for them."""

from __future__ import annotations

from longterm.errors._base import LongtermError


class ChildFailed(LongtermError):
    """Raised where a flow waits for a child that failed by an exception that cannot be stored.

    Any other exception of a child is raised there itself.
    """

    def __init__(self, run_id: str, error: str) -> None:
        """Keep the child's id, and its exception as text."""
        self.run_id = run_id
        super().__init__(f"run {run_id!r} failed (`longterm show {run_id}` says more):\n{error}")


class ChildCancelled(LongtermError):
    """Raised where a flow waits for a child that was cancelled.

    An `Exception`, other than `Cancelled`: it is not the flow itself that is to end.
    """

    def __init__(self, run_id: str) -> None:
        """Keep the child's id."""
        self.run_id = run_id
        super().__init__(
            f"run {run_id!r} was cancelled (catch ChildCancelled to go on without its result)"
        )


class AlreadyTaken(LongtermError):
    """Raised when a flow waits for what is no open child of its run."""

    def __init__(self, run_id: str) -> None:
        """Keep the id of what is waited for."""
        self.run_id = run_id
        super().__init__(
            f"run {run_id!r} is no open child of this run: its result was taken before, or another "
            "run has spawned it (keep the result in a variable; the run that spawns a child waits "
            "for it)"
        )


class TooManyChildren(LongtermError):
    """Raised when a run is to spawn more children than it may have at once."""

    def __init__(self, run_id: str, most: int) -> None:
        """Keep the run."""
        self.run_id = run_id
        super().__init__(
            f"run {run_id!r} has {most:,} open children and spawns no more (wait for some of them "
            "first, or start runs of their own by `start_flow`)"
        )
