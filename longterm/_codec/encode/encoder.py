"""Write any object graph as items: what is shared once, what it is used in after it.

In: the root. Out: the items' bytes, the root's last. Sharing, cycles and depth are all solved here;
trees of plain values do not come here (see `plain`).
"""

from __future__ import annotations

from typing import Any

from longterm._codec.collector import with_collector_at_rest
from longterm._codec.encode import limits
from longterm._codec.encode.cycle_writer import write_cycle
from longterm._codec.encode.cycles import components, is_cycle
from longterm._codec.encode.plain import may_hold_nan
from longterm._codec.encode.scan import Scan, scan
from longterm._codec.encode.writer import Writer
from longterm.errors import NotStorable


def encode_graph(root: Any) -> bytes:
    """Return the items of a graph, joined.

    Raises:
        NotStorable: a value of it cannot be stored.
    """
    try:
        return with_collector_at_rest(_scan_and_write, root)
    except UnicodeEncodeError:
        # A string holds half a surrogate pair, which msgpack does not write: look at each.
        return _checked(scan(root, with_care=True), root)
    except ValueError as error:
        # Text or bytes of more than four gigabytes, or a container of as many elements.
        raise NotStorable(
            f"a value is too large to be stored: {error} (keep it elsewhere)"
        ) from error


def encode_nans(root: Any) -> bytes | None:
    """Return the items of a graph with one NaN told from the other, joined; None if that is not
    needed: no NaN of it is held twice, and none has a name."""
    found = scan(root, with_care=True)
    return _checked(found, root) if found.has_nans or found.constants.has_nans else None


def _scan_and_write(root: Any) -> bytes:
    written = _checked(scan(root), root)
    return (may_hold_nan(written) and encode_nans(root)) or written


def _checked(found: Scan, root: Any) -> bytes:
    steps = limits.check(found)
    written = _write(found, root)
    steps.check(len(written))
    return written


def _write(found: Scan, root: Any) -> bytes:
    writer = Writer(found)
    for leaf in found.leaves:
        if id(leaf) in found.shared:
            writer.define(id(leaf), leaf)
    if not found.is_cyclic:
        for node in found.nodes:
            writer.write(node)
        return writer.finish(root)
    for group in components(found):
        if is_cycle(group, found):
            write_cycle(group, writer)
        else:
            writer.write(group[0])
    return writer.finish(root)
