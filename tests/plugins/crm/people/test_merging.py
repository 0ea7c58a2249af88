"""Two contacts become one, and two again."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from chatnode.api import steps_in
from chatnode.node import Node
from chatnode.testing import User, refused
from tests.plugins.crm.people.making import contact, count, events_since, head, key_of
from tests.plugins.sql import rows


async def field(node: Node, id: str, name: str) -> object:
    return (await rows(node, f"SELECT {name} FROM crm_contacts WHERE key = ?", await key_of(node, id)))[0][0]


async def test_what_one_lacks_the_other_gives_and_its_id_leads_to_the_one_that_is_left(node: Node, mara: User) -> None:
    kept = await contact(node, "ada@example.org", first_name="Ada", company="Engines")
    other = await contact(node, "a.lovelace@example.org", first_name="Augusta", last_name="Lovelace", city="London")
    gid = await head(node)
    merged = await mara.call("crm.contacts.merge", contact=kept, other=other, take=["email"])
    assert merged["contact"] == kept
    assert [await field(node, other, name) for name in ("id", "email", "email_key")] == [
        kept, "a.lovelace@example.org", "a.lovelace@example.org",
    ]  # fmt: skip
    assert [await field(node, kept, name) for name in ("first_name", "last_name", "city", "company")] == [
        "Ada", "Lovelace", "London", "Engines",
    ]  # fmt: skip
    assert await events_since(node, gid) == ["contact.deleted", "contact.updated"]
    assert await count(node, "SELECT count(*) FROM crm_changes WHERE reason = 'merged'") == 1
    assert await count(node, "SELECT count(*) FROM crm_contacts WHERE email_key = 'ada@example.org'") == 0


async def test_lists_tags_and_identities_go_along(node: Node, mara: User, ann: User) -> None:
    kept, other = await contact(node, "ada@example.org"), await contact(node, "a.lovelace@example.org")
    for name, members in (("Both", [kept, other]), ("Hers", [other])):
        await mara.call("crm.lists.create", name=name)
        await mara.call("crm.tags.create", name=name)
        for id in members:
            await put(node, id, name)
    await mara.call("crm.identities.add", contact=other, kind="chat", external_id="ann", verified=True)
    await mara.call("crm.contacts.opt_out", contact=other)
    joined = await rows(node, "SELECT added_at, added_by FROM crm_members WHERE contact = ?", await key_of(node, other))
    gid = await head(node)
    await mara.call("crm.contacts.merge", contact=kept, other=other)
    assert await events_since(node, gid) == [
        "contact.deleted", "contact.updated", "contact.added_to_list", "contact.tagged",
    ]  # fmt: skip
    key = await key_of(node, kept)
    assert len(await rows(node, "SELECT 1 FROM crm_members WHERE contact = ?", key)) == 2
    assert [each[0] for each in await rows(node, "SELECT members FROM crm_lists ORDER BY key")] == [1, 1]
    assert {*joined} >= {*await rows(node, "SELECT added_at, added_by FROM crm_members WHERE contact = ?", key)} - {
        *await rows(node, "SELECT added_at, added_by FROM crm_members WHERE contact = ? AND list = 1", key)
    }
    assert (await mara.call("crm.contacts.by_person", person="ann")) == {"contact": kept, "verified": True}
    assert await field(node, kept, "opted_out_at") is not None  # nobody is opted in by a merge


async def put(node: Node, id: str, name: str) -> None:
    from chatnode_crm.lists.finding import find_list
    from chatnode_crm.lists.membership import add_many
    from chatnode_crm.tags.finding import find_tag
    from chatnode_crm.tags.tagging import tag_many

    key = await key_of(node, id)
    await node.core.db.write(lambda tx: add_many(tx, find_list(tx, name).key, [key], actor=None))
    await node.core.db.write(lambda tx: tag_many(tx, find_tag(tx, name).key, [key], actor=None))


async def test_undone_while_nothing_has_changed(node: Node, mara: User) -> None:
    kept, other = await contact(node, "ada@example.org"), await contact(node, "eva@example.org", first_name="Eva")
    merged = await mara.call("crm.contacts.merge", contact=kept, other=other)
    gid = await head(node)
    assert await mara.call("crm.contacts.unmerge", merge=merged["merge"]) == {"contact": kept, "other": other}
    assert await events_since(node, gid) == ["contact.updated", "contact.created"]
    assert [await field(node, id, "email") for id in (kept, other)] == ["ada@example.org", "eva@example.org"]
    assert await field(node, kept, "first_name") is None
    with refused("not_found", "merge"):
        await mara.call("crm.contacts.unmerge", merge=merged["merge"])


async def test_not_undone_once_anything_has_changed(node: Node, mara: User) -> None:
    kept, other = await contact(node, "ada@example.org"), await contact(node, "eva@example.org")
    merged = await mara.call("crm.contacts.merge", contact=kept, other=other)
    await mara.call("crm.contacts.opt_out", contact=kept)
    with refused("conflict", "merge"):
        await mara.call("crm.contacts.unmerge", merge=merged["merge"])


async def test_not_undone_if_somebody_else_has_the_e_mail_by_now(node: Node, mara: User) -> None:
    kept, other = await contact(node, "ada@example.org"), await contact(node, "eva@example.org")
    merged = await mara.call("crm.contacts.merge", contact=kept, other=other)
    third = await contact(node, "eva@example.org")
    with refused("conflict", "merge"):
        await mara.call("crm.contacts.unmerge", merge=merged["merge"])
    assert await key_of(node, kept) == await key_of(node, other) != await key_of(node, third)


async def test_merges_of_merges_are_undone_one_by_one(node: Node, mara: User) -> None:
    one, two, three = [await contact(node, f"{name}@example.org") for name in ("one", "two", "three")]
    first = await mara.call("crm.contacts.merge", contact=two, other=three)
    second = await mara.call("crm.contacts.merge", contact=one, other=two)
    assert {await key_of(node, id) for id in (one, two, three)} == {await key_of(node, one)}
    with refused("not_found"):  # it is part of the second one now
        await mara.call("crm.contacts.unmerge", merge=first["merge"])
    await mara.call("crm.contacts.unmerge", merge=second["merge"])
    assert await key_of(node, two) == await key_of(node, three) != await key_of(node, one)
    await mara.call("crm.contacts.unmerge", merge=first["merge"])
    assert len({await key_of(node, id) for id in (one, two, three)}) == 3


async def test_what_a_merge_keeps_does_not_grow_with_the_merges_before_it(node: Node, mara: User) -> None:
    kept = await contact(node, "kept@example.org")
    for number in range(6):
        await mara.call("crm.notes.add", contact=kept, text="a note " * 100)
        other = await contact(node, f"{number}@example.org")
        await mara.call("crm.contacts.merge", contact=kept, other=other)
    sizes = [size for (size,) in await rows(node, "SELECT length(before) FROM crm_merges ORDER BY key")]
    assert len(sizes) == 6
    assert max(sizes) - min(sizes) < 100


async def test_merges_of_a_merged_contact_are_undone_after_it(node: Node, mara: User) -> None:
    """Into one contact, and along a chain; what became part of a later merge is given back with it."""
    ids = [await contact(node, f"{number}@example.org") for number in range(5)]
    pairs = [(3, 4), (2, 3), (2, 1), (0, 2)]
    merges = [
        (await mara.call("crm.contacts.merge", contact=ids[kept], other=ids[other]))["merge"] for kept, other in pairs
    ]
    for merge in merges[:-1]:
        with refused("not_found", "merge"):
            await mara.call("crm.contacts.unmerge", merge=merge)
    for (kept, other), merge in zip(reversed(pairs), reversed(merges), strict=True):
        undone = await mara.call("crm.contacts.unmerge", merge=merge)
        assert undone == {"contact": ids[kept], "other": ids[other]}
    assert len({await key_of(node, id) for id in ids}) == 5
    assert await count(node, "SELECT count(*) FROM crm_merges") == 0


def test_merges_from_before_they_were_rows_of_their_own(tmp_path: Path) -> None:
    """A merge had those before it in its JSON, and they had theirs."""
    connection = sqlite3.connect(tmp_path / "old.db", isolation_level=None)
    *_, old, new = [step for step in steps_in("chatnode_crm") if "crm_merges" in step.sql]
    connection.executescript(old.sql)

    def row(key: int, contact: int, gone: int, kept: list[Any], other: list[Any]) -> dict[str, Any]:
        before = {"kept": {"crm_merges": kept}, "other": {"crm_contacts": [gone], "crm_merges": other}}
        return {
            "key": key, "id": f"merge {key}", "contact": contact, "gone": gone, "before": json.dumps(before),
            "after": "", "at": 1000 + key, "by": None,
        }  # fmt: skip

    first = row(1, contact=20, gone=30, kept=[], other=[])
    second = row(2, contact=10, gone=20, kept=[], other=[first])
    third = row(3, contact=10, gone=40, kept=[second], other=[])
    fourth = row(4, contact=50, gone=10, kept=[], other=[second, third])
    connection.execute("INSERT INTO crm_merges VALUES (:key, :id, :contact, :gone, :before, :after, :at, :by)", fourth)
    connection.executescript(new.sql)
    found = connection.execute("SELECT id, contact, gone, at, part_of FROM crm_merges ORDER BY at").fetchall()
    assert found == [
        ("merge 1", 50, 30, 1001, "merge 2"),
        ("merge 2", 50, 20, 1002, "merge 4"),
        ("merge 3", 50, 40, 1003, "merge 4"),
        ("merge 4", 50, 10, 1004, None),
    ]
    for before, gone in connection.execute("SELECT before, gone FROM crm_merges"):
        assert json.loads(before) == {"kept": {}, "other": {"crm_contacts": [gone]}}
    connection.close()


async def test_two_that_are_not_the_same_are_not_merged(node: Node, mara: User, vic: User) -> None:
    ada, eva = await contact(node, "ada@example.org"), await contact(node, "eva@example.org")
    await mara.call("crm.contacts.not_same", contact=ada, other=eva)
    with refused("conflict", "other"):
        await mara.call("crm.contacts.merge", contact=eva, other=ada)
    for both in ({"contact": ada, "other": ada},):
        with refused("invalid", "other"):
            await mara.call("crm.contacts.merge", **both)
    await mara.call("crm.contacts.not_same", contact=ada, other=eva, not_same=False)
    with refused("forbidden"):
        await vic.call("crm.contacts.merge", contact=ada, other=eva)
    await mara.call("crm.contacts.merge", contact=eva, other=ada)


async def test_after_the_undo_days_it_is_too_late(node: Node, mara: User) -> None:
    kept, other = await contact(node, "ada@example.org"), await contact(node, "eva@example.org")
    merged = await mara.call("crm.contacts.merge", contact=kept, other=other)
    await node.core.db.write(lambda tx: tx.execute("UPDATE crm_merges SET at = at - 30 * 86400000 - 1"))
    await node.call("jobs.run", job="crm.merges")
    with refused("not_found", "merge"):
        await mara.call("crm.contacts.unmerge", merge=merged["merge"])
    assert await key_of(node, other) == await key_of(node, kept)
