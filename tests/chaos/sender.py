"""A process that sends events to a run, and has it read them, until it kills itself.

`python -m tests.chaos.sender URL RUN METHOD before|after NUMBER`: at a certain call of the store.
"""

from __future__ import annotations

import sys
from datetime import timedelta

from longterm import Engine
from longterm.store import open_store
from tests.chaos.deliverer import killing
from tests.chaos.faulty_store import FaultyStore
from tests.chaos.flows import collect as collect  # so that its runs can go on here

LEASE = timedelta(seconds=0.5)
SENT = 3
"""How many events it sends."""


def send_all(engine: Engine, run_id: str) -> None:
    """Send the run all events; those that it has been sent before change nothing."""
    for number in range(SENT):
        engine.send(run_id, f"event {number}", f"value {number}", key=f"key {number}")


def main() -> None:
    url, run_id, method, when, number = sys.argv[1:]
    fault = killing((method, when, int(number)))
    engine = Engine(FaultyStore(open_store(url), fault), lease=LEASE)  # type: ignore[arg-type]
    send_all(engine, run_id)
    engine.run_pending()
    print("the end")


if __name__ == "__main__":
    main()
