"""longterm: ordinary functions that may wait days or months for the outside world.

A function decorated with `@deflow` may `suspend`; its stack is then stored, and `process_event`
goes on from there in any process, any month. Nothing is replayed.
"""

from longterm.default import (
    acancel,
    aget_run,
    aprocess_event,
    astart_flow,
    athrow,
    cancel,
    get_run,
    process_event,
    set_runstore,
    start_flow,
    throw,
)
from longterm.engine import Engine
from longterm.errors import (
    AsyncFlow,
    Cancelled,
    CannotStore,
    CannotSuspend,
    ClaimLost,
    CompileError,
    CorruptData,
    FlowChanged,
    InvalidEventId,
    LongtermError,
    NotAFlow,
    NotInRun,
    NotStorable,
    RunComplete,
    RunExists,
    RunNotSuspended,
    StoreError,
    UnknownFlow,
    UnknownRun,
    WrongEvent,
)
from longterm.flow import deflow
from longterm.ops import call, respond, suspend
from longterm.run import Run, RunState
from longterm.store.base import RunStore

__all__ = [
    "AsyncFlow",
    "Cancelled",
    "CannotStore",
    "CannotSuspend",
    "ClaimLost",
    "CompileError",
    "CorruptData",
    "Engine",
    "FlowChanged",
    "InvalidEventId",
    "LongtermError",
    "NotAFlow",
    "NotInRun",
    "NotStorable",
    "Run",
    "RunComplete",
    "RunExists",
    "RunNotSuspended",
    "RunState",
    "RunStore",
    "StoreError",
    "UnknownFlow",
    "UnknownRun",
    "WrongEvent",
    "acancel",
    "aget_run",
    "aprocess_event",
    "astart_flow",
    "athrow",
    "call",
    "cancel",
    "deflow",
    "get_run",
    "process_event",
    "respond",
    "set_runstore",
    "start_flow",
    "suspend",
    "throw",
]
