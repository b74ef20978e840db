"""Modules whose flows are compiled, as files that run: what `longterm-compile --output` writes."""

from longterm_compiler.written.module import write_module

__all__ = ["write_module"]
