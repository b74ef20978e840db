"""The five examples of the docs, each as one conversation, beside the same flow on plain integers.

A conversation begins a run and brings it all that it waits for, on the store in memory. The code is
that of `docs/examples.md` itself, but for the expenses, which are a file that the page shows.
"""

from __future__ import annotations

import importlib
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from longterm import Engine, Run
from tests.benchmarks import plain_examples as plain

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "examples.md"
Conversation = Callable[[int], object]


def conversations() -> dict[str, tuple[Conversation, Conversation]]:
    """Return a conversation with each example, and with its twin on integers."""
    modules = _modules()
    onboarding, agent, saga, chat = (
        modules[name] for name in ("onboarding", "agent", "saga", "chat")
    )
    expenses = importlib.import_module("fixtures.expenses")
    claim = expenses.Claim(employee="Ada", euros=120, purpose="a train")
    yes = expenses.Decision(approved=True)
    talk = _talk
    return {
        "onboarding": (
            talk(onboarding.onboard, "Ada", signed="contract 17", laptop="ThinkPad"),
            talk(plain.onboard, 1, signed=17, laptop=1),
        ),
        "expenses": (_decided(expenses.expenses, claim, yes), _decided(plain.expenses, 120, 1)),
        "an agent with tools": (
            talk(agent.agent, request="ask Ada to lunch", allowed=True),
            talk(plain.agent, request=1, allowed=True),
        ),
        "a saga": (talk(saga.travel, "Rome", seat=True), talk(plain.travel, 1, seat=True)),
        "a chat with undo": (
            talk(chat.chat, "digest", say="hello", undo=1),
            talk(plain.chat, 1, say=1, undo=1),
        ),
    }


def _modules() -> dict[str, Any]:
    """Return the modules that the page shows in full, imported from a folder."""
    blocks = re.findall(r"^```python\n# (\w+)\.py\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    folder = tempfile.mkdtemp(prefix="longterm-examples-")
    sys.path.insert(0, folder)
    for name, text in blocks:
        Path(folder, f"{name}.py").write_text(text)
    names = [name for name, _ in blocks if not name.startswith("test_")]
    return {name: importlib.import_module(name) for name in names}


def _talk(flow: Any, *args: Any, **events: Any) -> Conversation:
    engine = Engine("memory://")

    def conversation(number: int) -> Run:
        run: Run = engine.start_flow(flow, *args)
        for name, value in events.items():
            run = engine.process_event(run.id, name, value)
        return run

    return conversation


def _decided(flow: Any, claim: Any, decision: Any) -> Conversation:
    engine = Engine("memory://")

    def conversation(number: int) -> Run:
        run: Run = engine.start_flow(flow, claim)
        for child in engine.get_run(run.id).children:
            engine.process_event(child, "decision", decision)
        return engine.get_run(run.id)

    return conversation
