"""Links and pages in the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import attrs
import orjson

from chatnode.api import Querying, Reader, Row, Transaction, json_array, new_id, record, record_for_message
from chatnode_previews.links import MessageLink
from chatnode_previews.model import LinkPreview, PreviewAdded, PreviewPicture, PreviewRemoved
from chatnode_previews.pictures import PagePicture


@record(frozen=True)
class StoredPage:
    """What was found at an address. `site` is None if nothing was that could be shown."""

    title: str | None
    text: str | None
    site: str | None
    picture: PagePicture | None = attrs.field(default=None, repr=False)


NOTHING = StoredPage(None, None, None)


@record(frozen=True)
class PendingLink:
    """A link that waits to be fetched; `address` is the digest of what is fetched."""

    key: int
    message: int
    url: str
    address: bytes


@record(frozen=True)
class LinkedMessage:
    """A message that has links, or had some. `enabled`: its sender and its conversation want previews."""

    key: int
    text: str
    sender: int
    at: int
    kind: str
    enabled: bool = attrs.field(converter=bool)


_OR_HAD = "(m.text LIKE '%://%' OR EXISTS (SELECT 1 FROM previews_links l WHERE l.message = m.key))"
MAY_HAVE_LINKS = (
    "EXISTS (SELECT 1 FROM messages m "  # noqa: S608 -- constants
    f"WHERE m.conversation = log.conversation AND m.seq = log.subject AND {_OR_HAD})"
)
"""A condition on rows of the log about messages."""


def messages_of(reader: Reader, rows: Iterable[Row]) -> list[LinkedMessage]:
    """The messages of rows of the log that may have links, or had some; each once, and none that is deleted."""
    places = orjson.dumps([[row.conversation_key, row.subject] for row in rows]).decode()
    found = reader.execute(
        "SELECT DISTINCT m.key, m.text, m.sender, m.at, c.kind, "  # noqa: S608 -- constants
        "NOT EXISTS (SELECT 1 FROM previews_people_off o WHERE o.person = m.sender) "
        "AND NOT EXISTS (SELECT 1 FROM previews_conversations_off o WHERE o.conversation = m.conversation) "
        "FROM json_each(?) i JOIN messages m ON m.conversation = json_extract(i.value, '$[0]') "
        "AND m.seq = json_extract(i.value, '$[1]') JOIN conversations c ON c.key = m.conversation "
        f"WHERE m.deleted_at IS NULL AND m.kind <> 'system' AND {_OR_HAD} ORDER BY m.key",
        (places,),
    )
    return [LinkedMessage(*row) for row in found.fetchall()]


def known_urls(reader: Querying, message: int) -> set[str]:
    """The links of a message that have a row."""
    return {url for (url,) in reader.execute("SELECT url FROM previews_links WHERE message = ?", (message,))}


def set_links(tx: Transaction, message: int, links: Sequence[MessageLink]) -> None:
    """The message has these links now: those that are new wait to be fetched, and others go with their previews."""
    row = tx.execute(
        "SELECT conversation, seq FROM messages WHERE key = ? AND deleted_at IS NULL", (message,)
    ).fetchone()
    if row is None:
        return
    before = len(shown_of(tx, message))
    kept = json_array(link.url for link in links)
    tx.execute(
        "DELETE FROM previews_links WHERE message = ? AND url NOT IN (SELECT value FROM json_each(?))", (message, kept)
    )
    _insert(tx, message, links, "pending", "position = excluded.position")
    if len(shown_of(tx, message)) < before:
        record_preview_event(tx, row[0], row[1], PreviewRemoved)


def remove(tx: Transaction, message: int, links: Sequence[MessageLink]) -> bool:
    """Show no preview of these links as long as the message has them; returns whether one was shown."""
    before = len(shown_of(tx, message))
    _insert(
        tx, message, links, "removed", "state = 'removed', title = NULL, text = NULL, site = NULL",
    )  # fmt: skip
    tx.execute(
        "DELETE FROM previews_pictures WHERE link IN "
        "(SELECT key FROM previews_links WHERE message = ? AND state = 'removed')",
        (message,),
    )
    return len(shown_of(tx, message)) < before


def _insert(tx: Transaction, message: int, links: Sequence[MessageLink], state: str, otherwise: str) -> None:
    tx.executemany(
        "INSERT INTO previews_links (message, position, url, address, state) VALUES (?, ?, ?, ?, ?) "  # noqa: S608
        f"ON CONFLICT (message, url) DO UPDATE SET {otherwise}",
        [(message, position, link.url, link.digest, state) for position, link in enumerate(links)],
    )


# ---- fetching


def pending(reader: Reader, unavailable: Iterable[bytes], most: int) -> list[PendingLink]:
    """The oldest links that wait, up to `most`, with different addresses that are not `unavailable`."""
    rows = reader.execute("SELECT key, message, url, address FROM previews_links WHERE state = 'pending' ORDER BY key")
    taken, found = set(unavailable), list[PendingLink]()
    for key, message, url, address in rows:
        if address not in taken:
            taken.add(address)
            found.append(PendingLink(key, message, url, address))
            if len(found) == most:
                break
    return found


def known_page(reader: Querying, address: bytes, now: int) -> StoredPage | None:
    """What was found at an address of late; None if it was not fetched."""
    row = reader.execute(
        "SELECT title, text, site, picture, width, height FROM previews_pages WHERE address = ? AND expires_at > ?",
        (address, now),
    ).fetchone()
    if row is None:
        return None
    title, text, site, content, width, height = row
    return StoredPage(title, text, site, None if content is None else PagePicture(content, width, height))


def store_page(tx: Transaction, link: PendingLink, page: StoredPage, keep_until: int | None) -> None:
    """Show what was found, unless the link has gone since. `keep_until` is None for a page that is known already."""
    row = tx.execute(
        "SELECT m.conversation, m.seq FROM previews_links l JOIN messages m ON m.key = l.message "
        "WHERE l.key = ? AND l.state = 'pending'",
        (link.key,),
    ).fetchone()
    if row is None:
        return
    if page.site is None:
        tx.execute("DELETE FROM previews_links WHERE key = ?", (link.key,))
    else:
        tx.execute(
            "UPDATE previews_links SET state = 'shown', title = ?, text = ?, site = ? WHERE key = ?",
            (page.title, page.text, page.site, link.key),
        )
        if page.picture is not None:
            tx.execute(
                "INSERT INTO previews_pictures (link, id, width, height, content) VALUES (?, ?, ?, ?, ?)",
                (link.key, new_id(), page.picture.width, page.picture.height, page.picture.content),
            )
    if keep_until is not None:
        picture = (None, None, None) if page.picture is None else attrs.astuple(page.picture)
        tx.execute(
            "INSERT INTO previews_pages (address, title, text, site, picture, width, height, expires_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (address) DO UPDATE SET title = excluded.title, text = excluded.text, site = excluded.site, "
            "picture = excluded.picture, width = excluded.width, height = excluded.height, "
            "expires_at = excluded.expires_at",
            (link.address, page.title, page.text, page.site, *picture, keep_until),
        )
    if page.site is not None:
        record_preview_event(tx, row[0], row[1], PreviewAdded)


def forget_pages(tx: Transaction) -> int:
    """Delete pages that are too old to be used; returns how many."""
    return tx.execute("DELETE FROM previews_pages WHERE expires_at <= ?", (tx.now,)).rowcount


# ---- shown

_COLUMNS = "l.url, l.site, l.title, l.text, p.id, p.width, p.height"
_WITH_PICTURE = "LEFT JOIN previews_pictures p ON p.link = l.key WHERE l.state = 'shown'"
_ORDER = "ORDER BY l.position, l.key"


def _preview(
    url: str, site: str, title: str | None, text: str | None, id: str | None, width: int, height: int
) -> LinkPreview:
    return LinkPreview(url, site, title, text, None if id is None else PreviewPicture.of(id, width, height))


def shown_of(reader: Querying, message: int) -> list[LinkPreview]:
    """The previews of a message by its key, in the order of its links."""
    rows = reader.execute(
        f"SELECT {_COLUMNS} FROM previews_links l {_WITH_PICTURE} AND l.message = ? {_ORDER}",  # noqa: S608 -- constants
        (message,),
    )
    return [_preview(*row) for row in rows.fetchall()]


def shown(reader: Querying, ids: Sequence[str]) -> Mapping[str, list[dict[str, Any]]]:
    """The previews of messages as JSON has them, by the ids of messages; those without any are left out."""
    rows = reader.execute(
        f"SELECT m.id, {_COLUMNS} FROM json_each(?) i JOIN messages m ON m.id = i.value "  # noqa: S608
        f"JOIN previews_links l ON l.message = m.key {_WITH_PICTURE} {_ORDER}",
        (json_array(ids),),
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for message, *preview in rows.fetchall():
        fields = attrs.asdict(_preview(*preview), filter=lambda _, value: value is not None)
        found.setdefault(message, []).append(fields)
    return found


def record_preview_event(
    tx: Transaction, conversation: int, seq: int, kind: type[PreviewAdded] | type[PreviewRemoved]
) -> None:
    """Notify all who can see the message of its previews."""
    event = _event(tx, conversation, seq, kind)
    if event is not None:
        record_for_message(tx, conversation, seq, event)


def make_added(reader: Reader, row: Row) -> PreviewAdded | None:
    """The event as things are now; None if the message has no previews any more."""
    event = cast("PreviewAdded | None", _event(reader, cast("int", row.conversation_key), row.subject, PreviewAdded))
    return event if event is not None and event.previews else None


def make_removed(reader: Reader, row: Row) -> PreviewRemoved | None:
    """The event as things are now; None if the message is deleted."""
    return cast("PreviewRemoved | None", _event(reader, cast("int", row.conversation_key), row.subject, PreviewRemoved))


def _event(
    reader: Querying, conversation: int, seq: int, kind: type[PreviewAdded] | type[PreviewRemoved]
) -> PreviewAdded | PreviewRemoved | None:
    row = reader.execute(
        "SELECT m.key, m.id, c.id FROM messages m JOIN conversations c ON c.key = m.conversation "
        "WHERE m.conversation = ? AND m.seq = ? AND m.deleted_at IS NULL",
        (conversation, seq),
    ).fetchone()
    return None if row is None else kind(row[2], row[1], shown_of(reader, row[0]))


# ---- switched off


def is_off(reader: Querying, *, person: int | None = None, conversation: int | None = None) -> bool:
    """Whether a user or a conversation, by key, has switched previews off."""
    row = reader.execute(
        "SELECT 1 FROM previews_people_off WHERE person = :person "
        "UNION ALL SELECT 1 FROM previews_conversations_off WHERE conversation = :conversation",
        {"person": person, "conversation": conversation},
    ).fetchone()
    return row is not None


def switch_person(tx: Transaction, person: int, *, on: bool) -> None:
    if on:
        tx.execute("DELETE FROM previews_people_off WHERE person = ?", (person,))
    else:
        tx.execute(
            "INSERT INTO previews_people_off (person, since) VALUES (?, ?) ON CONFLICT DO NOTHING", (person, tx.now)
        )


def switch_conversation(tx: Transaction, conversation: int, *, on: bool) -> bool:
    """Returns whether anything changed."""
    if on:
        changed = tx.execute("DELETE FROM previews_conversations_off WHERE conversation = ?", (conversation,))
    else:
        changed = tx.execute(
            "INSERT INTO previews_conversations_off (conversation, since) VALUES (?, ?) ON CONFLICT DO NOTHING",
            (conversation, tx.now),
        )
    return changed.rowcount > 0
