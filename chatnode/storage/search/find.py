"""Searching messages: only what the searcher may see, newest first, in bounded time.

Three places are looked at: messages that are not indexed yet, shards of the index from the newest to the oldest, and
messages that changed since their shard was made. The index only proposes; each message it names is looked at, so that
what is found is what is there now. Who may see it is part of every statement (`_VISIBLE`).

Rows come to Python few at a time, many messages in one as JSON: each row costs a change of threads on a busy node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import orjson

from chatnode.errors import Refusal
from chatnode.logs import get_logger
from chatnode.model import search_months, words
from chatnode.model.commands.search import SearchHit, SearchPage, Span
from chatnode.model.people import Account
from chatnode.model.records import record
from chatnode.model.search_query import SearchQuery, Term
from chatnode.storage.engine.arrays import json_array
from chatnode.storage.engine.connection import DatabaseError, Reader, was_interrupted
from chatnode.storage.engine.deadlines import budget
from chatnode.storage.messages import messages
from chatnode.storage.people import people
from chatnode.storage.search import index as search_index
from chatnode.storage.search.index import CONVERSATION_BITS, CONVERSATION_MASK, HAS, MARK, TEXT, Shard

logger = get_logger("search")

CHUNK = 2_000
"""How many messages that are not indexed are scanned at a time."""

FEW_CONVERSATIONS = 32
"""For a user with at most this many conversations, the index query names them, and skips other conversations."""

_VISIBLE = (
    "m.conversation = v.conversation AND v.person = :me AND v.left_gid IS NULL AND m.seq >= v.first "
    "AND m.seq > c.floor AND m.deleted_at IS NULL"
)
_PLACES = "CROSS JOIN members v CROSS JOIN conversations c ON c.key = v.conversation"
_HAS = HAS | {"pin": "m.pinned_at IS NOT NULL"}


@attrs.frozen(order=True)
class SearchCursor:
    """Where a page ends: only messages before it in the order of (gid, seq) follow."""

    gid: int
    seq: int

    @classmethod
    def read(cls, text: str) -> SearchCursor:
        """From the `next` of the page before. Raises `Refusal` when it cannot be one."""
        gid, _, seq = text.partition("-")
        if int(gid) > _MOST or int(seq) > _MOST:
            raise Refusal("invalid", "expected the `next` of the previous page", path="after")
        return cls(int(gid), int(seq))

    def just_after(self) -> SearchCursor:
        """The cursor with which the message here is the first that follows."""
        return SearchCursor(self.gid, self.seq + 1)

    def __str__(self) -> str:
        return f"{self.gid}-{self.seq}"


_MOST = 2**62


@record(frozen=True)
class SearchMatch:
    """A message that matches, by its key."""

    key: int
    conversation: int
    seq: int
    gid: int


class _Search:
    """One search, in one snapshot."""

    def __init__(self, reader: Reader, account: Account, query: SearchQuery, conversation: int | None) -> None:
        self._reader = reader
        self._query = query
        self._parameters: dict[str, Any] = {"me": account.key}
        conditions = [_VISIBLE]
        marks: list[str] = []
        if query.senders:
            senders = _senders(reader, account, query.senders)
            conditions.append(self._one_of("m.sender", "senders", senders))
            marks.append(_any_of([f"s{key}" for key in senders]))
        places = _places(reader, account, query.places) if query.places else None
        if conversation is not None:
            places = [conversation] if places is None or conversation in places else []
        if places is not None:
            conditions.append(self._one_of("m.conversation", "places", places))
        else:
            places = _few(reader, account)
        if places is not None and len(places) <= FEW_CONVERSATIONS:
            marks.append(_any_of([f"c{key}" for key in places] or ["none"]))
        for each in sorted(query.has):
            conditions.append(_HAS[each])
            if each in HAS:
                marks.append(_any_of([f"h{each}"]))
        if query.since is not None:
            conditions.append("m.at >= :since")
            self._parameters["since"] = query.since
        if query.until is not None:
            conditions.append("m.at < :until")
            self._parameters["until"] = query.until
        if query.since is not None or query.until is not None:
            marks.append(_any_of(search_months.cover(query.since, query.until) or ["none"]))
        self._where = " AND ".join(conditions)
        self._may_match = self._has_words([word for term in query.terms for word in term.words if word.isascii()])
        self._parameters["match"] = _match(query, marks)

    def _one_of(self, column: str, name: str, keys: list[int]) -> str:
        self._parameters[name] = json_array(keys)
        return f"{column} IN (SELECT value FROM json_each(:{name}))"  # noqa: S608

    def _has_words(self, wanted: list[str]) -> str:
        """A condition that drops most texts which lack one of the words before they come to Python.

        A word of a text of ASCII is a part of that text in lower case; other texts are left to `matches`.
        """
        self._parameters |= {f"word{number}": word for number, word in enumerate(wanted)}
        parts = [f"instr(lower(words), :word{number}) > 0" for number in range(len(wanted))]
        return f"length(CAST(words AS BLOB)) <> length(words) OR ({' AND '.join(parts)})" if wanted else "TRUE"

    def tail(self, above: int, below: int, most: int) -> list[SearchMatch]:
        """The newest of the messages with keys between."""
        return self._matching(f"messages m {_PLACES}", "m.key > :above AND m.key < :below", above, below, most)

    def changed(self, below: int) -> list[SearchMatch]:
        """All that match of those that changed since they were indexed."""
        changed = "(SELECT DISTINCT message FROM search_changed) s CROSS JOIN messages m ON m.key = s.message"
        source = f"{changed} {_PLACES}"
        return self._matching(source, "m.key > :above AND m.key < :below", 0, below, _MOST)

    def shard(self, shard: Shard, below: int, most: int) -> list[SearchMatch]:
        """The newest of the messages that a part of the index has."""
        source = (
            f"{shard.table} s CROSS JOIN members v ON v.conversation = (s.rowid & {CONVERSATION_MASK}) "
            f"CROSS JOIN conversations c ON c.key = v.conversation "
            f"CROSS JOIN messages m ON m.key = (s.rowid >> {CONVERSATION_BITS})"
        )
        found: list[SearchMatch] = []
        while len(found) < most:
            wanted = max(most - len(found), 50)
            proposed, matching = self._look(
                source, f"{shard.table} MATCH :match AND s.rowid < :below", 0, below << CONVERSATION_BITS, wanted,
                order="s.rowid",
            )  # fmt: skip
            found += matching
            if len(proposed) < wanted:
                break
            below = proposed[-1].key
        return found[:most]

    def _matching(self, source: str, condition: str, above: int, below: int, most: int) -> list[SearchMatch]:
        return self._look(source, condition, above, below, _MOST, having=self._may_match)[1][:most]

    def _look(
        self,
        source: str,
        condition: str,
        above: int,
        below: int,
        most: int,
        order: str = "m.key",
        having: str = "TRUE",
    ) -> tuple[list[SearchMatch], list[SearchMatch]]:
        """The `most` newest of what a source proposes, but those `having` drops, and those whose words are right."""
        sql = (
            "SELECT json_group_array(json_array(key, conversation, seq, gid, words)) FROM ("  # noqa: S608
            f"SELECT m.key, m.conversation, m.seq, m.gid, {TEXT} AS words FROM {source} "
            f"WHERE {condition} AND {self._where} ORDER BY {order} DESC LIMIT :most) WHERE {having}"
        )
        parameters = self._parameters | {"above": above, "below": below, "most": most}
        (rows,) = self._reader.execute(sql, parameters).fetchone()
        proposed = [(SearchMatch(*where), text) for *where, text in orjson.loads(rows)]
        proposed.sort(key=lambda each: -each[0].key)
        return [each for each, _ in proposed], [each for each, text in proposed if self._query.matches(text)]


def find(
    reader: Reader,
    account: Account,
    query: SearchQuery,
    *,
    conversation: int | None = None,
    after: SearchCursor | None = None,
    limit: int,
    seconds: float,
) -> SearchPage:
    """A page of a user's search results, in all their conversations or in one.

    Raises `Refusal("invalid")` for a query that names nobody, or no conversation of theirs, and for one that takes
    longer than `seconds` to begin with; `Refusal("unavailable")` when the index is damaged.
    """
    search = _Search(reader, account, query, conversation)
    with budget(reader, seconds) as is_over:
        try:
            hits, stopped_at = _walk(reader, search, after, limit + 1, is_over)
        except DatabaseError as error:
            if not was_interrupted(error):
                logger.error("the search index is damaged: %s", error)
                raise Refusal("unavailable", "the search index is damaged; run chatnode check --repair") from error
            if not is_over():
                raise
            raise Refusal("invalid", "the query takes too long; add in: or a rarer word", path="query") from None
    if len(hits) > limit:
        hits, stopped_at = hits[:limit], None
        follows = SearchCursor(hits[-1].gid, hits[-1].seq)
    else:
        follows = stopped_at
    return SearchPage(_hits(reader, account, query, hits), str(follows) if follows else None, stopped_at is not None)


def _walk(
    reader: Reader, search: _Search, after: SearchCursor | None, most: int, is_over: Callable[[], bool]
) -> tuple[list[SearchMatch], SearchCursor | None]:
    """The newest that match, and where the search was stopped when its time was over, if it was."""
    below = _key_below(reader, after)
    changed = search.changed(below)
    found: dict[int, SearchMatch] = {}
    reached: SearchCursor | None = None
    stopped_at: SearchCursor | None = None
    parts = _parts(reader, search, after, below, found, most)
    try:
        while len(found) < most and (step := next(parts, None)) is not None:
            reached = step
            if is_over():
                stopped_at = None if len(found) >= most else reached
                break
    except DatabaseError as error:
        if not (was_interrupted(error) and is_over()) or reached is None:
            raise
        stopped_at = reached
    found |= {each.key: each for each in changed if _is_after(each, stopped_at)}
    return sorted(found.values(), key=lambda each: -each.key), stopped_at


def _parts(
    reader: Reader, search: _Search, after: SearchCursor | None, below: int, found: dict[int, SearchMatch], most: int
) -> Iterator[SearchCursor]:
    """Search one part after the other, from the newest to the oldest, until `most` are found.

    After each it gives the cursor down to which everything was searched.
    """
    _, key = search_index.last_indexed(reader)
    upper = below
    while upper > key + 1:
        lower = max(key, upper - CHUNK - 1)
        found |= {each.key: each for each in search.tail(lower, upper, most - len(found))}
        upper = lower + 1
        row = reader.execute("SELECT gid, seq FROM messages WHERE key <= ? ORDER BY key DESC LIMIT 1", (lower,))
        yield SearchCursor(*(row.fetchone() or (0, 0))).just_after()
    for shard in search_index.shards(reader):
        begins = SearchCursor(shard.above + 1, 0)
        if after is None or begins < after:
            part = search.shard(shard, min(below, key + 1), most - len(found))
            found |= {each.key: each for each in part}
            yield begins


def _is_after(found: SearchMatch, cursor: SearchCursor | None) -> bool:
    return cursor is None or (found.gid, found.seq) >= (cursor.gid, cursor.seq)


def _key_below(reader: Reader, after: SearchCursor | None) -> int:
    """Messages before the cursor have keys below this."""
    if after is None:
        return (reader.execute("SELECT max(key) FROM messages").fetchone()[0] or 0) + 1
    last = search_index.last_key(reader, after.gid)
    row = reader.execute(
        "SELECT min(key) FROM messages WHERE key > ? AND key <= ? AND gid = ? AND seq >= ?",
        (last - _LARGEST_IMPORT, last, after.gid, after.seq),
    ).fetchone()
    return last + 1 if row[0] is None else row[0]


_LARGEST_IMPORT = 2_000  # more than the messages that can share a gid


def _hits(reader: Reader, viewer: Account, query: SearchQuery, found: list[SearchMatch]) -> list[SearchHit]:
    needles = [term.needle for term in query.terms]
    hits: list[SearchHit] = []
    for each in found:
        message = messages.at_seq(reader, each.conversation, each.seq)
        assert message is not None
        hits.append(SearchHit(message, [Span(*span) for span in words.spans(message.text, needles)]))
    messages.enrich(reader, [hit.message for hit in hits], viewer)
    return hits


# ---- what the query means here


def _senders(reader: Reader, account: Account, handles: list[str]) -> list[int]:
    """`from:me` is the searcher."""
    found: list[int] = []
    for handle in handles:
        try:
            found.append(account.key if handle == "me" else people.find(reader, handle).key)
        except Refusal:
            raise Refusal("invalid", f"the query has from:{handle}; no such user", path="query") from None
    return found


def _places(reader: Reader, account: Account, names: list[str]) -> list[int]:
    """Keys of the searcher's conversations that have this id or these words in the title, or are with this person."""
    mine = reader.execute(
        "SELECT c.key, c.id, c.title, CASE WHEN c.kind = 'direct' THEN (SELECT p.handle FROM members o JOIN people p "
        "ON p.key = o.person WHERE o.conversation = c.key AND o.person <> v.person) END "
        "FROM members v JOIN conversations c ON c.key = v.conversation WHERE v.person = ? AND v.left_gid IS NULL",
        (account.key,),
    ).fetchall()
    found: list[int] = []
    for name in names:
        named = words.words(name)
        matching = [
            key
            for key, id, title, peer in mine
            if name.lower() in (id, peer) or (named and words.needle(named, prefix=True) in words.comparable(title))
        ]
        if not matching:
            raise Refusal("invalid", f"the query has in:{name}; you have no such conversation", path="query")
        found += matching
    return found


