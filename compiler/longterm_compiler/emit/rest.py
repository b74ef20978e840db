"""The rest of a flow: digests of what is left to do at a point, whatever the locals are called.

A run that waits at a point only ever runs the resume body of that point. If the code of today has a
point with an equal resume body, the run goes on there just as it would have done in the code that
it was saved from. So what counts is the resume body alone, in a normal form: positions and
docstrings do not count, and a variable is known by its place among all of them:

    reply = _lt_next()                  variable 0 = _lt_next()
    return _lt_value1, cart, reply      return temporary 1, variable 2, variable 0

and the slots, in this order, are `_lt_value1` and `cart`.

A name has its own spelling where a function, a class or a comprehension inside the body has it too:
there it may be another variable, or an argument that callers name. So do the names in cells, which
the functions inside find their cells by.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import CodeType

from longterm_compiler.analysis.scope import (
    bound_by,
    comprehension_variables,
    imported_name,
    parameter_names,
)
from longterm_compiler.emit.closures import InnerNode
from longterm_compiler.emit.version import describe, digest_of
from longterm_compiler.syntax.temporaries import is_reserved
from longterm_compiler.syntax.tree import walk

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_DEFINED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_NAMES = frozenset(
    {
        (ast.Name, "id"),
        (ast.ExceptHandler, "name"),
        (ast.MatchAs, "name"),
        (ast.MatchStar, "name"),
        (ast.MatchMapping, "rest"),
    }
)
"""The fields with a name of the scope that the node stands in."""


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left to do at a point."""

    digest: str
    """Equal for bodies that do the same, 16 hexadecimal digits."""
    names: tuple[str, ...]
    """The slots, in an order that is the same for equal rests, whatever the names are."""


@dataclass(slots=True)
class _Spelling:
    """How names are written in the normal form."""

    renamed: set[str]
    """The locals that are known by a number."""
    numbers: dict[str, int] = field(default_factory=dict)

    def of(self, node: ast.AST, label: str, value: object) -> object:
        """Return what stands for the value of a node's field."""
        if isinstance(value, str) and (type(node), label) in _NAMES:
            return self._spelled(value)
        if isinstance(node, ast.alias) and label == "asname":
            # `import a.b` binds `a`, which is another object than `import a.b as a` binds.
            return [self._spelled(imported_name(node)), node.asname is None and "." in node.name]
        return value

    def _spelled(self, name: str) -> str:
        if name not in self.renamed:
            return name
        kind = "temporary" if is_reserved(name) else "variable"
        return f"{kind} {self.numbers.setdefault(name, len(self.numbers))}"


def rest_of(
    body: list[ast.stmt],
    slots: Iterable[str],
    cells: Iterable[str],
    local: Iterable[str],
    around: Iterable[str],
) -> Rest:
    """Return the rest that a resume body is.

    Args:
        body: its statements.
        slots: the live names.
        cells: the captured names that it uses.
        local: the names of the flow's own variables that no function inside captures, and of the
            compiler's temporaries.
        around: what else says what the statements mean: the kind of function, the class around.
    """
    if isinstance(body[0], ast.Global):  # whether a name is local is said below
        body = body[1:]
    own, kept = set(local), _names_inside(body)
    spelling = _Spelling(own - kept)
    described = describe(body, spelling.of)
    numbers, live = spelling.numbers, set(slots)
    names = (
        *(name for name in numbers if name in live),
        *sorted(live.difference(numbers)),
    )
    live_numbers = [str(number) for name, number in numbers.items() if name in live]
    said = [
        *("around", *around),
        *("cells", *cells),
        *("local", *sorted(own & kept)),
        *("live", *live_numbers, *names[len(live_numbers) :]),
    ]
    return Rest(digest_of([*said, "body", *described]), names)


def _names_inside(body: list[ast.stmt]) -> set[str]:
    """Return the names that functions, classes and comprehensions inside a body have."""
    found: set[str] = set()
    for node in (part for statement in body for part in walk(statement)):
        if isinstance(node, _COMPREHENSIONS):
            found.update(comprehension_variables(node))
        elif isinstance(node, ast.Lambda):
            found.update(parameter_names(node.args), _mentioned([node.body]))
        elif isinstance(node, _DEFINED) or type(node).__name__ == "TypeAlias":  # PEP 695
            found.update(_mentioned([node]))
    return found


def _mentioned(nodes: Iterable[ast.AST]) -> set[str]:
    found: set[str] = set()
    for part in (part for node in nodes for part in walk(node)):
        if isinstance(part, ast.Name):
            found.add(part.id)
        elif isinstance(part, ast.arg):
            found.add(part.arg)
        else:
            found.update(bound_by(part))
    return found


def inner_digest(node: InnerNode, code: CodeType, class_name: str | None) -> str:
    """Return the digest of what a function inside a flow does when it is called.

    What a function object holds itself does not count, since it is stored: its defaults, its
    annotations, and what its cells hold.
    """
    arguments = node.args
    spelled = (arguments.posonlyargs, arguments.args, arguments.kwonlyargs)
    parameters = [*(" ".join(part.arg for part in parts) for parts in spelled)]
    parameters += [part.arg if part else "" for part in (arguments.vararg, arguments.kwarg)]
    body = _without_docstring(node)
    kind = type(node).__name__
    said = [kind, class_name or "", *parameters, "free", *code.co_freevars, "body"]
    return digest_of([*said, *describe(body, _unchanged)])


def _without_docstring(node: InnerNode) -> object:
    if isinstance(node, ast.Lambda):
        return node.body
    has_docstring = ast.get_docstring(node, clean=False) is not None
    return node.body[1:] if has_docstring else node.body


def _unchanged(node: ast.AST, label: str, value: object) -> object:
    return value
