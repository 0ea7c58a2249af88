"""Search against a model: every message that has the words and may be seen is found, and no other, whatever part of
it is indexed and whatever was changed or removed since.
"""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chatnode.config import Search
from chatnode.model import search_months, words
from chatnode.model.people import Account
from chatnode.model.search_query import parse
from chatnode.storage.conversations import conversations, members, opening
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.messages import posting
from chatnode.storage.messages.posting import Draft
from chatnode.storage.people import people
from chatnode.storage.search import checks as search_checks
from chatnode.storage.search import find as search
from chatnode.storage.search import index as search_index
from chatnode.storage.search.find import SearchCursor
from chatnode.storage.search.renewal import Renewal
from tests.quick import examples
from tests.storage import whole_index
from tests.storage.harness import Store

SMALL = Search(batch_messages=3, shard_messages=5)
"""So that a few messages fill several shards."""

alphabet = st.sampled_from("aàAbcß ŁøñΑά.-_'1٣²½ 東京都カが가서 ก็あ🎉\u0301\u200b\ue000\u00ad\n\"*:")
texts = st.text(alphabet, min_size=1, max_size=12) | st.text(min_size=1, max_size=8).filter(
    lambda text: "\0" not in text
)
quick = settings(deadline=None, max_examples=examples(60), suppress_health_check=[HealthCheck.too_slow])


# ---- words


@given(texts, texts, texts)
def test_a_word_is_found_between_any_others(before: str, word: str, after: str) -> None:
    named = words.words(word)
    if named:
        assert words.needle(named) in words.comparable(f"{before} {word} {after}")


@given(texts)
@example("ﾞ")
@example("e\u0301\u0301 가\u11a8")
def test_the_place_of_a_word_is_where_it_came_from(text: str) -> None:
    located = words.Located(text)
    if not words.words(text):
        return
    assert located.comparable == words.comparable(text)
    for found in re.finditer("[^ ]+", located.comparable):
        begin, _ = located.origin(found.start())
        _, end = located.origin(found.end() - 1)
        assert found.group() in words.comparable(text[begin:end])


@given(texts)
def test_folding_twice_changes_nothing(text: str) -> None:
    assert words.words(" ".join(words.words(text))) == words.words(text)


