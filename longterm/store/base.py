"""The store contract: what every RunStore promises, written once.

A store holds runs as plain records of text and bytes, and never decodes them. Four methods are its
whole duty; the engine does the rest. `longterm.testing.contract` tests each promise made here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol, runtime_checkable

from longterm._event_names import START
from longterm.run import Fact, Run, RunState

__all__ = [
    "Confirms",
    "Deadlines",
    "Deletion",
    "Erasure",
    "Keys",
    "Leases",
    "Migrates",
    "Query",
    "Rewriting",
    "Search",
    "Wakes",
    "died_run",
]


@runtime_checkable
class RunStore(Protocol):
    """A durable home of runs.

    - **Whole or not at all.** Each method is one atomic step. One that raises has changed nothing,
      and a reader sees a run as it was before a step or after it, never between.
    - **Many callers.** Every method may be called from several threads and, where the store is
      durable, from several processes at once. A store waits for its turn; it does not fail because
      another caller is busy.
    - **Durable on return.** When `create` or `update` returns, a power failure cannot undo it. A
      claim by `unsuspend`, and a run that is created running, may be lost only in a failure that
      its claimant does not outlive (that of the one machine they share): the run is then merely
      still suspended, or its start has not happened.
    - **Exact.** Text is any Unicode without NUL and compares by code point; bytes come back as they
      went in, and empty is not None. A record that was returned never changes afterwards.
    - **Damage costs one run.** A row that cannot be read, or is not what was saved, is an error
      that names its run (`UnreadableRun`). A step on many runs leaves it out, names it in the log,
      and goes on; whoever has claimed it fails it, with the reason as its error.
    - **Fields of its own.** A store may return a subclass of `Run` with further fields. `create` is
      given a plain `Run`, `update` a record that this store returned, changed by `Run.changed`:
      what the engine does not know, it hands back as it was.
    """

    def create(self, run: Run) -> Run:
        """Insert a new run, in any state, and return it as stored.

        A store with `Keys` also keeps what `kept_key` says of the run, in the same step.

        Raises:
            RunExists: the id is taken.
        """
        ...

    def get(self, run_id: str) -> Run:
        """Return the run as it is now.

        Raises:
            UnknownRun: no run has this id.
        """
        ...

    def unsuspend(self, run_id: str, event_id: str) -> Run | None:
        """Claim a suspended run for one turn, if it waits for this event.

        In one atomic step: if the run is suspended and waits for `event_id` (it is the text of its
        `waiting_for`, or a line of that: a run may wait for several), its state becomes
        running, its turn goes up by one, and the claimed run is returned, everything else as it
        was, so that the run can be taken up again should the claimant die. Otherwise nothing
        changes and None is returned. Of several callers exactly one gets the run.

        A store that compares the text as a whole works too: what waits for several is then claimed
        by the whole text, in a second step.

        Raises:
            UnknownRun: no run has this id.
        """
        ...

    def update(self, run: Run) -> Run:
        """Save what a turn made of a claimed run, and return it as stored.

        Every field may have changed but `flow` and `created_at`: they are for a run's whole life.

        Only the holder of the newest claim can save, and only once: the stored run must be running
        and its turn must equal `run.turn`. A database that a failover or a backup has put back
        gives a turn out twice; so a store whose database may be, draws a number for each claim,
        keeps it as `claim`, and compares that too.

        A run that is saved as running stays claimed: its holder goes on with the same turn, and
        can save it again.

        Raises:
            UnknownRun: no run has this id.
            ClaimLost: the stored run is not running, or its turn or claim is another; nothing was
                stored.
        """
        ...


@runtime_checkable
class Leases(Protocol):
    """A store whose claims hold for a limited time, so that a dead process holds no run for ever.

    A claim that ran out does not lose its holder the run: it can still be saved, renewed, or taken
    over, whichever comes first. All moments come from the caller's clock.
    """

    def claim(self, run_id: str, event_id: str, *, now: datetime, until: datetime) -> Run | None:
        """Claim a run like `unsuspend`, until a moment.

        A run whose former claim ran out before `now` counts as suspended, as it was before the
        turn that died; its attempts go up by one. A claim by `unsuspend` never runs out.

        Raises:
            UnknownRun: no run has this id.
        """
        ...

    def renew(self, run_id: str, turn: int, *, until: datetime, claim: int | None = None) -> bool:
        """Make a claim hold until a moment; False if it is not the newest claim any more.

        `claim` is what the claimed record has as its `claim`; a store that draws no such numbers
        need not take it.
        """
        ...

    def revive(self, run_id: str, *, now: datetime, until: datetime) -> Run | None:
        """Claim a failed run for another try; its attempts begin anew. None if it has not failed.

        Raises:
            UnknownRun: no run has this id.
        """
        ...

    def release_stale(
        self, *, now: datetime, max_attempts: int, limit: int | None = None
    ) -> list[Run]:
        """Let go of the runs whose claims ran out before `now`, and return them as they are then.

        At most `limit` are taken at once, whichever they are; None: all. A store that does not take
        `limit` works too, and lets go of all.

        Each is then as `died_run` says: suspended again, as it was before the turn that died, with
        one attempt more; the one that reaches `max_attempts`, or that waits for no event, is
        failed at `now`, with an error that says so. One that died in its first turn waits for its
        start then (`longterm.start`), and is due. Of several callers exactly one lets go of
        each.
        """
        ...


def died_run(run: Run, max_attempts: int, now: datetime) -> Run:
    """Return a run as it is after the turn that held it died with its process."""
    attempts = run.attempts + 1
    run = run.changed(claimed_until=None, attempts=attempts)
    if run.waiting_for == START and run.stack is None:
        # The call that began it could not be stored: it was created with an error that says so.
        return run.changed(state=RunState.FAILED, updated_at=now)
    if attempts < max_attempts and run.waiting_for is not None:
        return run.changed(state=RunState.SUSPENDED)
    return worn_out_run(run, now)


def worn_out_run(run: Run, now: datetime) -> Run:
    """Return a run that is not taken up again, since its turns have died too often."""
    return run.changed(
        state=RunState.FAILED,
        claimed_until=None,
        encoded_error=f"{run.attempts}{DIED}",
        updated_at=now,
    )


DIED: Final = (
    " turns in a row died with their process and never ended "
    "(find out why, for example what kills the process; then retry the run)"
)
"""The error of a run whose turns died too often, after their number."""


@runtime_checkable
class Deadlines(Protocol):
    """A store that finds the runs whose waits have ended by themselves."""

    def claim_due(
        self,
        *,
        now: datetime,
        until: datetime,
        limit: int,
        flows: Collection[str] | None = None,
        without: Collection[str] = (),
    ) -> list[Run]:
        """Claim suspended runs whose deadline is not after `now`, the longest overdue first.

        Only runs of these flows, named as in `Run.flow`; None: of any. None whose `position` is one
        of those that are left out, since the caller cannot go on there. Each becomes as
        `Leases.claim` makes it. Several callers at once get different runs, and none waits for
        another.

        A store whose `claim_due` does not take `flows` works too: its workers claim the runs of
        flows that they do not have as well, and put them off. So it is with `without`.
        """
        ...


def takes(method: Callable[..., object], name: str) -> bool:
    """Whether a method of a store takes an argument that was added to the contract later."""
    from inspect import Parameter, signature

    parameters = signature(method).parameters
    return name in parameters or any(
        parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values()
    )


def new_claim() -> int:
    """Draw the number of a claim: 63 bits that no other claim has, in whatever process or copy."""
    # The system's own: a generator of Python's is copied by a fork, and can be seeded.
    return int.from_bytes(os.urandom(8), "big") >> 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """Which runs to find; every field that is set must fit."""

    state: RunState | None = None
    flow: str | None = None
    waiting_for: str | None = None
    """The text of what they wait for, or a line of it: each event of several finds them."""
    index: Mapping[str, Fact] = field(default_factory=dict)
    """Facts of the run's index. Type and value count: `1`, `1.0`, `True` and `"1"` are four facts
    (two are the same if `longterm.store.facts` writes them the same)."""
    to: str | None = None
    """Whom their wait is for: one of `Run.audience`."""
    position: str | None = None
    """Where they wait: the whole of `Run.position`. Only asked of a store with `Positions`."""
    saved_before: datetime | None = None
    """Only runs that were last saved before this moment."""
    limit: int = 100
    after: str | None = None
    """The id of the last run of the page before; runs come in the order of their ids."""
    newest_first: bool = False
    """Whether that order is the falling one: ids that longterm draws begin with their time."""


@runtime_checkable
class Keys(Protocol):
    """A store with leases that keeps the keys of deliveries, so that a run takes none twice.

    `update` keeps what `kept_key` says of the run, in the same step: the key and the digest of the
    delivery that began the turn. So does `create`, for a run that was started under an id of the
    caller's; where it does not, only the flow is compared when such a run is started again. A key
    that is kept already stays as it is. Keys are deleted with their run.
    """

    def claim_for_key(
        self, run_id: str, event_id: str, key: str, *, now: datetime, until: datetime
    ) -> Run | None:
        """Claim a run like `Leases.claim`, unless it keeps this key; then None is returned.

        Raises:
            UnknownRun: no run has this id.
        """
        ...

    def digest_for_key(self, run_id: str, key: str) -> str | None:
        """Return the digest that a run keeps with a key; None if it does not keep the key."""
        ...

    def forget_keys(self, *, taken_before: datetime) -> int:
        """Forget the keys that were kept before a moment; return how many."""
        ...


_NEVER_OVER: Final = datetime.max.replace(tzinfo=UTC)


def kept_key(run: Run) -> tuple[str, str, str, datetime] | None:
    """Return what a save or a creation of a run keeps: run, key, digest and moment; or None.

    That is the delivery that began its turn; or, under the key `longterm.start`, the call that
    began the run. The latter is kept for the run's whole life, so its moment is the last there is.
    """
    if run.delivery is None or run.delivery_digest is None or run.state is RunState.FAILED:
        return None
    if run.delivery == START:
        return run.id, START, run.delivery_digest, _NEVER_OVER
    assert run.updated_at is not None  # each turn that ends sets it
    return run.id, run.delivery, run.delivery_digest, run.updated_at


@runtime_checkable
class Search(Protocol):
    """A store that finds runs by what is known of them."""

    def find(self, query: Query) -> list[Run]:
        """Return the runs that fit, in the order of their ids, at most as many as the limit.

        With `Query.newest_first` in the falling order of their ids.
        """
        ...


@runtime_checkable
class Deletion(Protocol):
    """A store that can forget runs that are complete, failed or cancelled."""

    def delete_ended(self, *, saved_before: datetime, limit: int) -> int:
        """Delete runs that have ended, last saved before a moment; return how many.

        At most `limit`, but what can be dropped at one stroke may be more.
        """
        ...


@runtime_checkable
class ByMonth(Protocol):
    """A store that can keep runs that have ended in a table of their month, which is dropped as a
    whole, so that what goes on stays small. It is an option: it does so once that was asked for."""

    def keep_by_month(self) -> bool:
        """Have runs that end kept so from now on; False if they are already."""
        ...

    def by_month_sql(self) -> str:
        """Return the SQL that does it, for a DBA to apply."""
        ...

    def move_ended(self, *, limit: int) -> int:
        """Move runs that are complete or cancelled to the table of their month; return how many.

        They are found, read and deleted as before. 0 where they are not kept so.
        """
        ...


@runtime_checkable
class Confirms(Protocol):
    """A store in which a run can be read before it is safe: while another caller's save still
    waits for a disk, or for a standby that has not written it down yet."""

    def confirm(self, run_id: str) -> Run:
        """Return the run as it is now, once nothing but what undoes a save can undo that.

        Whoever answers by what somebody else has saved, such as that a delivery was taken before,
        asks so: what was merely read may be gone after a failover.

        Raises:
            UnknownRun: no run has this id.
        """
        ...


@runtime_checkable
class Erasure(Protocol):
    """A store that can forget one run."""

    def delete(self, run_id: str) -> bool:
        """Delete a run that is complete, failed or cancelled; False if it has not ended.

        Nothing of it is left that a step of the store could return.

        Raises:
            UnknownRun: no run has this id.
        """
        ...


@runtime_checkable
class Rewriting(Protocol):
    """A store that can write the bytes of runs in another form, such as with another key."""

    def rewrite(self, run: Run) -> bool:
        """Replace the bytes and the error of a run that nobody has in hand, and nothing else.

        In one atomic step, if the stored run is not running, and has the turn, the state and the
        `created_at` of `run`: then nobody has touched it since, for a claim adds to the turn. Its
        `stack`, `encoded_response`, `encoded_result` and `encoded_error` become those of `run`.
        Otherwise nothing changes and False is returned.

        Raises:
            UnknownRun: no run has this id.
        """
        ...


@runtime_checkable
class Clocked(Protocol):
    """A store on another machine, which has a clock of its own."""

    def clock_ahead(self) -> timedelta:
        """Return how far this process's clock is ahead of the store's; negative: behind.

        Asked before each claim, so the store measures it now and then, and answers from memory. A
        measurement is as exact as the way to the store is short; what that may explain is none.
        """
        ...


@runtime_checkable
class Wakes(Protocol):
    """A store that tells a resting worker when there is work, so that it need not look so often."""

    def wait_for_work(
        self,
        *,
        looked_at: datetime,
        now: datetime,
        until: datetime,
        is_stopped: Callable[[], bool],
    ) -> None:
        """Wait until a run is due or is sent what it waits for; at most until a moment, or a stop.

        Of the deadlines that are stored, only those after `looked_at` count: what was due then is
        known to the caller, who may be unable to carry it on. Of those that are saved meanwhile,
        each counts that is at most five minutes off. To return sooner is allowed. `is_stopped` is
        asked at least once a second.
        """
        ...


@runtime_checkable
class Migrates(Protocol):
    """A store with a schema that is brought up to date step by step as longterm grows."""

    def migrate(self) -> int:
        """Make the schema or bring it up to date; return how many steps that took."""
        ...

    def migration_sql(self) -> str:
        """Return the SQL of the steps that are to be taken, for somebody else to apply."""
        ...
