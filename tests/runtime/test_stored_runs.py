"""Runs that former versions have stored are read, and end as they would have ended then."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from longterm._codec import describe
from longterm.run import context_of
from tests.runtime.stored_runs import CORPORA, Corpus, ended, keys_of, played_on, shown, write

NEEDS = {"an event with a type": "pydantic", "a schedule": "cronsim"}
KINDS = [
    (folder.name, file, name)
    for folder in CORPORA
    for file in ("kinds.sql", "kinds-sealed.sql")
    for name in Corpus(folder).expected()["kinds.sql"]
]


@pytest.fixture(scope="module", params=CORPORA, ids=lambda folder: folder.name)
def corpus(request: pytest.FixtureRequest) -> Iterator[Corpus]:
    corpus = Corpus(request.param)
    with corpus.importable():
        yield corpus


def test_a_run_at_each_wait_of_each_construct_goes_on(corpus: Corpus) -> None:
    expected = corpus.expected()["constructs.sql"]
    plays = {name: corpus.module(name).PLAYS for name in corpus.constructs()}

    with corpus.opened("constructs.sql") as engine:
        assert engine.stuck_runs() == []
        assert {run.id for run in engine.find_runs(limit=10_000)} == expected.keys()
        found = {}
        for run_id in expected:
            name, number, count = run_id.rsplit("-", 2)
            events = plays[name][int(number)][2]
            found[run_id] = played_on(engine, run_id, events[int(count) :])

    assert found == expected


@pytest.mark.parametrize(("folder", "file", "name"), KINDS)
def test_a_run_of_each_kind_goes_on(folder: str, file: str, name: str, corpus: Corpus) -> None:
    if corpus.folder.name != folder:
        pytest.skip("of another corpus")
    needs = NEEDS.get(name)
    if needs is not None and find_spec(needs) is None:
        pytest.skip(f"{needs} is not installed")

    if name == "a schedule" and file == "kinds-sealed.sql":
        assert "a schedule@2026-12-01T03:00Z" in ended(corpus, file, name)
    else:
        assert ended(corpus, file, name) == corpus.expected()["kinds.sql"][name]


@pytest.mark.parametrize("file", ["constructs.sql", "kinds.sql", "kinds-sealed.sql"])
def test_every_run_is_shown_without_its_code(corpus: Corpus, file: str) -> None:
    with corpus.opened(file) as engine, keys_of(file):
        runs = engine.find_runs(limit=10_000)
        assert len(runs) > 30
        for run in runs:
            assert shown(run.to_dict())
            if run.stack is not None:
                assert describe(run.stack, context_of(run, "stack"))


def test_what_is_written_is_not_written_again(corpus: Corpus) -> None:
    with pytest.raises(FileExistsError, match="what is written stays"):
        write(corpus.folder)
