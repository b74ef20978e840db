"""The table of fixes, and how they are applied to a file until nothing more can be mended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Final, TypeAlias

import libcst

from longterm_compiler.analysis.names import ModuleNames
from longterm_compiler.diagnostics import Diagnostic, sort_diagnostics
from longterm_compiler.fixes import (
    annotation,
    broad_except_star,
    captured_variable,
    class_body,
    comprehension_variable,
    decorator_order,
    generator_expression,
    inner_lambda,
    plain_function,
    reserved_name,
    type_scope,
)
from longterm_compiler.fixes.place import Edit, Place
from longterm_compiler.problems import check_file
from longterm_compiler.syntax.source import SourceFile

Propose: TypeAlias = Callable[[Place], Edit | None]

_FILES: Final[Sequence[ModuleType]] = (
    annotation,
    broad_except_star,
    captured_variable,
    class_body,
    comprehension_variable,
    decorator_order,
    generator_expression,
    inner_lambda,
    plain_function,
    reserved_name,
    type_scope,
)
FIXES: Final[Mapping[str, Propose]] = {file.RULE: file.propose for file in _FILES}
"""What proposes an edit, by the name of the rule whose diagnostics it mends."""


class CannotFix(Exception):
    """Raised when a file cannot be rewritten as it is laid out; the message says why."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """What came of fixing a file."""

    text: str
    mended: tuple[Diagnostic, ...]
    """The problems that are gone, as they were shown before; several may have been one edit."""
    left: tuple[Diagnostic, ...]
    """The problems of the text as it is now."""
    unsafe: tuple[Diagnostic, ...]
    """Those of them for which there is an unsafe fix that was not asked for."""


def fix_text(names: ModuleNames, *, with_unsafe: bool = False) -> Fixed:
    """Mend what can be mended in a file, one problem after the other, the last one first.

    So an edit moves no line of a problem that is still to come. It counts only if its problem is
    gone afterwards and no other has come: a value that was moved into an inner function, say, would
    be refused there. Otherwise the text stays as it was.

    Args:
        names: the file, and what its module binds.
        with_unsafe: whether fixes are made that may change what the flow does.

    Raises:
        CannotFix: the layout of the text could not be kept.
    """
    _check_layout(names.source.text)
    mended: list[Diagnostic] = []
    unsafe: list[Diagnostic] = []
    problems = check_file(names)
    left = 0
    while left < len(problems):
        problem = problems[-1 - left]
        edited, is_refused = _try(names, problem, problems, with_unsafe=with_unsafe)
        if edited is None:
            unsafe += [problem] if is_refused else []
            left += 1
            continue
        names = edited
        mended.append(problem)
        problems = check_file(names)
        left, unsafe = 0, []
    return Fixed(names.source.text, sort_diagnostics(mended), problems, sort_diagnostics(unsafe))


def _check_layout(text: str) -> None:
    """Make sure that libcst gives back what it read; it drops a form feed before a statement."""
    try:
        is_kept = libcst.parse_module(text).code == text
    except (libcst.ParserSyntaxError, RecursionError) as error:
        raise CannotFix(f"libcst cannot read it ({error})") from None
    if not is_kept:
        raise CannotFix("its layout could not be kept (take form feeds out of it)")


def _try(
    names: ModuleNames,
    problem: Diagnostic,
    problems: Sequence[Diagnostic],
    *,
    with_unsafe: bool,
) -> tuple[ModuleNames | None, bool]:
    """Return the file without one problem, if that can be had; else whether it is only unsafe."""
    propose = FIXES.get(problem.rule)
    if propose is None:
        return None, False
    place = Place.of(problem, names)
    edit = propose(place)
    if edit is None:
        return None, False
    edited = _with_text(names, edit.apply(place.module))
    if edited is None or not _is_better(problem.rule, problems, check_file(edited)):
        return None, False
    is_wanted = edit.is_safe or with_unsafe
    return (edited, False) if is_wanted else (None, True)


def _with_text(names: ModuleNames, text: str) -> ModuleNames | None:
    """Return the same module with another text, or None if that is no Python any more."""
    try:
        source = SourceFile.parse(names.source.path, text)
    except SyntaxError:
        return None
    return ModuleNames(source, names.module, names.package, names.resolve)


def _is_better(rule: str, before: Sequence[Diagnostic], after: Sequence[Diagnostic]) -> bool:
    """Tell whether a problem of a rule is gone, and none of another rule has come."""
    old, new = (Counter(problem.rule for problem in problems) for problems in (before, after))
    if rule == plain_function.RULE:
        # Whoever calls what is a flow now suspends too; there are only so many functions.
        old[rule] = new[rule] + 1
    return new < old
