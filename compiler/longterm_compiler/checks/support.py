"""Every piece of Python's syntax: whether a suspend may stand in it, or the rule that refuses it.

The table is data; `python -m longterm_compiler.checks.support docs/language.md` writes it into that
page.
A class of `ast` that is missing here fails the tests, so that new syntax is never taken in unseen.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from longterm_compiler.rules import RULES


class Inside(Enum):
    """What may stand inside a piece of syntax."""

    SUSPEND = "yes"
    """A suspend, or a call of a flow, in every part that is evaluated."""
    NOTHING = "-"
    """Nothing that is evaluated: there is no place for a suspend."""


@dataclass(frozen=True, slots=True)
class Row:
    """One construct, the classes of `ast` that make it up, and what it may hold."""

    syntax: str
    nodes: tuple[str, ...]
    inside: Inside | str
    """Or the name of the rule that refuses a suspend in it."""
    but: tuple[str, ...] = ()
    """The rules that refuse a suspend in some part of it."""
    note: str = ""
    since: str = ""
    """The version of Python that brought it, if that is newer than the oldest supported one.

    3.12 brought type parameters and `type` (PEP 695), 3.14 template strings (PEP 750).
    """


def _yes(syntax: str, *nodes: str, but: tuple[str, ...] = (), note: str = "") -> Row:
    return Row(syntax, nodes, Inside.SUSPEND, but, note)


def _leaf(syntax: str, *nodes: str, note: str = "", since: str = "") -> Row:
    return Row(syntax, nodes, Inside.NOTHING, (), note, since)


def _no(rule: str, syntax: str, *nodes: str, note: str = "", since: str = "") -> Row:
    return Row(syntax, nodes, rule, (), note, since)


_ANNOTATION = ("suspend-in-annotation",)
_INNER = "in decorators and defaults; its body is another function's"

STATEMENTS: Final = (
    _yes("expression statement", "Expr"),
    _yes("`x = …`", "Assign", note="in the value and in every target"),
    _yes("`x += …`", "AugAssign"),
    _yes("`x: T = …`", "AnnAssign", but=_ANNOTATION),
    _yes("`del …`", "Delete"),
    _yes("`return …`", "Return"),
    _yes("`raise … from …`", "Raise"),
    _yes("`assert …, …`", "Assert"),
    _leaf("`pass`", "Pass"),
    _leaf("`break`, `continue`", "Break", "Continue"),
    _leaf("`global`, `nonlocal`", "Global", "Nonlocal", note="see capture-from-plain-function"),
    _leaf("`import`, `from … import`", "Import", "ImportFrom", "alias"),
    _yes("`if`, `elif`, `else`", "If"),
    _yes("`while … else`", "While"),
    _yes("`for … else`", "For"),
    _yes("`async for … else`", "AsyncFor"),
    _yes("`try`, `except`, `else`, `finally`", "Try"),
    _yes("`except T as e`", "ExceptHandler", note="in its body"),
    _yes("`try`, `except*`", "TryStar", but=("suspend-under-broad-except-star",)),
    _yes("`with`", "With", "withitem"),
    _yes("`async with`", "AsyncWith"),
    _yes("`match`", "Match", "match_case", note="in the subject, the guards and the bodies"),
    _yes("inner `def`", "FunctionDef", but=_ANNOTATION, note=_INNER),
    _yes("inner `async def`", "AsyncFunctionDef", but=_ANNOTATION, note=_INNER),
    _yes(
        "inner `class`",
        "ClassDef",
        but=("suspend-in-class-body",),
        note="in decorators, bases and keywords",
    ),
    _no("suspend-in-type-scope", "`type X = …`", "TypeAlias", since="3.12"),
)

EXPRESSIONS: Final = (
    _yes("call", "Call", "keyword", note="in the callee and every argument, `*` and `**` too"),
    _yes("`await …`", "Await", but=("await-of-used-suspend",), note="also `await suspend(…)`"),
    _yes("`a and b`, `a or b`", "BoolOp"),
    _yes("`a if b else c`", "IfExp"),
    _yes("`a < b < c`", "Compare"),
    _yes("`a + b`", "BinOp"),
    _yes("`-a`, `not a`", "UnaryOp"),
    _yes("`x := …`", "NamedExpr"),
    _yes("`a.b`", "Attribute"),
    _yes("`a[b]`, `a[b:c]`", "Subscript", "Slice"),
    _yes("`*a`", "Starred"),
    _yes("`(a, b)`, `[a, b]`, `{a, b}`", "Tuple", "List", "Set"),
    _yes("`{a: b, **c}`", "Dict"),
    _yes("f-string", "JoinedStr", "FormattedValue", note="in format specifications too"),
    _yes("list, set and dict comprehension", "ListComp", "SetComp", "DictComp", "comprehension"),
    _yes(
        "generator expression",
        "GeneratorExp",
        but=("suspend-in-generator-expression",),
        note="in its first iterable; in every part if `any`, `sum`, `list` or the like takes it",
    ),
    _yes("`lambda`", "Lambda", but=("suspend-in-lambda",), note="in its defaults"),
    _yes("`yield`, `yield from`", "Yield", "YieldFrom"),
    _no("suspend-in-template-string", "t-string", "TemplateStr", "Interpolation", since="3.14"),
    _leaf("name", "Name"),
    _leaf("number, string, `None`, `True`, `...`", "Constant"),
)

PARTS: Final = (
    _yes("parameters", "arguments", "arg", but=_ANNOTATION, note="in defaults"),
    _leaf("value pattern, `None`", "MatchValue", "MatchSingleton"),
    _leaf("sequence pattern, `*rest`", "MatchSequence", "MatchStar"),
    _leaf("mapping pattern, `**rest`", "MatchMapping"),
    _leaf("class pattern", "MatchClass"),
    _leaf("capture, `_`, `as`, alternatives", "MatchAs", "MatchOr"),
    _no(
        "suspend-in-type-scope",
        "type parameters",
        "TypeVar",
        "ParamSpec",
        "TypeVarTuple",
        since="3.12",
    ),
    _leaf("`and`, `or`, `not`", "And", "Or", "Not"),
    _leaf("`+`, `-`, `~`", "UAdd", "USub", "Invert"),
    _leaf("`+ - * @ / // % **`", "Add", "Sub", "Mult", "MatMult", "Div", "FloorDiv", "Mod", "Pow"),
    _leaf("`<< >> \\| ^ &`", "LShift", "RShift", "BitOr", "BitXor", "BitAnd"),
    _leaf("`== != < <= > >=`", "Eq", "NotEq", "Lt", "LtE", "Gt", "GtE"),
    _leaf("`is`, `is not`, `in`, `not in`", "Is", "IsNot", "In", "NotIn"),
    _leaf("reading, binding, deleting", "Load", "Store", "Del"),
    _leaf("a file's tree", "Module", "Interactive", "Expression", "FunctionType"),
    _leaf("`# type: ignore`", "TypeIgnore"),
)

TABLE: Final = (*STATEMENTS, *EXPRESSIONS, *PARTS)

SUPPORT: Final[dict[str, Row]] = {node: row for row in TABLE for node in row.nodes}
"""Every class of `ast` that a tree can hold, by name."""

_START = "<!-- table: made by python -m longterm_compiler.checks.support docs/language.md -->"
_END = "<!-- end of table -->"


def table() -> str:
    """Return the table as Markdown."""
    sections = (("Statements", STATEMENTS), ("Expressions", EXPRESSIONS), ("Parts", PARTS))
    return "\n\n".join(_section(title, rows) for title, rows in sections)


def _section(title: str, rows: tuple[Row, ...]) -> str:
    head = [f"### {title}", "", "| Syntax | Nodes | A suspend inside |", "|---|---|---|"]
    return "\n".join([*head, *(_line(row) for row in rows)])


def _line(row: Row) -> str:
    syntax = f"{row.syntax} (Python {row.since})" if row.since else row.syntax
    nodes = ", ".join(f"`{node}`" for node in row.nodes)
    inside = row.inside
    verdict = f"no: {_link(inside)}" if isinstance(inside, str) else inside.value
    if row.note:
        verdict += f", {_linked(row.note)}"
    if row.but:
        verdict += f"; elsewhere no: {', '.join(_link(rule) for rule in row.but)}"
    return f"| {syntax} | {nodes} | {verdict} |"


def _linked(note: str) -> str:
    return " ".join(_link(word) if word in RULES else word for word in note.split(" "))


def _link(rule: str) -> str:
    return f"[{rule}](errors/{rule}.md)"


def with_table(page: str) -> str:
    """Return a page's text with the present table between the two markers.

    Raises:
        ValueError: the page lacks the markers.
    """
    before, start, rest = page.partition(_START)
    _, end, after = rest.partition(_END)
    if not start or not end:
        raise ValueError(f"the page has no place for the table (write {_START} and {_END})")
    return f"{before}{_START}\n\n{table()}\n\n{_END}{after}"


def main(arguments: list[str]) -> int:
    """Print the table, or write it into the pages that are named."""
    if not arguments:
        print(table())
    for name in arguments:
        page = Path(name)
        page.write_text(with_table(page.read_text("utf-8")), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
