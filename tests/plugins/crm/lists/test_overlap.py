"""Contacts that several lists have in common."""

from __future__ import annotations

from typing import Any

import pytest

from chatnode.node import Node
from chatnode.testing import User, refused
from tests.plugins.crm.making import make_contacts, members

LISTS = {"one": "abcd", "two": "bcde", "three": "cdf"}


@pytest.fixture
async def lists(node: Node, kim: User) -> dict[str, str]:
    """Three lists; the ids of the contacts that are on them, by name."""
    ids = await make_contacts(node, *"abcdef")
    for name, on_it in LISTS.items():
        await kim.does("crm.lists.create", name=name)
        await kim.does("crm.lists.add", list=name, contacts=[ids[each] for each in on_it])
    return ids


def named(page: dict[str, Any]) -> str:
    return "".join(each["first_name"] for each in page["contacts"])


@pytest.mark.parametrize(("at_least", "expected"), [(1, "abcdef"), (2, "bcd"), (3, "cd"), (None, "cd")])
async def test_on_at_least_so_many(
    kim: User, vic: User, lists: dict[str, str], at_least: int | None, expected: str
) -> None:
    asked = {} if at_least is None else {"at_least": at_least}
    page = await vic.does("crm.lists.overlap", lists=[*LISTS, "ONE"], **asked)
    assert (named(page), page["count"]) == (expected, len(expected))
    made = await kim.does("crm.lists.intersect", lists=list(LISTS), name="kept", **asked)
    assert (made["changed"], made["list"]["contact_count"], made["list"]["kind"]) == (
        len(expected), len(expected), "static",
    )  # fmt: skip
    assert sorted(await members(kim, "kept")) == list(expected)


async def test_page_by_page(vic: User, lists: dict[str, str]) -> None:
    page = await vic.does("crm.lists.overlap", lists=list(LISTS), at_least=2, limit=2)
    assert (named(page), page["count"]) == ("bc", 3)
    page = await vic.does("crm.lists.overlap", lists=list(LISTS), at_least=2, limit=2, after=page["next"])
    assert named(page) == "d"
    assert "next" not in page
    assert "count" not in page


async def test_what_cannot_be_asked(vic: User, kim: User, lists: dict[str, str]) -> None:
    with refused("invalid", "at_least"):
        await vic.does("crm.lists.overlap", lists=["one", "One"], at_least=2)
    with refused("invalid", "lists"):
        await vic.does("crm.lists.overlap", lists=[])
    with refused("not_found", "lists.1"):
        await vic.does("crm.lists.overlap", lists=["one", "four"])
    with refused("conflict", "name"):
        await kim.does("crm.lists.intersect", lists=["one"], name="two")