@given(st.text(st.characters(max_codepoint=127, exclude_characters="\0")))
def test_ascii_has_the_words_that_fts5_sees(text: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE t USING fts5(x, tokenize='ascii')")
    connection.execute("CREATE VIRTUAL TABLE v USING fts5vocab(t, row)")
    connection.execute("INSERT INTO t VALUES (?)", (text,))
    assert {term for (term,) in connection.execute("SELECT term FROM v")} == set(words.index_tokens(text))
    assert set(words.index_tokens(text)) == set(words.words(text))


# ---- times


times = st.integers(0, 253_402_300_799_999) | st.integers(0, 2**41).map(lambda at: at - at % 86_400_000)


@given(times, st.none() | times, st.none() | times)
@example(1_577_836_800_000, 1_577_836_800_000, 1_577_836_800_001)
def test_every_time_has_a_mark_of_every_stretch_that_it_is_in(at: int, since: int | None, until: int | None) -> None:
    given_marks = sqlite3.connect(":memory:").execute(f"SELECT {search_months.marks('?1', '')}", (at,)).fetchone()[0]
    cover = search_months.cover(since, until)
    if (since is None or at >= since) and (until is None or at < until):
        assert set(given_marks.split()) & set(cover)
    assert len(cover) == len(set(cover)) <= 60


# ---- the search


class World:
    """Three people, two rooms, and the index in any state."""

    def __init__(self, folder: str) -> None:
        self.store = Store(Path(folder))
        self.people: list[Account] = [
            self.store.write(lambda tx, handle=handle: people.create(tx, handle, role="member"))[0]
            for handle in ("ann", "bob", "eve")
        ]
        ann, bob, _ = self.people
        self.rooms = [
            self.store.write(
                lambda tx, others=others: opening.open_group(
                    tx, ann, title="a room", description="", visibility="private", history="since_joining",
                    others=others, most_members=0,
                )
            )[0]
            for others in ([bob], [bob])
        ]  # fmt: skip
        self.said: dict[tuple[int, int], str] = {}  # room and seq → text
        self.first = {(ann.key, 0): 1, (ann.key, 1): 1, (bob.key, 0): 1, (bob.key, 1): 1}
        self.count = 0
        self.renewal: Renewal | None = None
        self.store.write(lambda tx: search_index.attach(tx.connection))

    def post(self, room: int, text: str) -> None:
        self.count += 1
        draft = Draft(self.rooms[room], f"cid-{self.count}", text)
        posted, _ = self.store.write(lambda tx: posting.post(tx, self.people[0], draft))
        self.said[room, posted.seq] = text

    def eve_joins(self, room: int) -> None:
        ann, _, eve = self.people
        if (eve.key, room) not in self.first:
            self.store.write(lambda tx: members.add(tx, ann, self.rooms[room], eve, 0))
            head = self.store.read(lambda reader: conversations.access(reader, eve, self.rooms[room])).head
            self.first[eve.key, room] = head + 1

    def bob_leaves(self, room: int) -> None:
        bob = self.people[1]
        if self.first.pop((bob.key, room), None):
            self.store.write(lambda tx: members.leave(tx, bob, self.rooms[room]))

    def change(self, number: int, sql: str, text: str | None) -> None:
        """Edit, delete or remove a message as the tables see it."""
        if not self.said:
            return
        room, seq = sorted(self.said)[number % len(self.said)]
        where = "WHERE seq = :seq AND conversation = (SELECT key FROM conversations WHERE id = :id)"
        parameters = {"seq": seq, "id": self.rooms[room], "text": text}
        self.store.write(lambda tx: tx.execute(f"{sql} {where}", parameters))
        if text is None:
            del self.said[room, seq]
        else:
            self.said[room, seq] = text

    def index(self) -> None:
        self.store.write(lambda tx: search_index.index_batch(tx.connection, SMALL))

    def renew(self) -> None:
        """Begin to make a shard anew, or go on with it."""

        def write(tx: Transaction) -> None:
            if self.renewal is not None:
                if self.renewal.go_on(tx.connection, SMALL):
                    self.renewal = None
                return
            row = tx.execute("SELECT gid FROM search_changed ORDER BY serial LIMIT 1").fetchone()
            if row is not None:
                self.renewal = Renewal.begin(tx.connection, row[0])

        self.store.write(write)

    def found(self, who: Account, query: str, limit: int) -> list[str]:
        """All pages of a search."""
        parsed = parse(query)
        texts: list[str] = []
        after: SearchCursor | None = None
        while True:
            page = self.store.read(
                lambda reader, after=after: search.find(reader, who, parsed, after=after, limit=limit, seconds=60)
            )
            texts += [hit.message.text for hit in page.results]
            assert not page.partial
            if page.next is None:
                return texts
            assert len(page.results) == limit
            after = SearchCursor.read(page.next)


steps = st.one_of(
    st.tuples(st.just("post"), st.integers(0, 1), texts),
    st.tuples(st.just("edit"), st.integers(0, 30), texts),
    st.tuples(st.just("delete"), st.integers(0, 30)),
    st.tuples(st.just("remove"), st.integers(0, 30)),
    st.tuples(st.sampled_from(["index", "index", "renew", "settle", "rebuild"])),
    st.tuples(st.sampled_from(["eve joins", "bob leaves"]), st.integers(0, 1)),
)


@quick
@given(st.lists(steps, min_size=5, max_size=40), texts, st.integers(1, 4))
def test_all_that_may_be_seen_is_found_and_nothing_else(
    story: list[tuple[str, int, str]], text: str, limit: int
) -> None:
    with TemporaryDirectory() as folder:
        world = World(folder)
        for step in story:
            match step:
                case ("post", room, said):
                    world.post(room, said)
                case ("edit", number, said):
                    world.change(number, "UPDATE messages SET text = :text, edited_at = 1", said)
                case ("delete", number):
                    world.change(number, "UPDATE messages SET text = '', deleted_at = 1", None)
                case ("remove", number):
                    world.change(number, "DELETE FROM messages", None)
                case ("eve joins", room):
                    world.eve_joins(room)
                case ("bob leaves", room):
                    world.bob_leaves(room)
                case ("index",):
                    world.index()
                case ("renew",):
                    world.renew()
                case ("settle",):
                    world.store.write(whole_index.settle)
                case _:
                    world.store.write(lambda tx: whole_index.rebuild(tx, SMALL))
        candidates = [text, *(said for _, said in sorted(world.said.items())[:3])]
        for sought in candidates:
            named = words.words(sought)
            if not named:
                continue
            query = '"' + " ".join(named) + '"'
            for person in world.people:
                due = sorted(
                    said
                    for (room, seq), said in world.said.items()
                    if seq >= world.first.get((person.key, room), 2**62)
                    and words.needle(named) in words.comparable(said)
                )
                assert sorted(world.found(person, query, limit)) == due
        problems = world.store.read(search_checks.problems)
        assert problems == []
        world.store.close()
