"""What to do instead of storing a value of a type that is not known, by the type."""

from __future__ import annotations

from typing import Final

from longterm._codec.introspect import module_of, mro_of, qualname_of

_OPENED: Final = "open it again after the suspend, and del it before, or register its type"
_ITERATED: Final = "go through a list of it, which can be stored"
_LOCKED: Final = "release it and make it again after the suspend, or keep it at the top of a module"

_BY_NAME: Final[dict[str, tuple[str, str]]] = {
    "builtins.generator": ("a generator's own frame cannot be stored", _ITERATED),
    "builtins.async_generator": ("a generator's own frame cannot be stored", _ITERATED),
    "builtins.coroutine": (
        "a coroutine's own frame cannot be stored",
        "await it before the suspend",
    ),
    "builtins.frame": ("a native frame cannot be stored", "keep what you need of it"),
    "builtins.code": ("code is never stored", "keep the function that it belongs to"),
    "builtins.object": (
        "a bare object is nothing but its identity",
        "use a member of an Enum; or, in a flow, hold it under a name at the top of the flow's "
        "module",
    ),
    "builtins.super": ("it is half of a call", "call super() where it is needed"),
    "builtins.property": ("a property belongs to a class", "keep the class or the instance"),
    "weakref.ReferenceType": ("nothing would hold what it refers to", "keep the value itself"),
    "weakref.ProxyType": ("nothing would hold what it refers to", "keep the value itself"),
    "weakref.WeakKeyDictionary": ("nothing would hold what it refers to", "use a dict"),
    "weakref.WeakValueDictionary": ("nothing would hold what it refers to", "use a dict"),
    "weakref.WeakSet": ("nothing would hold what it refers to", "use a set"),
    "_thread.lock": ("a lock belongs to a process", _LOCKED),
    "_thread.RLock": ("a lock belongs to a process", _LOCKED),
    "_thread._local": ("it belongs to a thread", "keep what you need of it"),
    "_contextvars.Context": ("a context belongs to a process", "keep the values you need"),
    "_contextvars.ContextVar": ("it is known to its module only", "keep its value"),
    "itertools.groupby": ("where it stands cannot be read", _ITERATED),
    "itertools.batched": ("where it stands cannot be read", _ITERATED),
    "itertools._tee": ("where it stands cannot be read", _ITERATED),
}
_BY_MODULE: Final[dict[str, tuple[str, str]]] = {
    "_io": ("an open file belongs to a process", _OPENED),
    "socket": ("a socket belongs to a process", _OPENED),
    "_socket": ("a socket belongs to a process", _OPENED),
    "ssl": ("a connection belongs to a process", _OPENED),
    "sqlite3": ("a connection belongs to a process", _OPENED),
    "psycopg": ("a connection belongs to a process", _OPENED),
    "threading": ("it belongs to a process", _LOCKED),
    "multiprocessing": ("it belongs to a process", _LOCKED),
    "asyncio": ("it belongs to an event loop", "make it again after the suspend"),
    "_asyncio": ("it belongs to an event loop", "make it again after the suspend"),
    "subprocess": ("a child process belongs to a process", "wait for it before the suspend"),
    "numpy": ("arrays are not known", "keep a list, or register the type with its tobytes"),
    "pandas": ("frames of data are not known", "keep its records, or register the type"),
}
UNKNOWN: Final = (
    "its class is not plain, and its type is not registered",
    "keep what it is made of and make it again after the suspend, or register its type",
)
"""What is said of a type that nothing special is known of."""


def hint_for(cls: type) -> tuple[str, str] | None:
    """Return why an instance of a class cannot be stored and what to do, if that is known."""
    for base in mro_of(cls)[:-1] or (object,):
        module_name = str(module_of(base))
        name = f"{module_name}.{qualname_of(base)}"
        if name in _BY_NAME:
            return _BY_NAME[name]
        known = _BY_MODULE.get(module_name.partition(".")[0])
        if known is not None:
            return known
    return None
