"""How a form is drawn: the JSON Schema of a type in, a tree of fields out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from longterm.web.pages.form import BLANK, MOST_ROWS, ROOT, Choice, Field, Kind

ANYTHING: Final[dict[str, Any]] = {
    "anyOf": [{"type": "string"}, {"type": "object"}, {"type": "null"}],
    "default": "",
}
"""The schema of a value of any type: a text, unless somebody chooses otherwise."""

_MOST_FIELDS: Final = 2_000
_DEEPEST: Final = 8
_LONG: Final = 200
"""A text that may be longer than this is written in several lines."""
_LIMITS: Final = {
    "minimum": "min",
    "maximum": "max",
    "exclusiveMinimum": "min",
    "exclusiveMaximum": "max",
    "maxLength": "maxlength",
}
_FORMATS: Final[dict[str, tuple[Kind, str, str]]] = {
    # what JSON Schema calls it: kind, what HTML calls it, what helps to write it
    "date": ("date", "date", ""),
    "date-time": ("moment", "datetime-local", ""),
    "time": ("time", "time", ""),
    "duration": ("text", "text", "Such as P3D (three days) or PT90M (ninety minutes)."),
    "uuid": ("text", "text", "Such as 0190d6c8-5a3e-7cc1-b0f0-3f6a2c1de001."),
    "email": ("text", "email", ""),
    "uri": ("text", "url", ""),
    "password": ("text", "password", ""),
    "json-string": ("lines", "", "As JSON."),
}


def draw(
    schema: Mapping[str, Any],
    submitted: Mapping[str, str] | None = None,
    *,
    label: str = "Answer",
    ids: str = "field",
) -> Field:
    """Return the form for the values of a JSON Schema.

    Args:
        schema: as pydantic writes it.
        submitted: what was written into the form before, by the names of its fields; None: nothing.
        label: what the value as a whole is called, unless the schema has a title.
        ids: how the ids of its fields begin, where several forms stand in one page.
    """
    return _Drawing(schema, submitted, ids).field(dict(schema), (ROOT,), label)


def name_of(path: tuple[str, ...]) -> str:
    """Return the name of a field by where its value stands."""
    return "/".join(part.replace("~", "~0").replace("/", "~1").replace("#", "~2") for part in path)


class _Drawing:
    """Draws the fields of one form."""

    def __init__(
        self, schema: Mapping[str, Any], submitted: Mapping[str, str] | None, ids: str
    ) -> None:
        self._ids = ids
        self._definitions: Mapping[str, Any] = schema.get("$defs", {})
        self._submitted = submitted
        self._drawn = 0
        self._doubts = 0
        # The types that are being drawn: one inside of itself is drawn in rows, which are added one
        # by one, and elsewhere written as JSON, since it has no end.
        self._open: list[object] = []

    def field(
        self,
        schema: dict[str, Any],
        path: tuple[str, ...],
        label: str,
        *,
        default: Any = BLANK,
        is_required: bool = True,
    ) -> Field:
        """Draw a field, with all inside of it."""
        reference = schema.get("$ref", self._drawn)
        label = str(schema.get("title") or label)
        schema = self._resolved(schema)
        self._drawn += 1
        drawn = Field(
            name_of(path),
            "json",
            label,
            help=str(schema.get("description") or ""),
            is_required=is_required,
            default=schema.get("default", default),
            id=f"{self._ids}-{self._drawn}",
            is_in_doubt=self._doubts > 0,
        )
        if len(path) > _DEEPEST or self._drawn > _MOST_FIELDS or reference in self._open:
            return self._written(drawn, drawn.default)
        self._open.append(reference)
        try:
            alternatives = schema.get("anyOf") or schema.get("oneOf")
            if isinstance(alternatives, list):
                return self._union(drawn, alternatives, path)
            return self._of_one(drawn, schema, path)
        finally:
            self._open.pop()

    def _of_one(self, drawn: Field, schema: dict[str, Any], path: tuple[str, ...]) -> Field:
        """Draw a field of what is no union."""
        if isinstance(values := schema.get("enum"), list):
            return self._choice(drawn, values)
        if "const" in schema:
            return self._choice(drawn, [schema["const"]])
        match schema.get("type"):
            case "boolean":
                return self._choice(drawn, [True, False])
            case "null":
                drawn.kind = "nothing"
                return drawn
            case "integer" | "number" as kind:
                drawn.kind = kind
                drawn.limits = _limits(schema)
                return self._written(drawn, drawn.default)
            case "string":
                return self._text(drawn, schema)
            case "object" if isinstance(schema.get("properties"), dict):
                return self._perhaps(drawn, schema, path)
            case "array" if isinstance(schema.get("prefixItems"), list):
                return self._perhaps(drawn, schema, path)
            case "array" if isinstance(schema.get("items"), dict):
                return self._rows(drawn, schema, path)
        return self._written(drawn, drawn.default)

    def _text(self, drawn: Field, schema: dict[str, Any]) -> Field:
        kind, drawn.input_type, advice = _FORMATS.get(
            schema.get("format", ""), ("text", "text", "")
        )
        is_short = "format" in schema or schema.get("maxLength", _LONG) <= _LONG
        is_whole = drawn.name == ROOT and "maxLength" not in schema and "format" not in schema
        drawn.kind = kind if is_short and not is_whole else "lines"
        drawn.help = drawn.help or advice
        drawn.limits = _limits(schema)
        drawn = self._written(drawn, drawn.default)
        if drawn.kind == "moment":
            drawn.zone = self._asked(f"{drawn.name}#zone") or ""
            drawn.text = drawn.text.removesuffix("Z")
        return drawn

    def _written(self, drawn: Field, default: Any) -> Field:
        """Put into a field what was submitted, or its default where it was not there to fill in."""
        submitted = self._asked(drawn.name)
        if submitted is not None:
            drawn.text = submitted
        elif default is not BLANK and default is not None:
            is_text = isinstance(default, str) and drawn.kind != "json"
            drawn.text = default if is_text else json.dumps(default, ensure_ascii=False)
        return drawn

    def _choice(self, drawn: Field, values: list[Any]) -> Field:
        drawn.kind = "choice"
        drawn = self._written(drawn, BLANK)
        if self._asked(drawn.name) is None and drawn.has_default and drawn.default in values:
            drawn.text = _exact(drawn.default)
        drawn.choices = [
            Choice(_exact(value), _spoken(value), value, _exact(value) == drawn.text)
            for value in values
        ]
        return drawn

    def _perhaps(self, drawn: Field, schema: dict[str, Any], path: tuple[str, ...]) -> Field:
        """Draw a group; where it may be left out and nobody knows what it is then, ask whether."""
        if drawn.is_required or isinstance(drawn.default, dict | list):
            return self._group(drawn, schema, path)
        inner = {name: value for name, value in schema.items() if name != "default"}
        return self._either(drawn, [{"unsaid": True}, inner], path)

    def _group(self, drawn: Field, schema: dict[str, Any], path: tuple[str, ...]) -> Field:
        drawn.kind = "group"
        items = schema.get("prefixItems")
        drawn.is_tuple = items is not None
        named = (
            {str(number): item for number, item in enumerate(items)}
            if isinstance(items, list)
            else schema["properties"]
        )
        required = set(named) if drawn.is_tuple else set(schema.get("required", ()))
        given = drawn.default
        if isinstance(given, list):
            given = {str(number): value for number, value in enumerate(given)}
        for name, part in named.items():
            default = given.get(name, BLANK) if isinstance(given, dict) else BLANK
            label = f"Part {int(name) + 1}" if drawn.is_tuple else _as_words(name)
            drawn.keys.append(name)
            drawn.parts.append(
                self.field(
                    part, (*path, name), label, default=default, is_required=name in required
                )
            )
        return drawn

    def _rows(self, drawn: Field, schema: dict[str, Any], path: tuple[str, ...]) -> Field:
        drawn.kind = "rows"
        given = drawn.default if isinstance(drawn.default, list) else []
        is_new = self._asked(f"{drawn.name}#rows") is None
        if is_new and (self._submitted is None or self._submitted.get("#add") != drawn.name):
            least = min(int(schema.get("minItems", 0)), MOST_ROWS)
            numbers = [str(number) for number in range(max(least, len(given)))]
        else:
            numbers = self._numbers(drawn.name)
        drawn.keys = numbers[:MOST_ROWS]
        outside, self._open = self._open, []
        for place, number in enumerate(drawn.keys):
            default = given[place] if is_new and place < len(given) else BLANK
            row = self.field(schema["items"], (*path, number), f"Row {place + 1}", default=default)
            drawn.parts.append(row)
        self._open = outside
        drawn.text = " ".join(drawn.keys)
        return drawn

    def _numbers(self, name: str) -> list[str]:
        """Return the numbers of the rows that were submitted, once one is added or removed."""
        assert self._submitted is not None
        written = self._submitted.get(f"{name}#rows", "").split()
        numbers = [number for number in dict.fromkeys(written) if _is_number(number)]
        if self._submitted.get("#add") == name and len(numbers) < MOST_ROWS:
            numbers.append(str(max(map(int, numbers), default=-1) + 1))
        removed = self._submitted.get("#remove", "")
        return [number for number in numbers if f"{name}/{number}" != removed]

    def _union(self, drawn: Field, alternatives: list[Any], path: tuple[str, ...]) -> Field:
        kinds = [each for each in alternatives if isinstance(each, dict)]
        kinds = [each for each in kinds if self._resolved(each).get("type") != "null"]
        drawn.is_nullable = len(kinds) < len(alternatives)
        if [each.get("type") for each in kinds] == ["number", "string"]:
            kinds = kinds[1:]  # a Decimal, which a number of JSON need not hold exactly
        others = list(map(self._resolved, kinds))
        if len(others) == 1 and _is_plain(others[0]):
            return self._of_one(drawn, others[0], path)
        if others and all("const" in each or "enum" in each for each in others):
            values = [v for each in others for v in each.get("enum", [each.get("const")])]
            return self._choice(drawn, values)
        if drawn.is_nullable:
            kinds.insert(0, {"type": "null"})
        elif not drawn.is_required and not drawn.has_default:
            kinds.insert(0, {"unsaid": True})
        return self._either(drawn, kinds, path)

    def _either(self, drawn: Field, kinds: list[dict[str, Any]], path: tuple[str, ...]) -> Field:
        drawn.kind = "either"
        drawn.keys = [str(number) for number in range(len(kinds))]
        drawn.text = self._asked(f"{drawn.name}#which") or ""
        chosen = _first_that_fits(list(map(self._resolved, kinds)), drawn.default)
        if not drawn.text and chosen is not None:
            drawn.text = str(chosen)
        self._doubts += 1
        for number, kind in zip(drawn.keys, kinds, strict=True):
            label = _kind_label(self._resolved(kind))
            if "unsaid" in kind:
                self._drawn += 1
                part = Field(
                    name_of((*path, number)), "unsaid", label, id=f"{self._ids}-{self._drawn}"
                )
            else:
                default = drawn.default if number == drawn.text else BLANK
                part = self.field(kind, (*path, number), label, default=default)
            drawn.parts.append(part)
            drawn.choices.append(Choice(number, part.label, is_chosen=number == drawn.text))
        self._doubts -= 1
        return drawn

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return a schema in full, where it refers to another."""
        for _ in range(_DEEPEST):
            reference = schema.get("$ref")
            single = schema.get("allOf")
            if isinstance(single, list) and len(single) == 1:
                inner = single[0]
            elif isinstance(reference, str):
                inner = self._definitions.get(reference.removeprefix("#/$defs/"), {})
            else:
                break
            own = {k: v for k, v in schema.items() if k not in ("$ref", "allOf", "$defs")}
            schema = {**inner, **own}
        return schema

    def _asked(self, name: str) -> str | None:
        return None if self._submitted is None else self._submitted.get(name)


