"""Fix `reserved-name`: rename the variable everywhere in the flow.

Safe for a local variable. The name of a parameter may be written by callers, and that of an inner
function or class can be seen at run time, so to rename these is unsafe.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterator

import libcst as cst

from longterm_compiler.fixes.place import Edit, Place

RULE = "reserved-name"
_PREFIX = "_lt_"


def propose(place: Place) -> Edit | None:
    """Return the edit for one place, if there is one."""
    flows = [n for n in (place.node, *place.around()) if isinstance(n, cst.FunctionDef)]
    old = _name_at(place.node)
    if not flows or old is None or not old.startswith(_PREFIX):
        return None
    uses = list(_uses(flows[-1], old))
    if not all(_is_variable(place, use) for use in uses):
        return None
    rest = old.removeprefix(_PREFIX)
    wanted = rest if rest.isidentifier() and not keyword.iskeyword(rest) else f"value_{rest}"
    new = cst.Name(place.fresh_name(wanted))
    return Edit(
        all(_is_hidden(place, use) for use in uses),
        {use: use.with_changes(value=new.value) for use in uses},
    )


def _name_at(node: cst.CSTNode) -> str | None:
    match node:
        case cst.Name(value=name):
            return name
        case cst.Param(name=cst.Name(value=name)):
            return name
        case cst.FunctionDef(name=cst.Name(value=name)) | cst.ClassDef(name=cst.Name(value=name)):
            return name
        case cst.AsName(name=cst.Name(value=name)):
            return name
        case cst.ImportAlias(asname=cst.AsName(name=cst.Name(value=name))):
            return name
        case cst.ExceptHandler(name=cst.AsName(name=cst.Name(value=name))):
            return name
        case _:
            return None


def _uses(node: cst.CSTNode, name: str) -> Iterator[cst.Name]:
    pending: list[cst.CSTNode] = [node]
    while pending:
        current = pending.pop()
        if isinstance(current, cst.Name) and current.value == name:
            yield current
        elif isinstance(current, cst.Attribute):
            pending.append(current.value)  # `x._lt_y` is no use of a variable
        else:
            pending += current.children


def _is_variable(place: Place, use: cst.Name) -> bool:
    """Tell whether a name can be renamed here: not where it is text for somebody else."""
    match place.parent(use):
        case cst.Arg(keyword=keyword_name) if keyword_name is use:
            return False
        case cst.MatchKeywordElement(key=key) if key is use:
            return False
        case cst.ImportAlias(name=imported) if imported is use:
            return False
        case cst.NameItem():  # `global` and `nonlocal`
            return False
        case _:
            return True


def _is_hidden(place: Place, use: cst.Name) -> bool:
    """Tell whether nobody outside of the flow's text can see this name."""
    holder = place.parent(use)
    if isinstance(holder, cst.Param | cst.FunctionDef | cst.ClassDef):
        return isinstance(holder, cst.Param) and holder.name is not use
    # `f"{x=}"` shows the name.
    shown = (n for n in place.around(use) if isinstance(n, cst.FormattedStringExpression))
    return not any(n.equal is not None for n in shown)
