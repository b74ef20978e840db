"""Handle one answer and end: the process that the demo starts anew for every turn.

`python -m longterm.demo.turn --store URL` starts a run. With `--run` it goes on with one: `--to`
and `--answer` bring what somebody says whom it asks, `--later` lets a day pass, and `--cancel` ends
it. It prints how all stands then as a line of JSON; a refusal goes to standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

from longterm import Engine, LongtermError, Run, RunState
from longterm._codec import decode_frames
from longterm.demo.flows import release
from longterm.frame import Frame
from longterm.run import context_of


def main() -> int:
    """Take one turn, or only look at the run when nothing has happened."""
    parser = argparse.ArgumentParser(prog="python -m longterm.demo.turn")
    parser.add_argument("--store", required=True, metavar="URL")
    parser.add_argument("--run", metavar="ID")
    parser.add_argument("--to", metavar="NAME")
    parser.add_argument("--answer", default="", metavar="TEXT")
    parser.add_argument("--later", action="store_true")
    parser.add_argument("--cancel", action="store_true")
    options = parser.parse_args()
    turns: list[Run] = []
    try:
        engine = Engine(options.store, on_turn=turns.append)
        if options.run is None:
            options.run = engine.start_flow(release).id
        elif options.cancel:
            engine.cancel(options.run)
        else:
            for run in family(engine, options.run):
                if options.to in run.audience:
                    engine.process_event(run.id, run.waiting_for or "", options.answer)
                elif options.later and run.deadline is not None:
                    engine.expire(run.id)  # as a worker does when the day has passed
        print(json.dumps(report(engine, options.run, turns)))
    except LongtermError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def family(engine: Engine, run_id: str) -> list[Run]:
    """Return a run and its open children, as they are now."""
    run = engine.get_run(run_id)
    return [run, *map(engine.get_run, run.children)]


def report(engine: Engine, run_id: str, turns: list[Run]) -> dict[str, object]:
    """Tell how a run and its children stand, what was said, and which process tells it."""
    run, *children = family(engine, run_id)
    waiting = [each for each in (run, *children) if each.state is RunState.SUSPENDED]
    return {
        "process": os.getpid(),
        "run": run.id,
        "state": str(run.state),
        "result": run.result,
        "said": [line for each in turns or waiting for line in each.response],
        "asks": {name: bool(each.deadline) for each in waiting for name in each.audience},
        "rows": [[stack_of(each), len(each.stack or b"")] for each in waiting],
    }


def stack_of(run: Run) -> str:
    """Name each call that waits, outermost first, and the line it waits at."""
    frames: list[Frame] = decode_frames(run.stack, context_of(run, "stack")) if run.stack else []
    return " > ".join(f"{frame.flow.partition(':')[2]}:{frame.line}" for frame in frames)


if __name__ == "__main__":
    sys.exit(main())
