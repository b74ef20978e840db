"""Calls that are likely flows and no resume points are warned of, and the advice helps."""

from __future__ import annotations

from pathlib import Path

import pytest

from longterm_compiler import Diagnostic, ModuleNames, SourceFile, Verdict
from longterm_compiler.cli import main
from longterm_compiler.problems import check_file, warn_of_file

HEAD = """\
from longterm import call, deflow, suspend

class Client:
    @deflow
    def ask(self, question):
        return suspend(question)

"""
FLOW = "@deflow\ndef flow(client, other, xs):\n"
ELSEWHERE = {"seek": "the flow Seeker.seek of seekers.py"}


def warnings(body: str, head: str = HEAD) -> tuple[Diagnostic, ...]:
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    source = SourceFile.parse("case.py", f"{head}{FLOW}{lines}")
    names = ModuleNames(source, "case", "", lambda module, path: _seeker(path))
    flows = [flow for flow in names.flows() if flow.qualname == "flow"]
    assert not check_file(names, flows)
    return warn_of_file(names, flows, ELSEWHERE)


def _seeker(path: tuple[str, ...]) -> Verdict:
    return Verdict.SUSPENDS if path == ("Seeker", "seek") else Verdict.NEVER


@pytest.mark.parametrize(
    ("body", "place", "instead", "mended"),
    [
        (
            "return (client.ask(x) for x in xs)",
            "in a generator expression",
            "write a list comprehension",
            "return [client.ask(x) for x in xs]",
        ),
        (
            "return lambda: client.ask(1)",
            "in a lambda",
            "write an inner function and put `@deflow` on it",
            "@deflow\ndef inner():\n    return client.ask(1)\nreturn inner",
        ),
        (
            "def inner():\n    return client.ask(1)\nreturn inner",
            "in a plain function",
            "put `@deflow` on that function",
            "@deflow\ndef inner():\n    return client.ask(1)\nreturn inner",
        ),
        (
            "return [(lambda: x, client.ask(x)) for x in xs]",
            "in a comprehension whose variable a lambda captures",
            "`lambda x=x: …`",
            "return [(lambda x=x: x, client.ask(x)) for x in xs]",
        ),
        (
            "class Inner:\n    y = client.ask(1)\nreturn Inner.y",
            "in a class body",
            "give the value a name before the `class` statement",
            "reply = client.ask(1)\nclass Inner:\n    y = reply\nreturn Inner.y",
        ),
        (
            "try:\n    print(xs)\nexcept* ValueError as error:\n    print(client.ask(error))",
            "in a handler of `except*`",
            "keep what it needs, and call it after the `try` statement",
            "kept = []\ntry:\n    print(xs)\nexcept* ValueError as error:\n    kept.append(error)\n"
            "if kept:\n    print(client.ask(kept))",
        ),
        (
            "return int(other.seek(1))",
            "the flow Seeker.seek of seekers.py has this name, and this file does not import it",
            "make the call a statement of its own",
            "reply = other.seek(1)\nreturn int(reply)",
        ),
        (
            "return [other.seek(x) for x in xs]",
            "this file does not import it",
            "write `call(other.seek, …)`",
            "return [call(other.seek, x) for x in xs]",
        ),
    ],
)
def test_is_warned_of_until_it_is_mended(body: str, place: str, instead: str, mended: str) -> None:
    [warning] = warnings(body)

    assert warning.is_warning
    assert place in warning.note
    assert instead in warning.help
    assert not warnings(mended)


def test_import_of_the_class_mends_it() -> None:
    assert not warnings("return int(other.seek(1))", f"from seekers import Seeker\n{HEAD}")


@pytest.mark.parametrize(
    "body",
    [
        "return int(client.ask(1)), [client.ask(x) for x in xs]",
        "return other.price(1), (other.price(x) for x in xs), lambda: other.price(1)",
        "box = {}\nreturn (box.ask(x) for x in xs)",
    ],
)
def test_other_calls_are_not_warned_of(body: str) -> None:
    assert not warnings(body)


def test_command_line_looks_at_all_targets_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "seekers.py").write_text(HEAD.replace("ask", "seek"))
    (tmp_path / "orders.py").write_text(f"{HEAD}{FLOW}    return int(other.seek(1))\n")

    assert main(["--check", "orders.py"]) == 0
    assert not capsys.readouterr().out

    assert main(["--check", "orders.py", "seekers.py", "missing.py"]) == 2
    out = capsys.readouterr().out
    assert "warning[call-without-point]: `other.seek` may be a flow" in out
    assert "the flow Client.seek of seekers.py has this name" in out
    assert out.endswith("1 warning\n")
