"""Where compiled flows come from: the cache on disk, else the compiler, which is reached only here.

A flow is compiled from the text of its file and from what its imported names stand for; a cache
entry is used only where both are the same.
"""

from __future__ import annotations

import os
import sys
import types
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from longterm._abi import WRITTEN
from longterm._abi.verdict import Verdict
from longterm._flows.cache import Entry, ImportedName, ModuleCache, add_resume, new_entry, resume_in
from longterm._flows.compiled import FreshCode, ResumeCode
from longterm._flows.resolve import is_half_loaded, resolve, resolve_in
from longterm.errors import CompileError

if TYPE_CHECKING:
    from longterm._flows.written import WrittenFlow
    from longterm_compiler import CompiledFlow, Definition, SourceFile
    from longterm_compiler.analysis.resolve import SourceResolver

_FUTURE_FLAGS = 0x1FF0000  # the bits of co_flags that `from __future__` imports set


class SourceModule:
    """A source file that holds flows: its text as it was when they were defined, and its cache."""

    def __init__(
        self, path: str, text: bytes, name: str, package: str, namespace: dict[str, Any] | None
    ) -> None:
        """Read the cache of a text."""
        self.path = path
        self.name = name
        self.package = package
        self.cache = ModuleCache(path, text)
        self.namespace = namespace
        """What the module holds, if the text is no file but a part of it, as a notebook's cell."""
        self._source: SourceFile | None = None

    def is_of(self, text: bytes, namespace: dict[str, Any] | None) -> bool:
        """Tell whether it was made of the same text, for the same module."""
        return self.namespace is namespace and self.cache.text == text

    @property
    def source(self) -> SourceFile:
        """The parsed text, for those flows that the cache does not have."""
        if self._source is None:
            from longterm_compiler import SourceFile

            lines = self.cache.text.decode("utf-8", "surrogatepass")
            try:
                parsed = SourceFile.parse(self.path, lines)
            except (RecursionError, MemoryError):
                raise CompileError(
                    f"{self.path} is nested too deeply for Python's own parser "
                    "(give parts of its longest expression names)"
                ) from None
            self._source = parsed
            _keep(self, _parsed)
            return parsed
        return self._source

    def forget(self) -> None:
        """Let go of the tree, which is made again if it is needed."""
        self._source = None

    def resolve(self, module: str, path: tuple[str, ...]) -> Verdict:
        """Return what a name stands for that the text imports, or that another part binds."""
        return _or_by_source(self.resolve_live(module, path), module, path)

    def resolve_live(self, module: str, path: tuple[str, ...]) -> Verdict:
        """Return what such a name stands for now, though its module may be half loaded."""
        if self.namespace is not None and module == self.name and path:
            return resolve_in(self.namespace, path)
        return resolve(module, path)


