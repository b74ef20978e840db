"""Put the line of an upgrade into the text of a module, below its flow."""

from __future__ import annotations

import ast

_DEFINED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_IMPORTS = (ast.Import, ast.ImportFrom)


class CannotWrite(Exception):
    """Raised when a module is not of a form that can be added to; the message says why."""


def with_upgrade(text: str, qualname: str, since: str) -> str:
    """Return the text of a module with `upgrade(flow, since="…")` below a flow.

    Args:
        text: the module.
        qualname: the flow's name in it.
        since: the version that the line is for.

    Raises:
        CannotWrite: the flow is not at the top of the module, or in a class there.
    """
    try:
        module = ast.parse(text)
    except SyntaxError as error:
        raise CannotWrite(f"the file has changed, and is no Python now: {error.msg}") from error
    first = qualname.partition(".")[0]
    found = [node for node in module.body if isinstance(node, _DEFINED) and node.name == first]
    if not found or "<locals>" in qualname:
        raise CannotWrite(f"{qualname} is not defined at the top of the file (put the line there)")
    name, added = _spelled(module)
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    at = found[-1].end_lineno or 0
    if not lines[at - 1].endswith(("\n", "\r")):
        lines[at - 1] += end
    lines[at:at] = [end, end, f'{name}({qualname}, since="{since}"){end}']
    if added:
        lines.insert(_end_of_imports(module, at), f"from longterm import upgrade{end}")
    return "".join(lines)


def _spelled(module: ast.Module) -> tuple[str, bool]:
    """Return how a module can call `upgrade`, and whether it must be imported for that."""
    for node in module.body:
        if isinstance(node, ast.ImportFrom) and node.module == "longterm" and not node.level:
            for name in node.names:
                if name.name == "upgrade":
                    return name.asname or name.name, False
    for node in module.body:
        if isinstance(node, ast.Import):
            for name in node.names:
                if name.name == "longterm":
                    return f"{name.asname or name.name}.upgrade", False
    return "upgrade", True


def _end_of_imports(module: ast.Module, before: int) -> int:
    """Return after how many lines an import can be added: below those of longterm, or the last."""
    imports = [n for n in module.body if isinstance(n, _IMPORTS) and n.lineno < before]
    ours = [n for n in imports if isinstance(n, ast.ImportFrom) and n.module == "longterm"]
    if not imports:
        raise CannotWrite("the module imports nothing (write `from longterm import upgrade`)")
    return (ours or imports)[-1].end_lineno or 0
