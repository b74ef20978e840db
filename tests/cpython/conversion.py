"""Turns a test file of CPython's into flows that wait all the time.

    def test_sum(self):                     @deflow
        class Some(list): pass              def test_sum(self):
        some = Some([1, 2])                     global Some
        self.assertEqual(sum(some), 3)          wait()
                                                class Some(list): pass
                                                wait()
                                                some = Some([1, 2])
                                                wait()
                                                waits.test.assertEqual(wait(sum(some)), wait(3))

Each test method becomes a flow. It waits before every statement of its own, and in every argument
of a `self.assert…`. So all that it holds is stored again and again. Generator functions become
flows too. A class that uses no variable of its test is put at the top of the module, by `global`,
as the error for it says; and unittest's own methods are no part of what is stored.
"""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Collection
from typing import TypeGuard

_FLOW = ast.Name("deflow", ast.Load())
_IMPORTS = "from longterm import deflow\nfrom tests.cpython.waiting import wait, waits"
_UNITTEST = ast.parse("waits.test", mode="eval").body
_BLOCKS = ("body", "orelse", "finalbody")
_NESTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def converted(text: str, plain: Collection[str] = ()) -> str:
    """Return the text of a test file whose tests wait.

    Args:
        text: the file.
        plain: the functions that are left as they are, by qualified name.
    """
    tree = ast.parse(text)
    _convert(tree, "", plain, symtable.symtable(text, "test", "exec"), in_test=False)
    first = next(number for number, each in enumerate(tree.body) if not _comes_first(each, number))
    tree.body[first:first] = ast.parse(_IMPORTS).body
    return ast.unparse(ast.fix_missing_locations(tree))


def function_at(text: str, line: int) -> str:
    """Return the qualified name of the outermost flow around a line of a converted file."""
    around: list[str] = []
    node: ast.AST = ast.parse(text)
    while True:
        found = [
            each
            for each in ast.iter_child_nodes(node)
            if isinstance(each, ast.stmt) and _first_line(each) <= line <= (each.end_lineno or 0)
        ]
        if not found:
            return ".".join(around)
        node = found[0]
        if isinstance(node, ast.ClassDef | _Function):
            around.append(node.name)
        if isinstance(node, _Function) and _is_flow(node):
            return ".".join(around)


def _first_line(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)])


def _is_flow(node: _Function) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "deflow" for each in node.decorator_list)


def _comes_first(statement: ast.stmt, number: int) -> bool:
    """Tell whether nothing may stand before a statement of a module."""
    is_future = isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
    return (number == 0 and _is_text(statement)) or is_future


def _convert(
    node: ast.AST,
    around: str,
    plain: Collection[str],
    module: symtable.SymbolTable,
    *,
    in_test: bool,
) -> None:
    """Make flows of the tests and the generators in a tree."""
    for each in ast.iter_child_nodes(node):
        if not isinstance(each, ast.ClassDef | _Function):
            _convert(each, around, plain, module, in_test=in_test)
            continue
        name = f"{around}{each.name}"
        is_test = not in_test and isinstance(node, ast.ClassDef) and each.name.startswith("test")
        # What is inside comes first: the waits of a test are its own.
        _convert(each, f"{name}.", plain, module, in_test=in_test or is_test)
        if isinstance(each, ast.ClassDef) or name in plain:
            continue
        if is_test:
            lifted = sorted(_classes_to_lift(name, module))
            each.body = _Waiting().block(each.body)
            first = int(_is_text(each.body[0]))
            each.body[first:first] = [ast.Global(lifted)] if lifted else []
        if is_test or _is_generator(each):
            each.decorator_list.append(_FLOW)


def _is_generator(node: _Function) -> bool:
    pending = list[ast.AST](node.body)
    while pending:
        each = pending.pop()
        if isinstance(each, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(each, _NESTED):
            pending += ast.iter_child_nodes(each)
    return False


def _classes_to_lift(test: str, module: symtable.SymbolTable) -> set[str]:
    """Return the names of a test's classes that use none of its variables, but such classes."""
    table = module
    for name in test.split("."):
        table = next(each for each in table.get_children() if each.get_name() == name)
    taken = {*module.get_identifiers(), *dir(builtins)}
    free = {
        each.get_name(): _free_names(each)
        for each in table.get_children()
        if each.get_type() == "class" and each.get_name() not in taken
    }
    assigned = {each.get_name() for each in table.get_symbols() if each.is_parameter()}
    lifted = free.keys() - assigned
    while used := {name for name in lifted if free[name] - lifted}:
        lifted -= used
    return lifted


def _free_names(table: symtable.SymbolTable) -> set[str]:
    """Return the names that a class or function takes from the functions around it."""
    names = {each.get_name() for each in table.get_symbols() if each.is_free()}
    inner = [_free_names(each) for each in table.get_children()]
    own = (
        set()
        if table.get_type() == "class"
        else {each.get_name() for each in table.get_symbols() if each.is_local()}
    )
    return (names | set().union(*inner) - own) - {"__class__"}


class _Waiting(ast.NodeTransformer):
    """Puts waits into the statements of one function, and not into those of inner ones."""

    def block(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        """Return a block in which there is a wait before each statement."""
        found: list[ast.stmt] = []
        for number, each in enumerate(statements):
            if number or not _is_text(each):
                found.append(ast.Expr(_wait()))
            found.append(self.visit(each))
        return found

    def visit(self, node: ast.AST) -> ast.AST:
        """Visit a node and what runs where it stands."""
        if isinstance(node, _NESTED):
            return node
        for name in _BLOCKS:
            block = getattr(node, name, None)
            if isinstance(block, list) and block:
                setattr(node, name, self.block(block))
        for name, value in ast.iter_fields(node):
            if name in _BLOCKS and isinstance(value, list):
                continue
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, ast.AST):
                    self.visit(each)
        if isinstance(node, ast.Call) and _is_assertion(node.func):
            node.func = ast.Attribute(_UNITTEST, node.func.attr, ast.Load())
            node.args = [self._waiting(each) for each in node.args]
        return node

    @staticmethod
    def _waiting(argument: ast.expr) -> ast.expr:
        if isinstance(argument, ast.Starred):
            return ast.Starred(_wait(argument.value), ast.Load())
        return _wait(argument)


def _wait(*value: ast.expr) -> ast.Call:
    return ast.Call(ast.Name("wait", ast.Load()), list(value), [])


def _is_text(node: ast.stmt) -> bool:
    value = node.value if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _is_assertion(callee: ast.expr) -> TypeGuard[ast.Attribute]:
    return (
        isinstance(callee, ast.Attribute)
        and callee.attr.startswith("assert")
        and isinstance(callee.value, ast.Name)
        and callee.value.id == "self"
    )
