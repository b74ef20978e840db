"""A module of flows that a test deploys anew, again and again, in one process."""

from __future__ import annotations

import importlib
import sys
from contextlib import contextmanager

from longterm._flows import registry, upgrades


@contextmanager
def deploying(name, folder, monkeypatch, imports=""):
    """Yield what writes the module of a name, and imports it.

    It does so as a process would that begins then, and knows nothing of what was there before.
    """
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(registry, "_flows", {})
    monkeypatch.setattr(upgrades, "_upgrades", {})

    def write(text):
        sys.modules.pop(name, None)
        registry._flows.clear()
        (folder / f"{name}.py").write_text(imports + text)
        importlib.invalidate_caches()
        return importlib.import_module(name)

    yield write
    sys.modules.pop(name, None)
