"""Corpora of stored runs, `fixtures/stored-runs-*`: how one is written, and read again.

`python -m tests.runtime.stored_runs fixtures/stored-runs-0.3` writes the runs of the flows in that
folder. What is written is never written again: see the README of the first one.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from longterm import Engine, Run
from longterm._codec import set_keys
from longterm.testing import FakeClock, _deliver, _InLoops
from longterm.worker import Worker

ROOT = Path(__file__).resolve().parents[2]
CORPORA = sorted((ROOT / "fixtures").glob("stored-runs-*"))
KEY = "the key of the corpus, which is no secret at all"
FILES = {"constructs.sql": None, "kinds.sql": None, "kinds-sealed.sql": KEY}
"""The files of a corpus, and the keys that they are sealed with."""
BEGIN = datetime(2026, 12, 1, tzinfo=UTC)
END_OF_DUMP = "PRAGMA application_id = {}; PRAGMA user_version = {};\n"


class Corpus:
    """The runs of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (package,) = folder.glob("stored_*")
        self.package = package.name

    @contextmanager
    def importable(self) -> Iterator[None]:
        """Let the flows be found, in a place that tells nothing of this machine."""
        with TemporaryDirectory() as place:
            copytree(self.folder / self.package, Path(place) / self.package)
            sys.path.insert(0, place)
            try:
                yield
            finally:
                sys.path.remove(place)

    def module(self, name: str) -> ModuleType:
        return importlib.import_module(f"{self.package}.{name}")

    def constructs(self) -> list[str]:
        """The names of the modules that have a flow for a construct each."""
        return sorted(path.stem for path in (self.folder / self.package).glob("constructs_*.py"))

    def expected(self) -> dict[str, Any]:
        """What comes of each run, by the file and the run's id."""
        found: dict[str, Any] = json.loads((self.folder / "expected.json").read_text("utf-8"))
        return found

    @contextmanager
    def opened(self, file: str, **options: Any) -> Iterator[Engine]:
        """Yield an engine on a copy of what a file holds, at the moment when it was written."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / "runs.db"
            if (self.folder / file).exists():
                path.write_bytes(_database_of(self.folder / file))
            with keys_of(file):
                url = f"sqlite:///{path}?synchronous=NORMAL"
                engine = _InLoops(url, clock=FakeClock(BEGIN), **options)
                try:
                    yield engine
                finally:
                    engine.store.close()  # type: ignore[attr-defined]


@cache
def _database_of(dump: Path) -> bytes:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(dump.read_text("utf-8"))
        return connection.serialize()


@contextmanager
def keys_of(file: str) -> Iterator[None]:
    key = FILES[file]
    set_keys(*([] if key is None else [key]))
    try:
        yield
    finally:
        set_keys()


def outcome_of(run: Run) -> str:
    """Return how a run stands, as text that is the same in each process and Python."""
    if run.state == "failed":
        assert run.error is not None
        return f"failed: {run.error.splitlines()[-1]}"
    if run.state == "complete":
        return f"complete: {shown(run.result)}"
    return f"{run.state}, {run.waiting_for}: {shown(run.response)}"


def shown(value: Any) -> str:
    """Return the `repr` of a value; sets in order."""
    match value:
        case set() | frozenset():
            return f"{type(value).__name__}({sorted(map(shown, value))})"
        case list() | tuple():
            return f"{type(value).__name__}({', '.join(map(shown, value))})"
        case dict():
            return f"{{{', '.join(f'{shown(key)}: {shown(part)}' for key, part in value.items())}}}"
    return repr(value)


def played_on(engine: Engine, run_id: str, events: list[Any]) -> str:
    """Bring a run its events, and return what comes of it."""
    run = engine.get_run(run_id)
    try:
        for value in events:
            assert run.waiting_for is not None
            run = _deliver(engine, run_id, run.waiting_for, value)
    except Exception as error:
        return f"failed: {type(error).__name__}: {shown(error.args)}"
    return outcome_of(run)


def act(engine: Engine, run_id: str, action: list[Any]) -> None:
    """Let something happen to a run; what its flow raises is seen in how it stands."""
    match action:
        case ["event", name, value]:
            with suppress(ValueError):
                engine.process_event(run_id, name, value)
        case ["of child", name, value]:
            children = set(engine.get_run(run_id).children)
            (child,) = [run for run in engine.find_runs(waiting_for=name) if run.id in children]
            engine.process_event(child.id, name, value)
        case ["send", name, value]:
            engine.send(run_id, name, value)
        case ["advance", seconds]:
            engine.clock.advance(timedelta(seconds=seconds))
            while Worker(engine).run_once():
                pass
        case ["retry"]:
            engine.retry(run_id)
        case ["cancel"]:
            engine.cancel(run_id)
        case ["claim", name]:
            now = engine.clock.now()
            assert engine.store.claim(run_id, name, now=now, until=now + timedelta(minutes=1))  # type: ignore[attr-defined]
        case _:
            raise ValueError(f"{action} is no action")


def _write_constructs(corpus: Corpus, engine: Engine) -> dict[str, str]:
    whole, expected = _InLoops("memory://"), {}
    for name in corpus.constructs():
        for number, (flow, args, events) in enumerate(corpus.module(name).PLAYS):
            for count in range(len(events)):
                run_id = f"{name}-{number}-{count}"
                asyncio.run(engine.astart(flow, args, id=run_id))
                played_on(engine, run_id, events[:count])
                asyncio.run(whole.astart(flow, args, id=run_id))
                expected[run_id] = played_on(whole, run_id, events)
    return expected


def _write_kinds(corpus: Corpus, engine: Engine) -> None:
    kinds = corpus.module("kinds")
    engine.queue("slow", concurrency=1)
    for name, (flow, args, options, before, _) in kinds.KINDS.items():
        how = dict(options)
        kinds.broken = {how.pop("broken", "")}
        inline = how.pop("inline", True)
        by = Engine(engine.store, clock=engine.clock, inline=inline)
        if "at" in how:
            how["at"] = BEGIN + timedelta(seconds=how["at"])
        if "cron" in how:
            by.schedule(flow, how["cron"], args=args, name=name)
            continue
        with suppress(ValueError):
            by.start(flow, args, id=name, **how)
        for action in before:
            act(by, name, action)
    kinds.broken = set()


def ended(corpus: Corpus, file: str, name: str) -> str:
    """Read a run of some kind, let it end, and return how it stands then."""
    with corpus.opened(file) as engine:
        kind = corpus.module("kinds").KINDS[name]
        run_id = f"schedule:{name}" if "cron" in kind[2] else name
        for action in kind[4]:
            act(engine, run_id, action)
        run = engine.get_run(run_id)
        return f"{outcome_of(run)}, {shown(dict(run.index))}"


def _dump(engine: Engine, target: Path) -> None:
    with closing(sqlite3.connect(engine.store.path)) as connection:  # type: ignore[attr-defined]
        (application_id,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        lines = [*connection.iterdump(), END_OF_DUMP.format(application_id, version)]
    target.write_text("\n".join(lines), "utf-8")


def write(folder: Path) -> None:
    """Write the runs of the flows in a folder.

    Raises:
        FileExistsError: they are written already.
    """
    if (folder / "expected.json").exists():
        raise FileExistsError(f"{folder} is written, and what is written stays")
    corpus = Corpus(folder)
    with corpus.importable():
        expected: dict[str, Any] = {}
        for file in FILES:
            with corpus.opened(file) as engine:
                if file == "constructs.sql":
                    expected[file] = _write_constructs(corpus, engine)
                else:
                    _write_kinds(corpus, engine)
                _dump(engine, folder / file)
        kinds = corpus.module("kinds").KINDS
        expected["kinds.sql"] = {name: ended(corpus, "kinds.sql", name) for name in kinds}
    text = json.dumps(expected, indent=1, ensure_ascii=False)
    (folder / "expected.json").write_text(f"{text}\n", "utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
