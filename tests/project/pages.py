"""Read the documentation as tests do: its code, the commands it shows, the names it mentions.

In a page, fenced `python` blocks run in order. One that opens with a comment like `# shop.py` is
that file; all others together are one module whose lines are the page's own, so that a traceback
points into the page. `print(...)  # text` promises what is printed. In `console` blocks, lines that
begin with `$ ` run in one shell, and what follows is what they print, `...` standing for anything.
`<!-- not run: reason -->` above a block leaves it out. `<!-- from fixtures/shop.py -->` says that
it is part of that file, where it is tested. A block with test classes is for the reader's pytest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

FENCE = re.compile(
    r"^(?:<!-- (?P<remark>not run|from) *:? *(?P<said>.*?) -->\n+)?"
    r"```(?P<language>\w*)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
FILE_NAME = re.compile(r"# ([\w/]+\.py)\n")
TEST_CLASS = re.compile(r"^class Test", re.MULTILINE)
PROMISE = re.compile(r"^ *print\(.*\)  # (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block of a page that is meant to run."""

    language: str
    code: str
    line: int
    """The line of the page on which the code begins, from 1."""

    @property
    def file_name(self) -> str | None:
        """The file that the block says to be."""
        found = FILE_NAME.match(self.code)
        return found[1] if found else None


def blocks(page: Path, language: str) -> list[Block]:
    """The blocks of a page in one language, in order."""
    text = page.read_text()
    return [
        Block(language, found["code"], text.count("\n", 0, found.start("code")) + 1)
        for found in FENCE.finditer(text)
        if found["language"] == language
        and not found["remark"]
        and not TEST_CLASS.search(found["code"])
    ]


def quotations(page: Path) -> list[tuple[str, str]]:
    """The blocks of a page that are parts of a file, each with the file's path below the root."""
    return [
        (found["said"], found["code"])
        for found in FENCE.finditer(page.read_text())
        if found["remark"] == "from"
    ]


def files_of(page: Path) -> dict[str, str]:
    """The files that a page asks its reader to write; a later block of one name adds to it."""
    files: dict[str, str] = {}
    for block in blocks(page, "python"):
        if block.file_name:
            files[block.file_name] = files.get(block.file_name, "") + block.code
    return files


def module_of(page: Path) -> str:
    """All other Python of a page as one module, every line where it stands in the page."""
    lines: list[str] = []
    for block in blocks(page, "python"):
        if not block.file_name:
            lines += [""] * (block.line - 1 - len(lines))
            lines += block.code.splitlines()
    return "\n".join(lines) + "\n" if lines else ""


def promised_output(code: str) -> list[str]:
    """What a page says that its `print` lines print."""
    return PROMISE.findall(code)


@dataclass(frozen=True)
class Command:
    """A command that a page shows, and the output it shows below."""

    line: str
    output: str


def commands(page: Path) -> list[Command]:
    """The commands in the console blocks of a page, in order."""
    found = []
    for block in blocks(page, "console"):
        for part in re.split(r"^\$ ", block.code, flags=re.MULTILINE)[1:]:
            line, _, output = part.partition("\n")
            found.append(Command(line, output.strip()))
    return found
