"""Lower `def`, `class` and `lambda`: what they evaluate where they stand.

    @register(ask("name"))              _lt_value1 = ask("name")
    def reply(n=ask("n")):              _lt_value2 = register(_lt_value1)
        pass                            _lt_value3 = ask("n")
                                        @_lt_value2
                                        def reply(n=_lt_value3):
                                            pass

Decorators come first, then the defaults or the bases. The bodies are scopes of their own, and are
left alone.
"""

from __future__ import annotations

import ast

from longterm_compiler.lower.context import ExpressionLowerer, Lowering, Out, StatementLowerer
from longterm_compiler.syntax.build import changed


def _lower_function(low: Lowering, node: ast.stmt, out: Out) -> None:
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    # A decorator of the module's is looked up when it is used, as a callee is.
    early = [decorator for decorator in node.decorator_list if not low.is_late_bound(decorator)]
    done, args = _lower_defaults(low, node.args, early, out)
    left = dict(zip(early, done, strict=True))
    # A function's code begins at its first decorator, so a decorator keeps its place.
    decorators = [ast.copy_location(left.get(old, old), old) for old in node.decorator_list]
    out.append(changed(node, decorator_list=decorators, args=args))


def _lower_class(low: Lowering, node: ast.stmt, out: Out) -> None:
    assert isinstance(node, ast.ClassDef)
    values = [keyword.value for keyword in node.keywords]
    done = low.in_order([*node.decorator_list, *node.bases, *values], out)
    split = len(node.decorator_list)
    end = split + len(node.bases)
    keywords = [
        ast.copy_location(ast.keyword(old.arg, new), old)
        for old, new in zip(node.keywords, done[end:], strict=True)
    ]
    # A class's code begins at its first decorator, so a decorator keeps its place.
    decorators = [
        ast.copy_location(new, old) for old, new in zip(node.decorator_list, done, strict=False)
    ]
    bases = done[split:end]
    out.append(changed(node, decorator_list=decorators, bases=bases, keywords=keywords))


def _lower_lambda(low: Lowering, node: ast.expr, out: Out) -> ast.expr:
    assert isinstance(node, ast.Lambda)
    _, args = _lower_defaults(low, node.args, [], out)
    return ast.copy_location(ast.Lambda(args, node.body), node)


def _lower_defaults(
    low: Lowering, args: ast.arguments, before: list[ast.expr], out: Out
) -> tuple[list[ast.expr], ast.arguments]:
    """Lower a signature's defaults, and what Python evaluates before them (the decorators)."""
    named = [default for default in args.kw_defaults if default is not None]
    done = low.in_order([*before, *args.defaults, *named], out)
    end = len(before) + len(args.defaults)
    keywords = iter(done[end:])
    kw_defaults = [None if old is None else next(keywords) for old in args.kw_defaults]
    lowered = changed(args, defaults=done[len(before) : end], kw_defaults=kw_defaults)
    return done[: len(before)], lowered


STATEMENTS: dict[type[ast.stmt], StatementLowerer] = {
    ast.FunctionDef: _lower_function,
    ast.AsyncFunctionDef: _lower_function,
    ast.ClassDef: _lower_class,
}
EXPRESSIONS: dict[type[ast.expr], ExpressionLowerer] = {ast.Lambda: _lower_lambda}
