"""People whom very many keep: nothing that happens to them waits for all of those."""

from __future__ import annotations

import chatnode_contacts.following as following
import pytest

from chatnode.api import Reader, Transaction
from chatnode.node import Node
from chatnode.testing import User
from tests.services.dialogue import assert_sound

from .keeping import catch_up, listed


async def names_of(node: Node, person: User) -> list[str]:
    def read(reader: Reader) -> list[str]:
        sql = "SELECT sort_name FROM contacts_entries WHERE contact = ? ORDER BY key"
        return [name for (name,) in reader.execute(sql, (person.account.key,))]

    return await node.core.db.read(read)


async def test_a_new_name_reaches_all_of_them_step_by_step(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "MOST_AT_ONCE", 2)
    monkeypatch.setattr(following, "MOST_TOLD", 3)
    boss = await User.new(node, "boss")
    owners = [await User.new(node, f"owner{number}") for number in range(7)]
    for owner in owners:
        await owner.call("contacts.add", person="boss")
    before = await node.core.db.read(lambda reader: reader.execute("SELECT count(*) FROM log_audience").fetchone()[0])
    await boss.call("people.update", name="The Boss")
    told = await node.core.db.read(lambda reader: reader.execute("SELECT count(*) FROM log_audience").fetchone()[0])
    assert told - before <= 1 + 3  # themselves, and three of those who keep them
    assert await names_of(node, boss) == ["the boss"] * 2 + ["boss"] * 5
    await catch_up(node)
    assert await names_of(node, boss) == ["the boss"] * 7
    assert await listed(owners[-1], query="the bo") == ["boss"]
    await assert_sound(node)
    await node.call("people.erase", person="boss", handle="boss")
    await catch_up(node)
    assert await names_of(node, boss) == []


MANY = 60_000


async def test_who_is_in_very_many_lists_can_change_their_name_and_be_erased(node: Node, ann: User) -> None:
    boss = await User.new(node, "boss")
    await ann.call("contacts.add", person="boss")

    def write(tx: Transaction) -> None:
        columns = [name for _, name, *_ in tx.execute("PRAGMA table_info(people)")]
        same = ", ".join(name for name in columns if name not in ("key", "id", "handle"))
        tx.execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            f"INSERT INTO people (id, handle, {same}) SELECT 'many-' || i, 'many-' || i, {same} "
            "FROM n, people WHERE handle = 'ann'",
            (MANY,),
        )
        tx.execute(
            "INSERT INTO contacts_entries (owner, contact, added_at, sort_name, called, words) "
            "SELECT p.key, e.contact, 1, e.sort_name, e.called, '' FROM people p, contacts_entries e "
            "WHERE p.handle LIKE 'many-%'"
        )

    await node.core.db.write(write)
    await boss.call("people.update", name="The Boss")
    await catch_up(node)
    assert await names_of(node, boss) == ["the boss"] * (MANY + 1)
    await node.call("people.erase", person="boss", handle="boss")
    assert await names_of(node, boss) == []
