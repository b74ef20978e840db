"""A step that works in a database of the application's: its function within its key.

What the function raises has undone its work, and is the outcome of the attempt. What the database
itself raises may say nothing of the work: it may be done, by this attempt or by that of a process
which has died. That is no outcome, and the flow is never told so.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from longterm._flows.step_calls import HasTransactions, StepCall, StepTurn
from longterm._flows.wait_result import WaitResult
from longterm.errors import CannotStore, CommitUnknown, LongtermError
from longterm.store.base import RunStore

PAUSE: Final = timedelta(seconds=10)
"""How long a run rests at a step whose database is out of reach."""

_LONGEST_KEY: Final = 600


class Work:
    """An attempt at a call of a step, which is called instead of the step's own function."""

    def __init__(self, db: HasTransactions, call: StepCall, turn: StepTurn) -> None:
        """Take the call, and the turn that it is part of."""
        self._db = db
        self._call = call
        self._function = call.step.function
        self._key = turn.step_key[:_LONGEST_KEY]
        self._was_called = self._has_returned = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Do the work, or return what was stored when it was done."""

        def work(tx: Any) -> Any:
            self._was_called, self._has_returned = True, False
            value = self._function(tx, *args, **kwargs)
            self._has_returned = True
            return value

        try:
            return self._db.once(self._key, work)
        except BaseException as error:
            self._call.is_unknown = self._is_unknown(error)
            raise

    async def awaited(self, *args: Any, **kwargs: Any) -> Any:
        """Do the same with an `async def` function."""

        async def work(tx: Any) -> Any:
            self._was_called, self._has_returned = True, False
            value = await self._function(tx, *args, **kwargs)
            self._has_returned = True
            return value

        try:
            return await self._db.aonce(self._key, work)
        except BaseException as error:
            self._call.is_unknown = self._is_unknown(error)
            raise

    def _is_unknown(self, error: BaseException) -> bool:
        """Tell whether the work may be done in spite of an error.

        A function that was called was not done before, since its key was not there.
        """
        if isinstance(error, Exception):
            return isinstance(error, CommitUnknown) or (
                not self._was_called and self._db.is_unreachable(error)
            )
        return self._has_returned  # a time limit, in the commit


class NotSaved(BaseException):
    """Leaves the transaction of a step whose run could not be saved in it; no outcome of the step.

    No `Exception`, so that nobody takes it for one of the step's function.
    """

    def __init__(self, reason: LongtermError) -> None:
        """Keep why."""
        self.reason = reason
        self.is_unknown = isinstance(reason, CommitUnknown)


class WorkWithRun:
    """An attempt at a step in the very database of the runs: the run is saved in its transaction.

    That is the proof that it was done, and no key is needed.
    """

    after_commit: Callable[[], None] | None = None
    """What is to be done when both are committed; None: neither is."""

    def __init__(
        self,
        db: HasTransactions,
        call: StepCall,
        store: RunStore,
        save: Callable[[RunStore, WaitResult], Callable[[], None]],
    ) -> None:
        """Have the run saved by `save`, which is given a view of the store in the transaction."""
        self._db = db
        self._function = call.step.function
        self._store = store
        self._save = save

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Do the work, and save the run with its value."""
        after_commit: Callable[[], None] | None = None

        def work(tx: Any) -> Any:
            return self._function(tx, *args, **kwargs)

        def save(view: RunStore, value: Any) -> None:
            nonlocal after_commit
            try:
                after_commit = self._save(view, WaitResult(value))
            except CannotStore:  # of the value: an outcome, and nothing is committed
                raise
            except LongtermError as error:
                raise NotSaved(error) from error

        try:
            value = self._db.call_with_run(self._store, work, save)
        except CommitUnknown as error:
            raise NotSaved(error) from error
        self.after_commit = after_commit
        return value
