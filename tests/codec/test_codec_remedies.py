"""What the codec advises besides its hints is done literally, and then the bytes go through.

The hints of values that cannot be stored are followed in `test_remedies`.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections import deque
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

import longterm
from longterm import process_event, start_flow
from longterm._codec import decode, encode
from longterm._codec.types.registered import _by_class, _by_name
from tests.advice import advice_of, printed, tried_in
from tests.codec.test_remedies import CODEC, ELSEWHERE, hints_of_the_code
from tests.sealing import KEY, OTHER_KEY, envelope, forget  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("envelope")


class Codec:
    def encode(self, data: bytes) -> bytes:
        return data[::-1]

    def decode(self, data: bytes) -> bytes:
        return data[::-1]


class Price:
    """A type that is registered."""

    def __init__(self, cents: int) -> None:
        self.cents = cents


@longterm.deflow
def ask() -> Any:
    answer = longterm.suspend("answer")
    return answer


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Register `Price` for one test."""
    monkeypatch.setattr("longterm._codec.types.registered._by_class", {**_by_class})
    monkeypatch.setattr("longterm._codec.types.registered._by_name", {**_by_name})

    def register(**more: Any) -> None:
        longterm.register_type(
            Price, encode=lambda price: price.cents, decode=Price, name="test:price", **more
        )

    return register


def test_a_key_that_is_missing_is_given() -> None:
    longterm.set_keys(KEY)
    run = start_flow(ask)
    forget()

    with printed("set LONGTERM_KEY, or call longterm.set_keys at the start"):
        process_event(run.id, "answer", 1)

    longterm.set_keys(KEY)
    assert process_event(run.id, "answer", 1).result == 1


def test_a_key_that_was_replaced_is_given_behind_the_first() -> None:
    longterm.set_keys(KEY)
    run = start_flow(ask)
    longterm.set_keys(OTHER_KEY)

    with printed("give that key too, behind the first; its mark is *"):
        process_event(run.id, "answer", 1)

    longterm.set_keys(OTHER_KEY, KEY)
    assert process_event(run.id, "answer", 1).result == 1


def test_an_empty_key_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGTERM_KEY", "")
    with printed("unset it to store without a seal"):
        start_flow(ask)

    monkeypatch.delenv("LONGTERM_KEY")
    forget()
    assert process_event(start_flow(ask).id, "answer", 1).result == 1


def test_facts_that_are_hidden_need_a_key() -> None:
    with printed("set LONGTERM_KEY, or call longterm.set_keys"):
        longterm.find_runs(blind={"patient": 1})

    longterm.set_keys(KEY)
    assert longterm.find_runs(blind={"patient": 1}) == []


def test_what_was_stored_before_the_payload_codec_is_accepted() -> None:
    run = start_flow(ask)
    longterm.set_payload_codec(Codec(), accept_plain=False)
    with printed("to read older ones: set_payload_codec(..., accept_plain=True)"):
        process_event(run.id, "answer", 1)

    longterm.set_payload_codec(Codec(), accept_plain=True)
    assert process_event(run.id, "answer", 1).result == 1


def test_the_payload_codec_is_set_at_the_start() -> None:
    longterm.set_payload_codec(Codec())
    run = start_flow(ask)
    forget()
    with printed("call longterm.set_payload_codec at the start"):
        process_event(run.id, "answer", 1)

    longterm.set_payload_codec(Codec())
    assert process_event(run.id, "answer", 1).result == 1


def test_a_module_is_allowed_by_its_name() -> None:
    with printed("allow 'shop' or 'shop.orders'"):
        longterm.allow("shop/orders.py")

    longterm.allow("shop.orders")


