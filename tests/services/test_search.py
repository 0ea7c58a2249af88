"""Finding messages: what a query means, and who finds what."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio

from chatnode.config import Config, Search
from chatnode.node import Node
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.migrations import core_migrations, statements
from chatnode.storage.search import index as search_index
from chatnode.testing import User, refused
from tests.storage import whole_index

from .dialogue import assert_sound, fill


async def found(who: User, query: str, **fields: object) -> list[str]:
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
        ("I donʼt know, Oʻahu", "don’t o'ahu", "I [donʼt] know, [Oʻahu]"),
        ("Қазақ тілі, Kɔfi", "казак kofi", "[Қазақ] тілі, [Kɔfi]"),
        ("فاطمة ٱلنور", "فاطمه النور", "[فاطمة] [ٱلنور]"),
        ("the light red roses", "“red roses”", "the light [red roses]"),
        ("run it --verbose", "—verbose", "run it --[verbose]"),
        ("İstanbul'da ISPARTA", "istanbul ısparta", "[İstanbul]'da [ISPARTA]"),
        ("GROẞE STRASSE", "große straße", "[GROẞE] [STRASSE]"),
        ("Ο Οδυσσεύς", "ΟΔΥΣΣΕΥΣ", "Ο [Οδυσσεύς]"),
        ("Ёлка и ещё", "елка еще", "[Ёлка] и [ещё]"),
        ("שָׁלוֹם לכולם", "שלום", "[שָׁלוֹם] לכולם"),
        ("مُحَمَّد قال مرحـــبا", "محمد مرحبا", "[مُحَمَّد] قال [مرحـــبا]"),
        ("أحمد هنا", "احمد", "[أحمد] هنا"),
        ("سال ٢٠٢٤", "2024", "سال [٢٠٢٤]"),
        ("call foo_bar.baz(x) now", "foo_bar.baz", "call [foo_bar.baz](x) now"),
        ("call foo_bar.baz(x) now", "bar", "call foo_[bar].baz(x) now"),
        ("in C:\\temp\\x.txt", "x.txt", "in C:\\temp\\[x.txt]"),
        ("mail ann@example.org", "ann@example.org", "mail [ann@example.org]"),
        ("👩‍👩‍👧 family", "family", "👩‍👩‍👧 [family]"),
        ("한국어를 공부해요", "국어", "한[국어]를 공부해요"),
        ("add 3½ cups", "3½", "add [3½] cups"),
        ("add 3½ cups", '"3 1/2"', "add [3½] cups"),
        ("add 3½ cups", "½", "add 3[½] cups"),
        ("10⁶ of 106", "10⁶", "[10⁶] of 106"),
        ("10⁶ of 106", "10^6", "[10⁶] of 106"),
        ("10⁶ of 106", "106", "10⁶ of [106]"),
        ("50 m² of H₂O", "m2 h2o", "50 [m²] of [H₂O]"),
        ("ภาษาไทยง่าย", "ไทย", "ภาษา[ไทย]ง่าย"),
    ],
)
async def test_words_are_found_as_people_mean_them(
    ann: User, bob: User, node: Node, said: str, query: str, marked: str
) -> None:
    talk = await ann.direct(bob)
    await ann.says(talk, said)
    await ann.says(talk, "something else, ど")
    assert await found(bob, query) == [marked]
    await node.core.db.write(whole_index.rebuild)
    assert await found(bob, query) == [marked]


# ---- what a query means


@pytest.fixture
async def room(ann: User, bob: User) -> str:
    """A group in which some things were said."""
    room = await ann.group(bob, title="Rose garden")
    for who, text in (
        (ann, "the roses are red"),
        (bob, "the violets are blue"),
        (ann, "@bob look at https://roses.example"),
        (bob, "roses, violets and blue skies"),
    ):
        await who.says(room, text)
    return room


@pytest.mark.parametrize(
    ("query", "texts"),
    [
        ("roses", ["roses, violets and blue skies", "@bob look at https://roses.example", "the roses are red"]),
        ("ROSES blue", ["roses, violets and blue skies"]),
        ('"are blue"', ["the violets are blue"]),
        ("roses -violets", ["@bob look at https://roses.example", "the roses are red"]),
        ('roses -"are red" -blue', ["@bob look at https://roses.example"]),
        ("viol*", ["roses, violets and blue skies", "the violets are blue"]),
        ('"are r"*', ["the roses are red"]),
        ("from:ann", ["@bob look at https://roses.example", "the roses are red"]),
        ("from:@ANN red", ["the roses are red"]),
        ("roses from:ann from:bob -look", ["roses, violets and blue skies", "the roses are red"]),
        ("from:me blue", ["roses, violets and blue skies", "the violets are blue"]),
        ("has:link", ["@bob look at https://roses.example"]),
        ("has:mention", ["@bob look at https://roses.example"]),
        ("has:image", []),
        ("red in:garden", ["the roses are red"]),
        ('red in:"rose garden"', ["the roses are red"]),
        ("red in:ros", ["the roses are red"]),
        ("red after:2020-01-01", ["the roses are red"]),
        ("red before:2020-01-01", []),
        ("ose", []),
        ("nowhere", []),
    ],
)
async def test_the_language_of_queries(room: str, bob: User, node: Node, query: str, texts: list[str]) -> None:
    plain = [hit["message"]["text"] for hit in (await bob.call("search.messages", query=query))["results"]]
    assert plain == texts
    await node.core.db.write(whole_index.rebuild)
    assert [hit["message"]["text"] for hit in (await bob.call("search.messages", query=query))["results"]] == texts


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ('"roses', "unclosed"),
        ('""', "empty quotation marks"),
        ("🎉 !?", "no word"),
        ("-", "no word"),
        ("from:", "from:ann"),
        ("from:nobody", "no such user"),
        ("in:", "in:garden"),
        ("in:elsewhere", "no such conversation"),
        ("before:yesterday", "before:2026-01-31"),
        ("after:2026-02-30", "after:2026-01-31"),
        ("after:2026-02-02 before:2026-02-01", "earlier than its after:"),
        ("has:money", "expected one of link, image"),
        ("-from:ann", "a minus works with words"),
        (" ".join(map(str, range(33))), "the maximum is 32"),
    ],
)
async def test_what_is_no_query_is_refused_with_what_to_write(room: str, bob: User, query: str, says: str) -> None:
    with refused("invalid", "query") as caught:
        await bob.call("search.messages", query=query)
    assert says in str(caught.value)


async def test_a_cursor_that_was_never_given_is_refused(room: str, bob: User) -> None:
    for after in ("x", "1", "1-", "99999999999999999999-1"):
        with refused("invalid", "after"):
            await bob.call("search.messages", query="roses", after=after)
    assert await found(bob, "roses", after="0-0") == []


# ---- who finds what


async def test_only_who_takes_part_finds_and_only_from_where_they_came_in(
    room: str, ann: User, bob: User, eve: User
) -> None:
    assert await found(eve, "roses") == []
    with refused("not_found", "conversation"):
        await eve.call("search.messages", query="roses", conversation=room)
    await ann.call("conversations.members.add", conversation=room, member="eve")
    assert await found(eve, "roses") == []
    await ann.says(room, "roses for eve")
    assert await found(eve, "roses") == ["[roses] for eve"]
    await bob.call("conversations.leave", conversation=room)
    assert await found(bob, "roses") == []
    with refused("not_member", "conversation"):
        await bob.call("search.messages", query="roses", conversation=room)


async def test_one_conversation_can_be_searched(room: str, ann: User, bob: User, eve: User) -> None:
    talk = await ann.direct(eve)
    await eve.says(talk, "roses are mine")
    assert await found(ann, "roses are", conversation=talk) == ["[roses] [are] mine"]
    assert await found(ann, "roses in:eve") == ["[roses] are mine"]
    assert await found(ann, f"roses in:{talk}") == ["[roses] are mine"]
    assert await found(ann, "roses in:garden", conversation=talk) == []


async def test_files_and_places_are_found_by_name_and_edits_as_edits(ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    plan = {"file": "https://files.example/1", "name": "Garden-Plan.pdf", "type": "application/pdf", "bytes": 9}
    await ann.says(talk, "", kind="file", media=plan)
    await ann.says(talk, "", kind="location", location={"latitude": 1.5, "longitude": 2.5, "name": "Rose garden"})
    said = await ann.posts(talk, "gardn")
    await ann.call("messages.edit", message=said["message"], text="garden")
    kinds = [hit["message"]["kind"] for hit in (await bob.call("search.messages", query="garden"))["results"]]
    assert kinds == ["text", "location", "file"]
    more = [plan | {"file": f"https://files.example/{name}", "name": name} for name in ("shed.pdf", "gate.pdf")]
    await ann.says(talk, "", kind="file", files=more)
    for query, kind in (
        ("has:file plan", "file"),
        ("has:file gate", "file"),
        ("has:location", "location"),
        ("has:edit", "text"),
    ):
        (hit,) = (await bob.call("search.messages", query=query))["results"]
        assert hit["message"]["kind"] == kind
    assert await found(bob, "gardn") == []


async def test_pages_have_everything_once_while_more_is_said(ann: User, bob: User, node: Node) -> None:
    rooms = [await ann.group(bob, title=f"room {number}") for number in range(3)]
    for number in range(7):
        for room in rooms:
            await ann.says(room, f"message {number} {room}")
    await node.core.db.write(whole_index.rebuild)
    seen: list[str] = []
    page = await bob.call("search.messages", query="message", limit=4)
    while True:
        assert not page["partial"]
        seen += [hit["message"]["message"] for hit in page["results"]]
        await ann.says(rooms[0], "one more message")
        if "next" not in page:
            break
        page = await bob.call("search.messages", query="message", limit=4, after=page["next"])
    assert len(seen) == len(set(seen)) == 21


# ---- the index follows


@pytest.mark.parametrize(
    "config", [Config(search=Search(batch_messages=10, shard_messages=20, removal_seconds=0))], ids=["small parts"]
)
async def test_the_index_is_kept_in_the_background(ann: User, bob: User, node: Node) -> None:
    talk = await ann.direct(bob)
    await fill(ann, talk, "hello", 95)
    page = await ann.call("messages.list", conversation=talk, after=0, limit=50)
    edited, deleted = page["messages"][2]["message"], page["messages"][49]["message"]
    assert len(await found(bob, "hello", limit=500)) == 95
    await until(node, lambda tx: whole_index.occurrences(tx, "hello") == 95)
    assert len(await node.core.db.read(search_index.shards)) >= 4
    assert len(await found(bob, "hello", limit=500)) == 95
    # What is deleted is not found from then on, and is soon gone from the index's tables.
    await ann.call("messages.edit", message=edited, text="bye")
    await ann.call("messages.delete", message=deleted)
    assert len(await found(bob, "hello", limit=500)) == 93
    assert await found(bob, "bye") == ["[bye]"]
    await until(node, lambda tx: whole_index.occurrences(tx, "hello") == 93)
    assert await found(bob, "bye") == ["[bye]"]
    await assert_sound(node)


@pytest.mark.parametrize("name", ["0018_folding", "0033_numbers"])
async def test_what_was_indexed_by_an_earlier_folding_is_indexed_anew(
    room: str, bob: User, node: Node, name: str
) -> None:
    await node.core.db.write(whole_index.rebuild)
    (step,) = [each for each in core_migrations() if each.name == name]
    for statement in statements(step.sql):
        await node.core.db.write(lambda tx, statement=statement: tx.execute(statement))
    assert len(await found(bob, "roses")) == 3
    await until(node, lambda tx: search_index.indexed(tx) == 4 and whole_index.occurrences(tx, "roses") == 3)
    await assert_sound(node)


async def test_what_is_settled_is_in_no_table_of_the_index(room: str, ann: User, bob: User, node: Node) -> None:
    async def count(word: str) -> int:
        return await node.core.db.read(lambda reader: whole_index.occurrences(reader, word))

    await node.core.db.write(whole_index.rebuild)
    assert (await count("roses"), await count("skies")) == (3, 1)
    (hit,) = (await bob.call("search.messages", query="skies"))["results"]
    await bob.call("messages.delete", message=hit["message"]["message"])
    assert await found(ann, "skies") == []
    assert await node.core.db.write(whole_index.settle) == 1
    assert (await count("roses"), await count("skies")) == (2, 0)
    assert await node.core.db.write(whole_index.settle) == 0
    await assert_sound(node)


async def test_the_check_finds_a_damaged_index_and_making_it_anew_mends_it(room: str, node: Node) -> None:
    for damage in (
        "INSERT INTO search_words_{} (rowid, words) VALUES (1 << 40, 'nonsense')",
        "INSERT INTO search_words_{} (search_words_{}, rowid, words) VALUES ('delete', (1 << 28) | 1, 'roses')",
    ):
        await node.core.db.write(whole_index.rebuild)
        await assert_sound(node)
        (shard,) = await node.core.db.read(search_index.shards)
        await node.core.db.write(lambda tx, sql=damage, number=shard.number: tx.execute(sql.replace("{}", str(number))))
        checked = await node.call("node.check")
        assert [check["name"] for check in checked["checks"] if check["problems"]] == ["search"]
    await node.core.db.write(whole_index.rebuild)
    await assert_sound(node)


@pytest.mark.parametrize("config", [Config(search=Search(enabled=0))], ids=["disabled on this node"])
async def test_a_node_without_search_says_so(ann: User) -> None:
    with refused("unavailable"):
        await ann.call("search.messages", query="hello")


async def until(node: Node, holds: Callable[[Reader], bool]) -> None:
    """Wait for what is done in the background."""
    with trio.fail_after(20):
        while not await node.core.db.read(holds):  # noqa: ASYNC110 - what a thread does
            await trio.sleep(0.01)
