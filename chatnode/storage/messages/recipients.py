"""Who a message is for, and why: for plugins that send notifications."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import attrs

from chatnode.model.conversations import Notify
from chatnode.model.events import MessagePosted
from chatnode.model.records import record
from chatnode.storage.engine.arrays import json_array
from chatnode.storage.engine.connection import Querying
from chatnode.storage.engine.dialect import IN_ORDER, each_of
from chatnode.storage.engine.row import Row
from chatnode.storage.people.owners import CAN_ACT


@record(frozen=True)
class Recipient:
    """A user who can see a message posted by another. Keys are those of the tables, times are in milliseconds.

    Why it may matter to them: `direct`, it is in a direct conversation; `mentioned`, it mentions them; `everyone`, it
    mentions everyone; `reply`, it replies to one of their messages; `thread`, it is in a thread that they began or
    wrote in. `notify` and the fields after it are their settings for the conversation; `read_seq` is how far they have
    read.
    """

    gid: int
    conversation: int
    seq: int
    person: int
    bot: bool = attrs.field(converter=bool)
    read_seq: int
    direct: bool = attrs.field(converter=bool)
    mentioned: bool = attrs.field(converter=bool)
    everyone: bool = attrs.field(converter=bool)
    reply: bool = attrs.field(converter=bool)
    thread: bool = attrs.field(converter=bool)
    notify: Notify
    muted_until: int | None
    archived: bool = attrs.field(converter=bool)
    desktop: bool = attrs.field(converter=bool)
    mobile: bool = attrs.field(converter=bool)
    sounds: bool = attrs.field(converter=bool)


_SELECT = (
    "SELECT l.gid, w.conversation, m.seq, w.person, p.bot, w.read_seq, c.kind = 'direct', "  # noqa: S608
    "EXISTS (SELECT 1 FROM mentions n "
    "WHERE n.person = w.person AND n.conversation = w.conversation AND n.seq = m.seq), "
    "EXISTS (SELECT 1 FROM mentions n WHERE n.person = 0 AND n.conversation = w.conversation AND n.seq = m.seq), "
    "EXISTS (SELECT 1 FROM messages a WHERE a.id = m.reply_to AND a.sender = w.person), "
    "m.thread IS NOT NULL AND (EXISTS (SELECT 1 FROM messages t WHERE t.conversation = w.conversation "
    "AND t.seq = m.thread AND t.sender = w.person) OR EXISTS (SELECT 1 FROM messages t "
    "WHERE t.conversation = w.conversation AND t.thread = m.thread AND t.sender = w.person)), "
    "coalesce(s.notify, 'all'), s.muted_until, coalesce(s.archived, 0), coalesce(s.desktop, 1), coalesce(s.mobile, 1), "
    "coalesce(s.sounds, 1) "
    f"FROM log l {IN_ORDER} messages m ON m.conversation = l.conversation AND m.seq = l.subject "
    f"{IN_ORDER} conversations c ON c.key = m.conversation "
    f"{IN_ORDER} members w ON w.conversation = m.conversation AND w.left_gid IS NULL AND w.first <= m.seq "
    "AND w.person <> m.sender "
    f"{IN_ORDER} people p ON p.key = w.person AND {CAN_ACT} "
    "LEFT JOIN conversation_settings s ON s.person = w.person AND s.conversation = w.conversation "
    f"WHERE l.gid IN {each_of(':rows')} AND m.deleted_at IS NULL "
    "AND NOT EXISTS (SELECT 1 FROM blocks b WHERE b.person = w.person AND b.blocked = m.sender) "
)
_ORDER = "ORDER BY 1, w.person"
_RECIPIENTS = _SELECT + _ORDER
_RECIPIENTS_AMONG = f"{_SELECT}AND w.person IN {each_of(':among')} {_ORDER}"


def recipients(reader: Querying, rows: Iterable[Row], *, among: Collection[int] | None = None) -> list[Recipient]:
    """The users who can now see the messages posted at `rows`, in the order of gids; one query for all.

    Excludes the sender, users who blocked the sender, and accounts that cannot act. A message that has been deleted
    since has no recipients. Rows of other events are ignored. A message in a group of 1,000 members can have 999
    recipients, one object each: with `among`, keys of users, only those of them are looked at.
    """
    posted = [row.gid for row in rows if row.kind == MessagePosted.name]
    values = {"rows": json_array(posted)}
    if among is None:
        found = reader.execute(_RECIPIENTS, values)
    else:
        found = reader.execute(_RECIPIENTS_AMONG, values | {"among": json_array(among)})
    return [Recipient(*row) for row in found]


def thread_followers(reader: Querying, conversation: int, root: int) -> list[int]:
    """Keys of the members who can see the thread on the message with the seq `root` and began it or wrote in it."""
    rows = reader.execute(
        "SELECT DISTINCT w.person FROM messages t JOIN members w ON w.conversation = t.conversation "
        "AND w.person = t.sender AND w.left_gid IS NULL AND w.first <= :root "
        "WHERE t.conversation = :conversation AND (t.seq = :root OR t.thread = :root) ORDER BY w.person",
        {"conversation": conversation, "root": root},
    )
    return [person for (person,) in rows]
