"""Counts what generated programs contain: `python -m tests.property.coverage [--count 2000]`.

For each kind of syntax node: in how many places of the programs it stands inside a flow, and in how
many of these something inside it suspends; then the same for each field of a node, since a suspend
in the target of a loop is another matter than one in its body.
"""

from __future__ import annotations

import argparse
import ast
from collections import Counter

from tests.property.programs import seeded_program

_FORMS = ("suspend", "sleep", "call")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Counts:
    """What was found in a number of programs."""

    def __init__(self) -> None:
        self.nodes: Counter[str] = Counter()
        self.suspending: Counter[str] = Counter()
        self.fields: Counter[str] = Counter()

    def add(self, source: str) -> None:
        """Count a program."""
        tree = ast.parse(source)
        flows = {
            each.name for each in ast.walk(tree) if isinstance(each, _FUNCTIONS) and _is_flow(each)
        }
        for each in ast.walk(tree):
            if isinstance(each, _FUNCTIONS) and _is_flow(each):
                for statement in each.body:
                    self._visit(statement, flows)

    def _visit(self, node: ast.AST, flows: set[str]) -> bool:
        """Count a node and what is in it; tell whether it suspends."""
        name = type(node).__name__
        if isinstance(node, ast.comprehension) and node.is_async:
            name = "async comprehension"
        found = isinstance(node, ast.Call) and _suspends(node, flows)
        for field, value in ast.iter_fields(node):
            children = value if isinstance(value, list) else [value]
            inside = [self._visit(each, flows) for each in children if isinstance(each, ast.AST)]
            if any(inside) and not (isinstance(node, _FUNCTIONS) and field == "body"):
                self.fields[f"{name}.{field}"] += 1
                found = True
        self.nodes[name] += 1
        self.suspending[name] += found
        return found


def _is_flow(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "deflow" for each in node.decorator_list)


def _suspends(node: ast.Call, flows: set[str]) -> bool:
    match node.func:
        case ast.Name(id=name):
            return name in _FORMS or name in flows
        case ast.Attribute(attr=name):
            return name in flows
    return False


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", default="coverage")
    parser.add_argument("--count", type=int, default=2000)
    options = parser.parse_args()
    counts = Counts()
    for number in range(options.count):
        counts.add(seeded_program(f"{options.seed}:{number}").source)
    print(f"{options.count} programs: node, how many, how many with a suspend inside")
    for name, many in sorted(counts.nodes.items()):
        print(f"{name:20}{many:10}{counts.suspending[name]:10}")
    print("\nnode and field, how many with a suspend inside")
    for name, many in sorted(counts.fields.items()):
        print(f"{name:32}{many:10}")


if __name__ == "__main__":
    main()
