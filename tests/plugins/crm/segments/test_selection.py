"""Which contacts a command is about: checked when it is given, and read page by page."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from chatnode_crm.segments import selection
from chatnode_crm.segments.selection import Selection

from chatnode.errors import Refusal
from chatnode.model.times import now_ms
from chatnode.storage.filters.collection import Asker
from chatnode.testing import User
from tests.plugins.crm.segments.book import Book

FRENCH = {"country": {"_eq": "France"}}


@attrs.frozen
class Chooser:
    """Reads selections as a user."""

    book: Book
    asker: Asker

    async def check(self, **fields: Any) -> Selection:
        chosen = Selection(**fields)
        return await self.book.node.core.db.read(lambda reader: selection.check(reader, self.asker, chosen))

    async def names(self, **fields: Any) -> list[str]:
        """Of the contacts that are chosen, in pages of two, before and after it was stored."""
        given, stored = Selection(**fields), await self.check(**fields)
        found = await self._keys(given)
        assert await self._keys(stored) == found
        assert await self.book.node.core.db.read(lambda reader: selection.count(reader, self.asker, stored)) == len(
            found
        )
        names = {key: name for name, key in self.book.keys.items()}
        return [names[key] for key in found]

    async def _keys(self, chosen: Selection) -> list[int]:
        found, page = list[int](), [0, 0]
        while len(page) == 2:
            after = found[-1] if found else 0
            page = await self.book.node.core.db.read(
                lambda reader, after=after: selection.keys_page(reader, self.asker, chosen, after, 2)
            )
            found += page
        return found

    async def refusal_of(self, **fields: Any) -> Refusal:
        with pytest.raises(Refusal) as caught:
            await self.check(**fields)
        return caught.value


@pytest.fixture
async def chooser(mara: User, book: Book) -> Chooser:
    await book.list("Guests", "Ada", "Bea", "Cy")
    await book.list("Staff", "Bea", "Cy", "Dan")
    await mara.call("crm.segments.create", name="French", filter=FRENCH)
    return Chooser(book, Asker(mara.account.key, None, now_ms(), may=lambda permission: True))


async def test_each_kind_of_choice(chooser: Chooser) -> None:
    ids = [chooser.book.ids[name] for name in ("Dan", "Ada", "Dan")]
    assert await chooser.names(ids=ids) == ["Ada", "Dan"]
    assert await chooser.names(ids=[]) == []
    assert await chooser.names(in_list="GUESTS") == ["Ada", "Bea", "Cy"]
    assert await chooser.names(in_list="French") == ["Ada", "Bea"]
    assert await chooser.names(in_lists=["Guests", "Staff"]) == ["Bea", "Cy"]
    assert await chooser.names(in_lists=["Guests", "Staff", "French"], at_least=2) == ["Ada", "Bea", "Cy"]
    assert await chooser.names(filter={"tags": {"_has_none": ["Press"]}}) == ["Ada", "Cy"]
    assert await chooser.names(filter={}) == await chooser.names(all=True) == ["Ada", "Bea", "Cy", "Dan"]


async def test_what_is_stored_means_the_same_later(mara: User, chooser: Chooser) -> None:
    """Under other names, and for works, which have no requester."""
    await chooser.book.change("Cy", owner=mara.account.key)
    mine = await chooser.check(filter={"owner": {"_eq": "$CURRENT_USER"}, "lists": {"_has_any": ["Guests"]}})
    on_list = await chooser.check(in_list="Guests")
    await mara.call("crm.lists.update", list="Guests", name="Visitors")
    await mara.call("crm.lists.create", name="Guests")
    nobody = Chooser(chooser.book, attrs.evolve(chooser.asker, me=None))
    assert await nobody.names(**attrs.asdict(mine)) == ["Cy"]
    assert await nobody.names(**attrs.asdict(on_list)) == ["Ada", "Bea", "Cy"]


async def test_a_selection_that_names_what_was_deleted_is_refused(mara: User, chooser: Chooser) -> None:
    stored = await chooser.check(filter={"_not": {"lists": {"_has_any": ["Guests"]}}})
    await mara.call("crm.lists.delete", list="Guests")
    with pytest.raises(Refusal, match="names no list"):
        await chooser.names(**attrs.asdict(stored))


@pytest.mark.parametrize(
    ("fields", "path", "said"),
    [
        ({}, "", "is empty; give one of ids, in_list, in_lists, filter and all"),
        ({"all": True, "filter": {}}, "", "has filter and all"),
        ({"ids": ["0" * 32]}, ".ids.0", "no such contact"),
        ({"in_list": "Nobody"}, ".in_list", "contacts.in_list names no list: 'Nobody'"),
        ({"in_lists": ["Guests", "Nobody"]}, ".in_lists.1", "contacts.in_lists.1 names no list"),
        ({"in_lists": ["Guests"], "at_least": 2}, ".at_least", "names 1 list"),
        ({"in_list": "Guests", "at_least": 1}, ".at_least", "names 0 lists"),
        ({"filter": {"_and": [{"country": 3}]}}, ".filter._and.0.country", "contacts.filter._and.0.country must be"),
        ({"filter": {"tags": {"_has_any": ["x"]}}}, ".filter.tags._has_any.0", "names no tag: 'x'"),
    ],
)
async def test_faults_name_their_place(chooser: Chooser, fields: dict[str, Any], path: str, said: str) -> None:
    refusal = await chooser.refusal_of(**fields)
    assert refusal.path == f"contacts{path}"
    assert said in refusal.message


async def test_commands_take_selections(mara: User, chooser: Chooser) -> None:
    begun = await mara.call("crm.tags.apply", tags=["VIP"], select={"in_list": "Staff"})
    await chooser.book.finish(begun)
    assert await chooser.names(filter={"tags": {"_has_any": ["VIP"]}}) == ["Ada", "Bea", "Cy", "Dan"]
