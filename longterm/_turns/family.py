"""What parents and children tell each other: how a child has ended, and that a parent is over.

The end of a child is an event in its parent's inbox. Its value says how: a list of a word and a
value, which only longterm reads.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from longterm._codec import encode
from longterm._event_names import child_of, event_of_child
from longterm._flows.wait_result import WaitResult
from longterm._turns.outgoing import Outgoing
from longterm.errors import ChildCancelled, ChildFailed, CorruptData, NotStorable
from longterm.run import ENDED, Run, RunState
from longterm.unread import inbox_context

_RESULT: Final = "result"
_ERROR: Final = "error"
_TEXT: Final = "text"
_CANCELLED: Final = "cancelled"


def end_of_child(event_id: str, value: Any) -> WaitResult:
    """Return what the event is worth for a parent that says how its child has ended.

    Raises:
        CorruptData: the value does not say how the child has ended.
    """
    child = child_of(event_id) or ""
    match value:
        case [str(word), result] if word == _RESULT:
            return WaitResult(result, name=event_id)
        case [str(word), BaseException() as error] if word == _ERROR:
            return WaitResult(error=error, name=event_id)
        case [str(word), str(text)] if word == _TEXT:
            return WaitResult(error=ChildFailed(child, text), name=event_id)
        case [str(word), None] if word == _CANCELLED:
            return WaitResult(error=ChildCancelled(child), name=event_id)
    raise CorruptData(f"event {event_id!r} in the inbox does not say how the child has ended")


def tell_family(run: Run, outgoing: Outgoing, outcome: object, until: datetime) -> Run:
    """Return a run that its turn has left, with what it sends to its parent and its children.

    A child that has failed by an exception of its flow's is over once its parent is told, and is
    not tried again: its own children are cancelled. Those of a run without a parent go on.

    Args:
        run: the run as it is to be saved.
        outgoing: what its flow has sent; None counts of one that has failed.
        outcome: the result of one that is complete, the exception of one that has failed.
        until: when others are to deliver what is sent.
    """
    is_over = run.state in ENDED
    if run.state is RunState.FAILED:
        outgoing.forget()
        is_over = run.parent is not None
    if is_over:
        for child in outgoing.children:
            outgoing.cancel(child)
        outgoing.children.clear()
    if run.parent is not None and run.state in ENDED:
        event_id = event_of_child(run.id)
        outgoing.tell(run.parent, event_id, _written(run, event_id, outcome))
        run = run.changed(waiting_for=None, deadline=None)
    return run.changed(children=tuple(outgoing.children), outgoing=outgoing.sent(until))


def _written(run: Run, event_id: str, outcome: object) -> bytes:
    context = inbox_context(run.parent or "", event_id)
    if run.state is RunState.COMPLETE:
        return encode([_RESULT, outcome], context)
    if run.state is RunState.CANCELLED:
        return encode([_CANCELLED, None], context)
    try:
        return encode([_ERROR, outcome], context)
    except NotStorable:
        return encode([_TEXT, run.error or ""], context)
