"""Reading what is needed to judge posted messages: which users may be notified, and what they have chosen.

Most messages concern few: a user whom no alert can reach is only notified of what is meant for them personally. So in
groups only members with a device or mail, and those whom a message names or answers, are looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from operator import attrgetter

import orjson

from chatnode.api import (
    MessagePosted,
    Querying,
    Reader,
    Recipient,
    Row,
    json_array,
    recipients,
    record,
    thread_followers,
)
from chatnode_notifications.preferences.model import Preferences
from chatnode_notifications.preferences.stored import preferences_of

MOST_PAIRS = 1_000
"""Users of conversations that are judged together."""
MOST_LOOKS = 2_000
"""The same, times the messages that must be judged for each by themselves."""
USABLE_STATES = "('active', 'failing')"

Place = tuple[int, int, int]
"""A message's gid, the key of its conversation, and its seq."""


@record(frozen=True)
class Postings:
    """Posted messages of one conversation that are the same for every user: ordinary ones of one sender, or a `special`
    one, which may mention or answer a user. `seqs` rise; `gid` and `at` are the newest one's."""

    gid: int
    conversation: int
    seqs: tuple[int, ...]
    sender: int
    at: int
    system: bool
    direct: bool
    reply_to: str | None
    thread: int | None
    names: bool

    @property
    def places(self) -> list[Place]:
        return [(self.gid, self.conversation, seq) for seq in self.seqs]

    @property
    def special(self) -> bool:
        return self.names or self.reply_to is not None or self.thread is not None


@record(frozen=True)
class Share:
    """Messages of one conversation, and the keys of the users to judge them for; None is everyone."""

    postings: Sequence[Postings]
    among: Sequence[int] | None

    @property
    def pairs(self) -> int:
        """How many users may be notified; of a direct conversation, the one or two who did not write."""
        return len(self.among) if self.among is not None else len({each.sender for each in self.postings})


@record(frozen=True)
class Possible:
    """A user who can see messages; the `recipient` is that of the newest."""

    recipient: Recipient
    postings: Postings


@record(frozen=True)
class Candidates:
    """What was read: `chosen` are settings by user, `reachable` those whom an alert can reach."""

    possible: Sequence[Possible]
    chosen: Mapping[int, Preferences]
    reachable: Collection[int]


def place_of(row: Row) -> Place:
    """Of a row of `message.posted`."""
    return row.gid, row.conversation_key or 0, row.subject


def postings_to_judge(reader: Querying, places: Sequence[Place], oldest: int) -> list[Postings]:
    """The messages that may concern a user, which on most nodes is a small part of all; in the order of gids. None is
    older than `oldest`, in milliseconds.

    Messages that mention and answer nobody, in groups none of whose members can be notified, are left out.
    """
    conversations = {conversation for _, conversation, _ in places}
    reached = list(filter(partial(_reaches, reader), conversations)) if _anybody_reachable(reader) else []
    return _postings(
        reader,
        places,
        "AND (c.kind = 'direct' OR m.reply_to IS NOT NULL OR m.thread IS NOT NULL "
        "OR c.key IN (SELECT value FROM json_each(:reached)) OR m.text LIKE '%@%')",
        oldest=oldest,
        reached=json_array(reached),
    )


def postings_at(reader: Querying, places: Sequence[Place], oldest: int) -> list[Postings]:
    """The messages that are still there and no older, in the order of gids."""
    return _postings(reader, places, "", oldest=oldest)


_SPECIAL = "(m.reply_to IS NOT NULL OR m.thread IS NOT NULL OR m.text LIKE '%@%')"


def _postings(reader: Querying, places: Sequence[Place], only: str, **values: str | int) -> list[Postings]:
    """Read by conversation from the first to the last: places are near each other, and one at a time costs thrice.

    SQL puts together what is judged together: a busy conversation costs little more than one message.
    """
    gids: dict[int, dict[int, int]] = {}
    for gid, conversation, seq in places:
        gids.setdefault(conversation, {})[seq] = gid
    spans = [(conversation, min(seqs), max(seqs)) for conversation, seqs in gids.items()]
    rows = reader.execute(
        "SELECT m.conversation, json_group_array(m.seq), m.sender, max(m.at), m.kind = 'system', c.kind = 'direct', "  # noqa: S608
        "min(m.reply_to), min(m.thread), max(m.text LIKE '%@%') FROM (SELECT value ->> 0 AS conversation, "
        "value ->> 1 AS first_seq, value ->> 2 AS last_seq FROM json_each(:spans)) span "
        "CROSS JOIN conversations c ON c.key = span.conversation "
        "CROSS JOIN messages m ON m.conversation = c.key AND m.seq BETWEEN span.first_seq AND span.last_seq "
        f"WHERE m.deleted_at IS NULL AND m.at >= :oldest {only} "
        f"GROUP BY m.conversation, c.kind, m.sender, m.kind = 'system', CASE WHEN {_SPECIAL} THEN m.seq END",
        {"spans": json_array(spans), **values},
    )
    found: list[Postings] = []
    for conversation, listed, *rest in rows:
        there = gids[conversation]
        seqs = tuple(sorted(there.keys() & set(orjson.loads(listed))))
        if seqs:
            found.append(Postings(there[seqs[-1]], conversation, seqs, *rest))
    return sorted(found, key=_gid)


_gid = attrgetter("gid")


