"""Which calls in expressions are resume points, though no name leads to what they call."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from longterm._flows.resolve import resolve
from longterm_compiler import ModuleNames, SourceFile
from longterm_compiler.analysis.resolve import SourceResolver
from longterm_compiler.pipeline import compile_flow

MODULES = {
    "clients.py": """
        from longterm import deflow, suspend

        class Base:
            @deflow
            def seek(self, question):
                return suspend(question)

        class Client(Base):
            @deflow
            def ask(self, question):
                return suspend(question)

            def price(self, question):
                return question

        client = Client()
        """,
    "shop.py": """
        import clients
        from clients import Client
        from longterm import deflow

        @deflow
        def order(client, x):
            return int(client.ask(x)) + client.seek(x) + client.price(x)
        """,
}
HEAD = """
from longterm import deflow, step, suspend
from typing import TYPE_CHECKING

class Form:
    @deflow
    def field(self, name): return suspend(name)
    @step
    def save(self): return 1
    def plain(self): return 1

@deflow
def ask(x): return suspend(x)
def plain(x): return x

TOOLS = {"ask": ask, "plain": plain}
PLAIN = [plain, len]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found: Path = tmp_path_factory.mktemp("likely")
    for name, text in MODULES.items():
        (found / name).write_text(dedent(text), "utf-8")
    return found


def points(folder: Path, body: str, head: str = "", parameters: str = "x, form, table") -> str:
    """Return what the points of a flow with this body call."""
    lines = "".join(f"    {line}\n" for line in dedent(body).strip("\n").split("\n"))
    kind = "async " if "await" in body else ""
    text = f"{HEAD}{head}\n@deflow\n{kind}def flow({parameters}):\n{lines}"
    source = SourceFile.parse("case.py", text)
    names = ModuleNames(source, "case", "", SourceResolver([str(folder), *sys.path], resolve))
    definition = source.find_qualname("flow")
    assert definition is not None
    compiled = compile_flow(definition, names)
    return ", ".join(".".join(point.callee) for point in compiled.points)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        # A method by its name, whatever it is of; a step's too.
        ("return int(form.field(x))", "form.field"),
        ("return int(form.save())", "form.save"),
        ("return int(form.plain())", ""),
        ("return int(form.other.field(x))", "form.other.field"),
        ("return [each.field(x) for each in form]", "_lt_each1.field"),
        ("return [form.plain() for each in form]", ""),
        ("return (Form().field(x), 1)", "_lt_callee1"),
        ("return form.field(x).field(x)", "form.field, _lt_value1.field"),
        # Of what is surely something else it is no flow's name.
        ("form = {}\nreturn int(form.field(x))", "form.field"),
        ("box = {}\nreturn int(box.field(x))", ""),
        ("box = {}\nbox = x\nreturn int(box.field(x))", "box.field"),
        ("return ''.field(x) + 1", ""),
        ("return [x].field(x) + 1", ""),
        # What a table holds is there to be called.
        ("return int(table[x](x))", "_lt_callee1"),
        ("return int(table.get(x)(x))", "_lt_callee1"),
        ("return int(getattr(form, x)(x))", "_lt_callee1"),
        ("return int((x or form)(x))", "_lt_callee1"),
        ("return int((lambda: x)())", ""),
        ("return list[int](x), Form[x](x)", ""),
        ("tools = [plain, len]\nreturn int(tools[x](x))", ""),
        ("tools = [plain, ask]\nreturn int(tools[x](x))", "_lt_callee1"),
        # In a comprehension the text must show it.
        ("return [TOOLS[each](x) for each in table]", "_lt_callee1"),
        ("return [PLAIN[each](x) for each in table]", ""),
        ("return [table[each](x) for each in x]", ""),
        # What is awaited takes so long that a temporary more does not count.
        ("return int(await form.plain())", "form.plain"),
        ("return [await form.plain() for each in x]", "form.plain"),
        # Nothing is refused for it.
        ("return (form.field(each) for each in x)", ""),
        ("return list(form.field(each) for each in x)", "form.field"),
        ("return ','.join(each.field(x) for each in form)", "_lt_each1.field"),
        ("return any(table[each](x) for each in form)", ""),
        ("return [(lambda: each) for each in form.field(x)]", "form.field"),
        ("return [(lambda: each, form.field(each)) for each in x]", ""),
        ("return lambda: form.field(x)", ""),
        ("class K:\n    y = int(form.field(x))\nreturn K.y", ""),
        ("try:\n    plain(x)\nexcept* ValueError:\n    int(form.field(x))", ""),
    ],
)
def test_only_what_is_likely_a_flow_is_a_point(folder: Path, body: str, found: str) -> None:
    assert points(folder, body) == found


@pytest.mark.parametrize(
    ("head", "found"),
    [
        ("from clients import Client", "form.ask, form.seek"),
        ("import clients\ndef make() -> clients.Client: ...", "form.ask, form.seek"),
        ("from clients import Base", "form.seek"),
        ("from clients import client", "form.ask, form.seek"),
        ("import clients", ""),
        # Whether others have imported it by now must not count.
        ("if TYPE_CHECKING:\n    from clients import Client", ""),
    ],
)
def test_classes_count_that_the_file_imports(folder: Path, head: str, found: str) -> None:
    body = "return int(form.ask(x)) + form.seek(x) + form.price(x)"

    assert points(folder, body, head) == found


def test_object_of_another_module_is_known_by_its_class(folder: Path) -> None:
    body = "return int(client.ask(x)) + client.price(x)"

    assert points(folder, body, "from clients import client") == "client.ask"


@pytest.mark.parametrize("first", ["clients", "shop"])
def test_command_line_and_processes_agree(folder: Path, first: str) -> None:
    code = f"import {first}, shop; from longterm._flows.registry import flow_of; "
    code += "print(flow_of(shop.order).version)"
    command = [sys.executable, "-c", code]
    run = {"cwd": folder, "check": True, "capture_output": True, "text": True}
    live = subprocess.run(command, **run).stdout.strip()  # type: ignore[call-overload]
    text = (folder / "shop.py").read_text("utf-8")
    source = SourceFile.parse("shop.py", text)
    names = ModuleNames(source, "shop", "", SourceResolver([str(folder), *sys.path], resolve))
    compiled = compile_flow(source.definitions[0], names)

    assert [".".join(point.callee) for point in compiled.points] == ["client.ask", "client.seek"]
    assert compiled.version == live
