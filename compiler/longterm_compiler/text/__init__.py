"""The text of a compiled flow: a plan in, Python text out, and this text is what runs.

The plan is a tree of `ast`, of the fresh body or of a resume body. libcst writes it down with the
nodes of the author's own text, comments and layout included. Then `ast` reads the text again; the
tree must mean the very plan, gets the plan's places, and is compiled.
"""

# ruff: noqa: E402 - whoever lacks libcst is told so before anything here imports it
from longterm_compiler.text import version

version.check()

from longterm_compiler.text.bodies import Bodies, Scope, bodies_text
from longterm_compiler.text.proof import as_planned, matched
from longterm_compiler.text.writer import FlowText, Mark

__all__ = [
    "Bodies",
    "FlowText",
    "Mark",
    "Scope",
    "as_planned",
    "bodies_text",
    "matched",
]
