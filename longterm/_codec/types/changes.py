"""Instances of classes that have changed since they were stored: brought up to date, or refused.

Loaded only when the names that a class declares are not those that stand in the bytes. A field that
the class has gained gets its default; what cannot be known is refused by name, never guessed.
"""

from __future__ import annotations

from functools import partial
from types import GenericAlias
from typing import TYPE_CHECKING, Any, Final, NoReturn

from longterm._codec import names, trust
from longterm._codec.decode.decoding import Decoding
from longterm._codec.introspect import is_exactly
from longterm._codec.types.classes import KEEP
from longterm._codec.types.declared import (
    CACHED_HASH,
    MISSING,
    elements_of,
    entry_of,
    model_config_of,
)
from longterm._codec.types.fields import BOOKKEEPING, Field, fields_of
from longterm._codec.types.registered import Upgrade, acts, upgrade_of
from longterm._signals import is_of_signal
from longterm.errors import CannotLoad, NotAllowed

if TYPE_CHECKING:
    from longterm._codec.types.classes import ClassPlan

_SCALARS: Final = (type(None), bool, int, float, str, bytes)
_STEPS: Final = 10
"""How many times a field is looked at."""
_SAY: Final = "say what became of it by longterm.register_upgrade"
_FILL: Final = "fill it by longterm.register_upgrade"


