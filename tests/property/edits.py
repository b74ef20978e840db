"""Random edits of programs: what authors do to flows while runs wait in them.

An edit takes the tree of a module and changes one place of a flow, as a person would: a line comes
or goes, a name or a constant changes, two lines change places. Most edits change what the program
does; whether they do is for the oracle to see.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any, TypeAlias

from tests.property.choices import Choices

Edit: TypeAlias = Callable[[ast.Module, Choices], bool]
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_NEW = (
    *("log('new')", "respond('new')", "suspend('new')", "more = 1", "n0 = 7", "pass", "del n0"),
    *("hidden = lambda: n0", "if n0: log('new')", "xs = [5]", "xs.append(9)", "n0 += 1"),
    *("try:\n    log('new')\nfinally:\n    log('end')", "for more in (1, 2): suspend(more)"),
    *("global G_total", "return log('new')", "raise Oops('new')", "[more for more in xs]"),
    *("def new(v=n0): return v", "suspend('new', 'newer')", "n0 = suspend('new')"),
)


def edited(source: str, choices: Choices) -> tuple[str, str] | None:
    """Return a program after an edit, and the edit's name; None if nothing came of it."""
    tree = ast.parse(source)
    name = list(_EDITS)[choices.below(len(_EDITS))]
    before = ast.unparse(tree)
    if not _EDITS[name](tree, choices):
        return None
    text = ast.unparse(ast.fix_missing_locations(tree))
    return None if text == before else (text, name)


def _flows(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, _FUNCTIONS) and "deflow" in map(ast.unparse, node.decorator_list)
    ]


def _in_flows(tree: ast.Module) -> list[ast.AST]:
    """Return what is inside the flows, the first flow's first."""
    found = {
        id(node): node for flow in _flows(tree) for part in flow.body for node in ast.walk(part)
    }
    return list(found.values())


def _blocks(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    for node in [*_flows(tree), *_in_flows(tree)]:
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list) and block:
                yield block


def _pick(found: list[Any], choices: Choices) -> Any:
    return found[choices.below(len(found))] if found else None


def _insert(tree: ast.Module, choices: Choices) -> bool:
    block = _pick(list(_blocks(tree)), choices)
    new = ast.parse(_pick(list(_NEW), choices)).body
    at = choices.below(len(block) + 1)
    block[at:at] = new
    return True


def _insert_first(tree: ast.Module, choices: Choices) -> bool:
    flow = _pick(_flows(tree), choices)
    at = choices.below(min(len(flow.body), 4))
    flow.body[at:at] = ast.parse(_pick(list(_NEW), choices)).body
    return True


def _delete(tree: ast.Module, choices: Choices) -> bool:
    block = _pick(list(_blocks(tree)), choices)
    del block[choices.below(len(block))]
    block.extend([] if block else [ast.Pass()])
    return True


def _repeat(tree: ast.Module, choices: Choices) -> bool:
    block = _pick(list(_blocks(tree)), choices)
    at = choices.below(len(block))
    block.insert(at, deepcopy(block[at]))
    return True


def _reorder(tree: ast.Module, choices: Choices) -> bool:
    block = _pick([block for block in _blocks(tree) if len(block) > 1], choices)
    if block is None:
        return False
    at = choices.below(len(block) - 1)
    block[at], block[at + 1] = block[at + 1], block[at]
    return True


def _wrap(tree: ast.Module, choices: Choices) -> bool:
    block = _pick(list(_blocks(tree)), choices)
    at = choices.below(len(block))
    around = [
        "if n0 < 9: pass",
        "try:\n    pass\nfinally:\n    log('end')",
        "try:\n    pass\nexcept ValueError as error:\n    log(error)",
        "while True:\n    pass\n    break",
        "with Managed(log, 'm'): pass",
    ]
    new: Any = ast.parse(_pick(around, choices)).body[0]
    new.body[0] = block[at]
    block[at] = new
    return True


def _constant(tree: ast.Module, choices: Choices) -> bool:
    node = _pick([node for node in _in_flows(tree) if isinstance(node, ast.Constant)], choices)
    if node is None:
        return False
    others = {int: 4 if node.value == 3 else 3, str: f"{node.value}!", bool: not node.value}
    node.value = others.get(type(node.value), 5)
    return True


def _operator(tree: ast.Module, choices: Choices) -> bool:
    kinds = (ast.BinOp, ast.Compare, ast.BoolOp, ast.AugAssign)
    node = _pick([node for node in _in_flows(tree) if isinstance(node, kinds)], choices)
    match node:
        case ast.BinOp() | ast.AugAssign():
            node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        case ast.BoolOp():
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        case ast.Compare():
            node.ops[0] = ast.GtE() if isinstance(node.ops[0], ast.Lt) else ast.Lt()
    return node is not None


