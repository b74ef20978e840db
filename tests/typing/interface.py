"""What type checkers see through the interface; checked by mypy and pyright, never run."""

from __future__ import annotations

from typing import assert_type

from longterm import Run, call, deflow, find_runs, process_event, start_flow, suspend


@deflow
def approve(order: int, *, urgent: bool = False) -> str:
    """Return who approved."""
    return str(suspend("approval")) if urgent else f"nobody for {order}"


@deflow
async def chat(name: str) -> list[str]:
    """Return what was said."""
    return [name, suspend("text")]


class Shop:
    """A class with a flow among its methods."""

    @deflow
    def sell(self, item: str) -> float:
        """Return the price."""
        return float(suspend(item))


async def _awaited() -> None:
    assert_type(await chat("Ann"), list[str])


assert_type(approve(1, urgent=True), str)
assert_type(Shop().sell("tea"), float)
assert_type(call(approve, 1, urgent=True), str)
assert_type(start_flow(approve, 1, urgent=True), Run)
assert_type(process_event("id", "approval", "yes", key="click"), Run)
assert_type(find_runs(state="suspended"), list[Run])

approve("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
start_flow(approve, "1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
start_flow(approve, 1, urgent="yes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
call(Shop().sell, 1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
