"""Trees to code objects: a function's body compiled as CPython would where the author wrote it.

The function is compiled inside a skeleton of the scopes around it, so that its free names, its
qualified name, `super()` and private names come out as in the author's module. Nothing is run: the
code object is picked out of the skeleton's constants.
"""

from __future__ import annotations

import ast
import threading
import types
import warnings
from collections.abc import Iterable
from inspect import CO_NEWLOCALS

from longterm._abi import NEXT
from longterm._inner_code import nested_codes
from longterm_compiler.syntax.build import assign, at, changed, header
from longterm_compiler.syntax.source import Definition, FunctionNode

_quiet = threading.Lock()
"""Held while warnings are off, since their filters are the process's own."""


def resume_function(
    definition: Definition,
    body: list[ast.stmt],
    slots: Iterable[str],
    unbound: Iterable[str],
    cells: Iterable[str],
) -> FunctionNode:
    """Return a resume body as a function: it takes what it waits for, then the slots, in order.

    Args:
        definition: the flow as written.
        body: the resume body of a point.
        slots: the live names that have a value, its parameters.
        unbound: the live names that have none; they stay local, and reading one fails as it should.
        cells: the captured names, the free variables of the code.
    """
    node = definition.node
    place = header(node)
    parameters = [ast.arg(name) for name in (NEXT, *slots)]
    first: list[ast.stmt] = []
    shared = [each for each in cells if each != "__class__"]
    if shared:
        first.append(ast.Nonlocal(shared))
    local = list(unbound)
    if local:
        never = [ast.Assign([ast.Name(each, ast.Store())], ast.Constant(None)) for each in local]
        first.append(ast.If(ast.Constant(False), list(never), []))
    function = changed(
        node,
        decorator_list=[],
        args=at(place, ast.arguments([], parameters, None, [], [], None, [])),
        body=[*(at(place, each) for each in first), *body],
        returns=None,
    )
    # Its code begins where the flow's does, which is at the first decorator.
    function.lineno = definition.first_line
    if hasattr(node, "type_params"):  # from 3.12 on
        return changed(function, type_params=[])
    return function


def code_of(
    definition: Definition, node: FunctionNode, free: Iterable[str], path: str, flags: int
) -> types.CodeType:
    """Compile a body of a flow.

    Args:
        definition: the flow as written.
        node: the body as a function.
        free: the names that are variables of the scopes around it.
        path: the author's file.
        flags: the `__future__` flags of the author's module.
    """
    tree: ast.stmt = node
    classes = [each for each in definition.enclosing if isinstance(each, ast.ClassDef)]
    names = sorted(set(free) - {"__class__"})
    if names or len(definition.enclosing) > len(classes):
        bound = [at(node, assign(each, ast.Constant(None))) for each in names]
        tree = _function("scope", [*bound, tree])
    if classes:
        tree = _class(classes[-1].name, tree)
    # Python gave its warnings when it compiled the author's module.
    with _quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        outer = compile(ast.Module([tree], []), path, "exec", flags=flags, dont_inherit=True)
    code = next(
        each
        for each in nested_codes(outer)
        if each.co_name == node.name and each.co_firstlineno == definition.first_line
    )
    if code.co_qualname == definition.qualname:
        return code
    return _requalified(code, code.co_qualname, definition.qualname)


def _class(name: str, body: ast.stmt) -> ast.stmt:
    tree = ast.parse(f"class {name}: pass").body[0]
    assert isinstance(tree, ast.ClassDef)
    tree.body = [body]
    return tree


def _function(name: str, body: list[ast.stmt]) -> ast.stmt:
    # Asynchronous, since an inner flow may `await` where it is defined, as in a default.
    tree = ast.parse(f"async def {name}(): pass").body[0]
    assert isinstance(tree, ast.AsyncFunctionDef)
    tree.body = body
    return tree


def _requalified(code: types.CodeType, skeleton: str, qualname: str) -> types.CodeType:
    """Replace the skeleton's part of a qualified name, here and in what is defined inside."""
    new = code.co_qualname
    if new == skeleton or new.startswith(f"{skeleton}."):
        new = qualname + new.removeprefix(skeleton)  # else it is declared global
    is_class = not code.co_flags & CO_NEWLOCALS
    consts = tuple(
        _requalified(each, skeleton, qualname)
        if isinstance(each, types.CodeType)
        # The body of a class has its qualified name as a constant, too.
        else (new if is_class and each == code.co_qualname else each)
        for each in code.co_consts
    )
    return code.replace(co_qualname=new, co_consts=consts)
