"""What to do instead of storing a value of a type that is not known, by the type."""

from __future__ import annotations

from typing import Final

from longterm._codec.introspect import module_of, mro_of, namespace_of, qualname_of

_OPENED: Final = "open it again after the suspend, and del it before, or register its type"
_ITERATED: Final = "go through a list of it, which can be stored"
_LOCKED: Final = "release it and del it before the suspend, and take it again after it"
_ENTERED: Final = (
    "write a class for the `with` that lets go of what it holds: with the methods __suspend__ and "
    "__resume__"
)
_AGAIN: Final = "write it again where it is needed after the suspend"
_STEP: Final = ("it is a step of a generator under way", "await it before the suspend")
_OWN_FUNCTION: Final = "use a function of your own, or a lambda in the flow"

_ROW: Final = (
    "it is a row of a database, which would come back as it is now",
    "keep its primary key, and get it again after the suspend; or register the type by its key: "
    "see docs/recipes.md",
)
_PARSED: Final = "keep its text, and parse that again after the suspend"
_FILE: Final = ("an open file belongs to a process", _OPENED)
_RECIPE: Final = "keep plain values, or register the type: see docs/recipes.md"

_BY_NAME: Final[dict[str, tuple[str, str]]] = {
    "builtins.async_generator": (
        "a generator's own frame cannot be stored",
        "make it by a function with @deflow, or go through a list of it, which can be stored",
    ),
    "builtins.async_generator_asend": _STEP,
    "builtins.async_generator_athrow": _STEP,
    "builtins.anext_awaitable": _STEP,
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
    "_weakrefset.WeakSet": ("nothing would hold what it refers to", "use a set"),
    "_thread.lock": ("a lock belongs to a process", _LOCKED),
    "_thread.RLock": ("a lock belongs to a process", _LOCKED),
    "_thread._local": ("it belongs to a thread", "keep what you need of it"),
    "_contextvars.Context": ("a context belongs to a process", "keep the values you need"),
    "_contextvars.ContextVar": ("it is known to its module only", "keep its value"),
    "types.UnionType": ("a union of types is not stored", _AGAIN),
    "typing._GenericAlias": ("only classes with classes are stored of the types of typing", _AGAIN),
    "typing._SpecialForm": ("only classes with classes are stored of the types of typing", _AGAIN),
    "typing.TypeVar": ("only classes with classes are stored of the types of typing", _AGAIN),
    "time.struct_time": ("it is written in C", "keep a tuple of it, or a datetime"),
    "os.stat_result": ("it is written in C", "keep what you need of it, such as its st_size"),
    "posix.DirEntry": ("it belongs to a process", "keep its path"),
    "nt.DirEntry": ("it belongs to a process", "keep its path"),
    "posix.ScandirIterator": ("where it stands cannot be read", "keep a list of the paths"),
    "nt.ScandirIterator": ("where it stands cannot be read", "keep a list of the paths"),
    "xml.etree.ElementTree.Element": ("it is written in C", _PARSED),
    "xml.etree.ElementTree.ElementTree": ("its elements are written in C", _PARSED),
    "email.message.Message": ("its policy is not plain data", _PARSED),
    "zipfile.ZipFile": _FILE,
    "tarfile.TarFile": _FILE,
    "shelve.Shelf": _FILE,
    "tempfile._TemporaryFileWrapper": _FILE,
    "tempfile.SpooledTemporaryFile": _FILE,
    "tempfile.TemporaryDirectory": (
        "a folder that is removed with it belongs to a process",
        "keep the path of a folder that stays",
    ),
    "threading.Thread": ("a thread belongs to a process", "join it and del it before the suspend"),
    "threading.Event": ("it belongs to a process", "make it again after the suspend"),
    "queue.Queue": ("it belongs to a process", "keep a list of what is in it"),
    "concurrent.futures._base.Future": ("it belongs to a process", "keep its result()"),
    "re.Match": (
        "what it matched is not stored",
        "keep what you need of it, such as its groups() and its span()",
    ),
    "re.Scanner": ("where it stands cannot be read", _ITERATED),
    "builtins.callable_iterator": ("where it stands cannot be read", _ITERATED),
    "builtins.memory_iterator": ("where it stands cannot be read", _ITERATED),
    "_csv.reader": ("where it stands cannot be read", _ITERATED),
    "operator.attrgetter": ("it reads attributes by name", _OWN_FUNCTION),
    "operator.methodcaller": ("it calls methods by name", _OWN_FUNCTION),
    "contextlib._GeneratorContextManager": (
        "its generator's frame cannot be stored",
        "put @deflow on its function, below @contextmanager; or write a class for the `with`: "
        "with the methods __suspend__ and __resume__",
    ),
    "contextlib._AsyncGeneratorContextManager": (
        "its generator's frame cannot be stored",
        "put @deflow on its function, below @asynccontextmanager; or write a class for the `with`: "
        "with the methods __suspend__ and __resume__",
    ),
    "contextlib.ExitStack": ("it holds functions to be called in the end", _ENTERED),
    "contextlib.AsyncExitStack": ("it holds functions to be called in the end", _ENTERED),
    "contextlib.closing": ("what it closes belongs to a process", _ENTERED),
    "contextlib.aclosing": ("what it closes belongs to a process", _ENTERED),
    "contextlib._RedirectStream": ("it has changed what belongs to a process", _ENTERED),
    "contextlib.chdir": ("it has changed what belongs to a process", _ENTERED),
    "decimal.Context": ("it belongs to a thread", "keep its precision"),
    "logging.LoggerAdapter": (
        "it holds what is not stored",
        "make it again after the suspend, of the logger, which is stored by name",
    ),
    "django.db.models.base.Model": _ROW,
    "pydantic_core._pydantic_core.ValidationError": (
        "it is an exception that is not written in Python",
        "leave the handler before the suspend with what you need, such as error.errors(); or "
        "register the type: see docs/recipes.md",
    ),
    "httpx._client.BaseClient": (
        "its connections belong to a process",
        "make it again after the suspend, or hold it at the top of a module and not in the flow",
    ),
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
    "_hashlib": ("how far it has come cannot be read", "keep its digest(), or what it digests"),
    "_sha2": ("how far it has come cannot be read", "keep its digest(), or what it digests"),
    "_blake2": ("how far it has come cannot be read", "keep its digest(), or what it digests"),
    "numpy": ("numpy's values are not known", _RECIPE),
    "pandas": ("pandas' values are not known", _RECIPE),
    "pydantic_core": ("pydantic's own types are not known", _RECIPE),
    "sqlalchemy": ("it belongs to a session or a connection", _RECIPE),
    "pytz": ("pytz makes the classes of its time zones while it runs", _RECIPE),
    "dateutil": ("a time zone of dateutil holds functions of its own", _RECIPE),
    "msgspec": ("msgspec's types are not written in Python", _RECIPE),
}
_NEVER_PLAIN: Final = frozenset(
    {
        "django.db.models.base.Model", "httpx._client.BaseClient", "pandas.core.generic.NDFrame",
        "sqlalchemy.engine.base.Connection", "sqlalchemy.engine.base.Engine",
        "sqlalchemy.orm.session.Session",
    }
)  # fmt: skip
"""Classes whose instances would be taken for plain data, and belong to a process or a database."""

