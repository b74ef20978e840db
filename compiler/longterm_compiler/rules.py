"""The closed table of rules by which a flow is refused: a name, and what is said.

A rule is named after the bad thing. Its words are templates; `Rule.at` fills them for one place.
Every rule has a page in `docs/errors/` and a case in `fixtures/rejected/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from longterm_compiler.diagnostics import Diagnostic, Span


@dataclass(frozen=True, slots=True)
class Rule:
    """Why something in a flow is refused, in words that `{names}` are put into."""

    name: str
    message: str
    label: str
    note: str
    help: str

    def at(self, path: str, span: Span, **values: object) -> Diagnostic:
        """Return the diagnostic of this rule for one place."""
        words = (self.message, self.label, self.note, self.help)
        message, label, note, help_ = (template.format(**values) for template in words)
        return Diagnostic(path, span, self.name, message, label, note, help_)


_SUSPENDS = "this call suspends"

SUSPEND_IN_GENERATOR_EXPRESSION: Final = Rule(
    "suspend-in-generator-expression",
    "a generator expression cannot suspend",
    _SUSPENDS,
    "a generator's own frame cannot be stored",
    "use a list comprehension, which may suspend, or a `for` loop",
)
SUSPEND_IN_LAMBDA: Final = Rule(
    "suspend-in-lambda",
    "a lambda cannot suspend",
    _SUSPENDS,
    "only the frame of a flow can be stored, and a lambda cannot be a flow",
    "write an inner function and put `@deflow` on it",
)
SUSPEND_IN_CLASS_BODY: Final = Rule(
    "suspend-in-class-body",
    "a class body cannot suspend",
    _SUSPENDS,
    "a class that is half made cannot be stored",
    "give the value another name before the `class` statement, and use that name in its body",
)
SUSPEND_IN_PLAIN_FUNCTION: Final = Rule(
    "suspend-in-plain-function",
    "the plain function `{name}` cannot suspend",
    _SUSPENDS,
    "only the frame of a flow can be stored, and `{name}` is none",
    "put `@deflow` on `{name}`",
)
SUSPEND_UNDER_BROAD_EXCEPT_STAR: Final = Rule(
    "suspend-under-broad-except-star",
    "a `try` with `except* BaseException` cannot suspend",
    _SUSPENDS,
    "a suspend unwinds the stack as an exception does, and this clause would catch it",
    "catch `Exception`, or write `except BaseException` without the star",
)
SUSPEND_IN_ANNOTATION: Final = Rule(
    "suspend-in-annotation",
    "an annotation cannot suspend",
    _SUSPENDS,
    "when an annotation is evaluated, if it ever is, depends on the version of Python",
    "give the value a name in a statement before, and write that name here",
)
SUSPEND_IN_TYPE_SCOPE: Final = Rule(
    "suspend-in-type-scope",
    "a type alias or type parameter cannot suspend",
    _SUSPENDS,
    "it is evaluated later, when it is first looked at, in a frame that cannot be stored",
    "give the value a name in a statement before, and write that name here",
)
SUSPEND_IN_TEMPLATE_STRING: Final = Rule(
    "suspend-in-template-string",
    "a template string cannot suspend",
    "this call may suspend",
    "a suspend inside a template string is not supported yet",
    "give the value a name in the line before, and write that name here",
)
AWAIT_OF_USED_SUSPEND: Final = Rule(
    "await-of-used-suspend",
    "this `{name}` cannot be awaited, since its value is used before the `await`",
    "the value of this call is tested or bound first",
    "`{name}` has waited when it returns, and what it returns is no awaitable",
    "leave out the `await`, and put one right before each part that is awaitable",
)
STEP_WITHOUT_AWAIT: Final = Rule(
    "step-without-await",
    "the step `{name}` is an `async def`, and the flow `{flow}` is none",
    "this call returns a coroutine that nothing can await here",
    "a step that is an `async def` runs when it is awaited, in an event loop",
    "make the flow an `async def` and `await` the step, or make the step a plain `def`",
)
RESERVED_NAME: Final = Rule(
    "reserved-name",
    "the name `{name}` is reserved for the compiler",
    "this name",
    "a flow's compiled code keeps its own values under such names",
    "choose a name that does not begin with `{prefix}`",
)
IMPLICIT_SCOPE: Final = Rule(
    "implicit-scope",
    "`{name}` cannot be used in a flow",
    "this call uses the flow's variables as a whole",
    "of these variables only those are kept across a suspend that the flow's text names",
    "{instead}",
)
FRAME_ACCESS: Final = Rule(
    "frame-access",
    "`{name}` cannot be used in a flow",
    "this call returns frames of the running process",
    "after a suspend the flow goes on in another frame, often in another process",
    "pass on the value that you would look for in the frame",
)
CAPTURE_FROM_PLAIN_FUNCTION: Final = Rule(
    "capture-from-plain-function",
    "the flow `{flow}` uses `{name}` of the plain function around it after a suspend",
    "used here, after the suspend in line {line}",
    "the variable lives in this process only: `{outer}` is no flow, so its frame is not stored",
    "pass `{name}` to the flow as an argument, or put `@deflow` on `{outer}`",
)
CAPTURED_COMPREHENSION_VARIABLE: Final = Rule(
    "captured-comprehension-variable",
    "a lambda cannot capture `{name}`, the variable of a comprehension that suspends",
    "this lambda uses `{name}`",
    "the comprehension becomes a loop of the flow, whose variable is one for all its runs",
    "give the lambda the value as a default: `lambda {name}={name}: …`",
)
DECORATOR_ORDER: Final = Rule(
    "decorator-order",
    "`@deflow` is above `@{name}`",
    "this decorator comes between `@deflow` and the function",
    "`@deflow` needs the function itself, and here it is given what `@{name}` made of it",
    "{instead}",
)
TOO_DEEP: Final = Rule(
    "too-deep",
    "the flow `{name}` is nested too deeply",
    "this is as deep as the compiler goes",
    "nesting is limited to {limit} levels: {reason}",
    "give intermediate results names, or move parts into functions of their own",
)
TOO_MANY_NESTED_BLOCKS: Final = Rule(
    "too-many-nested-blocks",
    "the flow `{name}` has too many blocks inside each other",
    "the innermost blocks stand here",
    "Python allows 20 nested blocks, and a `try` or `with` that suspends counts as several",
    "move the inner blocks into a flow of their own",
)

RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {value.name: value for value in list(vars().values()) if isinstance(value, Rule)}
)
"""Every rule by its name, in the order of this file."""
