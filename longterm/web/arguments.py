"""What a flow is called with: a JSON object in, its arguments out, each of its type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from inspect import Parameter, Signature, getdoc, signature
from typing import Any

from longterm import _validation
from longterm._flows.registry import flow_of
from longterm.errors import CannotCheck, InvalidValue
from longterm.web.refusals import InvalidArguments
from longterm.web.schema import schema_of_call


@dataclass(frozen=True)
class Offered:
    """A flow that can be started."""

    name: str
    function: Callable[..., Any]
    signature: Signature

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of its arguments, by their names."""
        return schema_of_call(self.signature)

    @cached_property
    def summary(self) -> str:
        """The first line of what its author says of it."""
        return (getdoc(self.function) or "").partition("\n")[0]

    def read(self, given: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return what to call it with.

        Raises:
            InvalidArguments: an argument is missing, unknown, or does not fit its type.
        """
        return _Reading(self, given).result()


def offered(function: Callable[..., Any]) -> Offered:
    """Return a flow as it can be started.

    Raises:
        NotAFlow: it is none.
        CannotCheck: what it takes cannot be told from its annotations.
    """
    name = flow_of(function).name
    try:
        found = Offered(name, function, signature(function, eval_str=True))
    except (NameError, SyntaxError, TypeError) as error:
        raise CannotCheck(
            f"an argument of {name}",
            f"has an annotation that means nothing at run time ({error})",
            "import what it names outside of `if TYPE_CHECKING`, or leave the annotation out",
        ) from error
    _ = found.schema  # so that a type which cannot be told is found now, and not by a request
    return found


class _Reading:
    """One reading of the arguments of a flow; all that does not fit is told at once."""

    def __init__(self, flow: Offered, given: Mapping[str, Any]) -> None:
        self._flow = flow
        self._left = dict(given)
        self._errors: list[dict[str, Any]] = []
        self._args: list[Any] = []
        self._kwargs: dict[str, Any] = {}

    def result(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        for parameter in self._flow.signature.parameters.values():
            self._read(parameter)
        for name in self._left:
            self._refuse((name,), "the flow has no such argument", "unexpected_keyword_argument")
        if self._errors:
            raise InvalidArguments(self._flow.name, self._errors)
        return tuple(self._args), self._kwargs

    def _read(self, parameter: Parameter) -> None:
        name, kind = parameter.name, parameter.kind
        if kind is Parameter.VAR_KEYWORD:
            for key in list(self._left):
                self._kwargs[key] = self._fitting(parameter, (key,), self._left.pop(key))
        elif kind is Parameter.VAR_POSITIONAL:
            values = self._left.pop(name, [])
            if isinstance(values, list):
                self._args += [
                    self._fitting(parameter, (name, place), value)
                    for place, value in enumerate(values)
                ]
            else:
                self._refuse((name,), "give a list", "list_type")
        elif name not in self._left:
            self._leave_out(parameter)
        elif kind is Parameter.KEYWORD_ONLY:
            self._kwargs[name] = self._fitting(parameter, (name,), self._left.pop(name))
        else:
            self._args.append(self._fitting(parameter, (name,), self._left.pop(name)))

    def _leave_out(self, parameter: Parameter) -> None:
        if parameter.default is Parameter.empty:
            self._refuse((parameter.name,), "the argument is missing", "missing_argument")
        elif parameter.kind is not Parameter.KEYWORD_ONLY:
            # What comes after it may be given, and is given by its position.
            self._args.append(parameter.default)

    def _fitting(self, parameter: Parameter, place: tuple[str | int, ...], value: Any) -> Any:
        wanted = parameter.annotation
        if wanted in (Parameter.empty, Any, object) or not _validation.is_possible():
            return value
        try:
            return _validation.checked(parameter.name, wanted, value)
        except InvalidValue as error:
            for each in error.errors:
                self._refuse((*place, *each["loc"]), each["msg"], each["type"])
            return None

    def _refuse(self, place: tuple[str | int, ...], message: str, kind: str) -> None:
        self._errors.append({"loc": place, "msg": message, "type": kind})
