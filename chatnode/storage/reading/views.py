"""The views that other programs read: names, columns, types and units stay, whatever becomes of the tables.

A column is added at the end of a view. One that has to mean something else comes in a view with a new number.
"""

from __future__ import annotations

from chatnode.model.records import record
from chatnode.storage.conversations.conversations import FIRST_SEEN
from chatnode.storage.engine.additions import Problems
from chatnode.storage.engine.connection import DatabaseError, Reader
from chatnode.storage.engine.dialect import greatest, part_of

KINDS = {
    "text": "text",
    "id": "text: 32 hexadecimal digits",
    "number": "integer",
    "flag": "integer: 1 or 0",
    "time": "integer: milliseconds since 1970, UTC",
    "json": "text: JSON",
}


@record(frozen=True)
class ViewColumn:
    """`kind` is one of `KINDS`; `sql` computes it from the tables of the view."""

    name: str
    kind: str
    sql: str
    about: str
    nullable: bool = False


@record(frozen=True)
class PromisedView:
    """`source` is what follows FROM. `about` says what a row is."""

    name: str
    about: str
    source: str
    columns: tuple[ViewColumn, ...]

    @property
    def select(self) -> str:
        """SQL: every row."""
        columns = ", ".join(f"{each.sql} AS {each.name}" for each in self.columns)
        return f"SELECT {columns} FROM {self.source}"  # noqa: S608 -- constants


def _flag(condition: str) -> str:
    return f"CASE WHEN {condition} THEN 1 ELSE 0 END"


def _id_of(person: str) -> str:
    """The public id of the person with this key; NULL for none."""
    return f"(SELECT other.id FROM people other WHERE other.key = {person})"  # noqa: S608 -- constants


# An erased person's messages are emptied one after the other: until that is done, none of their text is shown.
_STANDS = "m.deleted_at IS NULL AND p.erased_at IS NULL"


def _shown(value: str, otherwise: str = "NULL") -> str:
    return f"CASE WHEN {_STANDS} THEN {value} ELSE {otherwise} END"


def _content(value: str, *kinds: str) -> str:
    """What a message of one of these kinds carries besides its text."""
    of = ", ".join(f"'{kind}'" for kind in kinds)
    return f"CASE WHEN {_STANDS} AND m.kind IN ({of}) THEN {value} END"


