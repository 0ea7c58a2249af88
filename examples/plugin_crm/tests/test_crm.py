"""Contacts with fields of one's own, segments, and the page."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import chatnode_crm
import pytest

from chatnode.testing import LiveUser, Node, check_plugin, fetch, refused


@pytest.fixture
async def contacts(agent: LiveUser) -> None:
    """Three of them, two with an age."""
    await agent.does("crm.fields.add", name="age", kind="number")
    await agent.does("crm.fields.add", name="town")
    for name, custom in (("Ada", {"age": "36", "town": "London"}), ("Bea", {"age": "9"}), ("Cem", {})):
        await agent.does("crm.contacts.add", name=name, email=f"{name}@example.org", custom=custom)


async def found(who: LiveUser, **asked: Any) -> list[dict[str, Any]]:
    return (await who.does("items.query", collection="crm_contacts", **asked))["data"]


async def test_contacts_are_filtered_and_sorted_by_fields_that_users_define(agent: LiveUser, contacts: None) -> None:
    grown = await found(agent, filter={"custom.age": {"_gte": 18}}, fields="name,email,custom.age")
    assert grown == [{"name": "Ada", "email": "ada@example.org", "custom.age": 36}]
    by_age = await found(agent, sort="-custom.age", fields="name")
    assert [each["name"] for each in by_age] == ["Ada", "Bea", "Cem"]
    with refused("invalid", "filter.custom.agee") as caught:
        await found(agent, filter={"custom.agee": {"_gte": 18}})
    assert "did you mean custom.age?" in caught.value.message


async def test_a_segment_is_asked_again_each_time(agent: LiveUser, contacts: None) -> None:
    await agent.does("crm.segments.save", segment="children", filter={"custom.age": {"_lt": 18}})
    assert await agent.does("crm.segments.count", segment="children") == {"contacts": 1}
    await agent.does("crm.contacts.add", name="Dee", email="dee@example.org", custom={"age": "3"})
    assert await agent.does("crm.segments.count", segment="children") == {"contacts": 2}
    with refused("invalid", "filter.custom.shoe"):
        await agent.does("crm.segments.save", segment="feet", filter={"custom.shoe": {"_eq": 44}})
    with refused("not_found", "segment"):
        await agent.does("crm.segments.count", segment="feet")


async def test_what_is_wrong_with_a_contact_is_said_at_its_field(agent: LiveUser, contacts: None) -> None:
    with refused("conflict", "email"):
        await agent.does("crm.contacts.add", name="Ada", email="ADA@example.org")
    with refused("invalid", "email"):
        await agent.does("crm.contacts.add", name="Eve", email="eve")
    with refused("invalid", "custom.age"):
        await agent.does("crm.contacts.add", name="Eve", email="eve@example.org", custom={"age": "old"})
    with refused("invalid", "custom.shoe"):
        await agent.does("crm.contacts.add", name="Eve", email="eve@example.org", custom={"shoe": "44"})
    assert len(await found(agent)) == 3  # nothing is half there


async def test_contacts_are_for_agents(agent: LiveUser, ann: LiveUser) -> None:
    with refused("forbidden"):
        await found(ann)
    with refused("forbidden"):
        await ann.does("crm.contacts.add", name="Ada", email="ada@example.org")
    assert await found(agent) == []


async def test_who_did_what_is_in_the_audit_log(node: Node, contacts: None) -> None:
    entries = (await node.call("audit.list", action="crm.contact"))["entries"]
    assert [each["actor"]["handle"] for each in entries] == ["agent"] * 3
    (field,) = (await node.call("audit.list", action="crm.field", target="age"))["entries"]
    assert field["details"] == {"kind": "number"}


async def test_the_page_adds_a_contact(agent: LiveUser, ann: LiveUser, url: str) -> None:
    page, token = f"{url}/plugins/crm/", await agent.token()

    async def send(**fields: str) -> Any:
        body = urlencode(fields).encode()
        return await fetch(
            page, token, method="POST", body=body, headers={"Content-Type": "application/x-www-form-urlencoded"}
        )

    (form_token,) = re.findall(r'name="form_token" value="(\w+)"', (await fetch(page, token)).text)
    added = await send(form_token=form_token, name="Ada & Co", email="ada@example.org")
    assert added.status == 303
    shown = await fetch(f"{page}{added.headers['location'].rpartition('/')[2]}", token)
    assert "The contact was added." in shown.text
    assert "<li>Ada &amp; Co – ada@example.org</li>" in shown.text

    again = await send(form_token=form_token, name="Ada", email="ada@example.org")
    assert (again.status, "a contact with the address ada@example.org already exists" in again.text) == (409, True)
    empty = await send(form_token=form_token, name=" ", email="")
    assert (empty.status, empty.text.count("fill in this field")) == (400, 2)
    forged = await send(name="Eve", email="eve@example.org")
    assert (forged.status, "nothing was changed" in forged.text) == (403, True)
    assert (await fetch(page, await ann.token())).status == 403
    assert [each["name"] for each in await found(agent)] == ["Ada & Co"]


def test_plugin_declaration() -> None:
    check_plugin(chatnode_crm)