def test_a_module_is_imported_at_the_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / "shop_of_remedies.py").write_text("class Order:\n    pass\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    module: Any = __import__("shop_of_remedies")
    data = encode(module.Order())
    monkeypatch.delitem(sys.modules, "shop_of_remedies")

    with printed(
        "import it where the application starts, or longterm.allow(*); if what it held was moved, "
        "keep a module * with `from its_new_module import *` in it"
    ) as caught:
        decode(data)

    __import__("shop_of_remedies")
    assert type(decode(data)).__name__ == "Order"

    monkeypatch.delitem(sys.modules, "shop_of_remedies")
    (tmp_path / "shop_of_remedies.py").rename(tmp_path / "its_new_module.py")
    remedy = re.search(r"keep a module (\S+) with `(.*)` in it", str(caught.value))
    assert remedy is not None
    (tmp_path / f"{remedy[1]}.py").write_text(remedy[2], "utf-8")
    importlib.invalidate_caches()
    __import__("shop_of_remedies")
    assert type(decode(data)).__module__ == "its_new_module"
    sys.modules.pop("its_new_module")


def test_a_class_that_is_finalized_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("shop_that_ends")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr("longterm._codec.trust._prefixes", set())
    exec("class Order:\n    pass", vars(module))
    data = encode(module.Order())
    exec("class Order:\n    def __del__(self):\n        pass", vars(module))

    with printed("if it is to run, longterm.allow(*)"):
        decode(data)

    longterm.allow("shop_that_ends")
    exec("class Order:\n    def __del__(self):\n        pass", vars(module))
    assert isinstance(decode(data), module.Order)


def test_a_type_is_registered_by_the_module_that_does(
    registered: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    registered()
    data = encode(Price(3))
    monkeypatch.setattr("longterm._codec.types.registered._by_name", {})
    with printed("import the module that registers it"):
        decode(data)

    registered()
    assert decode(data).cents == 3


def test_a_type_is_upgraded(registered: Callable[..., Any]) -> None:
    registered()
    data = encode(Price(3))
    registered(version=2)
    with printed("give register_type an upgrade function"):
        decode(data)

    registered(version=2, upgrade=lambda plain, version: plain * 100)
    assert decode(data).cents == 300


def test_a_type_is_registered_under_a_name_of_its_own(registered: Callable[..., Any]) -> None:
    class Cost(Price):
        pass

    registered()
    with printed("give another name"):
        longterm.register_type(Cost, encode=vars, decode=Cost, name="test:price")

    longterm.register_type(Cost, encode=vars, decode=Cost, name="test:cost")


def test_what_is_freed_with_native_stack_is_a_list() -> None:
    nested: Any = deque()
    for _ in range(10_000):
        nested = deque([nested])
    with printed("use lists"):
        encode(nested)
    while nested:
        nested = nested.pop()

    for _ in range(10_000):
        nested = [nested]
    assert encode(nested)


def test_keys_that_share_are_strings() -> None:
    shared: Any = ()
    for _ in range(22):
        shared = (shared, shared)
    with printed("use keys that are plain, such as strings"):
        encode({shared: 1})

    assert decode(encode({"shared": 1})) == {"shared": 1}


FOLLOWED_ELSEWHERE = {
    "break the cycle before the suspend": "test_refusals",
    "encode it to a list": "test_own_code",
    "give it a default, or *": "test_changed_classes",
    "give it a plain default, such as None, or *": "test_changed_classes",
    "give the class a value for it, `* = None`, or *": "test_changed_classes",
    "if it was moved, write `from its_new_module import *` in *; if it was renamed, `* = NewName`":
        "tests/runtime/test_kept_names.py",
    "if it was one: *": "test_changed_classes",
    "import it at the top of a module, or again after the suspend": "test_modules",
    "keep the class under its name as it was, until no run holds an instance, and give the new one "
    "another name": "test_changed_classes",
    "keep their ids; at most * runs are stored": "test_budgets",
    "let the function that register_upgrade is given return a dict of fields by name":
        "test_changed_classes",
    "put it back, or *": "test_changed_classes",
    "put it back, or let it stand for another: `* = ANOTHER` in the class": "test_changed_classes",
    "put it back, or let the old name stand for it: `* = NewName` in *": "test_changed_classes",
    "see the cause above; keep what it is made of": "test_own_code",
    "use keys that are plain": "as with keys that share",
    "use keys that are strings": "as with keys that share",
    "was it renamed or moved? let the old name stand for it too": "test_constants",
    "keep it elsewhere": "a value of four gigabytes is not made here",
    "restore the run from a backup": "a file that is put back is as it was",
}  # fmt: skip
NO_ADVICE = {"* in all", "3.13 can", "made by python -m longterm._codec.types.table",
             "named tuples too", "point *, version *", "see docs/recipes.md",
             "stored by a newer longterm?", "that is *", "was it deleted?"}  # fmt: skip


def test_no_remedy_is_forgotten() -> None:
    advice = advice_of(CODEC) - hints_of_the_code() - set(ELSEWHERE) - NO_ADVICE

    assert tried_in(__file__) | set(FOLLOWED_ELSEWHERE) == advice
