"""The events of a dynamic list are the differences between its members before and after, and a check that cannot find
any is left out."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from chatnode.model.times import DAY_MS
from chatnode.testing import User
from tests.plugins.crm.segments.book import Book

FILTERS: tuple[dict[str, Any], ...] = (
    {"country": {"_eq": "France"}},
    {"_or": [{"tags": {"_has_all": ["VIP", "Press"]}}, {"city": {"_starts_with": "P"}}]},
    {"tags": {"_has_none": ["VIP"]}, "lists": {"_has_any": ["Guests"]}},
    {"_not": {"lists": {"_has_any": ["First", "Guests"]}}},
)


async def matching(mara: User, filter: dict[str, Any]) -> set[str]:
    page = await mara.call("crm.segments.preview", filter=filter)
    return {each["first_name"] for each in page["contacts"]}


@pytest.mark.parametrize("seed", range(4))
async def test_events_are_the_differences(mara: User, book: Book, seed: int) -> None:
    random = Random(seed)
    await book.list("Guests", "Ada")
    await mara.call("crm.segments.create", name="First", filter=FILTERS[0])
    watched = await mara.call("crm.segments.create", name="Watched", filter=FILTERS[seed])
    filter, members, met = FILTERS[seed], set[str](), 0
    await book.finish(watched)
    for step in range(12):
        for _ in range(random.randrange(4)):
            await _change_something(book, random, step)
        if random.random() < 0.2:
            filter = random.choice(FILTERS)
            changed = await mara.call("crm.segments.update", list="Watched", filter=filter)
            if "work" in changed:  # else it is the filter that it has
                await book.finish(changed)
        await book.an_hour_passes()
        events = await book.events("Watched")
        for kind, name in events[met:]:
            assert (name in members) == (kind == "left"), "no event without a difference"
            members ^= {name}
        met = len(events)
        members &= set(book.keys)  # deleted contacts have left without an event
        assert members == await book.members("Watched") == await matching(mara, filter)


async def _change_something(book: Book, random: Random, step: int) -> None:
    name, tag = random.choice(sorted(book.keys)), random.choice(["VIP", "Press"])
    match random.randrange(7):
        case 0:
            await book.add(f"New {step} {random.random()}", country=random.choice(["France", "Spain"]))
        case 1 if len(book.keys) > 2:
            await book.delete(name)
        case 2:
            await book.tag(tag, name)
        case 3:
            await book.untag(tag, name)
        case 4:
            await book.put_on("Guests", name)
        case 5:
            await book.take_off("Guests", name)
        case _:
            await book.change(name, country=random.choice(["France", None]), city=random.choice(["Paris", "Lyon"]))


async def test_a_list_is_checked_again_only_after_something_happened(mara: User, book: Book) -> None:
    await book.finish(await mara.call("crm.segments.create", name="French", filter={"country": {"_eq": "France"}}))
    await book.sql("UPDATE crm_contacts SET country = 'Peru' WHERE first_name = 'Ada'")  # nobody is told of it
    assert await book.an_hour_passes() is None
    await book.tag("Press", "Cy")  # the filter does not use tags
    assert await book.an_hour_passes() is None
    assert await book.members("French") == {"Ada", "Bea"}
    await book.change("Cy", city="Nice")
    assert await book.an_hour_passes() == "1 different of 1 dynamic list"
    assert await book.members("French") == {"Bea"}


async def test_a_list_is_checked_once_a_day_in_any_case(mara: User, book: Book) -> None:
    await book.finish(await mara.call("crm.segments.create", name="French", filter={"country": {"_eq": "France"}}))
    await book.sql("UPDATE crm_contacts SET country = 'Peru' WHERE first_name = 'Ada'")
    await book.sql("UPDATE crm_segments SET checked_at = checked_at - ?", DAY_MS + 1000)
    assert await book.an_hour_passes() == "1 different of 1 dynamic list"


async def test_time_passes_for_filters_that_are_relative_to_it(mara: User, book: Book) -> None:
    """Also where another list's filter is."""
    recent = {"created_at": {"_in_last": "30 days"}}
    await book.finish(await mara.call("crm.segments.create", name="Recent", filter=recent))
    old = {"lists": {"_has_none": ["Recent"]}}
    await book.finish(await mara.call("crm.segments.create", name="Old", filter=old))
    await book.sql("UPDATE crm_contacts SET created_at = created_at - ? WHERE first_name = 'Cy'", 31 * DAY_MS)
    assert await book.an_hour_passes() == "2 different of 2 dynamic lists"
    assert await book.members("Old") == {"Cy"}
    assert await book.events("Recent") == [*[("entered", name) for name in ("Ada", "Bea", "Cy", "Dan")], ("left", "Cy")]


async def test_an_archived_list_stays_as_it_is(mara: User, book: Book) -> None:
    await book.finish(await mara.call("crm.segments.create", name="French", filter={"country": {"_eq": "France"}}))
    await mara.call("crm.lists.archive", list="French")
    await book.change("Ada", country="Spain")
    assert await book.an_hour_passes() is None
    assert await book.members("French") == {"Ada", "Bea"}
    assert await matching(mara, {"lists": {"_has_any": ["French"]}}) == {"Ada", "Bea"}
    await mara.call("crm.lists.restore", list="French")
    assert await matching(mara, {"lists": {"_has_any": ["French"]}}) == {"Bea"}
    assert await book.an_hour_passes() == "1 different of 1 dynamic list"


async def test_more_than_one_page_of_differences(mara: User, book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatnode_crm.segments.checking._PAGE", 3)
    for number in range(8):
        await book.add(f"New {number}", country="France")
    made = await mara.call("crm.segments.create", name="French", filter={"country": {"_eq": "France"}})
    assert await book.finish(made) == {"left": 0, "entered": 10}
    await book.sql("UPDATE crm_contacts SET country = NULL")
    assert await book.finish(await mara.call("crm.segments.check", list="French")) == {"left": 10, "entered": 0}
