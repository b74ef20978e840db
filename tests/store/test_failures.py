"""A flow's failure is kept by every store, whatever characters its message has."""

from __future__ import annotations

import pytest

from fixtures.folder_store import FolderStore
from longterm import Engine, RunState, deflow, suspend
from longterm.store import open_store


@deflow
def fails():
    raise ValueError(suspend("message"))


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
