"""How long files stay, who may have how many, and what becomes of those with contacts that are deleted."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from chatnode_crm.contacts.deleting import delete_many
from chatnode_crm.exports import upkeep, writing
from chatnode_crm.exports.keys import PART, KeySet
from hypothesis import given
from hypothesis import strategies as st

from chatnode.api import DAY_MS
from chatnode.config import Config
from chatnode.node import Node
from chatnode.testing import User, configured, refused, run_work
from tests.plugins.crm.exports.making import add, contact, export, path_of, rows_of


@pytest.fixture
def config() -> Config:
    return configured(plugins={"crm": {"exports_per_day": 2}})


async def clean(node: Node) -> None:
    await node.call("jobs.run", job="crm.exports")


async def delete(node: Node, *keys: int) -> None:
    await node.core.db.write(lambda tx: delete_many(tx, keys, reason="asked", actor=None))


async def shown(who: User, made: dict[str, Any]) -> dict[str, Any]:
    return (await who.call("crm.exports.get", export=made["export"]))["export"]


async def test_a_file_is_deleted_with_a_contact_in_it_and_others_stay(node: Node, mara: User) -> None:
    [ann, _] = await add(node, contact(email="ann@example.com"), contact(email="bob@example.com"))
    both = await export(node, mara)
    other = await export(node, mara, contacts={"filter": {"email": {"_eq": "bob@example.com"}}})
    paths = [await path_of(node, each) for each in (both, other)]
    await delete(node, ann)
    gone = await shown(mara, both)
    assert (gone["status"], gone["error"]) == ("removed", "a contact in it was deleted")
    assert "contacts" not in gone
    assert (await shown(mara, other))["status"] == "done"
    await clean(node)
    assert [path.exists() for path in paths] == [False, True]


async def test_a_contact_that_is_deleted_while_the_file_is_written_is_not_in_it(
    node: Node, mara: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    [ann, _] = await add(node, contact(email="ann@example.com"), contact(email="bob@example.com"))
    put_in_place, times = writing.put_in_place, 0

    def delayed(*arguments: Any) -> Any:
        nonlocal times
        times += 1
        if times == 1:
            trio.from_thread.run(delete, node, ann)
        return put_in_place(*arguments)

    monkeypatch.setattr(writing, "put_in_place", delayed)
    done = await export(node, mara)
    assert (done["status"], done["rows"], times) == ("done", 1, 2)
    assert [row["Email"] for row in await rows_of(node, done)] == ["bob@example.com"]


async def test_files_are_deleted_after_a_day_and_rows_when_they_no_longer_count(
    node: Node, mara: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(node, contact(email="ann@example.com"))
    made = await export(node, mara)
    path = await path_of(node, made)
    await clean(node)
    assert path.exists()
    now = upkeep.now_ms()
    monkeypatch.setattr(upkeep, "now_ms", lambda: now + DAY_MS + 1_000)
    await clean(node)
    assert not path.exists()
    assert (await shown(mara, made))["error"] == "the file has expired"


async def test_a_user_may_make_so_many_a_day(node: Node, mara: User, kim: User) -> None:
    first = await export(node, mara)
    await mara.call("crm.exports.delete", export=first["export"])
    await export(node, mara)
    with refused("rate_limited") as refusal:
        await mara.call("crm.exports.create", contacts={"all": True})
    assert "plugins.crm.exports_per_day" in refusal.value.message
    assert refusal.value.retry_after is not None
    assert 0 < refusal.value.retry_after <= 86_400
    await kim.call("crm.exports.create", contacts={"all": True})


async def test_users_see_their_own_and_operators_all(node: Node, mara: User, kim: User, vic: User) -> None:
    one, two = await export(node, mara), await export(node, mara)
    page = await mara.call("crm.exports.list", limit=1)
    assert [each["export"] for each in page["exports"]] == [two["export"]]
    page = await mara.call("crm.exports.list", before=page["next"])
    assert [each["export"] for each in page["exports"]] == [one["export"]]
    assert "next" not in page
    assert (await kim.call("crm.exports.list"))["exports"] == []
    with refused("not_found"):
        await kim.call("crm.exports.get", export=one["export"])
    with refused("forbidden"):
        await vic.call("crm.exports.list")
    assert len((await node.call("crm.exports.list"))["exports"]) == 2
    assert "path" not in two


async def test_an_export_that_is_deleted_before_it_is_written_never_is(node: Node, mara: User) -> None:
    made = (await mara.call("crm.exports.create", contacts={"all": True}))["export"]
    assert made["status"] == "waiting"
    await mara.call("crm.exports.delete", export=made["export"])
    work = await run_work(node, made["work"])
    assert work["status"] == "cancelled"
    assert (await shown(mara, made))["status"] == "removed"


async def test_a_user_who_is_erased_leaves_no_files(node: Node, mara: User) -> None:
    await add(node, contact(email="ann@example.com"))
    path = await path_of(node, await export(node, mara))
    await node.call("people.erase", person="mara", handle="mara")
    await clean(node)
    assert not path.exists()
    left = await node.core.db.read(
        lambda reader: reader.execute("SELECT count(*) FROM crm_export_contacts").fetchone()[0]
    )
    assert left == 0


async def test_what_a_crash_leaves_is_deleted(node: Node, mara: User) -> None:
    await add(node, contact(email="ann@example.com"))
    path = await path_of(node, await export(node, mara))
    stray = path.with_name(f"{'0' * 32}.csv.part")
    stray.write_text("left")
    await clean(node)
    assert (stray.exists(), path.exists()) == (False, True)


async def test_a_full_disk_lets_the_work_wait(node: Node, mara: User, monkeypatch: pytest.MonkeyPatch) -> None:
    await add(node, contact(email="ann@example.com"))
    with monkeypatch.context() as full:
        full.setattr(writing, "LEAST_FREE_BYTES", 1 << 62)
        made = await export(node, mara)
    assert (made["status"], made["error"]) == ("waiting", "the disk is nearly full")


KEYS = st.lists(st.integers(0, 3 * PART) | st.integers(0, 1 << 40), max_size=50, unique=True)


@given(KEYS, KEYS)
def test_a_set_of_keys_knows_which_it_has(keys: list[int], others: list[int]) -> None:
    found = KeySet()
    half = sorted(keys)[: len(keys) // 2]
    found.add(half)
    found.add(sorted(keys)[len(half) :])
    assert all(found.has_any([key]) for key in keys)
    assert found.has_any(others) == bool(set(keys) & set(others))