def _limits(schema: Mapping[str, Any]) -> dict[str, str]:
    return {_LIMITS[name]: str(schema[name]) for name in _LIMITS if name in schema}


def _is_plain(schema: dict[str, Any]) -> bool:
    """Whether a blank field can stand for None: of what is written in one field."""
    return "enum" in schema or "const" in schema or schema.get("type") not in ("object", "array")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= len(str(MOST_ROWS)) + 2


def _exact(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _as_words(name: str) -> str:
    words = name.replace("_", " ").strip()
    return f"{words[:1].upper()}{words[1:]}" or name


def _spoken(value: Any) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_JSON_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "array": (list,),
    "object": (dict,),
}
_KIND_LABELS: Final = {
    "null": "Nothing",
    "boolean": "Yes or no",
    "integer": "A whole number",
    "number": "A number",
    "string": "A text",
    "array": "A list",
    "object": "As JSON",
}


def _first_that_fits(kinds: list[dict[str, Any]], value: Any) -> int | None:
    """Return which of several kinds a default is of; None if it is of none."""
    for number, kind in enumerate(kinds):
        if value is BLANK:
            if "unsaid" in kind:
                return number
            continue
        if type(value) in _JSON_TYPES.get(str(kind.get("type")), ()):
            return number
    return None


def _kind_label(schema: dict[str, Any]) -> str:
    if "unsaid" in schema:
        return "Leave it out"
    return str(schema.get("title") or _KIND_LABELS.get(str(schema.get("type")), "Something else"))
