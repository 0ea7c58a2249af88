"""Groups and tags."""

from __future__ import annotations

from typing import Any

import pytest

from chatnode.node import Node
from chatnode.testing import LiveSession, User, refused
from tests.plugins.contacts.keeping import contact, listed, with_settings
from tests.services.dialogue import assert_sound


async def labels(who: User, **fields: Any) -> list[tuple[str, str, int]]:
    return [
        (each["kind"], each["name"], each["contacts"])
        for each in (await who.call("contacts.labels.list", **fields))["labels"]
    ]


@pytest.fixture
async def sorter(ann: User, bob: User, cay: User, eve: User) -> User:
    """Ann, who has put the others in groups."""
    await ann.call("contacts.add", person="bob", groups=["Work", "Chess"], tags=["vip"])
    await ann.call("contacts.add", person="cay", groups=["work"])
    await ann.call("contacts.add", person="eve", tags=["VIP", "late"])
    return ann


async def test_they_are_counted_and_asked_by(sorter: User, bob: User, cay: User) -> None:
    """A name is the same in any case; as it was written first, it stays."""
    assert await labels(sorter) == [("group", "Chess", 1), ("group", "Work", 2), ("tag", "late", 1), ("tag", "vip", 2)]
    assert await labels(sorter, kind="tag") == [("tag", "late", 1), ("tag", "vip", 2)]
    assert (await contact(sorter, cay))["groups"] == ["Work"]
    assert (await contact(sorter, bob))["groups"] == ["Work", "Chess"]
    assert await listed(sorter, sort="name", group="WORK") == ["bob", "cay"]
    assert await listed(sorter, sort="name", tag="vip") == ["bob", "eve"]
    assert await listed(sorter, group="work", tag="vip") == ["bob"]
    assert await listed(sorter, group="vip") == []


async def test_filters_ask_for_them(sorter: User, bob: User, cay: User) -> None:
    """Of one's own contacts, by names in any case."""
    await cay.call("contacts.add", person="bob", tags=["late"], groups=["family"])

    async def matching(**filter: Any) -> list[str]:
        asked = sorter.call("items.query", collection="contacts", sort="handle", filter=filter)
        return [row["handle"] for row in (await asked)["data"]]

    assert await matching(groups={"_has_all": ["work", "CHESS"]}) == ["bob"]
    assert await matching(tags={"_has_any": ["vip"]}, groups={"_null": True}) == ["eve"]
    assert await matching(tags={"_has_none": ["Late", "never heard of"]}) == ["bob", "cay"]
    assert await matching(groups={"_has_any": ["family"]}) == []


async def test_they_are_renamed_at_all_contacts(node: Node, sorter: User, bob: User, cay: User) -> None:
    ears = await LiveSession.of(node, sorter)
    assert await sorter.call("contacts.labels.rename", kind="group", name="work", to=" The  office ") == {"contacts": 2}
    assert (await contact(sorter, bob))["groups"] == ["The office", "Chess"]
    assert (await contact(sorter, cay))["groups"] == ["The office"]
    assert [push["event"] for push in ears.heard()] == ["contacts.relabelled"]
    await sorter.call("contacts.labels.rename", kind="group", name="the office", to="THE OFFICE")
    assert (await contact(sorter, cay))["groups"] == ["THE OFFICE"]
    with refused("conflict", "to"):
        await sorter.call("contacts.labels.rename", kind="group", name="the office", to="chess")
    with refused("not_found", "name"):
        await sorter.call("contacts.labels.rename", kind="tag", name="chess", to="x")
    with refused("invalid", "to"):
        await sorter.call("contacts.labels.rename", kind="group", name="chess", to="  ")
    await assert_sound(node)


async def test_they_are_deleted_and_the_contacts_stay(node: Node, sorter: User, bob: User, eve: User) -> None:
    assert await sorter.call("contacts.labels.delete", kind="tag", name="Vip") == {"contacts": 2}
    assert "tags" not in await contact(sorter, bob)
    assert (await contact(sorter, eve))["tags"] == ["late"]
    assert len(await listed(sorter)) == 3
    with refused("not_found", "name"):
        await sorter.call("contacts.labels.delete", kind="tag", name="vip")
    await assert_sound(node)


async def test_one_that_no_contact_has_is_none(sorter: User) -> None:
    await sorter.call("contacts.update", person="eve", tags=["vip"])
    assert await labels(sorter, kind="tag") == [("tag", "vip", 2)]
    await sorter.call("contacts.remove", person="bob")
    assert await labels(sorter) == [("group", "Work", 1), ("tag", "vip", 1)]


async def test_names_beyond_ascii_are_the_same_in_any_case(ann: User, bob: User, cay: User) -> None:
    await ann.call("contacts.add", person="bob", groups=["Überflieger", "ÜBERFLIEGER"])
    await ann.call("contacts.add", person="cay", groups=["überflieger"])
    assert await labels(ann) == [("group", "Überflieger", 2)]


@with_settings(labels=3, labels_per_contact=2)
async def test_there_are_not_endlessly_many(ann: User, bob: User, cay: User) -> None:
    with refused("too_large", "groups"):
        await ann.call("contacts.add", person="bob", groups=["a", "b", "c"])
    await ann.call("contacts.add", person="bob", groups=["a", "b"], tags=["c"])
    await ann.call("contacts.add", person="cay", groups=["A", "b"], tags=["c"])  # these are there
    with refused("too_large", "tags"):
        await ann.call("contacts.update", person="cay", tags=["d"])
    assert (await contact(ann, cay))["tags"] == ["c"]
    with refused("invalid", "groups.1"):
        await ann.call("contacts.update", person="cay", groups=["a", " "])


async def test_accents_make_no_other_label(node: Node, ann: User, bob: User, cay: User) -> None:
    await ann.call("contacts.add", person="bob", tags=["Café", "cafe", "CAFE\u0301"])
    await ann.call("contacts.add", person="cay", tags=["cafe\u200b", "C++", "C"])
    assert await labels(ann) == [("tag", "C", 1), ("tag", "C++", 1), ("tag", "Café", 2)]
    assert await listed(ann, sort="name", tag="cafe") == ["bob", "cay"]
    await assert_sound(node)


@pytest.mark.parametrize("blank", ["\u200b", "\u3164", "\u2800 ", "\u0301", "\u00a0"])
async def test_a_label_can_be_seen(ann: User, bob: User, blank: str) -> None:
    with refused("invalid", "tags.1"):
        await ann.call("contacts.add", person="bob", tags=["x", blank])
    await ann.call("contacts.add", person="bob", tags=["x"], nickname=blank, number=blank, note=blank)
    assert not {"nickname", "number", "note"} & set(await contact(ann, bob))
    with refused("invalid", "to"):
        await ann.call("contacts.labels.rename", kind="tag", name="x", to=blank)