class Change:
    """What has become of a class since its instances were stored."""

    def __init__(self, plan: ClassPlan, declared: tuple[str, ...] | None) -> None:
        """Compare a class with the names it declared then; None if the bytes do not say them."""
        self.plan = plan
        self.declared = declared
        self.fields = fields_of(plan.cls, plan.slots)
        self.elements = elements_of(plan.cls)
        self.upgrade = upgrade_of(plan.cls)

    def check_base(self) -> None:
        """Raise `CannotLoad` if the class is built on another builtin than it was."""
        declared, now = self.declared or (), self.plan.marker
        then = declared[0] if declared and declared[0].startswith("<") else ""
        if self.declared is not None and then != now:
            then, now = (base.strip("<>") or "object" for base in (then, now))
            self.refuse(f"it was made of {then}, and is made of {now} now", KEEP)

    def refuse(self, reason: str, hint: str, field: str | None = None) -> NoReturn:
        """Raise `CannotLoad`."""
        raise CannotLoad(self.plan.name, reason, hint, field=field)

    def settle(self, instance: object, attributes: Any, slots: Any, decoding: Decoding) -> None:
        """Give an instance what it had, as far as the class has a place for it, and what it lacks.

        Part of a cycle gets all that once everything is made, and until then what fits as it is.
        """
        plan = self.plan
        for held in (attributes, slots):
            if type(held) not in (dict, type(None)):
                raise TypeError(f"the attributes of {plan.name} have names")
        settle = partial(self._settle, instance, attributes, slots, decoding)
        if id(instance) not in decoding.placeholders:
            settle()
            return
        decoding.late[id(instance)] = settle
        if attributes is not None and plan.namespace is not None:
            plan.namespace.__set__(instance, attributes)
        for name, value in (slots or {}).items():
            if name in plan.slots:
                plan.slots[name].__set__(instance, value)

    def _settle(self, instance: object, attributes: Any, slots: Any, decoding: Decoding) -> None:
        attributes, slots = {} if attributes is None else attributes, slots or {}
        decoding.spend(_STEPS * (len(attributes) + len(slots) + len(self.fields)))
        if not all(type(name) is str for name in (*attributes, *slots)):
            raise TypeError(f"the attributes of {self.plan.name} have names")
        state = {**slots, **attributes}
        set_names, extra, private = (state.pop(name, None) for name in BOOKKEEPING)
        for more in (private, extra):
            if type(more) is dict:
                state.update((name, more[name]) for name in more if self._is_own(name, more, extra))
        given = frozenset(state)
        state = self._brought_up(state, decoding, is_content=False)
        if BOOKKEEPING[0] in self.plan.slots:
            if type(set_names) is not set:
                set_names = {
                    name
                    for name, field in self.fields.items()
                    if name in given and not field.is_private
                }
            state = self._as_model(state, set_names, extra)
        self._put(instance, state, attributes, decoding)

    def _is_own(self, name: Any, more: Any, extra: Any) -> bool:
        """Tell whether something that pydantic kept aside is an attribute now."""
        is_model = BOOKKEEPING[0] in self.plan.slots
        return type(name) is str and (more is not extra or not is_model or name in self.fields)

    def _as_model(self, state: dict[str, Any], set_names: Any, extra: Any) -> dict[str, Any]:
        """Return the state of a pydantic model, with its bookkeeping."""
        privates = {name for name, field in self.fields.items() if field.is_private}
        private = {name: value for name, value in state.items() if name in privates}
        model = {name: value for name, value in state.items() if name not in privates}
        held = extra if type(extra) is dict else {}
        extra = {name: value for name, value in held.items() if name not in self.fields}
        if not extra and model_config_of(self.plan.cls).get("extra") != "allow":
            extra = None
        bookkeeping = (set_names, extra, private if privates else None)
        return {**model, **dict(zip(BOOKKEEPING, bookkeeping, strict=True))}

    def _put(
        self,
        instance: object,
        state: dict[str, Any],
        attributes: dict[str, Any],
        decoding: Decoding,
    ) -> None:
        """Set all that an instance has."""
        plan = self.plan
        if state.pop(CACHED_HASH, None) is not None or CACHED_HASH in plan.slots:
            state[CACHED_HASH] = None
        places = {name: value for name, value in state.items() if name not in plan.slots}
        if places and plan.namespace is None:
            name = next(iter(places))
            self.refuse(f"it has no place for {name!r} any more", f"put it back, or {_SAY}", name)
        for name in state.keys() & plan.slots.keys():
            plan.slots[name].__set__(instance, state[name])
        if plan.namespace is not None:
            # The flow may hold this very dict, as `vars(instance)`.
            attributes.clear()
            attributes.update(places)
            decoding.checks.append(partial(plan.check_attributes, attributes))
            plan.namespace.__set__(instance, attributes)

    def content(self, content: tuple[Any, ...], decoding: Decoding) -> tuple[Any, ...]:
        """Return the elements of a named tuple as they stand today."""
        if not self.elements:
            return content
        if self.declared is None:
            if len(content) != len(self.elements):
                self.refuse(
                    f"it had {len(content)} elements, of which the names are not known, and has "
                    f"{len(self.elements)} now",
                    KEEP,
                )
            return content
        declared = self.declared[1 : len(content) + 1]
        if len(declared) != len(content):
            raise ValueError(f"{self.plan.name} has more elements than names")
        state = dict(zip(declared, content, strict=True))
        state = self._brought_up(state, decoding, is_content=True)
        for name in state:
            if name not in self.elements:
                hint = f"put it back, or {_SAY}"
                self.refuse(f"it has no element {name!r} any more", hint, name)
        return tuple(state[name] for name in self.elements)

    def _brought_up(
        self, state: dict[str, Any], decoding: Decoding, *, is_content: bool
    ) -> dict[str, Any]:
        """Return a state with all that the class asks for."""
        fields = {
            name: field for name, field in self.fields.items() if field.is_content is is_content
        }
        then = frozenset(state if self.declared is None else map(_bare, self.declared))
        unset = then - state.keys()
        upgrade = None if self.elements and not is_content else self.upgrade
        if upgrade is not None:
            state = self._upgraded(upgrade, state, decoding)
        missing = [
            field
            for name, field in fields.items()
            if name not in state and name not in unset and not self._may_have_lacked(field)
        ]
        if missing and upgrade is None:
            self._check_not_renamed(state, then, missing)
        for field in missing:
            if field.has_default:
                state[field.name] = self._value_of(field)
            elif not (field.is_private or field.is_on_class):
                self._refuse_missing(field)
        return state

    def _may_have_lacked(self, field: Field) -> bool:
        """Tell whether it may be that a field was unset, where the bytes do not say."""
        may_lack = field.is_plain or field.is_set_later or field.is_private
        return self.declared is None and may_lack and not field.has_default

    def _upgraded(self, upgrade: Upgrade, state: Any, decoding: Decoding) -> dict[str, Any]:
        if decoding.acts and acts(state, decoding.spend):
            raise NotAllowed(self.plan.name, "is not made of an iterator that calls a function")
        made = upgrade(dict(state))
        if type(made) is not dict or not all(type(name) is str for name in made):
            self.refuse(
                f"its upgrade returned a {type(made).__name__}",
                "let the function that register_upgrade is given return a dict of fields by name",
            )
        return made

    def _check_not_renamed(self, state: Any, then: frozenset[str], missing: list[Field]) -> None:
        gone = [
            name
            for name in state
            if name in then and name not in self.fields and entry_of(self.plan.cls, name) is MISSING
        ]
        if gone:
            now = missing[0].name
            self.refuse(
                f"it has {now!r} now, and no {gone[0]!r} any more, which may be the same",
                f"say what became of {gone[0]!r} by longterm.register_upgrade",
                now,
            )

    def _refuse_missing(self, field: Field) -> NoReturn:
        reason = f"it has gained {field.name!r}, which has no default"
        if not field.is_plain:
            hint = f"give it a default, or {_FILL}"
        elif self.plan.namespace is not None and field.name not in self.plan.slots:
            hint = f"give the class a value for it, `{field.name} = None`, or {_FILL}"
        else:
            hint = _FILL
        self.refuse(reason, hint, field.name)

    def _value_of(self, field: Field) -> Any:
        if field.is_validated:
            self._refuse_default(field, "passes validators")
        if field.factory is not MISSING:
            value = _harmless(field.factory)
            if value is None:
                self._refuse_default(field, "is made by a function that decoding does not call")
            value = self._called(value, field)
        else:
            value = field.default
            if field.is_copied and not is_exactly(value, *_SCALARS):
                value = self._copied(field)
        if field.converter is not None:
            converter = _harmless(field.converter)
            if converter is None:
                self._refuse_default(field, "passes a converter that decoding does not call")
            value = self._called(converter, field, value)
        return value

    def _called(self, function: Any, field: Field, *given: Any) -> Any:
        try:
            return function(*given)
        except Exception as error:
            if is_of_signal(error):
                raise
            self._refuse_default(field, f"cannot be made ({type(error).__name__})")

    def _copied(self, field: Field) -> Any:
        from longterm._codec import NotStorable, decode, encode

        try:
            return decode(encode(field.default))
        except NotStorable:
            self._refuse_default(field, "cannot be copied")

    def _refuse_default(self, field: Field, reason: str) -> NoReturn:
        self.refuse(
            f"it has gained {field.name!r}, whose default {reason}",
            f"give it a plain default, such as None, or {_FILL}",
            field.name,
        )


def _bare(declared: str) -> str:
    return declared.removeprefix(".")


def _harmless(factory: Any) -> Any:
    """Return what makes a default, if it is of the standard library and only computes; or None.

    That is what stored bytes may name themselves, so that it may be called for them.
    """
    if is_exactly(factory, GenericAlias):
        factory = factory.__origin__
    name = names.name_of(factory)
    if name is None or names.why_not_named(name) is not None:
        return None
    return factory if trust.origin(name.partition(":")[0]) == "standard" else None
