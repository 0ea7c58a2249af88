"""`docs/filters.md` says what the code does, and its examples work as they are written there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_origin, get_type_hints
from urllib.parse import quote

import attrs
import pytest

from chatnode.node import Node
from chatnode.services import COMMANDS
from chatnode.storage.filters import kinds
from chatnode.storage.filters.collection import Collections
from tests.declared import COLLECTIONS
from tests.filters.neighbourhood import settle
from tests.transport.clients import Http, bearer, serving

TEXT = (Path(__file__).parents[2] / "docs/filters.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```http\nGET (.*?)\n```", TEXT, re.DOTALL)


def test_every_collection_has_a_row_with_its_fields() -> None:
    for collection in COLLECTIONS:
        row = re.search(rf"^\| `{collection.name}` \| (.*?) \| (.*) \|$", TEXT, re.MULTILINE)
        assert row is not None, collection.name
        named = [name for field in collection.fields for name in (field.name, *field.also)]
        assert re.findall(r"`(\w+)`", row[1]) == named
        assert row[2].startswith(collection.about)


def test_every_operator_has_a_row() -> None:
    operators = kinds.EQUALITY | kinds.ORDER | kinds.TEXTUAL | kinds.RELATIVE | kinds.SETS | {"_and", "_or", "_not"}
    table = TEXT.partition("## Conditions")[2].partition("A missing field")[0]
    assert set(re.findall(r"`(_\w+)`", table)) >= operators


def lists() -> set[str]:
    """Commands that read, and whose answer has a list."""
    found: set[str] = set()
    for command in COMMANDS:
        if command.reads and command.name != "items.query" and attrs.has(command.gives):
            given = get_type_hints(command.gives).values()
            if any(get_origin(each) is list for each in given):
                found.add(command.name)
    return found


def test_every_list_says_which_collection_it_is() -> None:
    """In the table, and where the command is described."""
    table = TEXT.partition("## Which list is which collection")[2].partition("\n## ")[0]
    rows = [re.fullmatch(r"\| (.*) \| (.*) \|", line) for line in table.splitlines()]
    named = {name: row[2] for row in rows if row for name in re.findall(r"`([\w.]+)`", row[1])}
    assert set(named) == lists()
    described = {each.name: each.handler.__doc__ or "" for each in COMMANDS}
    for name, said in named.items():
        if said.startswith("none: "):
            assert "items.query" not in described[name]
        else:
            collection = said.partition("`")[2].partition("`")[0]
            assert f"`items.query` of `{Collections(COLLECTIONS).find(collection).name}`" in described[name]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.partition("?")[0])
async def test_examples_work_as_they_are_written(node: Node, example: str) -> None:
    """Ids put in, and sent as a browser's address line or `fetch` sends them."""
    there = await settle(node)
    token = (await there.ann.call("tokens.create"))["token"]
    address = quote(example.replace("0" * 32, there.plans), safe="/?&=")
    async with serving(node) as at, await Http.open(at) as http:
        answer = await http.request("GET", address, headers=bearer(token))
    assert answer.status == 200, answer.body
    data = answer.json["data"]
    if "group_by" in example:
        inbox = await there.ann.call("inbox.list")
        unread = {entry["conversation"]: entry["unread"] for entry in inbox["conversations"] if entry["unread"]}
        assert {group["conversation_id"]: group["count"] for group in data} == unread
    elif "conversations" in example:
        assert [row["conversation_id"] for row in data] == [there.plans, there.talk]
    else:
        assert [row["seq"] for row in data] == [9, 8, 7, 6, 5, 4, 2, 1]


def test_there_are_the_three_examples() -> None:
    assert len(EXAMPLES) == 3
