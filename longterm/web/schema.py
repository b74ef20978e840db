"""The JSON Schema of types, and of what a function takes. It knows no HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter, Signature
from typing import Any, Final

from longterm import _validation

ANYTHING: Final[dict[str, Any]] = {}
"""The schema that all values fit."""

_SCHEMAS_BY_NAME: Final = ("properties", "patternProperties", "dependentSchemas", "$defs")
"""Keywords that hold schemas under names of the author's own."""
_SCHEMAS: Final = (
    *("additionalProperties", "unevaluatedProperties", "propertyNames", "items", "contains"),
    *("prefixItems", "anyOf", "oneOf", "allOf", "not", "if", "then", "else", "contentSchema"),
)
"""Keywords that hold a schema, or a list of them; all others hold plain values."""


def schema_of(wanted: Any) -> dict[str, Any]:
    """Return the JSON Schema of a type; `{}` where anything goes, or pydantic is not installed.

    Raises:
        CannotCheck: pydantic does not know the type.
    """
    if wanted is Any or wanted is object or not _validation.is_possible():
        return dict(ANYTHING)
    return _validation.schema_of(wanted)


def schema_of_call(signature: Signature) -> dict[str, Any]:
    """Return the JSON Schema of what a function takes, as an object with an item an argument.

    Several of `*name` are a list under that name; those of `**name` are items of the object.

    Raises:
        CannotCheck: pydantic does not know a type.
    """
    properties: dict[str, Any] = {}
    required: list[str] = []
    rest: object = False
    definitions: dict[str, Any] = {}
    for name, parameter in signature.parameters.items():
        schema = _schema_of_parameter(parameter)
        schema, found = lifted(schema, f"#/$defs/{name}.")
        definitions |= {f"{name}.{key}": value for key, value in found.items()}
        if parameter.kind is Parameter.VAR_KEYWORD:
            rest = schema or True
        elif parameter.kind is Parameter.VAR_POSITIONAL:
            properties[name] = {"type": "array", "items": schema, "default": []}
        else:
            properties[name] = schema
            if parameter.default is Parameter.empty:
                required.append(name)
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": rest,
        **({"$defs": definitions} if definitions else {}),
    }


def _schema_of_parameter(parameter: Parameter) -> dict[str, Any]:
    annotation = parameter.annotation
    return dict(ANYTHING) if annotation is Parameter.empty else schema_of(annotation)


def lifted(schema: Mapping[str, Any], prefix: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a schema without its definitions, and these; references lead to where they will be.

    Args:
        schema: one that stands by itself, with its `$defs`.
        prefix: how references to its definitions will begin; then comes the name.
    """
    bare = {key: value for key, value in schema.items() if key != "$defs"}
    definitions = schema.get("$defs", {})
    return (
        _referring(bare, prefix),
        {name: _referring(value, prefix) for name, value in definitions.items()},
    )


def _referring(schema: Any, prefix: str) -> Any:
    """Return a schema with other references; plain values in it, such as defaults, stay."""
    if isinstance(schema, list):
        return [_referring(each, prefix) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "$ref":
            found[key] = _moved(value, prefix)
        elif key == "discriminator":
            mapping = {name: _moved(ref, prefix) for name, ref in value.get("mapping", {}).items()}
            found[key] = {**value, "mapping": mapping}
        elif key in _SCHEMAS_BY_NAME:
            found[key] = {name: _referring(each, prefix) for name, each in value.items()}
        else:
            found[key] = _referring(value, prefix) if key in _SCHEMAS else value
    return found


def _moved(reference: str, prefix: str) -> str:
    head, defs, name = reference.partition("#/$defs/")
    return prefix + name if defs and not head else reference