def _in_inner_function(tree: ast.Module, choices: Choices) -> bool:
    """Change something inside a function or lambda inside a flow."""
    inner = [
        part
        for node in _in_flows(tree)
        if isinstance(node, (*_FUNCTIONS, ast.Lambda))
        for part in ast.walk(node)
    ]
    constant = _pick([node for node in inner if isinstance(node, ast.Constant)], choices)
    name = _pick([node for node in inner if isinstance(node, ast.Name)], choices)
    if constant is not None and (choices.below(2) or name is None):
        # What is text may be a part of an f-string, where nothing else may stand.
        constant.value = "17" if type(constant.value) is str else 17
    elif name is not None:
        name.id = _pick(["n0", "a", "xs", "more", "G_total"], choices)
    return constant is not None or name is not None


def _other_name(tree: ast.Module, choices: Choices) -> bool:
    """Let one place name another variable."""
    names = [node for node in _in_flows(tree) if isinstance(node, ast.Name)]
    node, other = _pick(names, choices), _pick(names, choices)
    if node is None:
        return False
    node.id = other.id
    return True


class _Renamer(ast.NodeTransformer):
    """Gives all that is called by some names others, functions inside included."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def generic_visit(self, node: ast.AST) -> ast.AST:
        for field in ("id", "arg", "name", "rest"):
            value = getattr(node, field, None)
            is_call = isinstance(node, ast.keyword | ast.alias)
            if isinstance(value, str) and not is_call:
                setattr(node, field, self.names.get(value, value))
        if isinstance(node, ast.Global | ast.Nonlocal):
            node.names = [self.names.get(name, name) for name in node.names]
        return super().generic_visit(node)


def _bound(flow: ast.AST) -> list[str]:
    names = [
        *(n.id for n in ast.walk(flow) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)),
        *(n.arg for n in ast.walk(flow) if isinstance(n, ast.arg)),
        *(n.name for n in ast.walk(flow) if isinstance(n, ast.ExceptHandler) and n.name),
    ]
    return [name for name in dict.fromkeys(names) if not name.startswith("G_") and name != "self"]


def _rename(tree: ast.Module, choices: Choices) -> bool:
    flow = _pick(_flows(tree), choices)
    name = _pick(_bound(flow), choices)
    if name is None:
        return False
    _Renamer({name: "renamed"}).generic_visit(flow)
    return True


def _swap_names(tree: ast.Module, choices: Choices) -> bool:
    """Give two variables each other's name, in all of the flow or in a part of it."""
    flow = _pick(_flows(tree), choices)
    one, two = _pick(_bound(flow), choices), _pick(_bound(flow), choices)
    if one == two:
        return False
    start = choices.below(len(flow.body)) if choices.below(2) else 0
    for statement in flow.body[start:]:
        _Renamer({one: two, two: one}).visit(statement)
    return True


def _rename_later(tree: ast.Module, choices: Choices) -> bool:
    """Give a variable another name from one line on."""
    flow = _pick(_flows(tree), choices)
    name = _pick(_bound(flow), choices)
    if name is None:
        return False
    for statement in flow.body[choices.below(len(flow.body)) :]:
        _Renamer({name: "renamed"}).visit(statement)
    return True


def _make_global(tree: ast.Module, choices: Choices) -> bool:
    flow = _pick(_flows(tree), choices)
    name = _pick(_bound(flow), choices)
    if name is None:
        return False
    flow.body.insert(0, ast.Global([name]))
    return True


def _drop_declaration(tree: ast.Module, choices: Choices) -> bool:
    kinds = (ast.Global, ast.Nonlocal)
    blocks = [block for block in _blocks(tree) if any(isinstance(n, kinds) for n in block)]
    block = _pick(blocks, choices)
    if block is None:
        return False
    block[:] = [node for node in block if not isinstance(node, kinds)] or [ast.Pass()]
    return True


def _handler(tree: ast.Module, choices: Choices) -> bool:
    node = _pick([node for node in _in_flows(tree) if isinstance(node, ast.ExceptHandler)], choices)
    if node is None:
        return False
    node.type = ast.Name(_pick(["ValueError", "Exception", "Oops"], choices), ast.Load())
    return True


def _annotate(tree: ast.Module, choices: Choices) -> bool:
    block = _pick(list(_blocks(tree)), choices)
    for at, node in enumerate(block):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0]
            block[at] = ast.AnnAssign(name, ast.Name("int", ast.Load()), node.value, simple=1)
            return len(node.targets) == 1
    return False


def _document(tree: ast.Module, choices: Choices) -> bool:
    flow = _pick(_flows(tree), choices)
    flow.body.insert(0, ast.Expr(ast.Constant("Do it.")))
    return True


_EDITS: dict[str, Edit] = {
    "insert": _insert,
    "insert near the top": _insert_first,
    "delete": _delete,
    "repeat": _repeat,
    "reorder": _reorder,
    "wrap": _wrap,
    "constant": _constant,
    "operator": _operator,
    "inner function": _in_inner_function,
    "other name": _other_name,
    "rename": _rename,
    "rename later": _rename_later,
    "swap names": _swap_names,
    "global": _make_global,
    "drop declaration": _drop_declaration,
    "handler": _handler,
    "annotate": _annotate,
    "document": _document,
}
