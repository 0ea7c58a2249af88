"""Contacts that may be one person are found without comparing all with all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from chatnode_crm.people import duplicates, similar
from chatnode_crm.people.pairs import suggest_many
from chatnode_crm.people.similar import NEAREST, alike_within, blocks_of

from chatnode.api import Transaction, write_cursor
from chatnode.node import Node
from chatnode.testing import User, refused, run_work
from tests.plugins.crm.people.making import contact, count


async def found(node: Node, mara: User) -> list[tuple[set[str], str]]:
    work = await run_work(node, (await mara.call("crm.duplicates.find"))["work"])
    assert work["status"] == "done", work
    pairs = (await mara.call("crm.duplicates.list"))["duplicates"]
    return [({each["one"], each["other"]}, each["reason"]) for each in pairs]


async def test_why_two_may_be_one(node: Node, mara: User) -> None:
    ids = {
        name: await contact(node, f"{name}@example.org", **fields)
        for name, fields in {
            "ada": {"first_name": "Ada", "last_name": "Lovelace", "phone": "+33612345678"},
            "phone": {"first_name": "Somebody", "phone": "+33 6 12 34 56 78"},
            "jane": {"first_name": "Jane", "last_name": "Doe", "company": "Acme"},
            "same": {"first_name": "JANE", "last_name": "Doé", "company": "ACME"},
            "typo": {"first_name": "Ada", "last_name": "Lovelase"},
            "other": {"first_name": "Alan", "last_name": "Turing"},
        }.items()
    }
    assert await found(node, mara) == [
        ({ids["jane"], ids["same"]}, "name_company"),
        ({ids["ada"], ids["phone"]}, "phone"),
        ({ids["ada"], ids["typo"]}, "name"),
    ]
    assert await count(node, "SELECT count(*) FROM crm_blocks") == 0


async def test_those_that_are_not_the_same_are_not_suggested_again(node: Node, mara: User) -> None:
    one, other = [await contact(node, f"{n}@example.org", phone="+33612345678") for n in range(2)]
    assert len(await found(node, mara)) == 1
    await mara.call("crm.contacts.not_same", contact=other, other=one)
    assert await found(node, mara) == []


async def test_a_number_of_very_many_says_nothing(node: Node, mara: User) -> None:
    for number in range(11):
        await contact(node, f"{number}@example.org", phone="+33612345678")
    assert await found(node, mara) == []


async def test_a_number_of_very_many_says_nothing_on_both_sides_of_a_page(
    node: Node, mara: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "_NEAR", 15)
    for number in range(10):
        await contact(node, f"few{number}@example.org", phone=f"+3361111110{number}")
    for number in range(11):
        await contact(node, f"many{number}@example.org", phone="+33612345678")
    assert await found(node, mara) == []


async def test_pages_of_suggestions(node: Node, mara: User) -> None:
    for number in range(5):
        await contact(node, f"{number}@example.org", phone="+33612345678")
    await found(node, mara)
    first = await mara.call("crm.duplicates.list", limit=3)
    rest = await mara.call("crm.duplicates.list", limit=3, after=first["next"])
    assert (len(first["duplicates"]), len(rest["duplicates"]), "next" in rest) == (3, 1, False)


async def test_a_number_beyond_those_of_the_database_is_no_cursor(mara: User) -> None:
    with refused("invalid", "after"):
        await mara.call("crm.duplicates.list", after=write_cursor(100, 2**63, 1))


async def test_names_on_both_sides_of_a_page_are_compared(
    node: Node, mara: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "_NEAR", 2)
    for number in range(6):
        await contact(node, f"{number}@example.org", first_name="Ada", last_name="Lovelace")
    assert len(await found(node, mara)) == 15


async def test_names_on_both_sides_of_an_interruption_are_compared(
    node: Node, mara: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "_NEAR", 2)
    for country in ("France", "Italy", "Norway", "Poland", "Spain", "Sweden"):  # so that they meet in one block alone
        await contact(node, f"{country}@example.org", first_name="Ada", last_name="Lovelace", country=country)
    pages = 0

    def suggest_until_interrupted(tx: Transaction, pairs: Sequence[Any]) -> None:
        nonlocal pages
        pages += 1
        if pages == 2:
            raise RuntimeError("interrupted")
        suggest_many(tx, pairs)

    monkeypatch.setattr(duplicates, "suggest_many", suggest_until_interrupted)
    work = await run_work(node, (await mara.call("crm.duplicates.find"))["work"], ahead_seconds=60)
    assert work["status"] == "done"
    assert len((await mara.call("crm.duplicates.list"))["duplicates"]) == 15


def test_the_work_grows_with_the_number_of_names_and_not_its_square(monkeypatch: pytest.MonkeyPatch) -> None:
    from rapidfuzz import fuzz

    compared = 0

    def ratio(*_: object, **__: object) -> float:
        nonlocal compared
        compared += 1
        return 0.0

    monkeypatch.setattr(fuzz, "token_sort_ratio", ratio)
    assert list(alike_within(["name"] * 10_000)) == []
    assert compared <= 10_000 * NEAREST


def test_blocks() -> None:
    assert list(blocks_of("Ada", None, "Acme", None)) == []  # a first name alone is everybody's
    swapped = [
        {block for block, _ in blocks_of(*names, None, "France")} for names in (("Ada", "Byron"), ("Byron", "Ada"))
    ]
    assert swapped[0] & swapped[1]
    assert similar.reason_of("company x") == "name_company"
