"""The flows of the chaos tests: they keep what they were told, and say it back."""

from __future__ import annotations

from datetime import timedelta

from longterm import (
    Cancelled,
    ChildCancelled,
    checkpoint,
    current_run,
    deflow,
    gather,
    respond,
    send,
    set_index,
    sleep,
    spawn,
    start_flow,
    suspend,
)

EXPIRED = "expired"
EVENTS = 20
"""How many events a run takes."""
ORDERS = 8
"""How many orders a household takes."""
YOUNG = 50
"""A letterbox with fewer letters is called young."""
CHILD_CANCELLED = "a child was cancelled"


@deflow
def collect(patience):
    """Wait for some events, every fourth for a short time only; return their values in order."""
    seen = []
    while len(seen) < EVENTS:
        set_index(seen=len(seen))
        expires = timedelta(seconds=patience) if len(seen) % 4 == 3 else None
        if expires is None:
            value = suspend(f"event {len(seen)}")
        else:
            value = suspend(f"event {len(seen)}", expires=expires, default=EXPIRED)
        seen.append(value)
        respond(f"event {len(seen) - 1}: {value}")
    return seen


@deflow
def household():
    """Take orders; return each with what came of it. If it is cancelled, a run of its own does."""
    done = []
    try:
        while len(done) < ORDERS:
            order = suspend("order")
            if order is None:
                break
            done.append([order, None])
            done[-1][1] = carry_out(*order)
        spawn(idle)  # it is still open when its parent ends
        return done
    except Cancelled:
        start_flow(last_words, current_run().id, done)
        raise


@deflow
def last_words(run_id, done):
    """Keep what a cancelled household had done."""
    return run_id, done


@deflow
def carry_out(move, token, box):
    """Carry out an order; return what came of it."""
    try:
        match move:
            case "spawn":
                return suspend(spawn(errand, token))
            case "spawn twice":
                return suspend(spawn(sends_on, token))
            case "race":
                first, second = spawn(errand, token), spawn(idle)
                try:
                    return suspend(first, second)[1]
                finally:
                    second.cancel()
            case "gather":
                return gather(*[spawn(errand, f"{token} {naps}", naps) for naps in range(3)])
            case "fail":
                return suspend(spawn(fails, token))
            case "cancel":
                child = spawn(idle)
                child.cancel()
                return suspend(child)
            case "write":
                send(box, "letter", f"{token} before")
                checkpoint()
                return send(box, "letter", f"{token} after", key=token).run_id
            case "begin":
                return start_flow(errand, token).id
    except ChildCancelled:
        return CHILD_CANCELLED
    except ValueError as error:
        return str(error)


@deflow
def errand(token, naps=0):
    """Sleep some times for a moment; say for whom."""
    for _ in range(naps):
        sleep(timedelta(seconds=0.1))
    return f"done for {token}"


@deflow
def sends_on(token):
    """Have a child of its own do it."""
    return suspend(spawn(errand, token, 1))


@deflow
def fails(token):
    """Fail, and say for whom."""
    raise ValueError(f"failed for {token}")


@deflow
def idle():
    """Wait until somebody cancels it."""
    suspend("never")


@deflow
def letterbox():
    """Read letters until it is told to close; return them in order."""
    letters = []
    while True:
        set_index(is_young=len(letters) < YOUNG)
        name, letter = suspend("letter", "close")
        if name == "close":
            return letters
        letters.append(letter)


@deflow
def messenger(box):
    """Read an event; send letters and begin three runs around a checkpoint."""
    what = suspend("go")
    send(box, "letter", what)
    child = spawn(errand, "child")
    spawn(idle)
    start_flow(errand, "nobody's child")
    checkpoint()
    send(box, "letter", "two")
    return suspend(child)
