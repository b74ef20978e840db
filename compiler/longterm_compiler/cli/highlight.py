"""Colours for generated code on a terminal, by Pygments where that is installed."""

from __future__ import annotations

from importlib.util import find_spec


def can_highlight() -> bool:
    """Tell whether Pygments is installed."""
    return find_spec("pygments") is not None


def highlight(text: str) -> str:
    """Return Python text with colours; without Pygments it is the same text."""
    if not can_highlight():
        return text
    import pygments
    from pygments.formatters import TerminalFormatter
    from pygments.lexers import PythonLexer

    # Not a letter of the text may change: left alone, Pygments strips and adds ends of lines.
    lexer = PythonLexer(stripnl=False, ensurenl=False)
    coloured: str = pygments.highlight(text, lexer, TerminalFormatter())
    return coloured
