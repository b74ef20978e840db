"""Makes a failing program small: tries simpler trees of its source for as long as it still fails.

Hypothesis shrinks the decisions that made a program; this shrinks the program itself, and so serves
programs of a seed too.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.property.oracle import Program

_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")


def shrink(program: Program, fails: Callable[[Program], bool]) -> Program:
    """Return a program that fails as the given one does, and of which no part can go."""
    smaller = True
    while smaller:
        smaller = False
        for candidate in _candidates(program):
            if fails(candidate):
                program, smaller = candidate, True
                break
    return program


def _candidates(program: Program) -> Iterator[Program]:
    tree = ast.parse(program.source)
    for change in _changes(tree):
        changed = copy.deepcopy(tree)
        change(changed)
        try:
            source = ast.unparse(ast.fix_missing_locations(changed))
            compile(source, "shrunk", "exec")
        except (SyntaxError, ValueError, TypeError, AttributeError):
            continue
        if len(source) < len(program.source):
            yield replace(program, source=source)
    for number in range(len(program.events)):
        yield replace(program, events=program.events[:number] + program.events[number + 1 :])


def _changes(tree: ast.Module) -> Iterator[Callable[[ast.Module], None]]:
    """Yield changes, large ones first; each finds its node anew by its place in the walk."""
    nodes = list(ast.walk(tree))
    for number, node in enumerate(nodes):
        for name in _BLOCKS:
            block = getattr(node, name, None)
            if isinstance(block, list):
                for place, each in enumerate(block):
                    if not isinstance(each, ast.Import | ast.ImportFrom):
                        yield _without(number, name, place)
    for number, node in enumerate(nodes):
        for name in _BLOCKS[:3]:
            block = getattr(node, name, None)
            if isinstance(block, list):
                for place, each in enumerate(block):
                    if hasattr(each, "body"):
                        yield _unwrapped(number, name, place)
    for number, node in enumerate(nodes):
        yield from _simpler_fields(number, node)


def _simpler_fields(number: int, node: ast.AST) -> Iterator[Callable[[ast.Module], None]]:
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.expr):
            yield _replaced(number, name, None, ast.Constant(1))
            for child in ast.iter_child_nodes(value):
                if isinstance(child, ast.expr):
                    yield _replaced(number, name, None, child)
        elif (
            name != "decorator_list"
            and isinstance(value, list)
            and value
            and isinstance(value[0], ast.expr | ast.keyword)
        ):
            for place, each in enumerate(value):
                yield _without(number, name, place)
                if isinstance(each, ast.expr):
                    yield _replaced(number, name, place, ast.Constant(1))
                    for child in ast.iter_child_nodes(each):
                        if isinstance(child, ast.expr):
                            yield _replaced(number, name, place, child)


def _node(tree: ast.Module, number: int) -> ast.AST:
    return list(ast.walk(tree))[number]


def _without(number: int, name: str, place: int) -> Callable[[ast.Module], None]:
    def change(tree: ast.Module) -> None:
        block = getattr(_node(tree, number), name)
        del block[place]
        if not block and name == "body" and not isinstance(_node(tree, number), ast.Module):
            block.append(ast.Pass())

    return change


def _unwrapped(number: int, name: str, place: int) -> Callable[[ast.Module], None]:
    def change(tree: ast.Module) -> None:
        block = getattr(_node(tree, number), name)
        block[place : place + 1] = block[place].body

    return change


def _replaced(
    number: int, name: str, place: int | None, new: ast.expr
) -> Callable[[ast.Module], None]:
    def change(tree: ast.Module) -> None:
        node = _node(tree, number)
        value = copy.deepcopy(new)
        if place is None:
            setattr(node, name, value)
        else:
            getattr(node, name)[place] = value

    return change
