"""The engine: start runs and carry them on, one turn at a time, on one store.

A turn is claim, decode, run, encode, save. It happens as a whole or not at all: whatever goes wrong
before the save, the run stays as it was, and the caller is told.
"""

from __future__ import annotations

from longterm._engine.forking import Forking
from longterm._engine.linking import Linking
from longterm._engine.scheduling import Scheduling
from longterm._engine.streaming import Streaming
from longterm._engine.within import WithinTransactions


class Engine(Streaming, WithinTransactions, Scheduling, Forking, Linking):
    """Starts and continues the runs of one store.

    The module-level functions such as `start_flow` use a default engine; make your own for several
    stores in one process, or for tests.
    """
