"""The recipes for types of libraries, run as they stand on the page, with the real libraries."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from longterm._codec import CorruptData, NotStorable, decode, encode
from longterm._codec.types import registered

PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text(encoding="utf-8")
BY_THIS = "<!-- not run: by tests/codec/test_recipes.py, which has the library -->"
REMEDIES = ("see docs/recipes.md", "primary key")


@pytest.fixture
def recipe(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Run the recipe of a library in a module of its own; skip loudly without the library."""
    library = request.param
    if find_spec(library.lower()) is None:
        pytest.skip(f"{library} is not installed (most are in the group test-recipes)")
    before = dict(registered._by_class), dict(registered._by_name)
    section = PAGE.partition(f"\n## {library}\n")[2].partition("\n## ")[0]
    (code,) = re.findall(f"{BY_THIS}\n```python\n(.*?)```", section, re.DOTALL)
    module = ModuleType("recipe")
    monkeypatch.setitem(sys.modules, "recipe", module)
    yield lambda: exec(code, vars(module)) or module
    for table, kept in zip((registered._by_class, registered._by_name), before, strict=True):
        table.clear()
        table.update(kept)  # type: ignore[arg-type]


def back(value: Any) -> Any:
    return decode(encode([value]))[0]


def refused(value: Any) -> None:
    """Check that a value is refused as long as the recipe was not followed."""
    with pytest.raises(NotStorable) as caught:
        encode([value])
    assert any(remedy in str(caught.value) for remedy in REMEDIES), caught.value


@pytest.mark.parametrize("recipe", ["numpy"], indirect=True)
def test_numpy(recipe: Any) -> None:
    numpy: Any = importlib.import_module("numpy")

    for value in (numpy.float64(1.5), numpy.int8(3), numpy.bool_(1), numpy.datetime64("2026-01-01"),
                  numpy.arange(6).reshape(2, 3), numpy.array([], "f4")):  # fmt: skip
        refused(value)
    recipe()
    for value in (numpy.float64(1.5), numpy.int8(3), numpy.bool_(1), numpy.datetime64("2026-01-01"),
                  numpy.arange(6).reshape(2, 3), numpy.array([], "f4")):  # fmt: skip
        held = back(value)
        assert (type(held), held.dtype) == (type(value), value.dtype)
        assert numpy.array_equal(held, value)
    back(numpy.zeros(3))[0] = 1
    with pytest.raises(NotStorable, match="TypeError") as caught:
        encode([numpy.array([object()])])
    assert "tolist" in str(caught.value.__cause__)


@pytest.mark.parametrize("recipe", ["pandas"], indirect=True)
def test_pandas(recipe: Any) -> None:
    pandas: Any = importlib.import_module("pandas")

    frame = pandas.DataFrame({"a": [1, 2], "b": ["x", None]}, index=pandas.Index([5, 7], name="k"))
    moment = pandas.Timestamp("2026-11-28 10:00:00.000000001", tz="Europe/Paris")
    refused(frame)
    refused(moment)
    recipe()
    pandas.testing.assert_frame_equal(back(frame), frame)
    assert back(moment) == moment
    assert str(back(moment).tz) == "Europe/Paris"


@pytest.mark.parametrize("recipe", ["pendulum"], indirect=True)
def test_pendulum(recipe: Any) -> None:
    pendulum: Any = importlib.import_module("pendulum")

    moment = pendulum.datetime(2026, 10, 25, 2, 30, tz="Europe/Paris")
    recipe()
    held = back([moment, moment.add(hours=1) - moment, pendulum.date(2026, 1, 1)])
    assert held[0] == moment
    assert type(held[0]) is type(moment)
    assert held[0].add(hours=1).isoformat() == moment.add(hours=1).isoformat()
    assert held[0].timezone is moment.timezone
    assert held[1].in_minutes() == 60
    assert held[2].add(days=1).to_date_string() == "2026-01-02"


@pytest.mark.parametrize("recipe", ["pytz"], indirect=True)
def test_pytz(recipe: Any) -> None:
    pytz: Any = importlib.import_module("pytz")

    paris = pytz.timezone("Europe/Paris")
    summer, winter = (paris.localize(datetime(2026, month, 1)) for month in (7, 1))
    for value in (paris, pytz.utc, pytz.timezone("Etc/GMT+3"), summer):
        refused(value)
    recipe()
    for value in (paris, pytz.utc, pytz.timezone("Etc/GMT+3"), pytz.FixedOffset(90)):
        assert back(value) is value
    for moment in (summer, winter, pytz.utc.localize(datetime(2026, 1, 1))):
        held = back(moment)
        assert (held, held.utcoffset(), held.tzname()) == (
            moment, moment.utcoffset(), moment.tzname(),
        )  # fmt: skip
        assert held.tzinfo is moment.tzinfo
    half_a_year = timedelta(days=183)
    assert paris.normalize(back(summer) + half_a_year) == paris.normalize(summer + half_a_year)


