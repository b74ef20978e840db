"""`@frozen`: the code of a flow as it was in one version, kept as a file for the runs in it.

    @frozen("shop:sell", version="3f2a9c04d1b75e88")
    def sell(cart): ...

`longterm freeze` writes such files. The code is the flow's own in every way, but for its version:
what its runs store has the flow's name, and new runs begin in the code of today.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from types import FunctionType
from typing import Any, TypeVar

from longterm._abi.verdict import Verdict
from longterm._flows.decorated import check_given
from longterm._flows.deflow import as_given, compiled_flow, run_as
from longterm._flows.flow import making
from longterm._flows.registry import frozen_flows, keep_frozen
from longterm._flows.resolve import flow_codes
from longterm.errors import CompileError

F = TypeVar("F", bound=Callable[..., Any])


def frozen(flow: str, /, *, version: str) -> Callable[[F], F]:
    """Keep the code of an earlier version of a flow, for the runs that were saved in it.

    Such a run goes on in it where the same is not left to do in the code of today.

    Args:
        flow: the flow, as `module:qualname`.
        version: the version, all 16 digits.

    Raises:
        CompileError: the function is of another version, or cannot be compiled.
    """

    def decorate(function: F) -> F:
        if not isinstance(function, FunctionType) or "." in function.__qualname__:
            raise CompileError(
                f"@frozen({flow!r}) was put on what is no function at the top of a module "
                "(put it directly above the def, as `longterm freeze` does)"
            )
        check_given(function, sys._getframe(1), has_arguments=True)
        with making():
            old = compiled_flow(function, flow)
            keep_frozen(old, version)
        run_as(function, old)
        return as_given(function)  # type: ignore[return-value]

    return decorate


# To the compiler it is what makes a flow, and so it does not count in the flow's version.
flow_codes[id(frozen.__code__)] = Verdict.DEFLOW


def frozen_judged(versions: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield, in words, which files with old code no run needs any more.

    Args:
        versions: the flows that all runs hold, on their stacks or by functions inside, by name,
            with their versions.
    """
    needed = set(versions)
    for flow in frozen_flows():
        if (flow.name, flow.version) not in needed:
            file = flow.original.co_filename
            yield f"{flow.name}@{flow.version} in {file} is needed by no run (delete the file)"
