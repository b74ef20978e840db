"""A picture as text for mermaid, which GitHub and many wikis draw."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from longterm.pictures._parts import (
    Block,
    Choice,
    Counts,
    End,
    Jump,
    Kind,
    Loop,
    Picture,
    Place,
    drawn,
)

_SHAPES: Final = {
    Kind.WAIT: '(["{}"])',
    Kind.SLEEP: '(["{}"])',
    Kind.STEP: '["{}"]',
    Kind.CALL: '[["{}"]]',
    Kind.CHILD: '>"{}"]',
    Kind.MAYBE: '["{}"]',
}
_SPECIAL: Final = re.compile(r"[^\w .,:;!?=+*/()'\[\]-]")
_CLASSES: Final = (
    "classDef wait stroke-width:3px",
    "classDef maybe stroke-dasharray:4",
    "classDef ended stroke-width:1px",
)

Exits: TypeAlias = list[tuple[str, str]]
"""From which nodes the way goes on, and what stands at the arrow."""


def to_mermaid(picture: Picture, counts: Counts | None = None) -> str:
    """Return a picture as a flowchart of mermaid's.

    Args:
        picture: the picture.
        counts: how many runs wait where, if that is to be shown.
    """
    writer = _Writer(counts or Counts())
    begins = f"{writer.counts.to_begin:,} to begin" if writer.counts.to_begin else ""
    start = writer.node('(["{}"])', picture.title, begins)
    writer.block(drawn(picture.body, writer.counts.at.keys()), [(start, "")])
    if writer.counts.elsewhere:
        writer.node('>"{}"]', f"{writer.counts.elsewhere:,} runs in other versions")
    classes = [f"    {line}" for line in _CLASSES]
    return "\n".join(["flowchart TD", *writer.lines, *classes]) + "\n"


@dataclass
class _Writer:
    """Writes nodes and arrows, a line each."""

    counts: Counts
    lines: list[str] = field(default_factory=list)
    _loops: list[tuple[str, Exits]] = field(default_factory=list)
    _nodes: int = 0

    def node(self, shape: str, *texts: str, css: str = "") -> str:
        """Add a node, and return its name."""
        self._nodes += 1
        name = f"n{self._nodes}"
        label = "<br/>".join(_escaped(text) for text in texts if text)
        self.lines.append(f"    {name}{shape.format(label)}{f':::{css}' if css else ''}")
        return name

    def arrows(self, exits: Exits, target: str) -> None:
        """Let the way from all of these lead to a node."""
        for source, label in exits:
            arrow = f'-->|"{_escaped(label)}"|' if label else "-->"
            self.lines.append(f"    {source} {arrow} {target}")

    def block(self, block: Block, exits: Exits) -> Exits:
        """Add the parts of a block behind those exits; return its own."""
        for part in block:
            exits = self._part(part, exits)
        return exits

    def _part(self, part: Place | End | Jump | Choice | Loop, exits: Exits) -> Exits:
        match part:
            case Place():
                css = part.kind if part.kind in (Kind.WAIT, Kind.MAYBE) else ""
                texts = (part.title, *part.notes, self._count(part.point))
                name = self.node(_SHAPES[part.kind], *texts, css=css)
            case End():
                name = self.node('("{}")', part.title, css="ended")
                self.arrows(exits, name)
                return []
            case Jump(leaves=leaves):
                head, left = self._loops[-1]
                if leaves:
                    left += exits
                else:
                    self.arrows(exits, head)
                return []
            case Choice(title=title, arms=arms):
                name = self.node('{{"{}"}}', title)
                self.arrows(exits, name)
                return [out for arm in arms for out in self.block(arm.body, [(name, arm.label)])]
            case Loop():
                return self._loop(part, exits)
        self.arrows(exits, name)
        return [(name, "")]

    def _loop(self, loop: Loop, exits: Exits) -> Exits:
        head = self.node('{{{{"{}"}}}}', loop.title)
        self.arrows(exits, head)
        self._loops.append((head, []))
        self.arrows(self.block(loop.body, [(head, "")]), head)
        _, left = self._loops.pop()
        return left if loop.is_endless else [(head, "then"), *left]

    def _count(self, point: int | None) -> str:
        number = 0 if point is None else self.counts.at.get(point, 0)
        return f"{number:,} run{'s' if number != 1 else ''}" if number else ""


def _escaped(text: str) -> str:
    """Return a text as mermaid shows it as it stands: what could mean something is a number."""
    return _SPECIAL.sub(lambda found: f"#{ord(found[0])};", text)
