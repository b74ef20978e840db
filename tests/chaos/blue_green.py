"""Blue and green: deployments with different code of the same flows share a store, back and forth.

`python -m tests.chaos.blue_green postgres|sqlite [--deployments N] [--seconds N]`. While runs are
started and brought events, the processes of one colour are started beside those of the other, which
are then told to stop; and back again. In the end each run must be complete, with each event that
was acknowledged once and none that was refused; what began where the code has changed must have
ended in the colour in which it began; and nothing else was refused than the pages say.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from longterm import Engine, RunState
from tests.chaos.chaos import opened
from tests.chaos.colours import BLUE, GREEN, MODULE

ROOT = Path(__file__).parents[2]
_LONGEST_START = 60.0
_LONGEST_END = 180.0


class Deployment:
    """The processes of one colour."""

    def __init__(self, code: Path, url: str, diary: Path, name: str, processes: int) -> None:
        path = os.pathsep.join(map(str, (code, ROOT, ROOT / "compiler")))
        self._diaries = [diary / f"{name}.{number}" for number in range(processes)]
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.colours", url, str(diary)],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": path},
            )
            for diary in self._diaries
        ]

    def wait_until_it_works(self) -> None:
        end = time.monotonic() + _LONGEST_START
        while not all(log.exists() and log.read_text() for log in self._diaries):
            assert time.monotonic() < end, "a process did not begin"
            assert all(process.poll() is None for process in self._processes)
            time.sleep(0.05)

    def tell(self, what: signal.Signals) -> None:
        for process in self._processes:
            process.send_signal(what)

    def stop(self) -> None:
        """Tell all processes to stop, as a deployment does, and wait for them."""
        self.tell(signal.SIGTERM)
        for process in self._processes:
            assert process.wait(60) == 0


def deploy(
    url: str, folder: Path, *, deployments: int, seconds: float, processes: int
) -> dict[str, Any]:
    """Deploy back and forth, and return the counts; it is an error if a promise was broken."""
    diary = folder / "diary"
    diary.mkdir()
    codes = []
    for colour, text in (("blue", BLUE), ("green", GREEN)):
        codes.append(folder / colour)
        codes[-1].mkdir()
        (codes[-1] / f"{MODULE}.py").write_text(text)
    engine = Engine(url)
    engine.store.migrate()  # type: ignore[attr-defined]
    live: list[Deployment] = []
    try:
        for number in range(deployments + 1):
            live.append(Deployment(codes[number % 2], url, diary, f"{number}", processes))
            live[-1].wait_until_it_works()
            time.sleep(seconds)  # both are there
            if len(live) > 1 and number < deployments:
                live.pop(0).stop()
                time.sleep(seconds)
        for deployment in live:  # both finish what they have
            deployment.tell(signal.SIGUSR1)
        _wait_for_the_end(engine)
    finally:
        for deployment in live:
            deployment.stop()
    counts = _judged(engine, diary)
    engine.store.close()  # type: ignore[attr-defined]
    return counts


def _wait_for_the_end(engine: Engine) -> None:
    end = time.monotonic() + _LONGEST_END
    while left := engine.store.count_positions():  # type: ignore[attr-defined]
        assert time.monotonic() < end, left
        time.sleep(0.1)


def _judged(engine: Engine, diary: Path) -> dict[str, Any]:
    lines = [line.split("|") for log in diary.iterdir() for line in log.read_text().splitlines()]
    words: dict[str, list[list[str]]] = {}
    for word, *rest in lines:
        words.setdefault(word, []).append(rest)
    assert "wrong" not in words, words["wrong"][:5]
    assert len(words["begun"]) == len(words["ended"])
    started = {run_id: rest for run_id, *rest in words["started"]}
    crossed, used = 0, Counter[int]()
    for run_id, (kind, colour, number) in started.items():
        run = engine.get_run(run_id)
        assert run.state is RunState.COMPLETE, (run, run.error)
        used.update(_events_in(kind, int(number), run.result))
        crossed += kind != "other" and run.response != [colour]
    taken = {int(value) for _, value in words["taken"]}
    sent = {int(value): run_id for run_id, value in words.get("sent", ())}
    refused = Counter(name for *_, name in words.get("refused", ()))
    assert set(used.values()) <= {1}
    assert taken <= used.keys()
    assert used.keys() <= taken | sent.keys()
    for value, run_id in sent.items():
        assert value in used or value in [each.value for each in engine.unread_events(run_id)]
    return {
        "runs": len(started),
        "went_on_in_the_other_colour": crossed,
        "events": len(taken),
        "sent": len(sent),
        "refused": dict(refused),
        "parked": len(words.get("parked", ())),
    }


def _events_in(kind: str, number: int, result: list[Any]) -> Iterator[int]:
    """Yield the events that the result of a run holds, which must be of its kind."""
    first, its_number, *rest = result
    assert its_number == number
    if kind == "other":
        assert first == rest.pop(), "it has ended in code that it did not begin in"
    else:
        assert first == "any"
    if kind == "parent":
        yield from _events_in("other", number, rest.pop())
    assert len(rest) == (2 if kind == "parent" else 3)
    yield from (event for event in rest if event is not None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", choices=["sqlite", "postgres"])
    parser.add_argument("--deployments", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--processes", type=int, default=2, help="of each colour")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, opened(options.store, Path(name)) as (url, _):
        counts = deploy(
            *(url, Path(name)),
            deployments=options.deployments,
            seconds=options.seconds,
            processes=options.processes,
        )
    print(json.dumps({"blue_green": options.store, "deployments": options.deployments, **counts}))


if __name__ == "__main__":
    main()
