"""Fix `suspend-in-lambda`: write an inner flow in its place.

Safe where the lambda is only given a name: `ask = lambda x: suspend(x)`. One that is handed to
something else would be called from there, which is seldom a flow: for it there is no fix.
"""

from __future__ import annotations

import libcst as cst

from longterm_compiler.fixes.place import Edit, Place

RULE = "suspend-in-lambda"


def propose(place: Place) -> Edit | None:
    """Return the edit for one place, if there is one."""
    function = place.nearest(cst.Lambda)
    flow = place.deflow_around()
    if function is None or flow is None:
        return None
    line = place.statement_of(function)
    match line:
        case cst.SimpleStatementLine(
            body=[cst.Assign(targets=[cst.AssignTarget(target=cst.Name() as name)], value=value)]
        ) if value is function:
            pass
        case _:
            return None
    returned = cst.SimpleStatementLine(
        [cst.Return(function.body)], trailing_whitespace=line.trailing_whitespace
    )
    inner = cst.FunctionDef(
        name.with_changes(lpar=(), rpar=()),
        function.params,
        cst.IndentedBlock([returned]),
        decorators=[cst.Decorator(flow[1].decorator)],
        leading_lines=line.leading_lines,
    )
    return Edit(True, {line: inner})