class FlowLoader:
    """Loads one flow from the cache or from the compiler."""

    def __init__(self, module: SourceModule, name: str, flags: int) -> None:
        """Take the flow of a name in a module; `name` is `qualname@line`."""
        self.module = module
        self.flags = flags
        self._name = name
        self._compiled: CompiledFlow | None = None
        self._known: dict[tuple[str, tuple[str, ...]], Verdict] = {}
        """What names are taken for when it is compiled again."""
        self._entry: Entry = self._valid_entry() or self._new_entry()
        self.fresh = FreshCode(self._entry["flow"])

    @property
    def is_provisional(self) -> bool:
        """Whether a name that the flow imports is of a module that is being imported now."""
        return any(is_half_loaded(name, path) for name, path, _ in self._entry["verdicts"])

    @property
    def qualname(self) -> str:
        """The function's qualified name in its file."""
        return self._name.rpartition("@")[0]

    @property
    def first_line(self) -> int:
        """The line on which the function starts, with its decorators."""
        return int(self._name.rpartition("@")[2])

    @property
    def verdicts(self) -> list[ImportedName]:
        """What the names stand for that the flow imports."""
        found: list[ImportedName] = self._entry["verdicts"]
        return found

    def renewed(self) -> FlowLoader:
        """Return the loader to use when all modules are whole: itself, if nothing is otherwise."""
        if self._is_valid(self._entry):
            return self
        return FlowLoader(self.module, self._name, self.flags)

    def resume(self, number: int, unbound: tuple[str, ...]) -> ResumeCode:
        """Return the resume body of a point, for frames in which some live names are unbound."""
        data = resume_in(self._entry, number, unbound, self.module.path)
        if data is None:
            from longterm_compiler import resume_data

            with _compiling(self.module.path):
                data = resume_data(self._recompiled(), number, unbound)
            add_resume(self._entry, number, unbound, data)
            self.module.cache.put(self._name, self._entry)
        return ResumeCode.of(data)

    def version_as(self, name: str) -> str:
        """Return the version that the flow would have under another name."""
        with _compiling(self.module.path):
            return self._recompiled().version_as(name)

    def inner(self, qualname: str) -> FlowLoader | None:
        """Return the loader of a flow inside this one, whose definition has not run here."""
        module = self.module
        known = [name for name in module.cache.names() if name.startswith(f"{qualname}@")]
        if known:
            return FlowLoader(module, known[-1], self.flags)
        definition = module.source.find_qualname(qualname)
        if definition is None:
            return None
        return FlowLoader(module, f"{qualname}@{definition.first_line}", self.flags)

    def _valid_entry(self) -> Entry | None:
        entry = self.module.cache.get(self._name)
        if entry is None or entry["flags"] != self.flags:
            return None
        return entry if self._is_valid(entry) else None

    def _is_valid(self, entry: Entry) -> bool:
        """Tell whether imported names stand for what they did, as far as their modules are here."""
        verdicts: list[ImportedName] = entry["verdicts"]
        return all(
            self.module.resolve_live(name, path) == said or is_half_loaded(name, path)
            for name, path, said in verdicts
        )

    def _new_entry(self) -> Entry:
        from longterm_compiler import flow_data

        flow = self._compile()
        entry = new_entry(flow_data(flow), self.flags, flow.names.imported_names())
        self.module.cache.put(self._name, entry)
        return entry

    def forget(self) -> None:
        """Let go of the compilation, which is made again if it is needed."""
        self._compiled = None

    def _recompiled(self) -> CompiledFlow:
        """Return the compilation; what it takes names for is what the entry says."""
        compiled = self._compiled
        if compiled is not None:
            return compiled
        self._known = {(name, tuple(path)): Verdict(said) for name, path, said in self.verdicts}
        return self._compile()

    def _compile(self) -> CompiledFlow:
        from longterm_compiler import ModuleNames, compile_flow

        definition = find_definition(self.module, self._name)
        if definition is None:
            wanted = self._name.replace("@", " at line ")
            raise CompileError(
                f"{self.module.path} does not hold a function {wanted} "
                "(the file has changed since it was imported: start the process again, without the "
                "old byte code in __pycache__)"
            )
        module = self.module
        is_part = module.namespace is not None

        def resolved(name: str, path: tuple[str, ...]) -> Verdict:
            return self._known.get((name, path)) or module.resolve(name, path)

        names = ModuleNames(module.source, module.name, module.package, resolved, is_part)
        with _compiling(module.path):
            compiled = self._compiled = compile_flow(definition, names, self.flags)
        _keep(self, _compilations)
        return compiled


_MOST_KEPT: Final = 16
"""How many compilations, and how many parsed files, are kept for the resume bodies that may come: a
compilation takes about 0.1 MB, and some milliseconds to be made again."""
_compilations: deque[FlowLoader] = deque()
_parsed: deque[SourceModule] = deque()
"""Who keeps one, the latest last."""
K = TypeVar("K", FlowLoader, SourceModule)


def _keep(owner: K, kept: deque[K]) -> None:
    """Keep what an owner has made, and let the one that was made first be forgotten."""
    kept.append(owner)
    if len(kept) > _MOST_KEPT:
        kept.popleft().forget()


def _or_by_source(verdict: Verdict, module: str, path: tuple[str, ...]) -> Verdict:
    """Return a verdict of another module's name, by its source where it has not got it yet."""
    if verdict is Verdict.MAY and is_half_loaded(module, path):
        return _source_resolver()(module, path)
    return verdict


@contextmanager
def _compiling(path: str) -> Iterator[None]:
    """Raise what the compiler raises as errors of longterm."""
    from longterm_compiler import InternalError, NoLibcst, Refused

    try:
        yield
    except Refused as refused:
        raise CompileError(str(refused), refused.diagnostics) from None
    except NoLibcst as error:
        raise CompileError(f"cannot compile {path}: {error}") from error
    except InternalError as error:
        raise CompileError(f"internal error: {error}\n(please report it with {path})") from error


@cache
def _source_resolver() -> SourceResolver:
    from longterm_compiler.analysis.resolve import SourceResolver

    return SourceResolver(sys.path, resolve)


Compiled: TypeAlias = "CompiledFlow"
Loader: TypeAlias = "FlowLoader | WrittenFlow"
"""What loads one flow: its fresh body, its resume bodies as they are needed, the flows inside."""

_modules: dict[str, tuple[tuple[int, int], SourceModule]] = {}


def loader_of(function: types.FunctionType) -> Loader:
    """Return the loader of the flow that a function is to be.

    Raises:
        CompileError: there is no source text, or the function cannot be a flow.
    """
    code = function.__code__
    if WRITTEN in function.__globals__:
        from longterm._flows.written import written_flow

        return written_flow(function)
    module = _module_of(function)
    name = f"{code.co_qualname}@{code.co_firstlineno}"
    if hasattr(function, "__wrapped__"):
        _check_not_wrapped(function, module, name)
    return FlowLoader(module, name, code.co_flags & _FUTURE_FLAGS)


