"""The events of contacts: in a form that other programs know, for real changes only, and without what was erased."""

from __future__ import annotations

from uuid import UUID

from chatnode_crm.contacts import writing
from chatnode_crm.lists.changing import make_list
from chatnode_crm.lists.membership import add_many

from chatnode.api import Transaction
from chatnode.node import Node
from chatnode.testing import User, refused
from tests.plugins.crm.contacts.keeping import ADA, Listener, created


async def test_they_are_told_as_other_programs_know_them(mara: User) -> None:
    listener = await Listener.of(mara)
    ada = await created(mara, **ADA, phone="+33612345678", country="France", city="Paris")
    await mara.call("crm.contacts.update", contact=ada["id"], company="New Company Inc", city="")
    await mara.call("crm.contacts.delete", contact=ada["id"], reason="moved away")
    made, changed, deleted = await listener.hears()
    assert made["event_type"] == "contact.created"
    assert (made["data"]["company"], made["data"]["city"]) == ("Engines", "Paris")  # though it is gone by now
    assert changed["event_type"] == "contact.updated"
    assert changed["data"]["updated_fields"] == {"company": "New Company Inc", "city": None}
    assert deleted["event_type"] == "contact.deleted"
    assert {**deleted["data"], "deleted_at": ""} == {
        "contact_id": ada["id"], "email": "ada@example.org", "deleted_at": "", "reason": "moved away",
    }  # fmt: skip
    assert deleted["timestamp"] == deleted["data"]["deleted_at"]
    for event in (made, changed, deleted):
        assert event["version"] == "1.0"
        assert event["metadata"]["service"] == "chatnode-crm"
        assert (UUID(event["event_id"]).version, UUID(event["metadata"]["correlation_id"]).version) == (4, 4)


async def test_a_new_contact_is_told_with_its_fields(mara: User) -> None:
    listener = await Listener.of(mara)
    ada = await created(mara, **ADA, phone="+33 6 12 34 56 78", country="France")
    (event,) = await listener.hears()
    assert event["data"] == {
        "contact_id": ada["id"], "email": "ada@example.org", "first_name": "Ada", "last_name": "Lovelace",
        "company": "Engines", "phone": ada["phone"], "country": "France", "city": None, "source": "manual",
        "created_at": ada["created_at"],
    }  # fmt: skip


async def test_what_is_told_twice_has_the_same_id(mara: User) -> None:
    first, second = await Listener.of(mara), await Listener.of(mara)
    await created(mara, **ADA)
    assert await first.hears() == await second.hears()


async def test_a_page_ends_where_the_next_one_begins(mara: User) -> None:
    listener, whole = await Listener.of(mara), await Listener.of(mara)
    rows = [{"email": f"c{number}@example.org"} for number in range(7)]
    await mara.call("crm.contacts.upsert", contacts=rows)
    assert await listener.hears(limit=3) == await whole.hears()


async def test_events_of_one_request_belong_together(mara: User) -> None:
    listener = await Listener.of(mara)
    await mara.call("crm.contacts.upsert", contacts=[{"email": "a@example.org"}, {"email": "b@example.org"}])
    one, other = await listener.hears()
    assert one["metadata"]["correlation_id"] == other["metadata"]["correlation_id"]
    assert one["event_id"] != other["event_id"]


async def test_after_an_erasure_they_say_ids_only(node: Node, mara: User) -> None:
    listener = await Listener.of(mara)
    ada = await created(mara, **ADA)
    await mara.call("crm.contacts.update", contact=ada["id"], first_name="Augusta")
    (key,) = await node.core.db.read(lambda reader: reader.execute("SELECT key FROM crm_contacts").fetchone())
    await node.core.db.write(lambda tx: writing.erase_many(tx, [key], reason="asked to", actor=None))
    events = await listener.hears()
    assert [event["event_type"] for event in events] == ["contact.created", "contact.updated", "contact.deleted"]
    told = [name for event in events for name, value in event["data"].items() if value != ada["id"]]
    assert told == ["updated_at", "deleted_at"]
    assert {event["data"]["contact_id"] for event in events} == {ada["id"]}


async def test_a_change_that_is_not_in_the_journal_any_more_is_told_in_full(node: Node, mara: User) -> None:
    listener = await Listener.of(mara)
    ada = await created(mara, **ADA)
    await mara.call("crm.contacts.update", contact=ada["id"], city="London")
    await node.core.db.write(lambda tx: tx.execute("DELETE FROM crm_changes"))
    _, changed = await listener.hears()
    assert changed["data"]["updated_fields"] | ADA | {"city": "London"} == changed["data"]["updated_fields"]


async def test_a_cursor_of_before_a_restore_is_refused(mara: User) -> None:
    with refused("gone", "epoch"):
        await mara.call("crm.contacts.changes", after=1, epoch="another")


async def test_lists_and_tags_are_told_in_the_same_form(node: Node, mara: User) -> None:
    ada = await created(mara, **ADA)
    listener = await Listener.of(mara)
    (key,) = await node.core.db.read(lambda reader: reader.execute("SELECT key FROM crm_contacts").fetchone())

    def write(tx: Transaction) -> None:
        add_many(tx, make_list(tx, "News", kind="static", actor=None).key, [key], actor=None)

    await node.core.db.write(write)
    heard = [event for event in await listener.hears() if event["event_type"] == "contact.added_to_list"]
    assert [(event["data"]["contact_id"], event["data"]["list_name"]) for event in heard] == [(ada["id"], "News")]
