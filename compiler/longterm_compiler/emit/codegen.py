"""Trees to code objects: a function's body compiled as CPython would where the author wrote it.

The function is compiled inside a skeleton of the scopes around it, so that its free names, its
qualified name, `super()` and private names come out as in the author's module. For a method of
`Shop` that shares `count` with a function around the class, the skeleton is

    class Shop:                         # for `super()` and for names like `__stock`
        async def scope():              # binds what the flow must find in scopes around it
            count = None
            def collect(self, ...):     # the body that is compiled
                ...

Nothing is run: the code object is picked out of the skeleton's constants.
"""

from __future__ import annotations

import ast
import threading
import types
import warnings
from collections.abc import Iterable
from inspect import CO_NEWLOCALS

from longterm._abi import NEXT
from longterm._abi.inner_code import nested_codes
from longterm_compiler.analysis.scope import free_names, is_generator, own_nodes
from longterm_compiler.syntax.build import assign, at, changed, header
from longterm_compiler.syntax.source import Definition, FunctionNode

_YIELDS = (ast.Yield, ast.YieldFrom)
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

        def collect(_lt_next, _lt_iter1, answers):
            nonlocal count              # a cell
            if False:
                total = None            # a name without a value: local, and never bound
            ...                         # the resume body

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
    declared = [at(place, statement) for statement in _declarations(unbound, cells)]
    if is_generator(node) and not any(isinstance(part, _YIELDS) for part in own_nodes(body)):
        # It yields nothing more, and is a generator nevertheless.
        never = ast.If(ast.Constant(False), [ast.Expr(ast.Yield(None))], [])
        declared.append(at(place, never))
    function = changed(
        node,
        decorator_list=[],
        args=at(place, ast.arguments([], parameters, None, [], [], None, [])),
        body=[*declared, *body],
        returns=None,
    )
    # Its code begins where the flow's does, which is at the first decorator.
    function.lineno = definition.first_line
    if hasattr(node, "type_params"):  # a field from Python 3.12 on, by PEP 695
        return changed(function, type_params=[])
    return function


def _declarations(unbound: Iterable[str], cells: Iterable[str]) -> list[ast.stmt]:
    """Return what makes some names of a resume body captured ones, and others local ones."""
    declared: list[ast.stmt] = []
    # `__class__` cannot be declared, and is captured wherever it is read.
    captured = [name for name in cells if name != "__class__"]
    if captured:
        declared.append(ast.Nonlocal(captured))
    never: list[ast.stmt] = [assign(name, ast.Constant(None)) for name in unbound]
    if never:
        declared.append(ast.If(ast.Constant(False), never, []))
    return declared


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
    skeleton = ast.Module([_in_skeleton(definition, node, free)], [])
    # Python gave its warnings when it compiled the author's module.
    with _quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        outer = compile(skeleton, path, "exec", flags=flags, dont_inherit=True)
    code = next(
        inner
        for inner in nested_codes(outer)
        if inner.co_name == node.name and inner.co_firstlineno == definition.first_line
    )
    if code.co_qualname == definition.qualname:
        return code
    return _requalified(code, code.co_qualname, definition.qualname)


def _in_skeleton(definition: Definition, node: FunctionNode, free: Iterable[str]) -> ast.stmt:
    """Put a body into the scopes that it needs around it, and no others."""
    tree: ast.stmt = node
    classes = [scope for scope in definition.enclosing if isinstance(scope, ast.ClassDef)]
    names = sorted(set(free) - {"__class__"})
    is_in_function = len(definition.enclosing) > len(classes)
    if names or is_in_function:
        bound: list[ast.stmt] = [at(node, assign(name, ast.Constant(None))) for name in names]
        if node.name not in names and node.name in free_names(node):
            # A method does not see its own name, which the class binds: it is the module's there.
            bound.append(at(node, ast.Global([node.name])))
        tree = _function("scope", [*bound, tree])
    if classes:
        # The innermost class alone: Python looks no further for `super()` and private names.
        tree = _class(classes[-1].name, tree)
    return tree


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
    """Replace the skeleton's part of a qualified name, here and in what is defined inside.

    Args:
        code: the flow's code, or code inside it.
        skeleton: the flow's name in the skeleton: `Shop.scope.<locals>.collect`.
        qualname: its name in the author's module: `open_shop.<locals>.Shop.collect`.
    """
    new = code.co_qualname
    if new == skeleton or new.startswith(f"{skeleton}."):
        new = qualname + new.removeprefix(skeleton)  # else it is declared global
    is_class = not code.co_flags & CO_NEWLOCALS
    consts = tuple(
        _requalified(constant, skeleton, qualname)
        if isinstance(constant, types.CodeType)
        # The body of a class has its qualified name as a constant, too.
        else (new if is_class and constant == code.co_qualname else constant)
        for constant in code.co_consts
    )
    return code.replace(co_qualname=new, co_consts=consts)
