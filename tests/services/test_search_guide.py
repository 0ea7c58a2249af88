"""What docs/search.md promises to people."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chatnode.node import Node
from chatnode.testing import User
from tests.storage import whole_index

GUIDE = (Path(__file__).parent.parent.parent / "docs/search.md").read_text(encoding="utf-8")
SAID = {
    "roses": "ROSES and rosés",
    "roses violets": "violets under the roses",
    '"red roses"': "so many red roses",
    "ros*": "a rosary",
    '"red ros*"': "so many red roses",
    "roses -blue": "roses, light red",
    '-"light blue"': "roses, light red",
    "from:ann": "ROSES and rosés",
    "from:me": "what I said myself",
    "in:garden": "so many red roses",
    "in:ann": "only between us",
    "before:2026-03-01": None,
    "after:2026-03-01": "so many red roses",
    "has:link": "see https://roses.example",
    '"red roses" from:ann in:garden after:2026-01-31 has:link': "red roses at https://example.org/10:30",
    "strasse": "Straße",
    "lodz": "Łódź",
    "istanbul": "İstanbul",
    "2024": "٢٠٢٤",
    "3½": "add 3½ cups",
    '"3 1/2"': "add 3½ cups",
    "10⁶": "10⁶ m² of ice",
    "10^6": "10⁶ m² of ice",
    "m2": "10⁶ m² of ice",
    "31": None,
    "106": None,
    "东京": "我们明天去东京都看电影",
    "foo_bar.baz": "it is foo_bar.baz",
    "10:30": "red roses at https://example.org/10:30",
    "https://example.org": "red roses at https://example.org/10:30",
    "bar": "it is foo_bar.baz",
    "don't": "I don’t know",
    "“red roses”": "so many red roses",
    "„red roses“": "so many red roses",
    "«red roses»": "so many red roses",
    "「red roses」": "so many red roses",
    "-blue": "roses, light red",
    "–blue": "roses, light red",
    "--verbose": "try it with --verbose",
}
"""A query of the guide, and a text that it finds among all of these."""

NO_QUERIES = {"image", "file", "location", "mention", "reply", "edit", "pin", "from:", "in:", "config.toml", "[search]"}


def test_the_guide_says_nothing_that_is_not_tried() -> None:
    assert set(re.findall(r"`([^`]+)`", GUIDE)) - NO_QUERIES == set(SAID)


@pytest.fixture
async def garden(node: Node, ann: User, bob: User) -> None:
    room = await ann.group(bob, title="Rose garden")
    for text in {text for text in SAID.values() if text}:
        if text == "only between us":
            await ann.says(await ann.direct(bob), text)
        else:
            await (bob if "myself" in text else ann).says(room, text)


@pytest.mark.parametrize("query", SAID)
async def test_what_the_guide_says_is_so(garden: None, node: Node, bob: User, query: str) -> None:
    for _ in range(2):
        hits = (await bob.call("search.messages", query=query))["results"]
        texts = {hit["message"]["text"] for hit in hits}
        assert SAID[query] in texts if SAID[query] else not texts
        assert len(texts) < len(SAID)
        await node.core.db.write(whole_index.rebuild)
