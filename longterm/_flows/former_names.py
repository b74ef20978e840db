"""The names that flows had before they were moved or renamed, as `@deflow(also=…)` says.

Stored runs may know a flow by one of them. A name leads to one flow: what has it for its own comes
first, so no other may say that it had it.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

from longterm.errors import CompileError

_now: dict[str, str] = {}
"""The names of today by the former ones."""


def name_now(former: str) -> str:
    """Return the name that a flow has which had another before; the empty string if none had."""
    return _now.get(former, "")


def former_names() -> Iterator[tuple[str, str]]:
    """Yield the former names, each with the name of today."""
    yield from list(_now.items())


def keep_former(former: object, name: str, flows: Container[str]) -> None:
    """Note that a flow had another name before.

    Args:
        former: that name.
        name: the one that it has now.
        flows: the names of the flows that are here.

    Raises:
        CompileError: the former name is none, or another flow's.
    """
    if not isinstance(former, str) or not all(former.partition(":")) or not former.isprintable():
        reason = "is no name of a flow (write the one that it had, such as 'old_module:old_name')"
    elif "<locals>" in name:
        reason = "cannot be kept, for it is inside a function (give the flow around its old name)"
    elif former != name and former in flows:
        reason = _TAKEN
    elif name_now(former) not in ("", name):
        reason = f"is what {name_now(former)} was called, too (leave it out in one of them)"
    else:
        _now[former] = name
        return
    raise _refusal(name, former, reason)


def take_own(name: str) -> None:
    """Begin with a flow of a name, which may be defined anew without the names that it kept.

    Raises:
        CompileError: another flow says that it had this name before.
    """
    if not _now:
        return
    for former, now in former_names():
        if now == name:
            _now.pop(former, None)
    heir = name_now(name)
    if heir not in ("", name):
        raise _refusal(heir, name, _TAKEN)


_TAKEN = "is the name of a flow that is here (leave it out, or take that flow away)"


def _refusal(name: str, former: object, reason: str) -> CompileError:
    return CompileError(f"the flow {name} says also={former!r}, which {reason}")