UNKNOWN: Final = (
    "its class is not plain, and its type is not registered",
    "keep what it is made of and make it again after the suspend, or register its type",
)
"""What is said of a type that nothing special is known of."""


def why_never_plain(cls: type) -> tuple[str, str] | None:
    """Return why an instance is no plain data although its class looks like it, and what to do."""
    for base in mro_of(cls):
        name = f"{module_of(base)}.{qualname_of(base)}"
        if name in _NEVER_PLAIN or "__mapper__" in namespace_of(base):
            return hint_for(cls) or UNKNOWN
    return None


def hint_for(cls: type) -> tuple[str, str] | None:
    """Return why an instance of a class cannot be stored and what to do, if that is known."""
    for base in mro_of(cls)[:-1] or (object,):
        if "__mapper__" in namespace_of(base):  # of SQLAlchemy, whatever the bases are
            return _ROW
        module_name = str(module_of(base))
        name = f"{module_name}.{qualname_of(base)}"
        if name in _BY_NAME:
            return _BY_NAME[name]
        known = _BY_MODULE.get(module_name.partition(".")[0])
        if known is not None:
            return known
    return None


def recipe_for(cls: type) -> tuple[str, str] | None:
    """Return why an instance cannot be stored, if there is a recipe for its library."""
    known = hint_for(cls)
    return known if known is not None and known[1] == _RECIPE else None
