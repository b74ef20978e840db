"""Compare the text of a compiled flow, and what is compiled from it, with the compiler's plan."""

from __future__ import annotations

import ast
import marshal

from longterm_compiler import CompiledFlow
from longterm_compiler.listing import listing
from longterm_compiler.syntax.source import FunctionNode


def assert_text_is_what_runs(compiled: CompiledFlow) -> None:
    """Check that the listing is the plan, and that it gives the very code that the plan gives."""
    plans = [compiled.fresh_plan]
    codes = [(compiled.code, compiled.free)]
    for each in compiled.points:
        plans.append(compiled.resume_plan(each.number))
        codes.append((compiled.resume_code(each.number), compiled.resume(each.number).cells))
    printed = ast.parse(listing(compiled)).body

    assert len(printed) == len(plans)
    for shown, plan, (code, free) in zip(printed, plans, codes, strict=True):
        assert ast.dump(shown) == ast.dump(plan)
        assert marshal.dumps(code, 2) == marshal.dumps(_planned(compiled, plan, free), 2)


def _planned(compiled: CompiledFlow, plan: FunctionNode, free: tuple[str, ...]) -> object:
    with compiled._room():
        return compiled._compiled(plan, free)
