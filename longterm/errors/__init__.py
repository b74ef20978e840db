"""Everything that longterm raises, one class per failure, all under `LongtermError`.

A message says what was asked, shows the value, and names the way out in parentheses. Whenever one
of these is raised by `start_flow` or `process_event`, the run is as it was before the call.
"""

from longterm.errors._base import (
    LongtermError as LongtermError,
    in_bytes as in_bytes,
)
from longterm.errors._children import (
    AlreadyTaken as AlreadyTaken,
    ChildCancelled as ChildCancelled,
    ChildFailed as ChildFailed,
    TooManyChildren as TooManyChildren,
)
from longterm.errors._flows import (
    AsyncFlow as AsyncFlow,
    Cancelled as Cancelled,
    CannotStore as CannotStore,
    CannotSuspend as CannotSuspend,
    CompileError as CompileError,
    Expired as Expired,
    FlowChanged as FlowChanged,
    InvalidDeadline as InvalidDeadline,
    InvalidUpgrade as InvalidUpgrade,
    NotAFlow as NotAFlow,
    NoSource as NoSource,
    NotImportable as NotImportable,
    NotInRun as NotInRun,
    StackTooDeep as StackTooDeep,
    TurnTimeout as TurnTimeout,
    UnknownFlow as UnknownFlow,
    UpgradeFailed as UpgradeFailed,
    ValueTooLarge as ValueTooLarge,
)
from longterm.errors._history import (
    CannotFork as CannotFork,
    CannotRewind as CannotRewind,
    InvalidActor as InvalidActor,
    UnknownRevision as UnknownRevision,
)
from longterm.errors._queues import (
    InvalidQueue as InvalidQueue,
    InvalidSchedule as InvalidSchedule,
    UnknownQueue as UnknownQueue,
)
from longterm.errors._runs import (
    CannotRestart as CannotRestart,
    EventTooLarge as EventTooLarge,
    InboxFull as InboxFull,
    InvalidDeliveryKey as InvalidDeliveryKey,
    InvalidEventId as InvalidEventId,
    InvalidFact as InvalidFact,
    InvalidQuery as InvalidQuery,
    InvalidRunId as InvalidRunId,
    JoinTimeout as JoinTimeout,
    KeyReused as KeyReused,
    NotAnException as NotAnException,
    RunBusy as RunBusy,
    RunComplete as RunComplete,
    RunNotEnded as RunNotEnded,
    RunNotFailed as RunNotFailed,
    RunNotSuspended as RunNotSuspended,
    StaleEvent as StaleEvent,
    TooManyAttempts as TooManyAttempts,
    UnknownEvent as UnknownEvent,
    UnknownRun as UnknownRun,
    WrongEvent as WrongEvent,
)
from longterm.errors._steps import (
    NotAStep as NotAStep,
    NotInStep as NotInStep,
    Retry as Retry,
    StepGone as StepGone,
    StepUnknown as StepUnknown,
)
from longterm.errors._storage import (
    CannotLoad as CannotLoad,
    ClaimLost as ClaimLost,
    ClockSkew as ClockSkew,
    CommitUnknown as CommitUnknown,
    CorruptData as CorruptData,
    InvalidKey as InvalidKey,
    NotAllowed as NotAllowed,
    NotSealed as NotSealed,
    NotStorable as NotStorable,
    NotSupported as NotSupported,
    RunExists as RunExists,
    RunTooLarge as RunTooLarge,
    StoreError as StoreError,
    UnreadableRun as UnreadableRun,
    ValueRaised as ValueRaised,
    WrongConnection as WrongConnection,
    WrongSeal as WrongSeal,
    closed_store as closed_store,
)
from longterm.errors._waits import (
    CannotCheck as CannotCheck,
    InvalidValue as InvalidValue,
    InvalidWait as InvalidWait,
)


def _name_as_imported(values: list[object]) -> None:
    """Let tracebacks, stored bytes and pickles name the module that users import from."""
    for error in values:
        if isinstance(error, type):
            error.__module__ = __name__


_name_as_imported(list(globals().values()))