def shares_of(reader: Querying, postings: Iterable[Postings]) -> list[Share]:
    """What is to be judged, by conversation."""
    found: list[Share] = []
    anybody = _anybody_reachable(reader)
    by_conversation: dict[int, list[Postings]] = {}
    for each in postings:
        by_conversation.setdefault(each.conversation, []).append(each)
    for conversation, those in by_conversation.items():
        if those[0].direct:
            found.append(Share(those, None))
            continue
        reachable = _reachable_members(reader, conversation) if anybody else set[int]()
        special = [each for each in those if each.special]
        among = reachable | _meant(reader, conversation, special) if special else reachable
        if among:
            found.append(Share(those if reachable else special, sorted(among)))
    return found


def divided(shares: Iterable[Share]) -> tuple[list[Share], list[Share]]:
    """Those that can be judged together now, and those that take longer."""
    now: list[Share] = []
    later: list[Share] = []
    pairs = 0
    for each in shares:
        if pairs + each.pairs > MOST_PAIRS or each.pairs * len(each.postings) > MOST_LOOKS:
            later.append(each)
        else:
            now.append(each)
            pairs += each.pairs
    return now, later


def look(reader: Querying, shares: Iterable[Share]) -> Candidates:
    """Read what is needed to judge."""
    possible: list[Possible] = []
    everyone: list[Postings] = []
    for share in shares:
        if share.among is None:
            everyone += share.postings
        else:
            possible += _possible(reader, share.postings, share.among)
    if everyone:
        possible += _possible(reader, everyone, None)
    people = {each.recipient.person for each in possible}
    return Candidates(possible, preferences_of(reader, people), _reachable(reader, people)) if people else _NOBODY


_NOBODY = Candidates((), {}, frozenset())


def _possible(reader: Querying, postings: Sequence[Postings], among: Collection[int] | None) -> Iterable[Possible]:
    by_gid = {each.gid: each for each in postings}
    rows = [
        Row(each.gid, each.conversation, "", MessagePosted.name, each.seqs[-1], each.sender, each.at)
        for each in postings
    ]
    return [Possible(each, by_gid[each.gid]) for each in recipients(reader, rows, among=among)]


# ---- who can be reached

REACHABLE = (
    "(EXISTS (SELECT 1 FROM notifications_registrations r WHERE r.person = {0} "  # noqa: S608 -- constants
    f"AND r.state IN {USABLE_STATES}) "
    "OR EXISTS (SELECT 1 FROM notifications_people t JOIN notifications_mailboxes b ON b.person = t.person "
    "AND b.state = 'active' WHERE t.person = {0} AND t.mail <> 'off'))"
)
"""SQL, a condition to `format` with the key of a user: an alert can reach them."""


def _anybody_reachable(reader: Querying) -> bool:
    row = reader.execute(
        f"SELECT 1 WHERE EXISTS (SELECT 1 FROM notifications_registrations WHERE state IN {USABLE_STATES}) "  # noqa: S608
        "OR EXISTS (SELECT 1 FROM notifications_people t JOIN notifications_mailboxes b ON b.person = t.person "
        "AND b.state = 'active' WHERE t.mail <> 'off')"
    ).fetchone()
    return row is not None


def _reaches(reader: Querying, conversation: int) -> bool:
    """Whether an alert can reach one of its members."""
    row = reader.execute(
        f"SELECT 1 FROM members w WHERE w.conversation = ? AND w.left_gid IS NULL "  # noqa: S608
        f"AND {REACHABLE.format('w.person')} LIMIT 1",
        (conversation,),
    ).fetchone()
    return row is not None


def _reachable_members(reader: Querying, conversation: int) -> set[int]:
    rows = reader.execute(
        f"SELECT w.person FROM members w WHERE w.conversation = ? AND w.left_gid IS NULL "  # noqa: S608
        f"AND {REACHABLE.format('w.person')}",
        (conversation,),
    )
    return {person for (person,) in rows}


def _reachable(reader: Querying, people: Collection[int]) -> frozenset[int]:
    rows = reader.execute(
        f"SELECT p.value FROM json_each(?) p WHERE {REACHABLE.format('p.value')}",  # noqa: S608
        (json_array(people),),
    )
    return frozenset(person for (person,) in rows)


def _meant(reader: Querying, conversation: int, special: Sequence[Postings]) -> set[int]:
    """Members whom the messages name, authors whom they answer, and users of their threads."""
    found: set[int] = set()
    if naming := [each.seqs[-1] for each in special if each.names]:
        found |= {
            person
            for (person,) in reader.execute(
                "SELECT w.person FROM members w WHERE w.conversation = :conversation AND w.left_gid IS NULL "
                "AND EXISTS (SELECT 1 FROM mentions n WHERE n.person = w.person AND n.conversation = :conversation "
                "AND n.seq IN (SELECT value FROM json_each(:seqs)))",
                {"conversation": conversation, "seqs": orjson.dumps(naming).decode()},
            )
        }
    if answered := [each.reply_to for each in special if each.reply_to is not None]:
        found |= {
            person
            for (person,) in reader.execute(
                "SELECT DISTINCT a.sender FROM messages a WHERE a.id IN (SELECT value FROM json_each(?))",
                (orjson.dumps(answered).decode(),),
            )
        }
    for root in {each.thread for each in special if each.thread is not None}:
        found.update(thread_followers(reader, conversation, root))
    return found


def read_shares(reader: Reader, places: Sequence[Place], oldest: int) -> tuple[Candidates, list[Share]]:
    """What can be judged now, and what takes longer."""
    postings = postings_to_judge(reader, places, oldest)
    if not postings:
        return _NOBODY, []
    now, later = divided(shares_of(reader, postings))
    return look(reader, now), later
