"""Which names a function binds, declares global, and shares with functions inside it.

Reads the tree only, so that the answer is the same on every Python version. `symtable` and code
objects count the variables of comprehensions as the function's own from 3.12 on, which inlines them
(PEP 709; "What's New In Python 3.12").
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from longterm_compiler.syntax.source import FunctionNode, ScopeNode
from longterm_compiler.syntax.tree import children, walk

Comprehension: TypeAlias = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
Bindings: TypeAlias = dict[str, list[ast.AST]]
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)

OF_THE_CLASS = frozenset({"super", "__class__"})
"""The names that stand for the class around, in the functions right inside it."""


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
    hidden_captures: frozenset[str]
    """Local names that a comprehension hides by a variable which a function inside it captures."""
    always_bound: frozenset[str]
    """Parameters that nothing ever unbinds: reading them cannot fail."""
    bound: frozenset[str]
    """Names that the body binds or unbinds; a parameter that is none of them never changes."""
    bindings: Bindings = field(repr=False)
    """The nodes that bind each name in the body."""
    nodes: list[ast.AST] = field(repr=False)
    """The nodes that run in the function, as `own_nodes` finds them."""


def scope_of(function: FunctionNode) -> Scope:
    """Return the scope of a function, from its tree alone."""
    parameters = tuple(parameter_names(function.args))
    nodes = own_nodes(function.body)
    bindings = bindings_of(nodes)
    unbound = _deleted(nodes)
    unbound |= {node.name for node in nodes if isinstance(node, ast.ExceptHandler) and node.name}
    globals_ = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
    nonlocals = {name for node in nodes if isinstance(node, ast.Nonlocal) for name in node.names}
    local = {*bindings, *unbound, *parameters} - globals_ - nonlocals
    captures = _captures(function.body)
    return Scope(
        parameters=parameters,
        local=frozenset(local),
        declared_global=frozenset(globals_),
        declared_nonlocal=frozenset(nonlocals),
        captured=frozenset(local & captures.names),
        hidden_captures=frozenset(local & captures.variables),
        always_bound=frozenset(set(parameters) - unbound - globals_ - nonlocals),
        bound=frozenset(unbound.union(bindings)),
        bindings=bindings,
        nodes=nodes,
    )


def parameter_names(args: ast.arguments) -> list[str]:
    """Return the names of a signature in the order of CPython's local variables."""
    names = [parameter.arg for parameter in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
    names += [parameter.arg for parameter in (args.vararg, args.kwarg) if parameter is not None]
    return names


def type_parameters(node: ScopeNode) -> set[str]:
    """Return the names of a function's or class's own type parameters.

    There are none, and the field is missing, before Python 3.12 (PEP 695).
    """
    return {parameter.name for parameter in getattr(node, "type_params", [])}


def bindings_of(nodes: Iterable[ast.AST]) -> Bindings:
    """Return the names that nodes bind, each with those nodes in their order."""
    found: Bindings = {}
    for node in nodes:
        for name in bound_by(node):
            found.setdefault(name, []).append(node)
    return found


def bound_by(node: ast.AST) -> tuple[str, ...]:
    """Return the names that this very node binds in its scope (a deletion is not a binding)."""
    match node:
        case ast.Name():
            return (node.id,) if isinstance(node.ctx, ast.Store) else ()
        case ast.expr():
            return ()
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return (name,)
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            return tuple(imported_name(alias) for alias in aliases if alias.name != "*")
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            return (name,)
        case ast.MatchMapping(rest=str(name)):
            return (name,)
        case ast.ExceptHandler(name=str(name)):
            return (name,)
    return ()


def imported_name(alias: ast.alias) -> str:
    """Return the name under which something is imported."""
    return alias.asname or alias.name.partition(".")[0]


def comprehension_variables(node: Comprehension) -> list[str]:
    """Return the names that a comprehension binds as its own, in order.

    `for a[i] in xs` has none: it stores to what `a` is outside.
    """
    targets = [part for generator in node.generators for part in walk(generator.target)]
    return list(dict.fromkeys(name for target in targets for name in bound_by(target)))


def own_nodes(body: Iterable[ast.AST]) -> list[ast.AST]:
    """Return the nodes that run in the scope of `body`, in no particular order.

    A function or class inside is one, for the name it binds, with its decorators, defaults and
    bases; its body is another scope. Of a comprehension only the first iterable and the walrus
    targets belong here.
    """
    found: list[ast.AST] = []
    pending = list(body)
    while pending:
        node = pending.pop()
        found.append(node)
        if isinstance(node, _COMPREHENSIONS):
            pending.append(node.generators[0].iter)
            pending += _walrus_targets(node)
        else:
            pending += _own_parts(node)
    return found


def is_generator(function: FunctionNode) -> bool:
    """Tell whether a function makes generators: its own body has a `yield`."""
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own_nodes(function.body))


