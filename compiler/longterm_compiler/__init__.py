"""The compiler of longterm: a function's source in, the code of a resumable flow out.

It reads text and trees only; nothing of the author's is executed.
"""

from longterm._abi.verdict import Verdict
from longterm_compiler.analysis.names import ModuleNames, Resolver
from longterm_compiler.compiled import flow_data, resume_data
from longterm_compiler.diagnostics import (
    Diagnostic,
    InternalError,
    NoLibcst,
    Refused,
    Span,
    render_all,
)
from longterm_compiler.lower import ResumePoint
from longterm_compiler.pipeline import CompiledFlow, ResumeBody, compile_flow
from longterm_compiler.problems import check_file
from longterm_compiler.syntax.source import Definition, SourceFile

__all__ = [
    "CompiledFlow",
    "Definition",
    "Diagnostic",
    "InternalError",
    "ModuleNames",
    "NoLibcst",
    "Refused",
    "Resolver",
    "ResumeBody",
    "ResumePoint",
    "SourceFile",
    "Span",
    "Verdict",
    "check_file",
    "compile_flow",
    "flow_data",
    "render_all",
    "resume_data",
]
