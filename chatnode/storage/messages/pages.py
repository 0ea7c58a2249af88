"""Pages of messages as one user sees them: as objects, or as the JSON that the codec would make of those.

Clients get the JSON. It is made in the reader thread, from the few columns that are enough for most messages; messages
that have more are then read whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import attrs
import orjson

from chatnode.model.commands.messages import MessagePage
from chatnode.model.messages import Message
from chatnode.model.people import Account, PersonRef
from chatnode.model.records import record
from chatnode.model.times import rfc3339
from chatnode.protocol import codec
from chatnode.storage.conversations.conversations import Place
from chatnode.storage.engine.arrays import json_array
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.dialect import each_of, json_list, json_row
from chatnode.storage.messages import messages


@record(frozen=True)
class PageOf:
    """Which messages of one conversation a page has. `condition` is SQL on `messages m`, with order and limit.
    `backwards`: it finds the last message of the page first."""

    place: Place
    condition: str
    values: tuple[Any, ...]
    backwards: bool = False


def history(place: Place, *, before: int | None = None, after: int | None = None, limit: int) -> PageOf:
    """Up to `limit` messages: after a seq, before one, or the newest."""
    below = before if before is not None else place.head + 1
    if after is not None:
        above = max(after, place.first - 1)
        condition = "m.conversation = ? AND m.seq > ? AND m.seq < ? ORDER BY m.seq LIMIT ?"
        return PageOf(place, condition, (place.key, above, below, limit))
    condition = "m.conversation = ? AND m.seq >= ? AND m.seq < ? ORDER BY m.seq DESC LIMIT ?"
    return PageOf(place, condition, (place.key, place.first, below, limit), backwards=True)


def pinned(place: Place, limit: int) -> PageOf:
    """The pinned messages that the participant may see, the last pinned first."""
    condition = (
        "m.conversation = ? AND m.pinned_at IS NOT NULL AND m.seq >= ? ORDER BY m.pinned_at DESC, m.seq DESC LIMIT ?"
    )
    return PageOf(place, condition, (place.key, place.first, limit))


def thread(place: Place, root: int, after: int, limit: int) -> PageOf:
    """Up to `limit` messages of the thread on the message with the seq `root`, after a seq."""
    condition = "m.conversation = ? AND m.thread = ? AND m.seq > ? ORDER BY m.seq LIMIT ?"
    return PageOf(place, condition, (place.key, root, max(after, place.first - 1), limit))


def read(reader: Reader, viewer: Account, page: PageOf) -> list[Message]:
    """The messages of a page."""
    found = messages.select(reader, page.condition, page.values)
    if page.backwards:
        found.reverse()
    return messages.enrich(reader, found, viewer)


# ---- as JSON

# The times of changes tell whether a message has any other column of theirs.
_HAS_MORE = (
    "coalesce(m.mentions, m.reply_to, m.metadata, m.content, nullif(m.kind, 'text')) IS NOT NULL "
    "OR coalesce(m.thread, m.pinned_at, m.edited_at, m.deleted_at, nullif(m.replies, 0)) IS NOT NULL"
)
# The page is one row, because Python's SQLite gives up the interpreter for each row, and then has to wait for it while
# other threads are busy: with three readers and 50 rows a page took twice as long.
_ROWS = json_list(json_row("id", "seq", "gid", "sender", "cid", "text", "at", "more"))
_LEAN = (
    f"SELECT {_ROWS} FROM "  # noqa: S608
    f"(SELECT m.id, m.seq, m.gid, m.sender, m.cid, m.text, m.at, {_HAS_MORE} AS more FROM messages m WHERE {{}}) page"
)
_WHOLE = f"m.conversation = ? AND m.seq IN {each_of('?')}"
_SENDERS = f"SELECT key, id, handle FROM people WHERE key IN {each_of('?')}"  # noqa: S608


def read_json(reader: Reader, viewer: Account, page: PageOf) -> bytes:
    """The JSON of a `MessagePage` with these messages."""
    conversation = page.place.id
    senders: dict[int, dict[str, str]] = {}
    plain: dict[str, dict[str, Any]] = {}
    more: list[int] = []
    (rows,) = reader.execute(_LEAN.format(page.condition), page.values).fetchone()
    for id, seq, gid, sender, cid, text, at, has_more in orjson.loads(rows):
        who = senders.get(sender)
        if who is None:
            who = senders[sender] = {}  # filled below, in one query for the page
        plain[id] = _as_plain(id, conversation, seq, gid, who, cid, text, rfc3339(at), _PLAIN["kind"])
        if has_more:
            more.append(seq)
    for key, *named in reader.execute(_SENDERS, (json_array(senders),)):
        senders[key].update(zip(_PLAIN["sender"], named, strict=True))
    if more:
        for message in messages.select(reader, _WHOLE, (page.place.key, json_array(more))):
            plain[message.message] = codec.to_plain(message)
    for plugin, known in messages.known_to_plugins(reader, [*plain], viewer):
        for id, extra in known.items():
            if extra is not None and id in plain:
                plain[id].setdefault("extra", {})[plugin] = extra
    found = list(plain.values())
    if page.backwards:
        found.reverse()
    return orjson.dumps({_MESSAGES: found})


def _maker(names: Iterable[str]) -> Callable[..., dict[str, Any]]:
    """A function that makes a dict of these keys from as many arguments, a third faster than `dict(zip(…))`."""
    keys = [*names]
    pairs = ", ".join(f"{key!r}: v{index}" for index, key in enumerate(keys))
    return eval(f"lambda {', '.join(f'v{index}' for index in range(len(keys)))}: {{{pairs}}}")


# The codec defines the form: which members a plain message has, and in which order.
_PLAIN: dict[str, Any] = codec.to_plain(Message("", "", 0, 0, PersonRef("", ""), "", "", ""))
_as_plain = _maker(_PLAIN)
(_MESSAGES,) = (field.name for field in attrs.fields(MessagePage))
