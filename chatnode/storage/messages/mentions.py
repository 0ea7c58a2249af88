"""Who a message names: people by handle, the group's admins, everyone."""

from __future__ import annotations

from chatnode.model.mentions import mentioned_handles
from chatnode.model.messages import EVERYONE
from chatnode.storage.conversations.conversations import Place
from chatnode.storage.engine.additions import CoreTable
from chatnode.storage.engine.arrays import json_array
from chatnode.storage.engine.dialect import IN_ORDER, items_of, json_list
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people.people import RESERVED_HANDLES

_EVERYONE_KEY = 0
"""In the table of mentions: all who took part. They are too many for a row each."""


def named(tx: Transaction, place: Place, text: str, everyone_members: int) -> list[tuple[int, str]]:
    """Keys and ids of the participants that `text` names, each once. Mentions of other users have no effect.

    `everyone_members`: in a group with more participants, only its owner and admins name everyone; 0 is no limit.
    """
    found: dict[int, str] = {}
    handles = mentioned_handles(text)
    members = _members_called(tx, place, [handle for handle in handles if handle not in RESERVED_HANDLES])
    for handle in handles:
        if handle in members:
            key, id = members[handle]
            found[key] = id
        elif handle not in RESERVED_HANDLES:
            continue
        elif place.kind == "group" and handle == "admins":
            found.update(
                tx.execute(
                    "SELECT p.key, p.id FROM members m JOIN people p ON p.key = m.person WHERE m.conversation = ? "
                    "AND m.left_gid IS NULL AND m.role IN ('owner', 'admin') ORDER BY p.key",
                    (place.key,),
                ).fetchall()
            )
        elif place.kind == "group" and _may_name_everyone(tx, place, everyone_members):
            found[_EVERYONE_KEY] = EVERYONE
    return list(found.items())


def _members_called(tx: Transaction, place: Place, handles: list[str]) -> dict[str, tuple[int, str]]:
    """Key and id of each participant with one of these handles. One statement for all: a text may name very many."""
    if not handles:
        return {}
    rows = tx.execute(
        f"SELECT p.handle, p.key, p.id FROM {items_of(':handles', 'n')} {IN_ORDER} people p ON p.handle = n.value "  # noqa: S608
        f"{IN_ORDER} members m ON m.person = p.key "
        "WHERE m.conversation = :conversation AND m.left_gid IS NULL",
        {"handles": json_array(handles), "conversation": place.key},
    )
    return {handle: (key, id) for handle, key, id in rows.fetchall()}


def _may_name_everyone(tx: Transaction, place: Place, everyone_members: int) -> bool:
    if place.role != "member" or not everyone_members:
        return True
    (members,) = tx.execute(
        "SELECT count(*) FROM members WHERE conversation = ? AND left_gid IS NULL", (place.key,)
    ).fetchone()
    return members <= everyone_members


def add(tx: Transaction, place: Place, seq: int, people: list[tuple[int, str]]) -> None:
    tx.executemany(
        "INSERT INTO mentions (person, conversation, seq) VALUES (?, ?, ?)",
        [(key, place.key, seq) for key, _ in people],
    )


def remove(tx: Transaction, conversation: int, seq: int) -> None:
    """Let a message name nobody and count for nobody, as one that is deleted."""
    named = (
        f"SELECT p.key FROM messages m CROSS JOIN {items_of('m.mentions', 'n')} JOIN people p ON p.id = n.value "  # noqa: S608
        "WHERE m.conversation = :conversation AND m.seq = :seq"
    )
    tx.execute(
        f"DELETE FROM mentions WHERE person IN ({named} UNION ALL SELECT {_EVERYONE_KEY}) "  # noqa: S608
        "AND conversation = :conversation AND seq = :seq",
        {"conversation": conversation, "seq": seq},
    )
    tx.execute("UPDATE messages SET mentions = NULL WHERE conversation = ? AND seq = ?", (conversation, seq))


UNREAD = (
    "(SELECT count(DISTINCT n.seq) FROM mentions n WHERE n.person IN (m.person, 0) AND n.conversation = m.conversation "
    "AND n.seq > m.read_seq)"
)
"""SQL of how many unread messages name the member `m`."""


TABLES = (
    CoreTable(
        "mentions",
        left_out="each message has its own",
        entry="mention",
        export=f"SELECT c.key, c.id AS conversation, {json_list('n.seq')} AS seqs_json "  # noqa: S608
        "FROM mentions n JOIN conversations c ON c.key = n.conversation WHERE n.person = :person AND c.key > :after "
        "GROUP BY c.key ORDER BY c.key LIMIT :limit",
        in_steps=(
            "DELETE FROM mentions WHERE (person, conversation, seq) IN "
            "(SELECT person, conversation, seq FROM mentions "
            "WHERE person = :person AND conversation IN (SELECT conversation FROM members WHERE person = :person) "
            "LIMIT :most)"
        ),
        removed="DELETE FROM mentions WHERE conversation = :conversation AND seq <= :upto",
    ),
)
