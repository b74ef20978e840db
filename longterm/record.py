"""Records: classes of plain data, which type checkers and `dataclasses` take for dataclasses.

Importing `dataclasses` takes 10 ms, and each class of its making half of one: together more than
Python itself takes to start. A record costs next to nothing until somebody asks for what makes it a
dataclass (`dataclasses.replace`, `fields`, a dataclass derived from it); it then becomes one.
"""

from __future__ import annotations

__all__ = ["field", "record"]

TYPE_CHECKING = False  # as in `typing`, which takes its time too

if TYPE_CHECKING:
    from dataclasses import dataclass as record
    from dataclasses import field
else:

    class field:
        """A field whose default is made anew for each record."""

        def __init__(self, *, default_factory):
            """Keep what makes it."""
            self.default_factory = default_factory

    def record(*, frozen=False, kw_only=False, eq=True, init=True):
        """Make the decorated class a record; the arguments are those of `dataclass`."""

        def make(cls):
            names = tuple(cls.__annotations__)
            given = {name: vars(cls)[name] for name in names if name in vars(cls)}
            factories = {
                name: each.default_factory
                for name, each in given.items()
                if isinstance(each, field)
            }
            for name in factories:
                delattr(cls, name)
            if init:
                cls.__init__ = _init(names, given, factories, kw_only=kw_only)
            cls.__repr__ = _repr
            if eq:
                cls.__eq__ = _eq
                cls.__hash__ = _hash if frozen else None
            if frozen:
                cls.__setattr__, cls.__delattr__ = _set_frozen, _delete_frozen
            twin = _Twin(cls, given, {"frozen": frozen, "kw_only": kw_only, "eq": eq})
            cls.__dataclass_fields__ = _OfTwin(twin, "__dataclass_fields__")
            cls.__dataclass_params__ = _OfTwin(twin, "__dataclass_params__")
            cls._record_fields = names
            return cls

        return make

    def _init(names, given, factories, *, kw_only):
        defaults = {name: each for name, each in given.items() if name not in factories}
        required = frozenset(names) - given.keys()
        known = frozenset(names)
        positional = () if kw_only else names

        def __init__(self, /, *values, **named):
            # Most often all are given, in the one way or the other.
            if values and len(values) == len(positional) and not named:
                vars(self).update(zip(names, values, strict=True))
                return
            if named.keys() == known and not values:
                vars(self).update(named)
                return
            if values:
                if len(values) > len(positional):
                    raise TypeError(_excess(self, len(positional), len(values)))
                for name, value in zip(positional, values, strict=False):
                    if name in named:
                        raise TypeError(f"{_call(self)} got multiple values for argument {name!r}")
                    named[name] = value
            if not known.issuperset(named):
                name = next(each for each in named if each not in known)
                raise TypeError(f"{_call(self)} got an unexpected keyword argument {name!r}")
            if not required <= named.keys():
                missing = ", ".join(repr(name) for name in names if name in required - named.keys())
                raise TypeError(f"{_call(self)} misses a value for {missing}")
            for name, make in factories.items():
                if name not in named:
                    named[name] = make()
            vars(self).update(defaults, **named)

        return __init__

    def _call(self):
        return f"{type(self).__qualname__}.__init__()"

    def _excess(self, most, number):
        return f"{_call(self)} takes {most} positional arguments but {number} were given"

    def _values(self):
        own = vars(self)
        return tuple(own[name] for name in self._record_fields)

    def _repr(self):
        values = zip(self._record_fields, _values(self), strict=True)
        return f"{type(self).__qualname__}({', '.join(f'{n}={each!r}' for n, each in values)})"

    def _eq(self, other):
        if type(self) is not type(other):
            return NotImplemented
        return _values(self) == _values(other)

    def _hash(self):
        return hash(_values(self))

    def _set_frozen(self, name, value):
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def _delete_frozen(self, name):
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot delete field {name!r}")

    class _Twin:
        """The dataclass that a record is like; made when it is first asked for."""

        def __init__(self, cls, given, options):
            self.cls, self.given, self.options = cls, given, options
            self.made = None

        def get(self):
            if self.made is None:
                import dataclasses

                own = {
                    name: dataclasses.field(default_factory=each.default_factory)
                    if isinstance(each, field)
                    else each
                    for name, each in self.given.items()
                }
                own["__annotations__"] = self.cls.__annotations__
                own["__module__"] = self.cls.__module__
                plain = type(self.cls.__name__, (), own)
                self.made = dataclasses.dataclass(**self.options)(plain)
            return self.made

    class _OfTwin:
        """An attribute of a record's class that is the dataclass's."""

        def __init__(self, twin, name):
            self.twin, self.name = twin, name

        def __get__(self, instance, owner=None):
            return getattr(self.twin.get(), self.name)
