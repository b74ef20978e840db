"""Every statement of the Postgres store that is written once and for all."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from longterm.store.postgres import _statements


def all_statements() -> dict[str, str]:
    """Return each text, by its module and name."""
    return {
        f"{module.name}.{name}": text
        for module in iter_modules(_statements.__path__)
        for name, text in vars(import_module(f"{_statements.__name__}.{module.name}")).items()
        if isinstance(text, str) and not name.startswith("__")
    }