@pytest.mark.parametrize("recipe", ["dateutil"], indirect=True)
def test_dateutil(recipe: Any) -> None:
    tz: Any = importlib.import_module("dateutil.tz")
    relative: Any = importlib.import_module("dateutil.relativedelta")
    version = importlib.import_module("dateutil").__version__

    paris = tz.gettz("Europe/Paris")
    if not version.startswith("2."):  # whose zones are stored as they are, all their history
        refused(paris)
    recipe()
    for zone in (paris, tz.gettz("Etc/GMT+3")):
        assert back(zone) == zone
        assert len(encode([zone])) < 60
    for moment in (datetime(2026, 7, 1, tzinfo=paris), datetime(2026, 1, 1, tzinfo=paris)):
        held = back(moment)
        assert (held, held.utcoffset(), held.tzname()) == (
            moment, moment.utcoffset(), moment.tzname(),
        )  # fmt: skip
    for value in (tz.UTC, tz.tzoffset("X", 3600), tz.tzlocal(), tz.tzstr("EST5EDT")):
        assert back(value) == value
    assert back(relative.relativedelta(months=1, weekday=relative.MO)) == relative.relativedelta(
        months=1, weekday=relative.MO
    )
    with pytest.raises(CorruptData, match="load_zone raised ValueError"):
        decode(encode([paris]).replace(b"Europe/Paris", b"Europe/Pariz"))


@pytest.mark.parametrize("recipe", ["pydantic"], indirect=True)
def test_pydantic(recipe: Any) -> None:
    import pydantic

    shape = pydantic.TypeAdapter(tuple[pydantic.HttpUrl, int])
    address, _ = shape.validate_python(("http://example.org/x", 1))
    with pytest.raises(pydantic.ValidationError) as caught:
        shape.validate_python(("no address", "x"))
    refused(address)
    refused(caught.value)
    recipe()
    assert back(address) == address
    held = back(caught.value)
    assert type(held) is pydantic.ValidationError
    assert held.errors() == caught.value.errors()


@pytest.mark.parametrize("recipe", ["msgspec"], indirect=True)
def test_msgspec(recipe: Any) -> None:
    msgspec: Any = importlib.import_module("msgspec")

    module = recipe()
    order = module.Order(1, ["x"])
    assert back(order) == order
    assert isinstance(back(order), msgspec.Struct)
    registered._by_class.clear()
    refused(order)


@pytest.mark.parametrize("recipe", ["Django"], indirect=True)
def test_django(recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    django: Any = importlib.import_module("django")
    settings: Any = importlib.import_module("django.conf").settings

    (tmp_path / "newsroom").mkdir()
    (tmp_path / "newsroom" / "__init__.py").touch()
    (tmp_path / "newsroom" / "models.py").write_text(
        "from django.db import models\n"
        "class Article(models.Model):\n    name = models.CharField(max_length=9)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    # In a file: a database in memory is never closed by Django.
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "newsroom.db")}
    settings.configure(
        INSTALLED_APPS=["newsroom"],
        DATABASES={"default": database},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    )
    django.setup()
    connection: Any = importlib.import_module("django.db").connection
    Article: Any = importlib.import_module("newsroom.models").Article

    with connection.schema_editor() as editor:
        editor.create_model(Article)
    row = Article.objects.create(name="old")
    refused(row)
    recipe()
    stored = encode([row])
    Article.objects.filter(pk=row.pk).update(name="new")
    assert decode(stored)[0].name == "new"
    with pytest.raises(NotStorable) as caught:
        encode([Article(name="x")])
    assert "save it before the suspend" in str(caught.value.__cause__)
    connection.close()


@pytest.mark.parametrize("recipe", ["SQLAlchemy"], indirect=True)
def test_sqlalchemy(recipe: Any) -> None:
    text: Any = importlib.import_module("sqlalchemy").text
    module = recipe()
    module.Base.metadata.create_all(module.engine)
    user = module.User(name="old")
    module.session.add(user)
    module.session.commit()
    stored = encode([user])
    module.session.execute(text("UPDATE users SET name = 'new'"))
    module.session.expire_all()
    assert decode(stored)[0].name == "new"
    row = module.session.execute(text("SELECT 1 AS a, 2 AS b")).one()
    refused(row)
    assert back([tuple(row), dict(row._mapping)]) == [(1, 2), {"a": 1, "b": 2}]
    module.session.close()
    module.engine.dispose()
    registered._by_class.clear()
    refused(user)


def test_httpx() -> None:
    httpx: Any = pytest.importorskip("httpx", reason="pip install --group test-recipes")
    request = httpx.Request("GET", "http://example.org/?a=1")
    answer = httpx.Response(500, json={"a": 1}, request=request)
    held, error = back([answer, httpx.HTTPStatusError("no", request=request, response=answer)])
    assert (held.json(), str(held.request.url), held.is_error) == (
        {"a": 1}, "http://example.org/?a=1", True,
    )  # fmt: skip
    assert error.response is held
    assert back(httpx.USE_CLIENT_DEFAULT) is httpx.USE_CLIENT_DEFAULT
    with httpx.Client() as client, pytest.raises(NotStorable, match="at the top of a module"):
        encode([client])
