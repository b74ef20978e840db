"""Flows that no name leads to are resumed wherever an expression calls them.

Each way to reach a flow stands in each place of the lists below; in the quick profile each place
has a third of the ways, other ones than the place before it.
"""

from __future__ import annotations

import os

import pytest

from tests.property.oracle import Program, check

WAYS = {
    "method": "agent.ask(number)",
    "method of a new object": "Agent().ask(number)",
    "method of an entry": "agents[number & 1].ask(number)",
    "chain of methods": "agent.also(number).also(2).ask(3)",
    "table": "HANDLERS['ask'](number)",
    "table of an argument": "table['ask'](number)",
    "entry by a method": "table.get('ask')(number)",
    "awaited method": "await agent.later(number)",
    "awaited entry": "await table['later'](number)",
    "awaited unknown method": "await place.seek(number)",
}
PLACES = {
    "argument": "log(1, int({}), 2)",
    "callee": "log(repr({}).count('1'))",
    "negation": "log(not ({}))",
    "f-string": 'log(f"a{{{}}}b{{number}}")',
    "format": 'log(f"{{number:{{{}}}}}")',
    "test": "log(1) if ({}) else log(2)",
    "operator": "total = log(total + ({}))",
    "augmented": "total += ({})",
    "tuple": "log(({}, total, [number, {}]))",
    "dict": "log({{number: {}, **{{total: {}}}}})",
    "method of a list": "items.append({})",
    "target": "items[({}) & 0] = log(3)",
    "chain": "log(0 < ({}) < 3)",
    "either": "log(total and ({}) or number)",
    "walrus": "log((total := {}), total)",
    "return": "return [total, {}]",
    "raised": "raise ValueError(total, {})",
    "asserted": "assert ({}) != 2, ({})",
    "default": "log((lambda q=({}): q)())",
    "comprehension": "log([{} for number in items])",
    "condition": "log([number for number in items if ({}) > 1])",
    "dict comprehension": "log({{number: {} for number in items}})",
}
BLOCKS = {
    "if": "if ({}):\n    log(1)\nelse:\n    log(2)",
    "while": "while total < 2 and not ({}):\n    total += log(1)",
    "for": "for number in [{}, 1]:\n    log(number)",
    "with": "with Managed(str({})):\n    log({})",
    "try": "try:\n    log(fail({}))\nexcept Exception as error:\n    show(error)\n"
    "finally:\n    log({})",
    "match": "match ({}):\n    case 1 if ({}):\n        log(1)\n"
    "    case other:\n        log(other)",
}
_UNKNOWN_IN_COMPREHENSIONS = {"table of an argument", "entry by a method"}
_MODULE = """\
from longterm import deflow, suspend
from tests.property.world import Managed, fail, log, show

class Agent:
    @deflow
    def ask(self, value=0): return log("asked", value, suspend("asked"))
    @deflow
    def also(self, value=0):
        log("also", value, suspend("also"))
        return self
    @deflow
    async def later(self, value=0): return log("later", value, suspend("later"))

@deflow
def ask(value): return log("handled", value, suspend("handled"))
@deflow
async def later(value): return log("handled later", value, suspend("handled"))

HANDLERS = {{"ask": ask, "later": later}}
class Elsewhere: pass
Elsewhere.seek = later

@deflow
{kind}def main(number, items, total=1):
    agent, table, place = Agent(), HANDLERS, Elsewhere
    agents = [agent, Agent()]
    for number in items[:2]:
{body}
    return number, items, total
"""


def ways(place: str) -> list[str]:
    """Return the ways that are tried in a place."""
    names = [*WAYS]
    if "comprehension" in place or place == "condition":
        names = [name for name in names if name not in _UNKNOWN_IN_COMPREHENSIONS]
    if os.environ.get("LONGTERM_PROFILE") != "long":
        names = names[[*PLACES, *BLOCKS].index(place) % 3 :: 3]
    return names


@pytest.mark.parametrize("place", [*PLACES, *BLOCKS])
def test_is_resumed_in_every_place(place: str) -> None:
    template = {**PLACES, **BLOCKS}[place]
    for way in ways(place):
        call = WAYS[way]
        outcome = check(_program(template, call))
        assert outcome.asked, way
        assert not outcome.halted, way


def _program(template: str, call: str) -> Program:
    text = template.format(*[call] * template.count("{}"))
    body = "\n".join("        " + line for line in text.split("\n"))
    kind = "async " if "await" in call else ""
    source = _MODULE.format(kind=kind, body=body)
    return Program(source, "main", (1, [0, 1]), tuple(range(1, 60)))
