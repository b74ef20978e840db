"""Errors of steps, and the exception by which one asks for another attempt."""

from __future__ import annotations

from datetime import timedelta

from longterm.errors._base import LongtermError


class Retry(LongtermError):
    """Raise it inside a step to have the step tried again later: `raise Retry(after=…)`.

    It counts as an attempt. When there are no more, it is raised where the flow calls the step.
    """

    def __init__(self, after: timedelta | None = None) -> None:
        """Ask for another attempt after some time; None: after the step's own pause.

        Raises:
            ValueError: `after` is no length of time, or negative.
        """
        if after is not None and not (isinstance(after, timedelta) and after >= timedelta(0)):
            raise ValueError(f"after={after!r} is no pause (give timedelta(minutes=5))")
        self.after = after
        when = "" if after is None else f" in {after}"
        super().__init__(f"the step asked to be tried again{when}")


class StepUnknown(LongtermError):
    """Raised where a flow calls an `at_most_once` step of which nobody knows whether it was done.

    Its process died, or was interrupted, after the step had begun.
    """

    def __init__(self, step: str) -> None:
        """Keep the step's name, `module:qualname`."""
        self.step = step
        super().__init__(
            f"step {step} was begun, and its process did not live to say what came of it (find out "
            "whether it was done, and catch StepUnknown to go on; it is not begun again)"
        )


class StepGone(LongtermError):
    """Raised when a run is to go on with a step that does not exist in this process."""

    def __init__(self, step: str, cause: str) -> None:
        """Keep the step's name, `module:qualname`; the cause names the remedy."""
        self.step = step
        super().__init__(f"step {step} is not known in this process: {cause}")


class NotAStep(LongtermError):
    """Raised when `@step` is put on what cannot be one, or is given what it does not take."""

    def __init__(self, name: str, cause: str, hint: str) -> None:
        """Keep what was to be a step."""
        self.name = name
        super().__init__(f"{name} cannot be a step: {cause} ({hint})")


class NotInStep(LongtermError):
    """Raised when `step_key` is called by a flow itself, outside of its steps."""

    def __init__(self) -> None:
        """Say where it can be called."""
        super().__init__(
            "step_key() was called outside of a step (call it in the function with @step)"
        )