def is_async_generator(function: FunctionNode) -> bool:
    """Tell whether a function makes asynchronous generators."""
    return isinstance(function, ast.AsyncFunctionDef) and is_generator(function)


def _own_parts(node: ast.AST) -> list[ast.AST]:
    """Return the parts of a node but the body of a function, lambda or class."""
    return _outside(node) if isinstance(node, _SCOPES) else children(node)


@dataclass(slots=True)
class _Captures:
    """What functions, lambdas and classes use of the scopes around them."""

    names: set[str] = field(default_factory=set)
    """Names of the scope itself."""
    variables: set[str] = field(default_factory=set)
    """Variables of comprehensions in it."""


def _captures(body: Iterable[ast.AST]) -> _Captures:
    """Return what the scopes inside a scope use of it, and of the comprehensions in it.

    What a comprehension itself uses is not captured: it has run before anything can suspend.
    """
    found = _Captures()
    pending = list(body)
    while pending:
        node = pending.pop()
        if isinstance(node, _SCOPES):
            found.names |= free_names(node)
        if isinstance(node, _COMPREHENSIONS):
            own = set(comprehension_variables(node))
            rounds = _captures(_rounds(node))
            found.names |= rounds.names - own
            found.variables |= rounds.variables | (rounds.names & own)
            pending.append(node.generators[0].iter)
        else:
            pending += _own_parts(node)
    return found


def _rounds(node: Comprehension) -> list[ast.AST]:
    """Return the parts of a comprehension that run in its own scope: not its first iterable."""
    parts: list[ast.AST] = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    for number, generator in enumerate(node.generators):
        parts += [generator.target, *generator.ifs, *([generator.iter] if number else [])]
    return parts


def free_names(scope: ast.AST) -> set[str]:
    """Return the names that a function, lambda or class uses of the scopes around it."""
    match scope:
        case ast.Lambda():
            own, bound = own_nodes([scope.body]), set(parameter_names(scope.args))
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            own, bound = own_nodes(scope.body), set(parameter_names(scope.args))
        case ast.ClassDef():
            own, bound = own_nodes(scope.body), set()
        case _:
            raise TypeError(f"not a scope: {type(scope).__name__}")
    declared = {name for node in own if isinstance(node, ast.Nonlocal) for name in node.names}
    globals_ = {name for node in own if isinstance(node, ast.Global) for name in node.names}
    bound |= {name for node in own for name in bound_by(node)} | _deleted(own) | globals_
    if isinstance(scope, ast.ClassDef):
        # The functions inside a class see nothing of what it binds or declares.
        return (_used_here(own) - bound) | declared | (_used_inside(own) - OF_THE_CLASS)
    return ((_used_here(own) | _used_inside(own)) - bound) | declared


def free_in_comprehension(node: Comprehension) -> set[str]:
    """Return the names that a comprehension uses of its surroundings, its first iterable aside."""
    own = own_nodes(_rounds(node))
    return (_used_here(own) | _used_inside(own)).difference(comprehension_variables(node))


def _used_here(own: list[ast.AST]) -> set[str]:
    """Return the names that the nodes of one scope use themselves."""
    return {node.id for node in own if isinstance(node, ast.Name)}


def _used_inside(own: list[ast.AST]) -> set[str]:
    """Return the names that the scopes inside one use of it and of what is around it."""
    used: set[str] = set()
    for node in own:
        if isinstance(node, _COMPREHENSIONS):
            used |= free_in_comprehension(node)
        elif isinstance(node, _SCOPES):
            used |= free_names(node)
    return used


def _deleted(own: list[ast.AST]) -> set[str]:
    return {e.id for e in own if isinstance(e, ast.Name) and isinstance(e.ctx, ast.Del)}


def _outside(node: ast.AST) -> list[ast.AST]:
    """Return the parts of a function, lambda or class that run where it is defined."""
    match node:
        case ast.Lambda():
            return _outside_arguments(node.args)
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            returned = [node.returns] if node.returns is not None else []
            bounds = getattr(node, "type_params", [])
            return [*node.decorator_list, *bounds, *_outside_arguments(node.args), *returned]
        case ast.ClassDef():
            bounds = getattr(node, "type_params", [])
            return [*node.decorator_list, *bounds, *node.bases, *node.keywords]
    raise TypeError(f"not a scope: {type(node).__name__}")


def _outside_arguments(args: ast.arguments) -> list[ast.AST]:
    """Return the parts of a signature that run where the function is defined."""
    parameters = (*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg)
    annotations = [parameter.annotation for parameter in parameters if parameter is not None]
    parts = (*args.defaults, *args.kw_defaults, *annotations)
    return [part for part in parts if part is not None]


def _walrus_targets(node: Comprehension) -> list[ast.AST]:
    """Return the names that walruses in a comprehension bind in the function around it."""
    return [part.target for part in walk(node) if isinstance(part, ast.NamedExpr)]
