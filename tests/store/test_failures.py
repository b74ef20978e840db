"""A flow's failure is kept by every store, whatever characters its message has."""

from __future__ import annotations

import asyncio
import sys

import pytest

from fixtures.folder_store import FolderStore
from longterm import Engine, RunState, deflow, suspend
from longterm.store import open_store


@deflow
def fails():
    raise ValueError(suspend("message"))


class Unshowable(Exception):
    @property
    def __notes__(self):
        raise OSError("the notes are elsewhere")


@deflow
def fails_unshowably():
    suspend("message")
    raise Unshowable


@deflow
async def fails_later():
    suspend("message")
    raise ValueError("too late")


@pytest.fixture(params=["memory", "sqlite", "folder", "postgres"])
def store(request, tmp_path):
    if request.param == "memory":
        yield open_store("memory://")
    elif request.param == "folder":
        yield FolderStore(tmp_path, desk="billing")
    else:
        url = f"sqlite:///{tmp_path}/runs.db"
        if request.param == "postgres":
            server = request.getfixturevalue("server")
            url = server.url(request.getfixturevalue("fresh_database")())
        with open_store(url) as store:
            yield store


@pytest.mark.parametrize("message", ["a\0b", "\ud800 alone", "\udfff\0", "Grüße \N{GRINNING FACE}"])
def test_a_failure_is_kept_whatever_its_message(store, message):
    engine = Engine(store)
    run = engine.start_flow(fails)

    with pytest.raises(ValueError, match=r"b|alone|Grüße|\udfff"):
        engine.process_event(run.id, "message", message)

    stored = engine.get_run(run.id)
    assert stored.state is RunState.FAILED
    written = (
        message.replace("\0", r"\x00").replace("\ud800", r"\ud800").replace("\udfff", r"\udfff")
    )
    assert f"ValueError: {written}\n" in stored.error


def test_a_failure_is_kept_though_it_cannot_be_shown():
    engine = Engine("memory://")
    run = engine.start_flow(fails_unshowably)

    with pytest.raises(Unshowable):
        engine.process_event(run.id, "message")

    stored = engine.get_run(run.id)
    assert stored.state is RunState.FAILED
    # From 3.13 on Python itself says so.
    shown = "Unshowable: <it raises OSError when shown>"
    ignored = "Ignored error getting __notes__: OSError('the notes are elsewhere')"
    assert stored.error.startswith("Traceback (most recent call last):\n")
    assert stored.error.splitlines()[-1] == (ignored if sys.version_info >= (3, 13) else shown)
    assert "in fails_unshowably\n" in stored.error


def test_a_failure_shows_the_lines_of_its_flow_alone():
    engine = Engine("memory://")
    plain, later = engine.start_flow(fails), asyncio.run(engine.astart_flow(fails_later))

    with pytest.raises(ValueError, match="at once"):
        engine.process_event(plain.id, "message", "at once")
    with pytest.raises(ValueError, match="too late"):
        asyncio.run(engine.aprocess_event(later.id, "message"))

    for run, function in ((plain, "fails"), (later, "fails_later")):
        first, place = engine.get_run(run.id).error.splitlines()[:2]
        assert first == "Traceback (most recent call last):"
        assert __file__ in place
        assert place.endswith(f"in {function}")
