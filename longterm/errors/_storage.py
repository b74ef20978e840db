"""Errors of stores, and of the bytes that they hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from longterm.errors._base import LongtermError, in_bytes


class StoreError(LongtermError):
    """Raised when a store cannot be opened, read or written; the message says what to do."""


def closed_store() -> StoreError:
    """Return what a step on a closed store raises."""
    return StoreError("the store is closed (open it again with `open_store`)")


class WrongConnection(StoreError):
    """Raised when a run is to be part of a transaction in which it cannot be."""


class CommitUnknown(StoreError):
    """Raised when a connection was lost during a commit, so that nobody knows what came of it.

    With the key of the work, another attempt finds out: it reads the value, or does the work.
    """

    def __init__(self, key: str) -> None:
        """Keep the key."""
        self.key = key
        super().__init__(
            f"the connection was lost while the work under key {key!r} was committed, so that it "
            "may be done or not (ask again with the same key: if it is, its value is returned)"
        )


class ClockSkew(StoreError):
    """Raised when runs cannot be claimed because this machine's clock is far from the store's.

    Claims hold until a moment. A machine whose clock is ahead would take live turns from others,
    and one whose clock is behind would lose its own; a turn would then be run twice.
    """

    def __init__(self, ahead: timedelta, lease: timedelta) -> None:
        """Keep how far the clock is ahead (negative: behind), and how long claims hold."""
        self.ahead = ahead
        self.lease = lease
        seconds = ahead.total_seconds()
        super().__init__(
            f"no run can be claimed: the clock of this machine is {abs(seconds):.1f} seconds "
            f"{'ahead of' if seconds > 0 else 'behind'} the store's, more than half of the lease "
            f"of {lease.total_seconds():g} seconds (set the clocks of all machines by NTP; nothing "
            "need be restarted)"
        )


class NotSupported(LongtermError):
    """Raised when a store is asked for a capability that it does not offer."""

    def __init__(self, store: object, capability: str) -> None:
        """Say what was asked for."""
        self.capability = capability
        super().__init__(
            f"{type(store).__name__} does not offer {capability} (use a built-in store, or give "
            "yours the methods that docs/store-contract.md lists)"
        )


class RunExists(LongtermError):
    """Raised by a store that is asked to create a run whose id it has already."""

    def __init__(self, run_id: str) -> None:
        """Keep the id that is taken."""
        self.run_id = run_id
        super().__init__(f"run {run_id!r} exists already (choose another id)")


class ClaimLost(LongtermError):
    """Raised when a turn cannot be saved because the run is no longer held by this claim.

    Another process took the run up since, or it was removed; nothing of this turn was stored.
    """

    def __init__(self, run_id: str, turn: int) -> None:
        """Keep the run and the turn that could not be saved."""
        self.run_id = run_id
        self.turn = turn
        super().__init__(
            f"turn {turn} of run {run_id!r} was not saved: the claim on the run was lost "
            "(nothing of the turn is stored; get_run shows how the run stands)"
        )


class UnreadableRun(StoreError):
    """Raised when the row of a run is not what was saved, or holds what Python cannot.

    A bit changed on the disk or in memory, or by a hand that left the checksum as it was. The other
    runs of the store are not concerned.
    """

    def __init__(self, run_id: str, reason: str) -> None:
        """Keep the run, and what is wrong with its row."""
        self.run_id = run_id
        self.reason = reason
        super().__init__(
            f"the row of run {run_id!r} cannot be read: {reason} (restore it from a backup; or, if "
            "somebody changed it by hand and it is right, set its checksum to NULL, and retry it "
            "if it is failed by now)"
        )


class RunTooLarge(LongtermError):
    """Raised when the stored stack of a run has more bytes than the engine reads."""

    def __init__(self, run_id: str, size: int, max_bytes: int) -> None:
        """Keep the run, the size and the limit."""
        self.run_id = run_id
        self.size = size
        self.max_bytes = max_bytes
        super().__init__(
            f"the stack of run {run_id!r} has {in_bytes(size)}, and this engine reads at most "
            f"{in_bytes(max_bytes)} (raise the limit if you trust who wrote it: "
            f"Engine(store, max_bytes={size}))"
        )


class NotStorable(LongtermError):
    """Raised when a value that must be stored is of a type that the codec does not know.

    `path` leads from the encoded root to the value, step by step; joined as text it reads
    `[2].slots['rows'][3].cursor`.
    """

    def __init__(
        self,
        message: str,
        *,
        path: Sequence[object] = (),
        value_type: str = "",
        reason: str = "",
        hint: str = "",
    ) -> None:
        """Keep where the value is, what it is, why it cannot be stored and what to do."""
        self.path = tuple(path)
        self.value_type = value_type
        self.reason = reason
        self.hint = hint
        super().__init__(message)

    @classmethod
    def at(cls, path: Sequence[object], name: str, reason: str, hint: str) -> NotStorable:
        """Return the error for a value at the end of a path, whose type has this name."""
        place = "".join(map(str, path)) or "the value"
        return cls(
            f"cannot store {place}, which is of type {name}: {reason} ({hint})",
            path=path,
            value_type=name,
            reason=reason,
            hint=hint,
        )

    @property
    def frame(self) -> int | None:
        """The index of the frame that holds the value, if what was encoded is a continuation."""
        return getattr(self.path[0], "key", None) if self._is_in_slot() else None

    @property
    def slot(self) -> str | None:
        """The local name that holds the value, if what was encoded is a continuation."""
        return getattr(self.path[2], "key", None) if self._is_in_slot() else None

    @property
    def path_in_slot(self) -> str:
        """The rest of the path, from the local name on, such as `[3].cursor`."""
        return "".join(map(str, self.path[3:] if self._is_in_slot() else self.path))

    def _is_in_slot(self) -> bool:
        return len(self.path) > 2 and str(self.path[1]) in (".slots", ".cells")


class CorruptData(LongtermError):
    """Raised when stored bytes are not what the codec wrote."""


class NotAllowed(CorruptData):
    """Raised when stored bytes name a class, function or module that is not here or not allowed."""

    def __init__(self, name: str, reason: str, place: str = "") -> None:
        """Keep the name that the bytes gave, and where they hold it, if that is known."""
        self.name = name
        self.reason = reason
        self.place = place
        where = f" [{place}]" if place else ""
        super().__init__(f"the stored bytes name {name}, which {reason}{where}")

    def at(self, place: str) -> NotAllowed:
        """Return the error with the place where the bytes hold the name."""
        return NotAllowed(self.name, self.reason, place)


class CannotLoad(CorruptData):
    """Raised when a class has changed so that what was stored of it cannot be made again.

    The bytes are as they were written. The run waits on as it was, and can go on when the class is
    mended, or `register_upgrade` says what became of its fields.
    """

    def __init__(
        self, name: str, reason: str, hint: str, *, field: str | None = None, place: str = ""
    ) -> None:
        """Keep the class, `module:qualname`, the field or member, why, and what to do.

        Args:
            name: the name that the bytes gave.
            reason: what has become of the class.
            hint: what to do.
            field: the field or member that is the matter, if it is one.
            place: where the instance is held, such as `order.lines[2] of shop:sell at line 41`.
        """
        self.name = name
        self.reason = reason
        self.hint = hint
        self.field = field
        self.place = place
        held = f"{place}, which is a" if place else "a"
        super().__init__(f"cannot load {held} {name.replace(':', '.')}: {reason} ({hint})")

    def at(self, place: str) -> CannotLoad:
        """Return the error with the place where the instance is held."""
        return CannotLoad(self.name, self.reason, self.hint, field=self.field, place=place)


class NotSealed(CorruptData):
    """Raised when stored bytes have no seal, and there is a key, so that they must have one."""

    def __init__(self, place: str) -> None:
        """Name the bytes."""
        super().__init__(
            f"{place} has no seal, and since there is a key, only what is sealed is accepted (if "
            "runs were stored before there was a key, set LONGTERM_ACCEPT_UNSEALED=yes, or call "
            "set_keys(..., accept_unsealed=True), until each has gone on or was pruned)"
        )


class WrongSeal(CorruptData):
    """Raised when stored bytes have another seal than they should.

    Somebody changed them, or put them into another run, turn or column; or the key is missing.
    """


class InvalidKey(LongtermError):
    """Raised when a key is too short or not random; the message does not show it."""

    def __init__(self, cause: str) -> None:
        """Say what is wrong."""
        super().__init__(
            f"{cause} (make a key with: python3 -c "
            "'import secrets; print(secrets.token_urlsafe(32))')"
        )


class ValueRaised(CorruptData):
    """Raised when code of the application's own raises while stored bytes are decoded.

    Such as the `__hash__` of a key, or the function that a type was registered with. The bytes may
    be as they were written. `__cause__` is the exception, unless very many values had to be freed,
    which its traceback would hold.
    """

    def __init__(self, where: str, error: BaseException) -> None:
        """Keep the function that raised, `shop.orders.Key.__hash__`."""
        self.where = where
        super().__init__(
            f"a stored value cannot be decoded: {where} raised {type(error).__qualname__} "
            "(it must work on a value as it was stored)"
        )
