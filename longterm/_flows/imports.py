"""Which modules a flow imports, and under which local names: read from its code.

A flow that says `import json` holds a module in a local name when it waits. What is stored of it
may only be put back where the flow's own code puts it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from types import CodeType
from typing import Final

_BETWEEN: Final = frozenset({"POP_TOP", "SWAP", "COPY"})
"""Instructions of `import a.b as c` that stand between the import and the name that it binds."""


@cache
def imports_of(code: CodeType, package: str) -> Mapping[str, frozenset[str]]:
    """Return the modules that a local name may stand for, in a function or one inside of it."""
    found: dict[str, set[str]] = defaultdict(set)
    pending = [code]
    for inner in pending:
        pending += [const for const in inner.co_consts if isinstance(const, CodeType)]
        for name, modules in _imports_in(inner, package):
            found[name] |= modules
    return {name: frozenset(modules) for name, modules in found.items()}


def _imports_in(code: CodeType, package: str) -> list[tuple[str, set[str]]]:
    import dis  # takes long, and few flows need it

    found: list[tuple[str, set[str]]] = []
    modules: set[str] = set()
    path, constants = "", [0, 0]
    for step in dis.get_instructions(code):
        if step.opname.startswith("LOAD_CONST") or step.opname == "LOAD_SMALL_INT":
            constants = [constants[-1], step.argval]
        if step.opname == "IMPORT_NAME":
            # Before it stand how many packages up, and the names of `from … import …`.
            path = _absolute(step.argval, constants[0], package)
            modules = {path, path.partition(".")[0]}
        elif step.opname == "IMPORT_FROM":
            modules.add(f"{path}.{step.argval}")
        elif step.opname.startswith("STORE_") and modules:
            # From 3.13 on, one instruction may store this name and load or store another.
            name = step.argval[0] if type(step.argval) is tuple else step.argval
            found.append((name, set(modules)))
        elif step.opname not in _BETWEEN:
            modules = set()
    return found


def _absolute(name: str, level: int, package: str) -> str:
    if not level:
        return name
    above = package.rsplit(".", level - 1)[0]
    return f"{above}.{name}" if name else above
