"""One waiting program for each engine: an event goes in, and all is saved when it waits again.

Each keeps a running total and some 500 bytes, as `flows.survey` does. LangGraph and DBOS are no
dependencies of anything here: `neighbours` installs them where it measures them.
"""

from __future__ import annotations

import itertools
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from importlib.metadata import version
from typing import Any, ClassVar, TypedDict

from longterm import Engine
from longterm._version import __version__
from longterm.store import open_store
from tests.benchmarks.flows import EVENT, PADDING, survey


class Side(ABC):
    """An engine with a program that waits."""

    name: str
    database: str
    tables: ClassVar[dict[str, str]]
    """The database it is in; the tables that hold something of a run, with the column of its id."""

    @abstractmethod
    def start(self) -> str:
        """Start a run, and return its id when it waits for the first event."""

    @abstractmethod
    def event(self, run_id: str) -> None:
        """Bring an event to a run, and return when it has been taken and saved."""

    def aged(self, age: int) -> str:
        """Return a run whose next event is its number `age`."""
        run_id = self.start()
        for _ in range(age - 1):
            self.event(run_id)
        return run_id


class Longterm(Side):
    """A flow that loops around a `suspend`."""

    name = f"longterm {__version__}"
    database = "ours"
    tables: ClassVar = {"longterm.runs": "id", "longterm.facts": "run", "longterm.inbox": "run"}

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def start(self) -> str:
        return self._engine.start_flow(survey, PADDING).id

    def event(self, run_id: str) -> None:
        self._engine.process_event(run_id, "number", EVENT)


class LangGraph(Side):
    """A compiled graph or function that calls `interrupt`; a thread is a run."""

    database = "langgraph"
    tables: ClassVar = {
        "public.checkpoints": "thread_id",
        "public.checkpoint_blobs": "thread_id",
        "public.checkpoint_writes": "thread_id",
    }

    def __init__(self, kind: str, program: Any, first: Any) -> None:
        self.name = f"LangGraph {version('langgraph')}, {kind}"
        self._program, self._first = program, first
        self._numbers = itertools.count()

    def start(self) -> str:
        run_id = f"{self.name} {next(self._numbers)}"
        self._program.invoke(self._first, _thread(run_id))
        return run_id

    def event(self, run_id: str) -> None:
        from langgraph.types import Command

        self._program.invoke(Command(resume=EVENT), _thread(run_id))


class _State(TypedDict):
    total: int
    padding: str


class Dbos(Side):
    """A workflow that loops around `recv`. It is asked nothing: it says when it has taken one."""

    database = "dbos"
    tables: ClassVar = {
        "dbos.workflow_status": "workflow_uuid",
        "dbos.operation_outputs": "workflow_uuid",
        "dbos.notifications": "destination_uuid",
    }

    def __init__(self, dbos: Any, workflow: Callable[[str], None], taken: threading.Event) -> None:
        self.name = f"DBOS {version('dbos')}"
        self._dbos, self._workflow, self._taken = dbos, workflow, taken
        self._runs: list[str] = []

    def start(self) -> str:
        self._runs.append(str(self._dbos.start_workflow(self._workflow, PADDING).workflow_id))
        return self._runs[-1]

    def end(self) -> None:
        """End all runs. Each has a thread while it waits, and Python's own end waits for those."""
        for run_id in self._runs:
            self._dbos.send(run_id, None, topic="number")

    def event(self, run_id: str) -> None:
        self._taken.clear()
        self._dbos.send(run_id, EVENT, topic="number")
        if not self._taken.wait(60):
            raise RuntimeError("DBOS took no event within a minute")


def _thread(run_id: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": run_id}, "recursion_limit": 1_000_000}


@contextmanager
def longterm_side(url: str) -> Iterator[Side]:
    """Return longterm on a database."""
    with closing(open_store(url)) as store:
        yield Longterm(Engine(store))


@contextmanager
def langgraph_sides(url: str) -> Iterator[tuple[Side, Side]]:
    """Return LangGraph on a database: a graph with a node a turn, and a function with a loop."""
    from langgraph.checkpoint.postgres import PostgresSaver
    from langgraph.func import entrypoint
    from langgraph.graph import START, StateGraph
    from langgraph.types import interrupt
    from psycopg.rows import dict_row
    from psycopg_pool import ConnectionPool

    with ConnectionPool(
        url, min_size=1, kwargs={"autocommit": True, "row_factory": dict_row}, open=True
    ) as pool:
        saver = PostgresSaver(pool)
        saver.setup()

        def ask(state: dict[str, Any]) -> dict[str, Any]:
            return {"total": state["total"] + interrupt("number")["n"]}

        graph = StateGraph(_State)
        graph.add_node("ask", ask)
        graph.add_edge(START, "ask")
        graph.add_edge("ask", "ask")

        @entrypoint(checkpointer=saver)
        def function(padding: str) -> None:
            total = 0
            while padding:
                total += interrupt("number")["n"]

        yield (
            LangGraph(
                "a node for each event", graph.compile(saver), {"total": 0, "padding": PADDING}
            ),
            LangGraph("one function with a loop", function, PADDING),
        )


@contextmanager
def dbos_side(url: str) -> Iterator[Side]:
    """Return DBOS on a database."""
    from dbos import DBOS

    taken = threading.Event()
    DBOS(config={"name": "benchmark", "system_database_url": url, "log_level": "ERROR"})

    @DBOS.workflow(name="waiting")
    def waiting(padding: str) -> None:
        total = 0
        while padding and (event := DBOS.recv("number", timeout_seconds=1_000_000)) is not None:
            total += event["n"]
            taken.set()

    DBOS.launch()
    side = Dbos(DBOS, waiting, taken)
    try:
        yield side
    finally:
        side.end()
        DBOS.destroy(workflow_completion_timeout_sec=60, destroy_registry=True)
