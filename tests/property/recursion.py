"""Random programs of flows that call each other, and wait deep inside: as text."""

from __future__ import annotations

from random import Random
from typing import Final

_HEADER: Final = '''"""Flows of a random program."""
import sys
{imports}
LOG, LET_GO = [], []


@step
def doubled(n):
    LOG.append(f"step {{n}}")
    return 2 * n


class Odd(Exception):
    pass


class Held:
    def __init__(self, n):
        self.n = n

    def __enter__(self):
        LOG.append(f"enter {{self.n}}")
        return self

    def __exit__(self, *exception):
        LOG.append(f"exit {{self.n}} {{exception[1]!r}}")
        return self.n % 4 == 3 and isinstance(exception[1], Odd)

    def __suspend__(self):
        LET_GO.append(self.n)
'''
_STATEMENTS: Final = (
    "total = total + {call}",
    "total += {call} * 2",
    "total = sum([n, {call}])",
    "below = {call}\nreturn below + n",
    "seen.append({call})",
    "table = dict(n=n, more=[total])\ntotal += {call}\ntotal += table['n']",
    "total += {call} if n % 2 else {call}",
    "for each in [n, total]:\n    total += {call} + each",
    "while total < 2:\n    total += 1 + {call}",
    "try:\n    total += {call}\nexcept Odd as e:\n    LOG.append((repr(e), repr(e.__context__)))",
    "try:\n    total += {call}\nfinally:\n    LOG.append(f'finally {{n}} {{sys.exception()!r}}')",
    "try:\n    raise KeyError(n)\nexcept KeyError:\n    total += {call}",
    "with Held(n):\n    total += {call}",
    "with Held(n) as held:\n    seen = [held.n]\ntotal += {call}",
    "total += len([{call} for _ in range(2)])",
    "if total % 3 == 1:\n    raise Odd(n, total)",
    "if suspend('e') == 2:\n    raise Odd(n)",
    "total += suspend('e')",
    "total += doubled(n)",
    "LOG.append((n, total, len(seen)))",
    "seen = [*seen, n]",
)
_MOSTLY: Final = 6
"""So many of them, the first ones, leave the frame of their flow alone while it waits."""


def recursive_program(seed: str, *, plain: bool) -> str:
    """Return the text of a program that begins with `f0(n, seen)`.

    Args:
        seed: says which program.
        plain: for Python alone, on the same lines; `suspend` is to be given to the module.
    """
    imports = "deflow = step = lambda function: function" if plain else "from longterm import *"
    random = Random(seed)
    count = random.randint(1, 3)
    flows = [_flow(number, count, random) for number in range(count)]
    return _HEADER.format(imports=imports) + "".join(flows)


def _flow(number: int, count: int, random: Random) -> str:
    chosen = random.choices(_STATEMENTS, k=random.randint(0, 4))
    chosen.insert(random.randint(0, len(chosen)), random.choice(_STATEMENTS[:_MOSTLY]))
    lines = ["total = 0", "if n <= 0:", f"    return {random.choice(['n', 'suspend(`e`)'])}"]
    for statement in chosen:
        call = f"f{random.randrange(count)}(n - 1, {random.choice(['seen', '[]', '[n]'])})"
        lines += statement.format(call=call).split("\n")
    body = "".join(f"    {line}\n" for line in [*lines, "return total"]).replace("`", "'")
    return f"\n\n@deflow\ndef f{number}(n, seen):\n{body}"
