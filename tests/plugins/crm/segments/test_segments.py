"""Dynamic lists: made from a filter, checked, and told of."""

from __future__ import annotations

from typing import Any

from chatnode.testing import User, refused
from tests.plugins.crm.segments.book import Book

FRENCH = {"country": {"_eq": "France"}}


async def names(who: User, filter: dict[str, Any]) -> list[str]:
    page = await who.call("crm.segments.preview", filter=filter)
    assert page["count"] == len(page["contacts"])
    return [each["first_name"] for each in page["contacts"]]


async def test_a_preview_shows_who_matches_page_by_page(mara: User, book: Book) -> None:
    assert await names(mara, FRENCH) == ["Ada", "Bea"]
    page = await mara.call("crm.segments.preview", filter={}, limit=3)
    assert (page["count"], len(page["contacts"])) == (4, 3)
    rest = await mara.call("crm.segments.preview", filter={}, limit=3, after=page["next"])
    assert [each["first_name"] for each in rest["contacts"]] == ["Dan"]
    assert "next" not in rest


async def test_filters_by_tags(mara: User, book: Book) -> None:
    assert await names(mara, {"tags": {"_has_any": ["vip", "PRESS"]}}) == ["Ada", "Bea", "Dan"]
    assert await names(mara, {"tags": {"_has_all": ["VIP", "Press"]}}) == ["Bea"]
    assert await names(mara, {"tags": {"_has_none": ["Press"]}}) == ["Ada", "Cy"]
    assert await names(mara, {"tags": {"_has_at_least": {"count": 2, "of": ["VIP", "Press", "VIP"]}}}) == ["Bea"]
    assert await names(mara, {"tags": {"_null": True}}) == ["Cy"]
    assert await names(mara, {"tags": {"_has_any": []}}) == []
    assert await names(mara, {"tags": {"_has_all": []}}) == ["Ada", "Bea", "Cy", "Dan"]


async def test_a_dynamic_list_follows_its_filter(mara: User, book: Book) -> None:
    made = await mara.call("crm.segments.create", name="French", filter=FRENCH)
    assert made["list"]["filter"] == FRENCH
    assert await book.finish(made) == {"left": 0, "entered": 2}
    assert await book.members("French") == {"Ada", "Bea"}
    await book.change("Ada", country="Spain")
    await book.add("Eve", country="France")
    await book.delete("Bea")
    assert await book.an_hour_passes() == "1 different of 1 dynamic list"
    assert await book.members("French") == {"Eve"}
    assert await book.events("French") == [
        ("entered", "Ada"), ("entered", "Bea"), ("left", "Ada"), ("entered", "Eve"),
    ]  # fmt: skip
    assert await book.an_hour_passes() is None


async def test_a_filter_may_name_another_dynamic_list(mara: User, book: Book) -> None:
    await mara.call("crm.segments.create", name="French", filter=FRENCH)
    asked = {"lists": {"_has_any": ["french"]}, "tags": {"_has_any": ["Press"]}}
    assert await names(mara, asked) == ["Bea"]
    made = await mara.call("crm.segments.create", name="French press", filter=asked)
    assert made["list"]["filter"] == {"lists": {"_has_any": ["French"]}, "tags": {"_has_any": ["Press"]}}
    await book.finish(made)
    assert await book.members("French press") == {"Bea"}
    await mara.call("crm.lists.update", list="French", name="France")
    shown = await mara.call("crm.segments.get", list="French press")
    assert shown["list"]["filter"]["lists"] == {"_has_any": ["France"]}
    assert (shown["count"], "broken" in shown) == (1, False)


async def test_circles_are_refused(mara: User, book: Book) -> None:
    await mara.call("crm.segments.create", name="A", filter=FRENCH)
    await mara.call("crm.segments.create", name="B", filter={"lists": {"_has_none": ["A"]}})
    with refused("invalid", "filter.lists._has_any.0") as caught:
        await mara.call("crm.segments.update", list="A", filter={"_or": [], "lists": {"_has_any": ["B"]}})
    assert "B → A → B" in caught.value.message
    with refused("invalid", "filter._not.lists._has_all.0") as caught:
        await mara.call("crm.segments.update", list="A", filter={"_not": {"lists": {"_has_all": ["A"]}}})
    assert "A → A" in caught.value.message
    assert await names(mara, {"lists": {"_has_any": ["A"]}}) == ["Ada", "Bea"]


async def test_a_filter_that_names_what_was_deleted_is_broken(mara: User, book: Book) -> None:
    made = await mara.call("crm.segments.create", name="Important", filter={"tags": {"_has_none": ["VIP"]}})
    await book.finish(made)
    await mara.call("crm.tags.delete", tag="VIP")
    shown = await mara.call("crm.segments.get", list="Important")
    assert "names no tag" in shown["broken"]
    assert "count" not in shown
    with refused("invalid", "filter.lists._has_any.0") as caught:
        await names(mara, {"lists": {"_has_any": ["Important"]}})
    assert "Important" in caught.value.message
    assert await book.an_hour_passes() == "1 broken of 1 dynamic list"
    assert await book.members("Important") == {"Cy", "Dan"}


async def test_members_of_a_dynamic_list_are_those_that_match_now(mara: User, book: Book) -> None:
    await book.finish(await mara.call("crm.segments.create", name="French", filter=FRENCH))
    await book.add("Eve", country="France")
    await book.change("Ada", country="Spain")
    page = await mara.call("crm.lists.members", list="French", limit=1)
    assert [each["contact"]["first_name"] for each in page["members"]] == ["Bea"]
    page = await mara.call("crm.lists.members", list="French", limit=1, after=page["next"])
    assert [each["contact"]["first_name"] for each in page["members"]] == ["Eve"]
    assert "next" not in page
    added = await mara.call("crm.lists.members", list="French", days=1)
    assert [each["contact"]["first_name"] for each in added["members"]] == ["Bea", "Ada"]


async def test_contacts_by_their_last_message(mara: User, kim: User, vic: User, book: Book) -> None:
    """Of verified accounts only, and not with bots."""
    await book.connect("Ada", kim)
    await book.connect("Bea", vic, verified=False)
    await vic.says(await vic.direct(mara), "hello")
    await book.node.call("people.create", handle="robot", bot=True)
    talked = {"chat.last_message_at": {"_in_last": "1 hour"}}
    made = await mara.call("crm.segments.create", name="Talked", filter=talked)
    opened = await kim.call("conversations.direct", **{"with": "robot"})
    await kim.says(opened["conversation"], "hello")
    assert await names(mara, talked) == []
    await book.finish(made)
    await kim.says(await kim.direct(mara), "hello")
    assert await names(mara, talked) == ["Ada"]
    assert await book.an_hour_passes() == "1 different of 1 dynamic list"
    await book.sql("UPDATE messages SET at = at - 7200000")
    assert await names(mara, talked) == []


async def test_the_same_filter_again_changes_nothing(mara: User, book: Book) -> None:
    await mara.call("crm.segments.create", name="Important", filter={"tags": {"_has_any": ["VIP"]}})
    again = await mara.call("crm.segments.update", list="important", filter={"tags": {"_has_any": ["vip"]}})
    assert "work" not in again
    other = await mara.call("crm.segments.update", list="important", filter=FRENCH)
    assert "work" in other
