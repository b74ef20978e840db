"""How an engine starts runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from longterm._engine.parts import Parts
from longterm.run import Run

P = ParamSpec("P")
T = TypeVar("T")


class Starting(Parts):
    """The part of an engine that starts runs."""

    def start_flow(self, flow: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Run[T]:
        """Start a run of a flow and carry it to its first suspend, or to its end.

        Raises:
            NotAFlow: the function is not decorated with `@deflow`.
            NotImportable: the flow is of a program that cannot be imported, such as an interactive
                shell, and the store is not in memory.
            AsyncFlow: the flow is an `async def`; await `astart_flow`.
            CannotSuspend: the flow waits where its stack or a value in it cannot be stored; no run
                is left, or a failed one if the store cannot forget it.
            Exception: what the flow itself raised; the run is stored as failed.

        The run is created before the flow's first line runs. If this process dies then, a worker
        starts it again, provided that the function and the arguments could be stored.
        """
        return self._gone_on(self._turns.start(flow, args, kwargs))
