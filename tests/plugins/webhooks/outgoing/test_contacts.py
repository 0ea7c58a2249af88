"""Changes of contacts in the envelope that contacts services use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import chatnode_crm
import chatnode_webhooks
import pytest
import trio

from chatnode.node import Node
from chatnode.testing import User
from tests.plugins.webhooks.outgoing.dialogue import endpoint
from tests.plugins.webhooks.outgoing.receiver import Receiver

ENVELOPE = {"event_id", "event_type", "timestamp", "version", "data", "metadata"}


@pytest.fixture
def only_plugins() -> Sequence[Any]:
    return [chatnode_crm, chatnode_webhooks]


@pytest.fixture
def plugins() -> Sequence[Any]:
    return [chatnode_webhooks]


async def test_contacts_in_their_envelope_and_in_the_standard_one(
    node: Node, receiver: Receiver, other: Receiver, mia: User, ann: User, running: trio.CancelScope
) -> None:
    secret = (await endpoint(mia, receiver, ["crm.contact.*"], format="seed"))["secret"]
    await endpoint(mia, other, ["crm.*"])
    contact = (await node.call("crm.contacts.create", email="john.doe@example.com", first_name="John"))["contact"]
    await node.call("crm.contacts.update", contact=contact["id"], company="Acme Corp")
    await node.call("crm.contacts.update", contact=contact["id"], company="Acme Corp")  # changes nothing
    await receiver.until_got(2)  # what is told of a contact that is gone is that it is gone
    await other.until_got(2)
    await node.call("crm.contacts.delete", contact=contact["id"])
    await ann.says(await ann.group(), "canary")
    got = sorted(await receiver.until_got(3), key=lambda each: each.json["metadata"]["gid"])
    assert all(each.verified_by(secret) for each in got)
    created, updated, deleted = (each.json for each in got)
    assert {frozenset(each.json) for each in got} == {frozenset(ENVELOPE)}
    assert [each["event_type"] for each in (created, updated, deleted)] == [
        "contact.created", "contact.updated", "contact.deleted",
    ]  # fmt: skip
    assert (created["data"]["email"], created["version"]) == ("john.doe@example.com", "1.0")
    assert updated["data"]["updated_fields"] == {"company": "Acme Corp"}
    assert deleted["data"]["email"] == "john.doe@example.com"
    assert len({UUID(each["event_id"]) for each in (created, updated, deleted)}) == 3
    assert created["metadata"]["correlation_id"]
    changes = (await node.call("crm.contacts.changes", after=0))["events"]
    assert [each["event_id"] for each in changes] == [each.json["event_id"] for each in got]
    await other.until_got(3)
    assert sorted(other.kinds) == ["crm.contact.created", "crm.contact.deleted", "crm.contact.updated"]
    assert all(each.json["data"]["data"]["email"] == "john.doe@example.com" for each in other.got)


async def test_the_envelope_around_a_message(receiver: Receiver, robo: User, ann: User) -> None:
    await endpoint(robo, receiver, format="seed")
    room = await ann.group(robo)
    await ann.says(room, "hello")
    [got] = await receiver.until_got(1)
    found = got.json
    assert (set(found), found["event_type"], UUID(found["event_id"]).version) == (ENVELOPE, "message.posted", 5)
    assert found["metadata"] == {"correlation_id": got.id, "service": "chatnode", "gid": found["metadata"]["gid"]}
    assert found["data"]["message"]["text"] == "hello"
