"""What is held about somebody: to take away, to erase, and whether it is in order."""

from __future__ import annotations

from typing import Any

import pytest

from chatnode.node import Node
from chatnode.storage.people import people
from chatnode.storage.privacy import erasure
from chatnode.testing import LiveSession, User
from tests.plugins.contacts.keeping import become_contacts, kept, listed, requests
from tests.services.dialogue import assert_sound


async def exported(who: User) -> list[dict[str, Any]]:
    """What `people.export` gives of contacts."""
    found: list[dict[str, Any]] = []
    page = await who.call("people.export", limit=3)
    while True:
        found += [each for each in page["entries"] if "contacts" in each["kind"]]
        if "next" not in page:
            return found
        page = await who.call("people.export", limit=3, after=page["next"])


async def rows(node: Node, person: User) -> int:
    sql = (
        "SELECT (SELECT count(*) FROM contacts_entries WHERE :key IN (owner, contact)) "
        "+ (SELECT count(*) FROM contacts_labels WHERE :key IN (owner, contact)) "
        "+ (SELECT count(*) FROM contacts_requests WHERE :key IN (sender, receiver))"
    )
    key = {"key": person.account.key}
    return (await node.core.db.read(lambda reader: reader.execute(sql, key).fetchone()))[0]


async def test_one_takes_away_what_one_keeps(ann: User, bob: User, cay: User, eve: User) -> None:
    await become_contacts(ann, bob)
    await ann.call("contacts.update", person="bob", nickname="Bobby", number="112", note="tea", groups=["Work"])
    await bob.call("contacts.update", person="ann", note="what Bob thinks of Ann")
    await ann.call("contacts.add", person="cay", favourite=True)
    await ann.call("contacts.request", person="eve", note="please")
    given = await exported(ann)
    for words in ("Bobby", "112", "tea", "Work", bob.id, cay.id, eve.id, "please"):
        assert words in str(given)
    assert "what Bob thinks" not in str(given)  # that is his
    assert "Bobby" not in str(await exported(bob))


async def test_who_is_erased_is_in_no_list(node: Node, ann: User, bob: User, cay: User, eve: User) -> None:
    """On both sides; and those who keep them are told, also those who share no conversation with them."""
    await become_contacts(ann, bob)
    await bob.call("contacts.update", person="ann", nickname="Annie", groups=["Work"])
    await ann.call("contacts.update", person="bob", tags=["vip"])
    await cay.call("contacts.add", person="ann", note="about ann")
    await eve.call("contacts.request", person="ann")
    ears = {who.handle: await LiveSession.of(node, who) for who in (bob, cay, eve)}

    await node.call("people.erase", person="ann", handle="ann")
    assert await rows(node, ann) == 0
    assert (await listed(bob), await listed(cay), await requests(eve, "outgoing")) == ([], [], [])
    for each in ears.values():
        told = each.heard("person.updated")[-1]["person"]
        assert (told["id"], told["erased"]) == (ann.id, True)
    assert not await node.core.db.read(
        lambda reader: reader.execute("SELECT 1 FROM contacts_entries WHERE note LIKE '%ann%'").fetchone()
    )
    await assert_sound(node)


async def test_who_is_being_erased_is_not_shown_any_more(node: Node, ann: User, bob: User) -> None:
    """An erasure takes steps, and the first one is the end."""
    await bob.call("contacts.add", person="ann", groups=["Work"])
    await bob.call("contacts.request", person="ann")
    await node.core.db.write(lambda tx: erasure.begin(tx, people.by_key(tx, ann.account.key)))
    assert (await listed(bob), await requests(bob, "outgoing")) == ([], [])
    assert (await bob.call("contacts.labels.list"))["labels"] == []
    for collection in ("contacts", "contact_labels", "contact_requests"):
        assert (await bob.call("items.query", collection=collection))["data"] == []


async def test_a_new_name_is_told_to_who_keeps_them(node: Node, ann: User, bob: User, cay: User, eve: User) -> None:
    """Also where they share no conversation; not to whoever has blocked them or is blocked, and not to others."""
    for who in (bob, cay):
        await who.call("contacts.add", person="ann")
    await cay.call("people.block", person="ann")
    ears = {who.handle: await LiveSession.of(node, who) for who in (bob, cay, eve)}
    await ann.call("people.update", name="Anneke")
    assert {handle: len(each.heard("person.updated")) for handle, each in ears.items()} == {
        "bob": 1,
        "cay": 0,
        "eve": 0,
    }
    assert (await kept(bob, ann))["person"]["name"] == "Anneke"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE contacts_entries SET sort_name = 'x'", "sort or search words that are out of date"),
        ("UPDATE contacts_entries SET called = 'x'", "sort or search words that are out of date"),
        ("UPDATE contacts_entries SET words = 'x'", "sort or search words that are out of date"),
        ("UPDATE contacts_entries SET groups = NULL WHERE groups IS NOT NULL", "groups or tags that differ"),
        ("DELETE FROM contacts_labels", "groups or tags that differ"),
        ("UPDATE contacts_entries SET removed_at = 1", "still has data about"),
    ],
)
async def test_what_is_out_of_order_is_found(node: Node, ann: User, bob: User, damage: str, said: str) -> None:
    await ann.call("contacts.add", person="bob", nickname="Bobby", groups=["Work"])
    await assert_sound(node)
    await node.core.db.write(lambda tx: tx.execute(damage))
    checked = await node.call("node.check")
    assert not checked["clean"]
    assert said in str(checked)
