"""Accounts of the node become contacts, if the node is set up so."""

from __future__ import annotations

import pytest

from chatnode.config import Config
from chatnode.node import Node
from chatnode.testing import User, configured, run_work
from tests.plugins.crm.people.making import contact, count, of_account
from tests.plugins.sql import rows

FOUND = "SELECT first_name, last_name, source FROM crm_contacts ORDER BY key"


@pytest.fixture
def config() -> Config:
    return configured(plugins={"crm": {"chat_accounts": True}})


async def create(node: Node, handle: str, name: str) -> User:
    await node.call("people.create", handle=handle, name=name)
    return await User.of(node, handle)


async def test_a_new_account_is_a_contact(node: Node) -> None:
    await create(node, "earlier", "Earlier One")
    await node.call("jobs.run", job="crm.accounts")  # those that are there are left alone
    ada = await create(node, "ada", "Ada de Lovelace")
    await node.call("people.create", handle="robot", bot=True)
    await node.call("jobs.run", job="crm.accounts")
    await node.call("jobs.run", job="crm.accounts")
    assert await rows(node, FOUND) == [("Ada", "de Lovelace", "chat")]
    found = await node.call("crm.contacts.by_person", person=ada.id)
    assert found["verified"] is True


async def test_those_that_are_there_are_added_when_asked_for(node: Node, mara: User) -> None:
    for number in range(7):
        await create(node, f"user{number}", f"User Number{number}")
    work = (await mara.call("crm.contacts.add_accounts"))["work"]
    done = await run_work(node, work)
    assert (done["status"], done["result"]) == ("done", {"made": 8})  # with mara
    again = await run_work(node, (await mara.call("crm.contacts.add_accounts"))["work"])
    assert again["result"] == {"made": 0}
    assert await count(node, "SELECT count(*) FROM crm_identities WHERE verified_at IS NOT NULL") == 8


async def test_somebody_who_claimed_the_account_is_suggested(node: Node, mara: User) -> None:
    claimed = await contact(node, "ada@example.org")
    ada = await create(node, "ada", "Ada")
    await mara.call("crm.identities.add", contact=claimed, kind="chat", external_id="ada")
    await run_work(node, (await mara.call("crm.contacts.add_accounts"))["work"])
    made = (await mara.call("crm.contacts.by_person", person=ada.id))["contact"]
    [pair] = (await mara.call("crm.duplicates.list", contact=claimed))["duplicates"]
    assert {pair["one"], pair["other"]} == {made, claimed}


async def test_a_new_name_follows_until_somebody_changes_it(node: Node, mara: User) -> None:
    ada = await create(node, "ada", "Ada Byron")
    await run_work(node, (await mara.call("crm.contacts.add_accounts"))["work"])
    await ada.call("people.update", name="Ada Lovelace")
    await node.consumers.catch_up()
    found = (await mara.call("crm.contacts.by_person", person="ada"))["contact"]
    names = "SELECT first_name, last_name FROM crm_contacts WHERE id = ?"
    assert await rows(node, names, found) == [("Ada", "Lovelace")]

    await mara.call("crm.contacts.update", contact=found, first_name="Augusta")
    await ada.call("people.update", name="Ada King")
    await node.consumers.catch_up()
    assert await rows(node, names, found) == [("Augusta", "Lovelace")]


async def test_a_contact_that_did_not_come_from_chat_keeps_its_name(node: Node, mara: User) -> None:
    ada = await create(node, "ada", "Ada Byron")
    kept = await of_account(node, ada, mara, first_name="Ada", last_name="Byron")
    await ada.call("people.update", name="Ada Lovelace")
    await node.consumers.catch_up()
    assert await rows(node, "SELECT last_name FROM crm_contacts WHERE id = ?", kept) == [("Byron",)]


async def test_an_erased_account_takes_its_contact_along(node: Node, mara: User) -> None:
    await create(node, "ada", "Ada Byron")
    await run_work(node, (await mara.call("crm.contacts.add_accounts"))["work"])
    before = await count(node, "SELECT count(*) FROM crm_contacts")
    erased = await node.call("people.erase", person="ada", handle="ada")
    assert erased["removed"]["crm.contacts"] == 1
    assert await count(node, "SELECT count(*) FROM crm_contacts") == before - 1
    assert await count(node, "SELECT count(*) FROM crm_contacts WHERE first_name = 'Ada'") == 0


class TestDetaching:
    @pytest.fixture
    def config(self) -> Config:
        return configured(plugins={"crm": {"chat_erased": "detach"}})

    async def test_or_leaves_it(self, node: Node, mara: User) -> None:
        ada = await create(node, "ada", "Ada Byron")
        await of_account(node, ada, mara)
        await node.call("people.erase", person="ada", handle="ada")
        assert await count(node, "SELECT count(*) FROM crm_contacts") == 1
        assert await count(node, "SELECT count(*) FROM crm_identities") == 0
        assert await count(node, "SELECT count(*) FROM crm_detached") == 0
