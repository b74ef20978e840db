"""Pictures of flows: a flow in, a drawing of the ways it can take out, as SVG or for mermaid.

    picture = picture_of(sell)
    counts = counts_of(picture, store.count_positions())
    to_svg(picture, counts)

A picture is read from the flow's source, which is not run. These are pure functions: what they are
given is not changed, and nothing else is read.
"""

from longterm.pictures._counting import counts_of
from longterm.pictures._mermaid import to_mermaid
from longterm.pictures._parts import Counts, Picture
from longterm.pictures._reading import picture_of
from longterm.pictures._svg import STYLE, to_svg

__all__ = ["STYLE", "Counts", "Picture", "counts_of", "picture_of", "to_mermaid", "to_svg"]
