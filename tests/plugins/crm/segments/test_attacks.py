"""What is written into filters never becomes SQL, and cannot cost more than it may."""

from __future__ import annotations

from typing import Any

import pytest

from chatnode.testing import User, refused
from tests.plugins.crm.segments.book import Book

SQL = (
    "' OR 1=1 --", "'); DROP TABLE crm_contacts; --", '" OR ""="', "%", "_", ":me", ":v3", "?1", "{0}", "{}", "\\",
    "/*", "x' UNION SELECT password FROM people --",
)  # fmt: skip


async def names(who: User, filter: dict[str, Any]) -> list[str]:
    page = await who.call("crm.segments.preview", filter=filter)
    return [each["first_name"] for each in page["contacts"]]


@pytest.mark.parametrize("text", SQL)
async def test_texts_are_compared_as_they_are(mara: User, book: Book, text: str) -> None:
    """As values of fields, and as names of tags, lists and custom fields."""
    await book.define("size", "text")
    await book.add("Eve", company=text, tags=[text])
    await mara.call("crm.lists.create", name=f"List {text}")
    await book.put_on(f"List {text}", "Eve")
    for operator in ("_eq", "_contains", "_icontains", "_starts_with", "_ends_with"):
        assert await names(mara, {"company": {operator: text}}) == ["Eve"]
    assert await names(mara, {"tags": {"_has_any": [text]}, "lists": {"_has_all": [f"List {text}"]}}) == ["Eve"]
    assert await names(mara, {"custom.size": {"_in": [text]}}) == []
    made = await mara.call("crm.segments.create", name=f"Segment {text}", filter={"tags": {"_has_any": [text]}})
    await book.finish(made)
    assert await names(mara, {"lists": {"_has_any": [f"segment {text}"]}}) == ["Eve"]


@pytest.mark.parametrize(
    "name", ["custom.size' --", "item.email", "custom.$.1", "tags) --", "1", "custom.", "people.password"]
)
async def test_fields_that_do_not_exist_are_refused(mara: User, book: Book, name: str) -> None:
    await book.define("size", "text")
    with refused("invalid", f"filter.{name}"):
        await names(mara, {name: {"_eq": "x"}})


async def test_depth_and_terms_include_what_a_filter_refers_to(mara: User, book: Book) -> None:
    french = {"_and": [{"country": {"_eq": "France"}}] * 30}
    await mara.call("crm.segments.create", name="French", filter=french)
    three = {"_or": [{"lists": {"_has_any": ["French"]}}] * 3}
    assert await names(mara, three) == ["Ada", "Bea"]
    with refused("too_large", "filter._or.3.lists._has_none.0"):
        await names(mara, {"_or": three["_or"] + [{"lists": {"_has_none": ["French"]}}]})
    deep: dict[str, Any] = {"country": {"_eq": "France"}}
    for _ in range(6):
        deep = {"_not": deep}
    assert await names(mara, deep) == ["Ada", "Bea"]
    with refused("too_large"):
        await names(mara, {"_not": deep})


async def test_references_cannot_multiply_without_end(mara: User, book: Book) -> None:
    """Each names the one before it twice."""
    await mara.call("crm.segments.create", name="S0", filter={"country": {"_eq": "France"}})

    async def make(number: int) -> None:
        name = f"S{number - 1}"
        twice = {"_or": [{"lists": {"_has_any": [name]}}, {"lists": {"_has_all": [name]}}]}
        await mara.call("crm.segments.create", name=f"S{number}", filter=twice)

    for number in (1, 2, 3):
        await make(number)
    with refused("too_large"):
        await make(4)


async def test_who_may_what(mara: User, vic: User, ann: User, book: Book) -> None:
    made = await mara.call("crm.segments.create", name="French", filter={"country": {"_eq": "France"}})
    assert await names(vic, {"lists": {"_has_any": [made["list"]["id"]]}}) == ["Ada", "Bea"]
    with refused("forbidden"):
        await vic.call("crm.segments.create", name="x", filter={})
    with refused("forbidden"):
        await vic.call("crm.segments.update", list="French", filter={})
    with refused("forbidden"):
        await vic.call("crm.segments.check", list="French")
    with refused("forbidden"):
        await names(ann, {})
    with refused("forbidden"):
        await ann.call("items.query", collection="crm_contacts")
    rows = await vic.call(
        "items.query", collection="crm_contacts", filter={"tags": {"_has_any": ["VIP"]}}, sort="first_name"
    )
    assert [row["tags"] for row in rows["data"]] == [["VIP"], ["Press", "VIP"]]
