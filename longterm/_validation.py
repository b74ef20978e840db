"""Whether a value is of a type: asked of pydantic, which is imported when the first type is met.

It makes of plain data what the type says (a dict becomes a model or a dataclass, "5" becomes 5), by
its own rules: https://docs.pydantic.dev/latest/concepts/conversion_table/. A class that it does not
know takes its instances.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, get_origin

from longterm.errors import CannotCheck, InvalidValue

if TYPE_CHECKING:
    import pydantic

_REMEMBERED: Final = 1_000
"""How many types keep what was made for them, which takes about a millisecond."""


@cache
def is_possible() -> bool:
    """Return whether pydantic 2 is installed here; imports it."""
    try:
        import pydantic
    except ImportError:
        return False
    return hasattr(pydantic, "TypeAdapter")


def check_possible(wanted: Any) -> None:
    """Make sure that values of a type can be checked here.

    Raises:
        CannotCheck: pydantic is not installed.
    """
    if not is_possible():
        raise CannotCheck(
            title_of(wanted),
            "needs pydantic 2, which is not installed",
            "pip install 'longterm[pydantic]'",
        )


def checked(event_id: str, wanted: Any, value: Any) -> Any:
    """Return the value of an event as its type has it.

    Raises:
        InvalidValue: it does not fit.
        CannotCheck: there is no telling here.
    """
    from pydantic import ValidationError

    adapter = adapter_of(wanted)
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
    # Not inside of the handler: what pydantic says of its own accord shows the value.
    raise InvalidValue(event_id, title_of(wanted), found)


def adapter_of(wanted: Any) -> pydantic.TypeAdapter[Any]:
    """Return what checks values of a type.

    Raises:
        CannotCheck: pydantic is not installed, or does not know the type.
    """
    check_possible(wanted)
    try:
        hash(wanted)
    except TypeError:  # such as `Annotated[int, []]`
        return _adapter_of(wanted, "")
    # Types that are equal need not be one: `int | str` and `str | int` try their parts in order.
    return _remembered_adapter(wanted, "" if isinstance(wanted, type) else repr(wanted))


def _adapter_of(wanted: Any, _: str) -> pydantic.TypeAdapter[Any]:
    from pydantic import (
        PydanticSchemaGenerationError,
        PydanticUndefinedAnnotation,
        PydanticUserError,
        TypeAdapter,
    )

    if isinstance(wanted, str):
        raise CannotCheck(title_of(wanted), "is a text", "give the type itself")
    try:
        try:
            adapter: TypeAdapter[Any] = TypeAdapter(wanted)
        except PydanticSchemaGenerationError as error:
            if not isinstance(wanted, type) and get_origin(wanted) is None:
                raise
            adapter = _adapter_with_classes(wanted, error)
        adapter.rebuild(raise_errors=True)  # of a model that names another which is not there yet
    except (PydanticUserError, PydanticUndefinedAnnotation) as error:
        raise CannotCheck(
            title_of(wanted),
            f"is no type that pydantic knows: {str(error).partition(chr(10))[0]}",
            "give a class, or a type made of classes such as list[Order] or Literal['yes', 'no']",
        ) from error
    return adapter


def _adapter_with_classes(wanted: Any, error: Exception) -> pydantic.TypeAdapter[Any]:
    """Return what checks values of a type with classes in it that take their instances."""
    from pydantic import ConfigDict, PydanticUserError, TypeAdapter

    try:
        return TypeAdapter(wanted, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError:  # such as of a model, which has a configuration of its own
        raise error from None


_remembered_adapter: Final = lru_cache(_REMEMBERED)(_adapter_of)


def title_of(wanted: Any) -> str:
    """Return a type for people, as its author wrote it, or shorter."""
    text = wanted.__qualname__ if isinstance(wanted, type) else repr(wanted)
    return text.replace("typing.", "")


def schema_of(wanted: Any) -> dict[str, Any]:
    """Return the JSON Schema of a type; `{}`, which takes anything, for what JSON has no form for.

    Raises:
        CannotCheck: pydantic is not installed, or does not know the type.
    """
    import json

    adapter = adapter_of(wanted)
    schema: dict[str, Any] = json.loads(_schema_as_text(adapter))
    return schema


@lru_cache(_REMEMBERED)
def _schema_as_text(adapter: pydantic.TypeAdapter[Any]) -> str:
    import json

    from pydantic.json_schema import GenerateJsonSchema

    class Schema(GenerateJsonSchema):
        """One that has `{}` for what JSON has no form for, and warns of nothing."""

        ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012

        def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> dict[str, Any]:
            return {}

    try:
        schema = adapter.json_schema(schema_generator=Schema)
        return json.dumps(schema, allow_nan=False)
    except (TypeError, ValueError):  # such as a limit that is infinite
        return "{}"
