"""Handle one answer and end: the process that the demo starts anew for every turn.

`python -m longterm.demo.turn --store URL` starts a run; with `--run`, `--event` and `--answer` it
continues one. It prints how the run stands as a line of JSON; a refusal goes to standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

from longterm import LongtermError, Run, get_run, process_event, set_runstore, start_flow
from longterm._codec import decode_frames
from longterm.demo.flows import plan_release
from longterm.frame import Frame
from longterm.run import context_of


def main() -> int:
    """Take one turn, or only look at the run when no event is given."""
    parser = argparse.ArgumentParser(prog="python -m longterm.demo.turn")
    parser.add_argument("--store", required=True, metavar="URL")
    parser.add_argument("--run", metavar="ID")
    parser.add_argument("--event", metavar="NAME")
    parser.add_argument("--answer", default="", metavar="TEXT")
    options = parser.parse_args()
    try:
        set_runstore(options.store)
        if options.run is None:
            run = start_flow(plan_release)
        elif options.event is None:
            run = get_run(options.run)
        else:
            run = process_event(options.run, options.event, options.answer)
    except LongtermError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(json.dumps(report(run)))
    return 0


def report(run: Run) -> dict[str, object]:
    """Tell how the run stands, and which process tells it."""
    return {
        "process": os.getpid(),
        "run": run.id,
        "state": str(run.state),
        "turn": run.turn,
        "waiting_for": run.waiting_for,
        "response": run.response,
        "result": run.result,
        "stack": stack_of(run),
        "saved_bytes": len(run.stack or b""),
    }


def stack_of(run: Run) -> list[str]:
    """Name each call that waits, outermost first, and the line it waits at."""
    frames: list[Frame] = decode_frames(run.stack, context_of(run, "stack")) if run.stack else []
    return [f"{frame.flow.partition(':')[2]}:{frame.line}" for frame in frames]


if __name__ == "__main__":
    sys.exit(main())
