"""Input that no one writes by hand: it compiles, or a rule refuses it; the process never dies."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from functools import cache

import pytest

SECONDS = 600  # a shared machine can be slow; all cases take some twenty
PROGRAM = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
from longterm_compiler import ModuleNames, Refused, SourceFile, Verdict, compile_flow

def compiled(body):
    text = "from longterm import deflow, suspend\\n@deflow\\ndef flow(x, f):\\n" + body
    source = SourceFile.parse("flow.py", text)
    names = ModuleNames(source, "flow", "", lambda module, path: Verdict.MAY)
    flow = compile_flow(source.find("flow", 2), names)
    points = [flow.points[0].number, flow.points[-1].number] if flow.points else []
    for each in points:
        flow.resume_code(each)
    return f"compiled {len(flow.points)}"

def outcome(body):
    limit = sys.getrecursionlimit()
    try:
        return compiled(body)
    except Refused as refused:
        assert len(str(refused)) < 2000
        return " ".join(["refused", *(each.rule for each in refused.diagnostics)])
    except SyntaxError as error:
        return f"syntax {error.msg}"
    except RecursionError as error:
        assert "ast construction" in str(error) or "traversing" in str(error)
        return "too deep for Python's parser"
    except MemoryError:
        return "too deep for Python's parser"
    finally:
        assert sys.getrecursionlimit() == limit

for line in sys.stdin:
    print(outcome(eval(line)), flush=True)
"""


@cache
def tried() -> tuple[list[str], str]:
    """Compile a flow of each body in one process; return what came of them, and its last words."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        input="".join(f"{body}\n" for body, _ in CASES),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    return done.stdout.splitlines(), done.stderr[-2000:]


def nested(head: str, count: int, inside: str = "suspend('a')", tail: str = "") -> str:
    """Return an expression for a body of blocks inside each other."""
    return textwrap.dedent(
        f"""
        "".join(" " * (i + 1) + {head!r} + "\\n" for i in range({count}))
        + " " * {count + 1} + {inside!r} + "\\n"
        + "".join(
            " " * (i + 1) + {tail!r} + "\\n" + " " * (i + 2) + "x\\n"
            for i in reversed(range({count})) if {tail!r}
        )
        """
    ).replace("\n", " ")


# How deep libcst goes differs between versions of Python, so near its limit either is right.
PARSER = "too deep for Python's parser"


CASES = [
    ("' return x' + '.g()' * 500", ["compiled 1", "refused too-deep"]),
    ("' return x' + '.g()' * 1000", ["refused too-deep"]),
    ("' return x' + '.g()' * 5000", [PARSER, "refused too-deep"]),
    ("' return ' + 'f(' * 190 + 'x' + ')' * 190", ["compiled 190"]),
    ("' return ' + '[' * 190 + 'suspend(x)' + ']' * 190", ["compiled 1"]),
    ("' return ' + '[' * 300 + ']' * 300", ["syntax too many nested parentheses"]),
    ("' if x: suspend(x)\\n' + ' elif x: suspend(x)\\n' * 499",
     ["compiled 500", "refused too-deep"]),
    ("' if x: suspend(x)\\n' + ' elif x: suspend(x)\\n' * 3000", [PARSER, "refused too-deep"]),
    ("' x = suspend(x)\\n' * 3_000", ["compiled 3000"]),
    ("' return ' + 'suspend(x) + ' * 600 + 'x'", ["compiled 600"]),
    ("' return ' + 'suspend(x) + ' * 5000 + 'x'", [PARSER, "refused too-deep"]),
    ("' return ' + 'suspend(x) and ' * 600 + 'x'", ["refused too-deep"]),
    ("' return ' + 'suspend(x) and ' * 90 + 'x'", ["compiled 90"]),
    ("' return (' + 'x or ' * 900 + 'x) + suspend(x)'", ["compiled 1", "refused too-deep"]),
    ("' return (' + '\\'a\\' ' * 2500 + ') + suspend(x)'", ["compiled 1", "refused too-deep"]),
    ("' return ' + 'suspend(x) and ' * 5000 + 'x'", ["refused too-deep"]),
    ("' return ' + 'x and ' * 5000 + 'suspend(x)'", ["refused too-deep"]),
    ("' return (' + 'x or ' * 600 + 'x) and suspend(x)'", ["compiled 1", "refused too-deep"]),
    ("' return (' + 'x or ' * 5000 + 'x) and suspend(x)'", ["refused too-deep"]),
    ("' return (' + 'x or ' * 5000 + 'x) + suspend(x)'", ["refused too-deep"]),
    ("' return suspend(x), ' + 'x and ' * 5000 + 'x'", ["refused too-deep"]),
    ("' return ' + 'suspend(x) < ' * 200 + 'x'", ["refused too-deep"]),
    ("' return ' + 'suspend(x) < ' * 5000 + 'x'", ["refused too-deep"]),
    ("' return ' + 'suspend(x) if x else ' * 300 + 'x'", ["refused too-deep"]),
    ("' return ' + 'not ' * 1100 + 'suspend(x)'", ["compiled 1", "refused too-deep"]),
    ("' return ' + 'lambda: ' * 500 + 'x'", ["compiled 0"]),
    ("' return {' + 'suspend(x): x, ' * 300 + '}'", ["compiled 300"]),
    ("' return f\"' + '{suspend(x)}' * 1000 + '\"'", ["compiled 1000"]),
    (nested("if x:", 95), ["compiled 1"]),
    (nested("for x in f:", 20), ["compiled 1"]),
    (nested("for x in f:", 25), ["syntax too many statically nested blocks",
                                 "refused too-many-nested-blocks"]),
    (nested("with x:", 9), ["compiled 1"]),
    (nested("with x:", 30), ["refused too-many-nested-blocks"]),
    (nested("try:", 9, tail="finally:"), ["compiled 1"]),
    (nested("try:", 15, tail="finally:"), ["compiled 1"]),
    (nested("try:", 30, tail="finally:"), ["refused too-many-nested-blocks"]),
    (nested("def g():", 90), ["refused suspend-in-plain-function"]),
]  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="limits of memory are Unix's")
@pytest.mark.parametrize("number", range(len(CASES)), ids=[body[:60] for body, _ in CASES])
def test_compiles_or_is_refused(number: int) -> None:
    outcomes, last_words = tried()

    assert number < len(outcomes), f"the process died before: {last_words}"
    assert outcomes[number] in CASES[number][1]
