"""Finding messages: what a query means, and who finds what."""

from __future__ import annotations

import pytest

from chatnode.config import Config, Search
from chatnode.node import Node
from chatnode.storage import search_index
from tests.conftest import Somebody

from .dialogue import direct, fill, group, refused, say


async def found(who: Somebody, query: str, **fields: object) -> list[str]:
    """The texts that a search gives, with what is highlighted in brackets."""
    texts: list[str] = []
    for hit in (await who.call("search.messages", query=query, **fields))["results"]:
        text = hit["message"]["text"]
        for span in reversed(hit["highlights"]):
            text = f"{text[: span['start']]}[{text[span['start'] : span['end']]}]{text[span['end'] :]}"
        texts.append(text)
    return texts


@pytest.mark.parametrize(
    ("said", "query", "marked"),
    [
        ("Meet at the Café tomorrow", "cafe", "Meet at the [Café] tomorrow"),
        ("cafe\u0301!", "CAFÉ", "[cafe\u0301]!"),
        ("Die Straße ist lang", "strasse", "Die [Straße] ist lang"),
        ("Łódź", "lodz", "[Łódź]"),
        ("the ﬁrst ＦＵＬＬ", "first full", "the [ﬁrst] [ＦＵＬＬ]"),
        ("don't stop-believing", "don't", "[don't] stop-believing"),
        ("one two three", '"two three"', "one [two three]"),
        ("deployments", "deploy*", "[deploy]ments"),
        ("我们明天去东京都看电影", "东京", "我们明天去[东京]都看电影"),
        ("我们明天去东京", "京", "我们明天去东[京]"),
        ("東京タワーへ行く", "タワー", "東京[タワー]へ行く"),
        ("ｶﾞｷﾞｸﾞ", "ギグ", "ｶﾞ[ｷﾞｸﾞ]"),
        ("สวัสดีครับผม", "ครับ", "สวัสดี[ครับ]ผม"),
        ("서울에서 만나요", "서울", "[서울]에서 만나요"),
        ("iPhone15手机壳 🎉", "手机", "iPhone15[手机]壳 🎉"),
        ("party 🎉🎉 at 10:30", "10:30 party", "[party] 🎉🎉 at [10:30]"),
        ("see https://example.org/a", "https://example.org", "see [https://example.org]/a"),
    ],
)
async def test_words_are_found_as_people_mean_them(
    ann: Somebody, bob: Somebody, node: Node, said: str, query: str, marked: str
) -> None:
    talk = await direct(ann, bob)
    await say(ann, talk, said)
    await say(ann, talk, "something else, ど")
    assert await found(bob, query) == [marked]
    await node.core.db.write(search_index.rebuild)
    assert await found(bob, query) == [marked]


async def test_x(ann: Somebody, bob: Somebody) -> None:
    talk = await direct(ann, bob)
    await fill(ann, talk, "hello", 45)
    page = await ann.call("search.messages", query="hello")
    assert len(page["results"]) == 20
