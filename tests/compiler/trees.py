"""Compare the text of a compiled flow with the trees that the compiler hands to Python."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

import pytest

from longterm_compiler import CompiledFlow
from longterm_compiler.emit import codegen
from longterm_compiler.render import render_flow


def assert_text_is_what_runs(compiled: CompiledFlow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that the printed functions are those that are compiled: fresh body, then resumes."""
    run: list[Any] = []
    original = codegen._compiled

    def recording(definition: Any, node: Any, *rest: Any) -> Any:
        run.append(node)
        return original(definition, node, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(codegen, "_compiled", recording)
        _ = CompiledFlow.code.func(compiled)  # type: ignore[attr-defined]
        for point in compiled.points:
            compiled.resume_code(point.number)
    printed = ast.parse(render_flow(compiled)).body

    assert len(printed) == len(run)
    for shown, node in zip(printed, run, strict=True):
        assert isinstance(shown, ast.FunctionDef | ast.AsyncFunctionDef)
        assert type(shown) is type(node)
        assert shown.name == node.name
        assert ast.dump(shown.args) == ast.dump(node.args)
        assert _dumped(shown.body) == _dumped(node.body)
    first = printed[0]
    assert isinstance(first, ast.FunctionDef | ast.AsyncFunctionDef)
    assert _dumped(first.decorator_list) == _dumped(compiled.definition.node.decorator_list)


def _dumped(nodes: Iterable[ast.AST]) -> list[str]:
    return [ast.dump(each) for each in nodes]
