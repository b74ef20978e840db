"""Which names a function binds, declares global, and shares with functions inside it.

Reads the tree only, so that the answer is the same on every Python version (`symtable` and code
objects count the variables of inlined comprehensions as the function's own from 3.12 on).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from longterm_compiler.source import FunctionNode

Comprehension: TypeAlias = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True, slots=True)
class Scope:
    """The names of one function, by what becomes of them across a suspend."""

    parameters: tuple[str, ...]
    local: frozenset[str]
    """Bound in the function, parameters included, and not declared global or nonlocal."""
    declared_global: frozenset[str]
    declared_nonlocal: frozenset[str]
    captured: frozenset[str]
    """Local names that a function or class inside reads or binds: they live in cells."""
    always_bound: frozenset[str]
    """Parameters that nothing ever unbinds: reading them cannot fail."""
    bound: frozenset[str]
    """Names that the body binds or unbinds; a parameter that is none of them never changes."""


def scope_of(function: FunctionNode) -> Scope:
    """Return the scope of a function, from its tree alone."""
    parameters = tuple(parameter_names(function.args))
    bound: set[str] = set()
    unbound: set[str] = set()
    globals_: set[str] = set()
    nonlocals: set[str] = set()
    for node in own_nodes(function.body):
        match node:
            case ast.Global(names=names):
                globals_.update(names)
            case ast.Nonlocal(names=names):
                nonlocals.update(names)
            case ast.ExceptHandler(name=str(name)):
                bound.add(name)
                unbound.add(name)
            case ast.Name(id=name, ctx=ast.Del()):
                bound.add(name)
                unbound.add(name)
            case _:
                bound.update(bound_by(node))
    local = (bound | set(parameters)) - globals_ - nonlocals
    free_inside = {name for inner in inner_scopes(function.body) for name in free_names(inner)}
    return Scope(
        parameters=parameters,
        local=frozenset(local),
        declared_global=frozenset(globals_),
        declared_nonlocal=frozenset(nonlocals),
        captured=frozenset(local & free_inside),
        always_bound=frozenset(set(parameters) - unbound - globals_ - nonlocals),
        bound=frozenset(bound),
    )


def parameter_names(args: ast.arguments) -> list[str]:
    """Return the names of a signature in the order of CPython's local variables."""
    names = [each.arg for each in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
    names += [each.arg for each in (args.vararg, args.kwarg) if each is not None]
    return names


def bound_by(node: ast.AST) -> Iterator[str]:
    """Yield the names that this very node binds in its scope (a deletion is not a binding)."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()):
            yield name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.alias(name=name, asname=asname):
            if name != "*":
                yield asname or name.partition(".")[0]
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name
        case ast.MatchMapping(rest=str(name)):
            yield name
        case ast.ExceptHandler(name=str(name)):
            yield name


def own_nodes(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield the nodes that run in the scope of `body`, in no particular order.

    A function or class inside is yielded, for the name it binds, with its decorators, defaults and
    bases; its body is another scope. Of a comprehension only the first iterable and the walrus
    targets belong here.
    """
    pending = list(body)
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            pending.extend(node.decorator_list)
            pending.extend(_outside_arguments(node.args))
        elif isinstance(node, ast.Lambda):
            pending.extend(_outside_arguments(node.args))
        elif isinstance(node, ast.ClassDef):
            pending.extend([*node.decorator_list, *node.bases, *node.keywords])
        elif isinstance(node, _COMPREHENSIONS):
            pending.append(node.generators[0].iter)
            pending.extend(_walrus_targets(node))
        else:
            pending.extend(ast.iter_child_nodes(node))


def declared_global(body: Iterable[ast.AST]) -> set[str]:
    """Return the names that a function declares global."""
    found = (each for each in own_nodes(body) if isinstance(each, ast.Global))
    return {name for each in found for name in each.names}


def inner_scopes(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield the functions, lambdas and classes inside a scope, those in comprehensions too.

    A comprehension itself is not one: it has run before anything can suspend.
    """
    pending = list(body)
    while pending:
        node = pending.pop()
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            yield node
            if isinstance(node, ast.Lambda):
                pending.extend(_outside_arguments(node.args))
            elif isinstance(node, ast.ClassDef):
                pending.extend([*node.decorator_list, *node.bases, *node.keywords])
            else:
                pending.extend([*node.decorator_list, *_outside_arguments(node.args)])
        else:
            pending.extend(ast.iter_child_nodes(node))


def free_names(scope: ast.AST) -> set[str]:
    """Return the names that a function, lambda or class uses of the scopes around it."""
    if isinstance(scope, ast.Lambda):
        body: list[ast.AST] = [scope.body]
        bound = set(parameter_names(scope.args))
    elif isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
        body = list(scope.body)
        bound = set(parameter_names(scope.args))
    elif isinstance(scope, ast.ClassDef):
        body = list(scope.body)
        bound = set()
    else:
        raise TypeError(f"not a scope: {type(scope).__name__}")
    own = list(own_nodes(body))
    used = {each.id for each in own if isinstance(each, ast.Name)}
    declared = {name for each in own if isinstance(each, ast.Nonlocal) for name in each.names}
    globals_ = {name for each in own if isinstance(each, ast.Global) for name in each.names}
    if not isinstance(scope, ast.ClassDef):
        bound.update(name for each in own for name in bound_by(each))
        bound.update(e.id for e in own if isinstance(e, ast.Name) and isinstance(e.ctx, ast.Del))
    for each in own:
        if isinstance(each, _COMPREHENSIONS):
            used |= free_in_comprehension(each)
    for inner in _directly_inside(own):
        used |= free_names(inner)
    return ((used - bound) | declared) - globals_


def _directly_inside(own: list[ast.AST]) -> Iterator[ast.AST]:
    return (each for each in own if isinstance(each, (*_FUNCTIONS, ast.ClassDef)))


def free_in_comprehension(node: Comprehension) -> set[str]:
    """Return the names that a comprehension uses of its surroundings, its first iterable aside."""
    elements = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    parts: list[ast.AST] = list(elements)
    for number, generator in enumerate(node.generators):
        parts += [generator.target, *generator.ifs, *([generator.iter] if number else [])]
    own = list(own_nodes(parts))
    targets = {
        each.id
        for generator in node.generators
        for each in ast.walk(generator.target)
        if isinstance(each, ast.Name)
    }
    used = {each.id for each in own if isinstance(each, ast.Name)}
    for each in own:
        if isinstance(each, _COMPREHENSIONS):
            used |= free_in_comprehension(each)
    for inner in _directly_inside(own):
        used |= free_names(inner)
    return used - targets


def _outside_arguments(args: ast.arguments) -> list[ast.AST]:
    """Return the parts of a signature that run where the function is defined."""
    parameters = (*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg)
    annotations = [each.annotation for each in parameters if each and each.annotation]
    return [*args.defaults, *(each for each in args.kw_defaults if each), *annotations]


def _walrus_targets(node: Comprehension) -> list[ast.AST]:
    """Return the names that walruses in a comprehension bind in the function around it."""
    return [
        each.target
        for each in ast.walk(node)
        if isinstance(each, ast.NamedExpr) and not isinstance(each.target, ast.expr_context)
    ]