def _few(reader: Reader, account: Account) -> list[int] | None:
    """The conversations of a user who has only a few."""
    rows = reader.execute(
        "SELECT conversation FROM members WHERE person = ? AND left_gid IS NULL LIMIT ?",
        (account.key, FEW_CONVERSATIONS + 1),
    ).fetchall()
    return [key for (key,) in rows] if len(rows) <= FEW_CONVERSATIONS else None


def _match(query: SearchQuery, marks: list[str]) -> str:
    """The query for the index: whatever matches has all of this, and perhaps more has."""
    wanted = [_phrase(term) for term in query.terms if not _is_one_letter(term)] + marks
    match = " AND ".join(wanted or [_any_of(["m"])])
    unwanted = [_phrase(term) for term in query.without if not _is_one_letter(term)]
    return f"({match}) NOT ({' OR '.join(unwanted)})" if unwanted else match


def _is_one_letter(term: Term) -> bool:
    """`a*` is in most messages: it takes the index longer to say in which than to look at the newest ones."""
    (word, *others) = term.words
    return term.prefix and not others and len(word) == 1 and word.isascii() and word.isalpha()


def _phrase(term: Term) -> str:
    """A term as the index knows it: what it holds of these words, one after the other."""
    tokens: list[str] = []
    open_end = False
    for number, word in enumerate(term.words):
        is_last = number == len(term.words) - 1
        if not words.is_dense(word):
            tokens.append(word[: words.LONGEST])
            open_end = term.prefix and is_last
            continue
        pairs = list(words.pairs(word))
        tokens += pairs if pairs and is_last else [*pairs, word[-1]]
        open_end = not pairs and is_last
    return f'"{" ".join(tokens)}"' + " *" * open_end


def _any_of(marks: list[str]) -> str:
    return "(" + " OR ".join(f'"{MARK}{mark}"' for mark in marks) + ")"