VIEWS = (
    PromisedView(
        "v1_people",
        "An account, or an author of imported messages. An erased one stays, with an invented handle and no profile.",
        "people p",
        (
            ViewColumn("id", "id", "p.id", "stays, whatever else changes"),
            ViewColumn("handle", "text", "p.handle", "lower case; may change"),
            ViewColumn("name", "text", "p.name", "as shown"),
            ViewColumn("avatar", "text", "p.avatar", "address of the picture, relative to the node", nullable=True),
            ViewColumn("role", "text", "p.role", "name of the role on the node"),
            ViewColumn("bot", "flag", "p.bot", "a program"),
            ViewColumn(
                "imported", "flag", _flag("p.source IS NOT NULL AND p.erased_at IS NULL"),
                "an author of imported messages, who has no account",
            ),
            ViewColumn("created_at", "time", "p.created_at", ""),
            ViewColumn("deactivated_at", "time", "p.deactivated_at", "cannot sign in since", nullable=True),
            ViewColumn("erased_at", "time", "p.erased_at", "", nullable=True),
        ),
    ),
    PromisedView(
        "v1_conversations",
        "A conversation, open or closed.",
        "conversations c",
        (
            ViewColumn("id", "id", "c.id", ""),
            ViewColumn("kind", "text", "c.kind", "`direct`, `group`"),
            ViewColumn("title", "text", "c.title", "empty for a direct one"),
            ViewColumn("description", "text", "c.description", ""),
            ViewColumn("visibility", "text", "c.visibility", "`private`, `public`"),
            ViewColumn("history", "text", "c.history", "what new members see: `all`, `since_joining`"),
            ViewColumn("purpose", "text", "c.purpose", "`general`, `support`"),
            ViewColumn("context_type", "text", "c.context_type", "what it is about: a type", nullable=True),
            ViewColumn("context_id", "text", "c.context_id", "and an id of yours", nullable=True),
            ViewColumn("created_at", "time", "c.created_at", ""),
            ViewColumn("created_by", "id", _id_of("c.created_by"), "a person", nullable=True),
            ViewColumn("closed_at", "time", "c.closed_at", "takes no messages since", nullable=True),
            ViewColumn(
                "closed_reason", "text", "c.closed_reason", "`completed`, `manual`, `blocked`, `inactive`",
                nullable=True,
            ),
            ViewColumn("inactive_at", "time", "c.inactive_at", "in no inbox since", nullable=True),
            ViewColumn("idle_days", "number", "c.idle_days", "closes after these days without messages", nullable=True),
            ViewColumn("retention_days", "number", "c.retention_days", "days that messages are kept", nullable=True),
            ViewColumn("avatar", "text", "c.avatar", "address of the picture, relative to the node", nullable=True),
            ViewColumn("head", "number", "c.head", "`seq` of the newest message, 0 for none; never goes back"),
            ViewColumn("first_seq", "number", "c.floor + 1", "`seq` of the oldest message that was not removed"),
            ViewColumn("messages", "number", "c.messages", "messages, without deleted and removed ones"),
            ViewColumn(
                "members", "number",
                "(SELECT count(*) FROM members m WHERE m.conversation = c.key AND m.left_gid IS NULL)", "members now",
            ),
            ViewColumn("last_at", "time", "c.last_at", "time of the newest message", nullable=True),
        ),
    ),
    PromisedView(
        "v1_members",
        "A member of a conversation, as the other members see them. Those who left are not here.",
        "members m JOIN conversations c ON c.key = m.conversation JOIN people p ON p.key = m.person "
        "WHERE m.left_gid IS NULL",
        (
            ViewColumn("conversation", "id", "c.id", ""),
            ViewColumn("person", "id", "p.id", ""),
            ViewColumn("role", "text", "m.role", "`owner`, `admin`, `member`"),
            ViewColumn("joined_at", "time", "m.joined_at", ""),
            ViewColumn("first_seq", "number", FIRST_SEEN, "lowest `seq` that the member may see"),
            ViewColumn(
                "delivered_seq", "number", greatest("m.delivered_seq", "m.shown_seq"),
                "delivered to the member up to this `seq`",
            ),
            ViewColumn(
                "read_seq", "number", "m.shown_seq", "read up to this `seq`, as far as the member lets others know",
            ),
        ),
    ),
    PromisedView(
        "v1_messages",
        "A message. A deleted one keeps its row, and nothing of what it said; removed ones (retention) are gone.",
        "messages m JOIN conversations c ON c.key = m.conversation JOIN people p ON p.key = m.sender "
        "WHERE m.seq > c.floor",
        (
            ViewColumn("id", "id", "m.id", ""),
            ViewColumn("conversation", "id", "c.id", ""),
            ViewColumn("seq", "number", "m.seq", "place in the conversation: 1, 2, 3 …"),
            ViewColumn("gid", "number", "m.gid", "place in the node's log"),
            ViewColumn("sender", "id", "p.id", "a person"),
            ViewColumn("cid", "text", "m.cid", "the sender's own id for it"),
            ViewColumn("kind", "text", "m.kind", "`text`, `image`, `file`, `location`, `system`"),
            ViewColumn("text", "text", _shown("m.text", "''"), "as it reads now; empty if deleted"),
            ViewColumn("at", "time", "m.at", "when it was posted"),
            ViewColumn("mentions", "json", _shown("m.mentions"), "list of ids of people, or `everyone`", nullable=True),
            ViewColumn("reply_to", "id", "m.reply_to", "a message", nullable=True),
            ViewColumn(
                "thread", "id",
                "(SELECT root.id FROM messages root WHERE root.conversation = m.conversation AND root.seq = m.thread)",
                "first message of its thread", nullable=True,
            ),
            ViewColumn("replies", "number", "m.replies", "replies in its thread"),
            ViewColumn("metadata", "json", _shown("m.metadata"), "object of texts", nullable=True),
            ViewColumn(
                "files", "json", _content(part_of("m.content", "files"), "image", "file"),
                "list, as in `messages.get`", nullable=True,
            ),
            ViewColumn(
                "location", "json", _content("m.content", "location"), "object, as in `messages.get`", nullable=True,
            ),
            ViewColumn(
                "system", "json", _content("m.content", "system"), "object, as in `messages.get`", nullable=True,
            ),
            ViewColumn(
                "actions", "json", _content(part_of("m.content", "actions"), "text"),
                "list of buttons, as in `messages.get`", nullable=True,
            ),
            ViewColumn("edits", "number", "m.edits", "how often it was edited"),
            ViewColumn("edited_at", "time", "m.edited_at", "the last time", nullable=True),
            ViewColumn("pinned_at", "time", "m.pinned_at", "", nullable=True),
            ViewColumn("deleted_at", "time", "m.deleted_at", "", nullable=True),
            ViewColumn("deleted_by", "id", _id_of("m.deleted_by"), "a person", nullable=True),
            ViewColumn(
                "deleted_reason", "text", "m.deleted_reason",
                "`user_request`, `moderation`, `abuse`, `spam`, `retention`, `erased`", nullable=True,
            ),
        ),
    ),
    PromisedView(
        "v1_receipts",
        "A member's mark moved to `seq` at the time `at`. A message was delivered, or read, at the time of the row "
        "with the lowest `seq` that is not below its own. What members hide from others is not here.",
        "receipts r JOIN members m ON m.conversation = r.conversation AND m.person = r.person "
        "JOIN conversations c ON c.key = r.conversation JOIN people p ON p.key = r.person "
        "WHERE m.left_gid IS NULL AND r.seq >= m.first",
        (
            ViewColumn("conversation", "id", "c.id", ""),
            ViewColumn("person", "id", "p.id", ""),
            ViewColumn("kind", "text", "r.kind", "`delivered`, `read`"),
            ViewColumn("seq", "number", "r.seq", ""),
            ViewColumn("at", "time", "r.at", ""),
        ),
    ),
)  # fmt: skip


def _problems(reader: Reader) -> list[str]:
    found: list[str] = []
    for view in VIEWS:
        try:
            reader.execute(f"{view.select} LIMIT 0").fetchall()
        except DatabaseError as error:
            found.append(f"{view.name} cannot be made: {error}")
    return found


CHECKS: dict[str, Problems] = {"views": _problems}
