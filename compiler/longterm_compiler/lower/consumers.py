"""Lower a generator expression with a suspend inside, given to a builtin, to the loop that it is.

    ok = any(ask(q) for q in qs)        _lt_iter1 = __longterm__.iter(qs)
                                        _lt_found1 = False
                                        for _lt_q1 in __longterm__.rest(_lt_iter1):
                                            try:
                                                _lt_item1 = ask(_lt_q1)
                                            except __longterm__.StopIteration as _lt_error1:
                                                raise __longterm__.in_generator() from _lt_error1
                                            if _lt_item1:
                                                _lt_found1 = True
                                                break
                                        ok = _lt_found1

What the builtin does with an element is done before the next one is computed, as the builtin does
it. `list`, `tuple`, `sorted` and `str.join` collect all first, and so does the loop. A
`StopIteration` that comes out of an element is a `RuntimeError` in a generator (PEP 479).
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from longterm._abi import SMALL
from longterm_compiler.analysis.consumers import JOIN
from longterm_compiler.analysis.scope import comprehension_variables
from longterm_compiler.lower.context import Lowering, Out
from longterm_compiler.lower.iterators import iterator_of
from longterm_compiler.lower.renames import copy_renamed
from longterm_compiler.syntax.build import NOWHERE, assign, at, call, changed, load, runtime, store


@dataclass(slots=True, eq=False)
class _Call:
    """A call of a builtin with a generator expression, while it is lowered."""

    low: Lowering
    node: ast.Call
    generator: ast.GeneratorExp
    function: ast.expr
    others: list[ast.expr]
    """The arguments after the generator expression, evaluated."""
    keywords: dict[str, ast.expr]
    """The arguments by name, evaluated."""

    def fresh(self, holds: str) -> str:
        return self.low.names.fresh(holds)

    def made_of(self, argument: ast.expr, *others: ast.expr, **named: ast.expr) -> ast.Call:
        """Return a call of the builtin itself."""
        keywords = [ast.keyword(name, value) for name, value in named.items()]
        return ast.Call(self.function, [argument, *others], keywords)


@dataclass(slots=True, eq=False)
class _Consumer:
    """What a builtin does with the elements that it is given."""

    begin: Out
    """Before the first one."""
    take: Callable[..., Out]
    """With each one, by the name of what it is, or by the names of its parts."""
    result: ast.expr
    """In the end."""
    done: str | None = None
    """The name of what is true when no further element is taken; the loop is left then."""
    parts: tuple[tuple[str, ast.expr], ...] = ()
    """What is evaluated of each element, if that is not the element as a whole."""


_Making: TypeAlias = Callable[[_Call], _Consumer]


def lower_consumed(low: Lowering, node: ast.Call, out: Out) -> ast.expr | None:
    """Lower a call of a builtin with a suspend in its generator expression; None for others."""
    node = _as_expression(low, node)
    generator = node.args[0] if node.args else None
    if not isinstance(generator, ast.GeneratorExp):
        return None
    name = low.suspensions.consumers.get(generator)
    if name is None or not low.suspensions.rounds_may_suspend(generator):
        return None
    made, iterator = _evaluate_operands(low, node, generator, out)
    consumer = _CONSUMERS[name](made)
    out += [at(node, statement) for statement in consumer.begin]
    loop = _Loops(made, consumer).loop(0, iterator)
    low.suspensions.mark(loop)
    out += low.block([loop])
    is_made = not isinstance(consumer.result, ast.Name)
    return at(node if is_made else NOWHERE, consumer.result)


def _as_expression(low: Lowering, node: ast.Call) -> ast.Call:
    """Return a call that takes a generator apart which may suspend inside, with an expression.

    list(answers(qs))       list(item for item in answers(qs))
    """
    name = low.suspensions.asks.get(node)
    if name is None:
        return node
    first, *others = node.args
    rounds = ast.comprehension(store("item"), first, [], 0)
    generator = at(first, ast.GeneratorExp(load("item"), [rounds]))
    low.suspensions.asks[rounds] = ""
    low.suspensions.consumers[generator] = name
    return changed(node, args=[generator, *others])


def _evaluate_operands(
    low: Lowering, node: ast.Call, generator: ast.GeneratorExp, out: Out
) -> tuple[_Call, ast.Name]:
    """Evaluate all that Python does before the builtin begins: the iterator, other arguments."""
    function = node.func
    if isinstance(function, ast.Attribute) and not low.is_late_bound(function):
        text = low.expression(function.value, out)
        function = changed(function, value=low.spill_unless_stable(text, [generator], out))
    first = generator.generators[0].iter
    iterator = low.spill("iter", iterator_of(low, low.in_place(first, out)), out)
    others = [*node.args[1:], *(keyword.value for keyword in node.keywords)]
    given = [
        low.spill_unless_stable(low.expression(other, out), [*others[index:], generator], out)
        for index, other in enumerate(others, 1)
    ]
    start = len(node.args) - 1
    names = [str(keyword.arg) for keyword in node.keywords]
    keywords = dict(zip(names, given[start:], strict=True))
    return _Call(low, node, generator, function, given[:start], keywords), iterator


class _Loops:
    """Writes a generator expression as nested loops, with what is done with each element."""

    def __init__(self, made: _Call, consumer: _Consumer) -> None:
        self._call = made
        self._node = made.generator
        self._consumer = consumer
        names = comprehension_variables(made.generator)
        self._renamed = {name: made.fresh(name) for name in names}

    @property
    def _takes_all(self) -> bool:
        """Whether the elements are the values of a generator that may suspend inside, all of them.

        list(answer for answer in answers(qs))
        """
        first, *rest = self._node.generators
        is_asked = first in self._call.low.suspensions.asks and not (rest or first.ifs)
        match first.target, self._node.elt:
            case ast.Name(id=target), ast.Name(id=element):
                return is_asked and target == element
        return False

    def loop(self, depth: int, iterator: ast.Name) -> ast.stmt:
        generator = self._node.generators[depth]
        over = at(generator.iter, call(runtime("rest"), iterator))
        inside: Out = [
            at(test, ast.If(ast.UnaryOp(ast.Not(), self._own(test)), [ast.Continue()], []))
            for test in generator.ifs
        ]
        is_last = depth == len(self._node.generators) - 1
        following = self._element(inside) if is_last else self._inner(depth + 1, inside)
        body = following if self._takes_all else [self._as_in_generator(inside), *following]
        loop = at(generator.target, ast.For(self._own(generator.target), over, body, []))
        self._call.low.suspensions.record_asking(generator, loop)
        return loop

    def _inner(self, depth: int, out: Out) -> Out:
        iterable = self._node.generators[depth].iter
        name = self._call.fresh("iter")
        made = iterator_of(self._call.low, self._own(iterable))
        out.append(at(iterable, assign(name, made)))
        following = [self.loop(depth, load(name))]
        if self._consumer.done is not None:
            left = ast.If(load(self._consumer.done), [ast.Break()], [])
            following.append(at(self._call.node, left))
        return following

    def _element(self, out: Out) -> Out:
        element = self._node.elt
        parts = self._consumer.parts or (("item", element),)
        if self._takes_all and isinstance(element, ast.Name):
            # Each value as it comes: nothing is computed that could stop.
            taken = self._consumer.take(self._renamed[element.id])
            return [at(self._call.node, statement) for statement in taken]
        names = [self._evaluate(holds, node, out) for holds, node in parts]
        return [at(self._call.node, statement) for statement in self._consumer.take(*names)]

    def _evaluate(self, holds: str, node: ast.expr, out: Out) -> str:
        name = self._call.fresh(holds)
        out.append(at(node, assign(name, self._own(node))))
        return name

    def _own(self, node: ast.expr) -> ast.expr:
        return copy_renamed(self._call.low, node, self._renamed)

    def _as_in_generator(self, body: Out) -> ast.stmt:
        """Make a `StopIteration` in what a generator does what it is there, a `RuntimeError`."""
        name = self._call.fresh("error")
        raising = ast.Raise(call(runtime("in_generator")), load(name))
        handler = ast.ExceptHandler(runtime("StopIteration"), name, [raising])
        return at(self._node.elt, ast.Try(body, [handler], [], []))


def _method(name: str, method: str, item: str) -> ast.stmt:
    called = ast.Attribute(load(name), method, ast.Load())
    return ast.Expr(call(called, load(item)))


def _collect(made: _Call) -> _Consumer:
    """`list`, `tuple`, `sorted`, `str.join`: all elements are there before one is used.

    return tuple(ask(q) for q in qs)    _lt_iter1 = __longterm__.iter(qs)
                                        _lt_list1 = []
                                        for _lt_q1 in __longterm__.rest(_lt_iter1):
                                            try:
                                                _lt_item1 = ask(_lt_q1)
                                            except __longterm__.StopIteration as _lt_error1:
                                                raise __longterm__.in_generator() from _lt_error1
                                            _lt_list1.append(_lt_item1)
                                        return tuple(_lt_list1)
    """
    name = made.fresh("list")
    begin: Out = [assign(name, ast.List([], ast.Load()))]
    collected = load(name)
    is_list = made.low.suspensions.consumers[made.generator] == "list"
    result = collected if is_list else made.made_of(collected, **made.keywords)
    return _Consumer(begin, lambda item: [_method(name, "append", item)], result)


def _set(made: _Call) -> _Consumer:
    """`set` and `frozenset`: an element that cannot be hashed fails before the next one."""
    name = made.fresh("set")
    begin: Out = [assign(name, ast.Set([ast.Starred(ast.Tuple([], ast.Load()), ast.Load())]))]
    is_set = made.low.suspensions.consumers[made.generator] == "set"
    result = load(name) if is_set else made.made_of(load(name))
    return _Consumer(begin, lambda item: [_method(name, "add", item)], result)


def _dict(made: _Call) -> _Consumer:
    """`dict`, most often of pairs that are written as pairs.

    dict((q, ask(q)) for q in qs)  _lt_iter1 = __longterm__.iter(qs)
                                   _lt_dict1 = {}
                                   for _lt_q1 in __longterm__.rest(_lt_iter1):
                                       try:
                                           _lt_key1 = _lt_q1
                                           _lt_item1 = ask(_lt_q1)
                                       except __longterm__.StopIteration as _lt_error1:
                                           raise __longterm__.in_generator() from _lt_error1
                                       _lt_dict1[_lt_key1] = _lt_item1
                                   _lt_dict1
    """
    name = made.fresh("dict")
    begin: Out = [assign(name, ast.Dict([], []))]
    element = made.generator.elt
    if isinstance(element, ast.Tuple) and _is_pair(element):
        parts = tuple(zip(("key", "item"), element.elts, strict=True))
        return _Consumer(begin, lambda *pair: [_insert(name, *pair)], load(name), parts=parts)
    count = made.fresh("count")
    begin.append(assign(count, ast.Constant(0)))

    def take(item: str) -> Out:
        key, value = made.fresh("key"), made.fresh("value")
        more = ast.BinOp(load(count), ast.Add(), ast.Constant(1))
        checked = call(runtime("pair"), load(item), load(count))
        pair = _assign_parts([key, value], checked)
        return [pair, _insert(name, key, value), assign(count, more)]

    return _Consumer(begin, take, load(name))


def _is_pair(node: ast.Tuple) -> bool:
    has_star = any(isinstance(part, ast.Starred) for part in node.elts)
    return len(node.elts) == _PAIR and not has_star


def _insert(mapping: str, key: str, value: str) -> ast.stmt:
    place = ast.Subscript(load(mapping), load(key), ast.Store())
    return ast.Assign([place], load(value))


def _sum(made: _Call) -> _Consumer:
    """`sum`, which adds floats more exactly than `+` does from Python 3.12 on.

    return sum(ask(q) for q in qs)
        _lt_iter1 = __longterm__.iter(qs)
        _lt_sum1, _lt_kept1 = __longterm__.sum_from()
        for _lt_q1 in __longterm__.rest(_lt_iter1):
            try:
                _lt_item1 = ask(_lt_q1)
            except __longterm__.StopIteration as _lt_error1:
                raise __longterm__.in_generator() from _lt_error1
            if __longterm__.type(_lt_item1) is not _lt_kept1 or not (
                -1000000000 < _lt_sum1 + _lt_item1 < 1000000000
            ):
                _lt_sum1, _lt_kept1, _lt_item1 = __longterm__.summand(
                    _lt_sum1, _lt_kept1, _lt_item1
                )
            _lt_sum1 = _lt_sum1 + _lt_item1
        return __longterm__.sum_of(_lt_sum1, _lt_kept1)

    What is kept is `int` as long as there are ints alone, and their sum is small: then nothing is
    called. To add twice takes less time than a call.
    """
    name, kept = made.fresh("sum"), made.fresh("kept")
    start = call(runtime("sum_from"), *made.others, *made.keywords.values())

    def take(item: str) -> Out:
        added = ast.BinOp(load(name), ast.Add(), load(item))
        is_other = ast.Compare(call(runtime("type"), load(item)), [ast.IsNot()], [load(kept)])
        is_large = ast.UnaryOp(ast.Not(), _is_small(added))
        parts = [name, kept, item]
        looked_at = _assign_parts(parts, call(runtime("summand"), *map(load, parts)))
        test = ast.BoolOp(ast.Or(), [is_other, is_large])
        return [ast.If(test, [looked_at], []), assign(name, changed(added))]

    result = call(runtime("sum_of"), load(name), load(kept))
    return _Consumer([_assign_parts([name, kept], start)], take, result)


def _is_small(number: ast.expr) -> ast.expr:
    least = ast.UnaryOp(ast.USub(), ast.Constant(SMALL))
    return ast.Compare(least, [ast.Lt(), ast.Lt()], [number, ast.Constant(SMALL)])


def _assign_parts(names: list[str], value: ast.expr) -> ast.stmt:
    return ast.Assign([ast.Tuple([store(name) for name in names], ast.Store())], value)


def _first(name: str, context: ast.expr_context) -> ast.expr:
    return ast.Subscript(load(name), ast.Constant(0), context)


def _best(made: _Call) -> _Consumer:
    """`max` and `min`: what is best so far, and by what it is the best.

    return max(ask(q) for q in qs)      _lt_iter1 = __longterm__.iter(qs)
                                        _lt_best1 = []
                                        for _lt_q1 in __longterm__.rest(_lt_iter1):
                                            try:
                                                _lt_item1 = ask(_lt_q1)
                                            except __longterm__.StopIteration as _lt_error1:
                                                raise __longterm__.in_generator() from _lt_error1
                                            if not _lt_best1 or _lt_item1 > _lt_best1[0]:
                                                _lt_best1 = [_lt_item1]
                                        return max(_lt_best1)
    """
    name = made.fresh("best")
    begin: Out = [assign(name, ast.List([], ast.Load()))]
    key = made.keywords.pop("key", None)
    order = ast.Gt() if made.low.suspensions.consumers[made.generator] == "max" else ast.Lt()

    def keep_better(item: str, rank: str, best: ast.expr, *also: ast.stmt) -> ast.stmt:
        better = ast.Compare(load(rank), [order], [best])
        test = ast.BoolOp(ast.Or(), [ast.UnaryOp(ast.Not(), load(name)), better])
        return ast.If(test, [assign(name, ast.List([load(item)], ast.Load())), *also], [])

    def take(item: str) -> Out:
        return [keep_better(item, item, _first(name, ast.Load()))]

    def take_by_key(item: str) -> Out:
        assert key is not None
        rank = made.fresh("rank")
        is_none = ast.Compare(changed(key), [ast.Is()], [ast.Constant(None)])
        ranked = ast.IfExp(is_none, load(item), call(changed(key), load(item)))
        better = keep_better(item, rank, load(highest), assign(highest, load(rank)))
        return [assign(rank, ranked), better]

    result = made.made_of(load(name), **made.keywords)
    if key is None:
        return _Consumer(begin, take, result)
    highest = made.fresh("rank")
    begin.append(assign(highest, ast.Constant(None)))
    return _Consumer(begin, take_by_key, result)


def _any(made: _Call) -> _Consumer:
    """`any`: true as soon as an element is."""
    name = made.fresh("found")
    begin: Out = [assign(name, ast.Constant(False))]

    def take(item: str) -> Out:
        return [ast.If(load(item), [assign(name, ast.Constant(True)), ast.Break()], [])]

    return _Consumer(begin, take, load(name), done=name)


def _all(made: _Call) -> _Consumer:
    """`all`: false as soon as an element is."""
    name = made.fresh("failed")
    begin: Out = [assign(name, ast.Constant(False))]

    def take(item: str) -> Out:
        is_false = ast.UnaryOp(ast.Not(), load(item))
        return [ast.If(is_false, [assign(name, ast.Constant(True)), ast.Break()], [])]

    return _Consumer(begin, take, ast.UnaryOp(ast.Not(), load(name)), done=name)


def _next(made: _Call) -> _Consumer:
    """`next`: the first element, and the default or `StopIteration` if there is none."""
    name = made.fresh("found")
    begin: Out = [assign(name, ast.List([], ast.Load()))]

    def take(item: str) -> Out:
        return [assign(name, ast.List([load(item)], ast.Load())), ast.Break()]

    result = made.made_of(call(runtime("iter"), load(name)), *made.others)
    return _Consumer(begin, take, result, done=name)


_PAIR: Final = 2
_CONSUMERS: Final[dict[str, _Making]] = {
    **dict.fromkeys((JOIN, "list", "sorted", "tuple"), _collect),
    **dict.fromkeys(("frozenset", "set"), _set),
    **dict.fromkeys(("max", "min"), _best),
    "all": _all,
    "any": _any,
    "dict": _dict,
    "next": _next,
    "sum": _sum,
}
