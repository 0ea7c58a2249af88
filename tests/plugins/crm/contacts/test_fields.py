"""Fields that an organization defines for its contacts."""

from __future__ import annotations

from typing import Any

import pytest
from chatnode_crm.contacts import fields as custom_fields
from chatnode_crm.contacts.writing import create_many, update_many

from chatnode.api import Transaction
from chatnode.node import Node
from chatnode.testing import User, configured, refused
from tests.plugins.crm.contacts.keeping import ADA, Listener, catch_up, contact, created, upserted


@pytest.fixture
async def mara(mara: User) -> User:
    for name, kind in (("nickname", "text"), ("size", "number"), ("birthday", "date"), ("vip", "flag")):
        await mara.call("crm.fields.define", name=name, kind=kind)
    await mara.call("crm.fields.define", name="plan", kind="choice", choices=["Free", "Gold"])
    return mara


async def matching(who: User, filter: dict[str, Any], **fields: Any) -> list[str]:
    page = await who.call("items.query", collection="crm_contacts", filter=filter, **fields)
    return [each["email"] for each in page["data"]]


async def test_values_are_of_their_kind(mara: User) -> None:
    custom = {"nickname": "Ada", "size": 1.5, "birthday": "1815-12-10", "vip": True, "plan": "Gold"}
    ada = await created(mara, **ADA, custom=custom)
    assert ada["custom"] == custom
    changed = await mara.call(
        "crm.contacts.update", contact=ada["id"], custom={"size": "7", "VIP": "no", "plan": "free", "nickname": None}
    )
    assert changed["contact"]["custom"] == {"size": 7, "birthday": "1815-12-10", "vip": False, "plan": "Free"}


@pytest.mark.parametrize(
    ("given", "kept"),
    [("a\r\nb\rc", "a\nb\nc"), (" a\x07\u200b ", "a"), ("e\u0301", "é"), ("\ta\n\tb", "a\n\tb"), ("\u200b", None)],
)
async def test_texts_are_cleaned_as_those_of_other_fields(mara: User, given: str, kept: str | None) -> None:
    ada = await created(mara, **ADA, description=given, custom={"nickname": given})
    assert ada.get("description") == ada.get("custom", {}).get("nickname") == kept


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("size", "many"), ("size", True), ("size", 1e300), ("size", [1]), ("size", "9" * 5_000),
        ("size", "9" * 5_000 + ".5"), ("birthday", "10.12.1815"),
        ("birthday", "1815-02-30"), ("birthday", 7), ("vip", "perhaps"), ("plan", "Silver"), ("plan", 1),
        ("nickname", {"a": 1}), ("nickname", "x" * 10_001), ("nickname", "a\0b"), ("unknown", "x"),
    ],
)  # fmt: skip
async def test_a_value_of_another_kind_is_refused(mara: User, name: str, value: object) -> None:
    with refused("invalid", f"custom.{name}"):
        await created(mara, **ADA, custom={name: value})


async def test_filters_sorts_and_groups_take_them(mara: User) -> None:
    await created(mara, email="a@x.org", custom={"size": 1.5, "vip": True, "birthday": "1990-05-01", "plan": "Gold"})
    await created(mara, email="b@x.org", custom={"size": 20, "vip": False, "birthday": "2001-01-01", "plan": "Gold"})
    await created(mara, email="c@x.org", custom={"nickname": "Cee", "plan": "Free"})
    assert await matching(mara, {"custom.size": {"_gt": 1.4}}, sort="custom.size") == ["a@x.org", "b@x.org"]
    assert await matching(mara, {"custom.vip": {"_eq": False}}) == ["b@x.org"]
    assert await matching(mara, {"custom.vip": {"_neq": True}}, sort="email") == ["b@x.org", "c@x.org"]
    assert await matching(mara, {"custom.birthday": {"_lt": "2000-01-01T00:00:00Z"}}) == ["a@x.org"]
    assert await matching(mara, {"custom.nickname": {"_starts_with": "C"}}) == ["c@x.org"]
    groups = await mara.call("items.query", collection="crm_contacts", group_by="custom.plan")
    assert {each["custom.plan"]: each["count"] for each in groups["data"]} == {"Gold": 2, "Free": 1}
    page = await mara.call("items.query", collection="crm_contacts", sort="custom.size", limit=2)
    rest = await mara.call("items.query", collection="crm_contacts", sort="custom.size", limit=2, after=page["next"])
    assert [each["email"] for each in (*page["data"], *rest["data"])] == ["c@x.org", "a@x.org", "b@x.org"]


