"""Other plugins complete contacts: they fill what is empty, and harm nothing when they fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import chatnode_crm
import pytest

from chatnode.api import Plugin, hookimpl
from chatnode.testing import User, configured
from tests.plugins.crm.contacts.keeping import ADA, contact, created, upserted


class Completer:
    """A plugin that knows companies by their domain, or fails in the way that it is told."""

    def __init__(self, name: str = "firmographics") -> None:
        self.name = name
        self.answer: Any = None
        self.asked: list[Sequence[Mapping[str, Any]]] = []

    @hookimpl
    def chatnode_plugin(self) -> Plugin:
        return Plugin(name=self.name, version="1", api="2.0", about="Knows companies.", requires=("crm",))

    @hookimpl
    async def complete_contacts(self, contacts: Sequence[Mapping[str, Any]]) -> Any:
        self.asked.append(contacts)
        if isinstance(self.answer, Exception):
            raise self.answer
        return [self.answer for _ in contacts] if isinstance(self.answer, dict | None) else self.answer


@pytest.fixture
def completer() -> Completer:
    return Completer()


@pytest.fixture
def second() -> Completer:
    return Completer("geography")


@pytest.fixture
def only_plugins(completer: Completer, second: Completer) -> Sequence[Any]:
    return [chatnode_crm, completer, second]


@pytest.fixture
def plugins() -> Sequence[Any]:
    return [chatnode_crm]


async def test_only_empty_fields_are_filled(mara: User, completer: Completer, second: Completer) -> None:
    completer.answer = {"company": "Acme", "city": "Rome", "email": "other@example.org", "owner": "mara"}
    second.answer = {"city": "Oslo", "country": "Norway"}
    ada = await created(mara, **ADA)
    assert (ada["company"], ada["city"], ada["country"]) == ("Engines", "Rome", "Norway")
    assert (ada["email"], "owner" in ada) == ("ada@example.org", False)
    assert [dict(each) for each in completer.asked[0]] == [ADA]


async def test_a_batch_is_asked_about_at_once_and_what_is_stored_stays(mara: User, completer: Completer) -> None:
    ada = await created(mara, **ADA)
    completer.asked.clear()
    completer.answer = {"company": "Acme", "city": "Rome", "phone": "+33612345678"}
    assert await upserted(mara, {"email": "ada@example.org", "city": ""}, {"email": "bob@example.org"}) == [
        "updated", "created",
    ]  # fmt: skip
    assert [len(contacts) for contacts in completer.asked] == [2]
    kept = await contact(mara, ada["id"])
    assert (kept["company"], "city" in kept) == ("Engines", False)  # city was emptied on purpose
    (found,) = (await mara.call("crm.contacts.search", query="bob@example.org"))["contacts"]
    assert (found["company"], found["city"]) == ("Acme", "Rome")
    assert await upserted(mara, {"email": "ada@example.org", "city": ""}) == ["unchanged"]


@pytest.mark.parametrize(
    "answer",
    [RuntimeError("no"), 7, [], [None, None], [7], {"company": 7}, {"company": "x" * 300}, {7: "x"}, [{"company": {}}]],
    ids=str,
)
async def test_a_failure_is_harmless(mara: User, completer: Completer, answer: Any) -> None:
    completer.answer = answer
    ada = await created(mara, email="ada@example.org")
    assert ada.get("company") in (None, "7")


@pytest.mark.parametrize("config", [configured(plugins={"hook_seconds": 0.05})], ids=["50 ms"])
async def test_a_plugin_that_is_too_slow_is_left_out(mara: User, completer: Completer) -> None:
    import trio

    class Slow(dict[str, str]):
        pass

    async def slowly(contacts: Sequence[Mapping[str, Any]]) -> Any:
        await trio.sleep(30)

    completer.answer = Slow()
    assert "company" not in await created(mara, email="ada@example.org")