def _check_not_wrapped(function: types.FunctionType, module: SourceModule, name: str) -> None:
    """Refuse what a decorator below `@deflow` made of the author's function."""
    from longterm_compiler import ModuleNames

    definition = find_definition(module, name)
    names = ModuleNames(module.source, module.name, module.package, module.resolve)
    if definition is not None and not names.is_flow(definition.node):
        code = function.__code__
        raise CompileError(
            f"@deflow was put on what another decorator made of {function.__qualname__}: the "
            f"function {code.co_qualname} at {code.co_filename}:{code.co_firstlineno} "
            "(put @deflow directly above the def, below all other decorators)"
        )


def compile_text(
    definition: tuple[str, int],
    text: str,
    path: str,
    place: tuple[str, str, bool],
    verdicts: Iterable[ImportedName],
    flags: int,
) -> Compiled:
    """Compile one function of a text that is no module here; nothing of it is executed.

    Args:
        definition: the function's qualified name, and its first line.
        text: what stood in the file.
        path: the file, as tracebacks show it.
        place: the module and the package that it was imported as, and whether it is but a part.
        verdicts: what names stood for that the flow imports; of others it is asked what they stand
            for here.
        flags: the bits of `co_flags` that `from __future__` imports set there.

    Raises:
        CompileError: it cannot be compiled here.
    """
    from longterm_compiler import ModuleNames, SourceFile, compile_flow

    known = {(module, tuple(names)): Verdict(said) for module, names, said in verdicts}

    def resolved(module: str, names: tuple[str, ...]) -> Verdict:
        return known.get((module, names)) or _or_by_source(resolve(module, names), module, names)

    (qualname, first_line), (module, package, is_part) = definition, place
    try:
        source = SourceFile.parse(path, text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise CompileError(f"{path}, as it was then, is no text of this Python: {error}") from error
    found = source.find(qualname.rpartition(".")[2], first_line)
    if found is None:
        raise CompileError(f"{path}, as it was then, holds no {qualname} at line {first_line}")
    with _compiling(path):
        return compile_flow(found, ModuleNames(source, module, package, resolved, is_part), flags)


def find_definition(module: SourceModule, name: str) -> Definition | None:
    """Return a module's function by `qualname@line`."""
    qualname, _, line = name.rpartition("@")
    return module.source.find(qualname.rpartition(".")[2], int(line))


def _module_of(function: types.FunctionType) -> SourceModule:
    path = function.__code__.co_filename
    stamp = _stamp(path)
    known = _modules.get(path)
    if known is not None and known[0] == stamp != _NO_FILE:
        return known[1]
    text = _text(function)
    if function.__module__ is None:  # its globals have no `__name__`, as those of a bare `exec`
        raise CompileError(
            f"cannot make {function.__qualname__} a flow: its globals have no __name__, by which "
            "stores could know its module (give them one: `exec(code, {'__name__': 'shop'})`)"
        )
    namespace = function.__globals__ if stamp == _NO_FILE else None
    if known is not None and known[1].is_of(text, namespace):
        module = known[1]
    else:
        package = function.__globals__.get("__package__") or ""
        module = SourceModule(path, text, function.__module__, package, namespace)
    _modules[path] = (stamp, module)
    return module


_NO_FILE = (0, 0)
_MARK = b"\xef\xbb\xbf"  # of UTF-8
_NO_SOURCE = ("<string>", "<stdin>")  # many texts go by these names


def _stamp(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return _NO_FILE
    return (status.st_mtime_ns, status.st_size)


def _plain_text(path: str) -> bytes | None:
    """Return a file's bytes if they are its text already; else it takes more to read them.

    `linecache` is for the others; it costs as much to import as a module of flows.
    """
    if path in _NO_SOURCE:
        return None
    try:
        with open(path, "rb") as file:
            text = file.read()
    except OSError:
        return None
    # What may say how the rest is encoded: the first two lines, and a mark before them.
    head = b"".join(text.split(b"\n", 2)[:2])
    is_plain = text.endswith(b"\n") and b"\r" not in text
    return text if is_plain and b"coding" not in head and not head.startswith(_MARK) else None


def _text(function: types.FunctionType) -> bytes:
    """Return the text of a function's file as UTF-8, wherever its module was loaded from."""
    path = function.__code__.co_filename
    text = _plain_text(path)
    if text is not None:
        return text
    import linecache

    linecache.checkcache(path)  # the module may have been edited and imported again
    lines = [] if path in _NO_SOURCE else linecache.getlines(path, function.__globals__)
    if not lines:
        raise CompileError(
            f"cannot make {function.__qualname__} a flow: its source is not to be found at {path} "
            "(define flows in a module's file, not by exec or in an interactive shell)"
        )
    return "".join(lines).encode("utf-8", "surrogatepass")