async def test_changes_of_them_are_told_by_name(mara: User) -> None:
    ada = await created(mara, **ADA, custom={"size": 1})
    listener = await Listener.of(mara)
    await mara.call("crm.contacts.update", contact=ada["id"], custom={"size": 2, "vip": True})
    await mara.call("crm.contacts.update", contact=ada["id"], custom={"size": None})
    first, second = await listener.hears()
    assert first["data"]["updated_fields"] == {"custom.size": 2, "custom.vip": True}
    assert second["data"]["updated_fields"] == {"custom.size": None}


async def test_a_field_can_be_renamed(mara: User) -> None:
    ada = await created(mara, **ADA, custom={"size": 1})
    assert (await mara.call("crm.fields.change", field="Size", name="shoe_size"))["field"]["name"] == "shoe_size"
    assert (await contact(mara, ada["id"]))["custom"] == {"shoe_size": 1}
    with refused("conflict", "name"):
        await mara.call("crm.fields.change", field="shoe_size", name="VIP")


async def test_a_choice_that_is_gone_stays_where_it_was_chosen(mara: User) -> None:
    ada = await created(mara, **ADA, custom={"plan": "Gold"})
    await mara.call("crm.fields.change", field="plan", choices=["Free", "Silver"])
    assert (await contact(mara, ada["id"]))["custom"] == {"plan": "Gold"}
    with refused("invalid", "custom.plan"):
        await mara.call("crm.contacts.update", contact=ada["id"], custom={"plan": "Gold"})


async def test_a_deleted_field_leaves_nothing(node: Node, mara: User) -> None:
    ada = await created(mara, **ADA, custom={"nickname": "The Enchantress", "size": 1})
    await mara.call("crm.fields.delete", field="nickname")
    assert (await contact(mara, ada["id"]))["custom"] == {"size": 1}
    await mara.call("crm.fields.define", name="nickname")  # another field, with no values
    assert (await contact(mara, ada["id"]))["custom"] == {"size": 1}
    await catch_up(node)
    (custom,) = await node.core.db.read(lambda reader: reader.execute("SELECT custom FROM crm_contacts").fetchone())
    assert "Enchantress" not in custom
    with refused("not_found", "field"):
        await mara.call("crm.fields.delete", field="unknown")


async def test_values_of_a_field_that_is_deleted_before_they_are_written_are_left_out(node: Node, mara: User) -> None:
    """As an import does that was planned before."""
    ada = await created(mara, **ADA)
    nickname = (await node.core.db.read(custom_fields.by_name))["nickname"].key
    await mara.call("crm.fields.delete", field="nickname")
    await catch_up(node)  # the upkeep has removed its values
    values = {"custom": {str(nickname): "The Enchantress"}}

    def write(tx: Transaction) -> list[int]:
        create_many(tx, [{"external_id": "1", **values}], source="import", actor=None)
        return update_many(tx, [(int(ada["id"][:12], 16), values)], actor=None)

    assert await node.core.db.write(write) == []
    found = await node.core.db.read(lambda reader: reader.execute("SELECT custom FROM crm_contacts").fetchall())
    assert found == [(None,), (None,)]


async def test_a_merge_that_is_undone_brings_no_values_of_deleted_fields_back(node: Node, mara: User) -> None:
    kept = await created(mara, **ADA)
    other = await created(mara, email="bob@example.org", custom={"nickname": "The Enchantress"})
    merge = (await mara.call("crm.contacts.merge", contact=kept["id"], other=other["id"]))["merge"]
    await mara.call("crm.fields.delete", field="nickname")
    await mara.call("crm.contacts.unmerge", merge=merge)
    found = await node.core.db.read(lambda reader: reader.execute("SELECT custom FROM crm_contacts").fetchall())
    assert "Enchantress" not in str(found[-1])


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"name": "Plan", "kind": "text"}, "name"), ({"name": "x", "kind": "choice"}, "choices"),
        ({"name": "x", "kind": "choice", "choices": [" "]}, "choices"),
        ({"name": "x", "kind": "text", "choices": ["a"]}, "choices"), ({"name": "two words"}, "name"),
        ({"name": "1st"}, "name"), ({"name": "x", "kind": "colour"}, "kind"),
    ],
)  # fmt: skip
async def test_a_field_that_cannot_be_is_refused(mara: User, fields: dict[str, Any], path: str) -> None:
    with refused("conflict" if fields["name"] == "Plan" else "invalid"):
        await mara.call("crm.fields.define", **fields)


@pytest.mark.parametrize("config", [configured(plugins={"crm": {"custom_fields": 6}})], ids=["6"])
async def test_there_is_a_limit(mara: User) -> None:
    await mara.call("crm.fields.define", name="sixth")
    with refused("too_large", "name"):
        await mara.call("crm.fields.define", name="seventh")


async def test_upserts_take_them(mara: User) -> None:
    row = {"email": "a@example.org", "custom": {"size": "3"}}
    assert await upserted(mara, row, row) == ["created", "unchanged"]
