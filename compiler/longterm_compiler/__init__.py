"""The compiler of longterm: a function's source in, the code of a resumable flow out.

It reads text and trees only; nothing of the author's is executed.
"""

from longterm_compiler.callees import ModuleNames, Resolver, Verdict
from longterm_compiler.image import flow_data, resume_data
from longterm_compiler.pipeline import CompiledFlow, Resume, ResumePoint, compile_flow
from longterm_compiler.source import Definition, SourceFile

__all__ = [
    "CompiledFlow",
    "Definition",
    "ModuleNames",
    "Resolver",
    "Resume",
    "ResumePoint",
    "SourceFile",
    "Verdict",
    "compile_flow",
    "flow_data",
    "resume_data",
]
