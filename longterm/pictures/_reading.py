"""A flow's picture is read from its source: the tree of the function in, its parts out.

Nothing is run. Where runs can wait the compiler has told already: each call ends at a place of its
own in the file. What is called there is looked up in the module, as far as that holds it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from longterm._abi import ASKED, AWAITED
from longterm._api import start_flow
from longterm._flows import primitives as ops
from longterm._flows.flow import Flow, StepFlow
from longterm._flows.loader import FlowLoader
from longterm._flows.registry import flow_of
from longterm._flows.resolve import function_behind
from longterm._flows.steps import step, step_behind
from longterm.errors import NoSource, NotAFlow
from longterm.pictures._parts import (
    Arm,
    Block,
    Choice,
    End,
    Jump,
    Kind,
    Loop,
    Part,
    Picture,
    Place,
    goes_on,
    is_left,
)
from longterm.pictures._words import Words, shortened

_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)


def picture_of(flow: Callable[..., Any]) -> Picture:
    """Return the picture of a flow, read from its source.

    Raises:
        NotAFlow: it is none.
        NoSource: its source is not here, as that of a module which was compiled ahead, or is nested
            too deeply.
    """
    return picture_of_flow(flow_of(flow))


def picture_of_flow(flow: Flow) -> Picture:
    """Return the picture of a flow of this process."""
    if isinstance(flow, StepFlow):
        raise NoSource(flow.name, "it is a step", "draw a flow that calls it")
    if not isinstance(flow.loader, FlowLoader):
        cause = "its module was compiled ahead"
        raise NoSource(flow.name, cause, "import it from its own source")
    source = flow.loader.module.cache.text.decode("utf-8", "surrogatepass")
    function = _function_of(flow, source)
    try:
        body = _Reader(flow, source).block(function.body)
    except RecursionError:
        cause = "it is nested too deeply"
        raise NoSource(flow.name, cause, "give parts of its longest expression names") from None
    if goes_on(body):
        body = (*body, End("end", function.end_lineno or function.lineno))
    arguments = ", ".join(argument.arg for argument in _arguments(function.args))
    title = shortened(f"{function.name}({arguments})")
    return Picture(flow.name, flow.version, title, function.lineno, body)


def _function_of(flow: Flow, source: str) -> ast.FunctionDef | ast.AsyncFunctionDef:
    """Return the function of a flow in the text of its file, from which it was compiled."""
    code = flow.original
    return next(
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, _FUNCTIONS)
        and node.name == code.co_name
        and min([node.lineno, *(each.lineno for each in node.decorator_list)])
        == code.co_firstlineno
    )


def _arguments(arguments: ast.arguments) -> Iterable[ast.arg]:
    yield from (*arguments.posonlyargs, *arguments.args)
    yield from filter(None, [arguments.vararg])
    yield from arguments.kwonlyargs
    yield from filter(None, [arguments.kwarg])


class _Reader:
    """Reads the statements of one flow."""

    def __init__(self, flow: Flow, source: str) -> None:
        code = flow.original
        local = {*code.co_varnames, *code.co_cellvars, *code.co_freevars}
        self._words = Words(flow.globals, local, source, self._is_point)
        self._text = self._words.text
        self._points: Mapping[tuple[int, int], Any] = flow.fresh.points
        self._self = code.co_varnames[0] if code.co_argcount else None
        self._owner = self._class_of(flow)

    def block(self, statements: Iterable[ast.stmt]) -> Block:
        """Return the parts of statements, one after the other."""
        return tuple(part for each in statements for part in self._statement(each))

    def _statement(self, node: ast.stmt) -> Block:
        match node:
            case ast.Return():
                text = "returns" if node.value is None else f"returns {self._text(node.value)}"
                return (*self._expression(node.value), End(shortened(text), node.lineno))
            case ast.Raise():
                text = "raises" if node.exc is None else f"raises {self._text(node.exc)}"
                found = (*self._expression(node.exc), *self._expression(node.cause))
                return (*found, End(shortened(text), node.lineno, is_error=True))
            case ast.Break() | ast.Continue():
                return (Jump(isinstance(node, ast.Break), node.lineno),)
            case ast.If():
                return (*self._expression(node.test), Choice("if", tuple(self._arms_of_if(node))))
            case ast.Match():
                return (*self._expression(node.subject), self._match(node))
            case ast.For() | ast.AsyncFor() | ast.While():
                return self._loop(node)
            case ast.Try() | ast.TryStar():
                return self._try(node)
            case ast.With() | ast.AsyncWith():
                return (*self._expressions(node.items), *self.block(node.body))
            case ast.Assign():
                return self._expressions([node.value, *node.targets])
        return self._expression(node)

    def _arms_of_if(self, node: ast.If) -> Iterable[Arm]:
        yield Arm(self._text(node.test), self.block(node.body))
        match node.orelse:
            case [ast.If() as other] if not self._expression(other.test):
                yield from self._arms_of_if(other)
            case orelse:
                yield Arm("else", self.block(orelse))

    def _match(self, node: ast.Match) -> Choice:
        arms: list[Arm] = []
        for case in node.cases:
            guard = "" if case.guard is None else f" if {self._text(case.guard)}"
            label = shortened(f"case {self._text(case.pattern)}{guard}")
            guarded = self._expression(case.guard)
            arms.append(Arm(label, (*guarded, *self.block(case.body))))
        if not _takes_all(node.cases[-1]):
            arms.append(Arm("else", ()))
        return Choice("match", tuple(arms))

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While) -> Block:
        before: Block
        if isinstance(node, ast.While):
            title, before, first = f"while {self._text(node.test)}", (), self._expression(node.test)
        else:
            title = f"for {self._text(node.target)} in {self._text(node.iter)}"
            asking = self._asking(node.iter, node, node.iter)
            before, first = self._expression(node.iter), (*asking, *self._expression(node.target))
        is_endless = isinstance(node, ast.While) and _is_true(node.test)
        loop = Loop(shortened(title), (*first, *self.block(node.body)), is_endless)
        after = self.block(node.orelse)
        if after and is_left(loop.body):  # a `break` leads past it
            after = (Choice("else", (Arm("after all rounds", after), Arm("left", ()))),)
        return (*before, loop, *after)

    def _try(self, node: ast.Try | ast.TryStar) -> Block:
        arms = [Arm("try", (*self.block(node.body), *self.block(node.orelse)))]
        for handler in node.handlers:
            caught = "" if handler.type is None else f" {self._text(handler.type)}"
            body = (*self._expression(handler.type), *self.block(handler.body))
            arms.append(Arm(shortened(f"except{caught}"), body))
        last = self.block(node.finalbody)
        if last and not any(goes_on(arm.body) for arm in arms):
            arms.append(Arm("finally", last))  # it is run all the same
            last = ()
        if len(arms) == 1:
            return (*arms[0].body, *last)
        return (Choice("try", tuple(arms)), *last)

    def _expression(self, node: ast.AST | None) -> Block:
        """Return the parts of an expression, in the order in which they are met."""
        match node:
            case None:
                return ()
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda() | ast.ClassDef():
                return self._expressions(_run_at_definition(node))
            case ast.IfExp():
                arms = (
                    Arm(self._text(node.test), self._expression(node.body)),
                    Arm("else", self._expression(node.orelse)),
                )
                return (*self._expression(node.test), Choice("if", arms))
            case ast.BoolOp(values=[first, *rest]):
                later = self._expressions(rest)
                word = "if it is true" if isinstance(node.op, ast.And) else "if it is not"
                both = Arm(word, later), Arm("else", ())
                return (*self._expression(first), Choice("if", both))
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                return self._comprehension(node)
            case ast.comprehension(iter=asked, target=target):
                asking = self._asking(asked, target, asked)
                return (*self._expression(asked), *asking, *self._expressions([target, *node.ifs]))
        inside = self._expressions(ast.iter_child_nodes(node))
        return (*inside, *self._call(node)) if isinstance(node, ast.Call) else inside

    def _expressions(self, nodes: Iterable[ast.AST | None]) -> Block:
        return tuple(part for node in nodes for part in self._expression(node))

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
    ) -> Block:
        first, *others = node.generators
        elements = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        rounds = [*first.ifs, *others, *elements]
        title = shortened(f"for {self._text(first.target)} in {self._text(first.iter)}")
        asking = self._asking(first.iter, first.target, first.iter)
        return (*self._expression(first.iter), Loop(title, (*asking, *self._expressions(rounds))))

    def _asking(self, asked: ast.expr, *starts: ast.stmt | ast.expr) -> Block:
        """Return the place where a generator may wait that is asked for a value, if it is one.

        Args:
            asked: the generator.
            starts: what begins where the point is; which of them that is depends on the Python.
        """
        for node in starts:
            point = self._points.get((node.lineno, node.col_offset))
            if point is not None and point.callee[-1] in (ASKED, AWAITED):
                title = shortened(f"may wait in {self._text(asked)}")
                return (Place(Kind.MAYBE, title, node.lineno, (), point.number),)
        return ()

    def _call(self, node: ast.Call) -> tuple[Part, ...]:
        """Return what is drawn of a call: a place where runs wait, or another run begins."""
        value = self._callee(node.func)
        if (value is ops.spawn or value is start_flow) and node.args:
            alone = ("on its own",) if value is start_flow else ()
            title = f"begins {self._text(node.args[0])}"
            return (Place(Kind.CHILD, title, node.lineno, alone),)
        point = self._points.get((node.end_lineno or 0, node.end_col_offset or 0))
        if point is None:
            return self._asking(node.args[0], node.args[0]) if node.args else ()
        kind, title, *notes = self._told(node, value)
        return (Place(kind, shortened(title), node.lineno, tuple(notes), point.number),)

    def _told(self, node: ast.Call, value: object) -> tuple[Any, ...]:
        """Return the kind of a point, its title, and notes on it."""
        given = {word.arg: word.value for word in node.keywords}
        called = self._text(node.func)
        function = function_behind(value)
        if function is ops.suspend:
            names = [shortened(self._words.event(name)) for name in node.args]
            title = f"waits for {' or '.join(names)}"
            if shortened(title) != title:  # each is to be seen
                title, *others = (f"waits for {names[0]}", *(f"or {name}" for name in names[1:]))
                return (Kind.WAIT, title, *others, *self._notes(given))
            return (Kind.WAIT, title, *self._notes(given))
        if function is ops.sleep:
            (how_long,) = node.args or [*given.values()]
            return Kind.SLEEP, f"sleeps {self._words.duration(how_long)}"
        if function is ops.gather:
            return Kind.WAIT, f"waits for all of {', '.join(map(self._text, node.args))}"
        if function is ops.checkpoint:
            return Kind.STEP, "checkpoint"
        if function is ops.call and node.args:
            return Kind.CALL, f"calls {self._text(node.args[0])}"
        if step_behind(value) is not None:
            return Kind.STEP, f"step {called}"
        if isinstance(node.func, ast.Call) and self._callee(node.func.func) is step:
            return Kind.STEP, f"step {self._text(node.func.args[0])}"
        try:
            flow_of(value)
        except NotAFlow:
            return Kind.MAYBE, f"may wait in {called}"
        return Kind.CALL, f"calls {called}"

    def _notes(self, given: Mapping[str | None, ast.expr]) -> Iterable[str]:
        """Yield what a `suspend` says beside its events."""
        if "to" in given:
            yield shortened(f"from {self._words.event(given['to'])}")
        if "expires" in given:
            if self._words.is_no_time(given["expires"]):
                yield "if it is there already"
            else:
                yield shortened(f"for {self._words.duration(given['expires'])} at most")

    def _callee(self, node: ast.expr) -> object:
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=method) if name == self._self:
                return None if self._owner is None else _method(self._owner, method)
        return self._words.value(node)

    def _is_point(self, node: ast.AST) -> bool:
        end = (getattr(node, "end_lineno", 0), getattr(node, "end_col_offset", 0))
        return (
            isinstance(node, ast.Call) and bool(node.args or node.keywords) and end in self._points
        )

    def _class_of(self, flow: Flow) -> type | None:
        """Return the class whose method a flow is."""
        path = flow.original.co_qualname.split(".")[:-1]
        found: object = flow.globals.get(path[0]) if path else None
        for name in path[1:]:
            found = vars(found).get(name) if isinstance(found, type) else None
        return found if isinstance(found, type) else None


def _run_at_definition(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef,
) -> list[ast.AST | None]:
    """Return the parts of a definition that run where it stands."""
    if isinstance(node, ast.ClassDef):
        return [*node.decorator_list, *node.bases, *node.keywords]
    decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
    return [*decorators, *node.args.defaults, *node.args.kw_defaults]


def _method(owner: type, name: str) -> object:
    return next((vars(base)[name] for base in owner.__mro__ if name in vars(base)), None)


def _takes_all(case: ast.match_case) -> bool:
    """Tell whether a case takes whatever no case before it has taken."""
    return case.guard is None and isinstance(case.pattern, ast.MatchAs) and not case.pattern.pattern


def _is_true(test: ast.expr) -> bool:
    return isinstance(test, ast.Constant) and bool(test.value)
