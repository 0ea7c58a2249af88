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
class Posting:
    """A posted message. `special` ones must be judged one by one: they may mention or answer a user."""

    gid: int
    conversation: int
    seq: int
    sender: int
    at: int
    system: bool
    direct: bool
    reply_to: str | None
    thread: int | None
    names: bool

    @property
    def special(self) -> bool:
        return self.names or self.reply_to is not None or self.thread is not None


@record(frozen=True)
class Share:
    """Messages of one conversation, in their order, and the keys of the users to judge them for; None is everyone."""

    postings: Sequence[Posting]
    among: Sequence[int] | None

    @property
    def groups(self) -> list[list[Posting]]:
        """Messages that are the same for every user: one special one, or ordinary ones of one sender."""
        ordinary: dict[tuple[int, bool], list[Posting]] = {}
        special: list[list[Posting]] = []
        for each in self.postings:
            if each.special:
                special.append([each])
            else:
                ordinary.setdefault((each.sender, each.system), []).append(each)
        return [*special, *ordinary.values()]

    @property
    def pairs(self) -> int:
        """How many users may be notified; of a direct conversation, the one or two who did not write."""
        return len(self.among) if self.among is not None else len({each.sender for each in self.postings})


@record(frozen=True)
class Possible:
    """A user who can see messages, and those that are the same for them; the `recipient` is that of the newest."""

    recipient: Recipient
    postings: Sequence[Posting]


@record(frozen=True)
class Candidates:
    """What was read: `chosen` are settings by user, `reachable` those whom an alert can reach."""

    possible: Sequence[Possible]
    chosen: Mapping[int, Preferences]
    reachable: Collection[int]


def place_of(row: Row) -> Place:
    """Of a row of `message.posted`."""
    return row.gid, row.conversation_key or 0, row.subject


def postings_to_judge(reader: Querying, places: Sequence[Place]) -> list[Posting]:
    """The messages that may concern a user, which on most nodes is a small part of all; in the order of gids.

    Messages that mention and answer nobody, in groups none of whose members can be notified, are left out.
    """
    conversations = {conversation for _, conversation, _ in places}
    reached = list(filter(partial(_reaches, reader), conversations)) if _anybody_reachable(reader) else []
    return _postings(
        reader,
        places,
        "AND (c.kind = 'direct' OR m.reply_to IS NOT NULL OR m.thread IS NOT NULL "
        "OR c.key IN (SELECT value FROM json_each(:reached)) OR m.text LIKE '%@%')",
        reached=orjson.dumps(reached).decode(),
    )


def postings_at(reader: Querying, places: Sequence[Place]) -> list[Posting]:
    """The messages that are still there, in the order of gids."""
    return _postings(reader, places, "")


def _postings(reader: Querying, places: Sequence[Place], only: str, **values: str) -> list[Posting]:
    """Read by conversation from the first to the last: places are near each other, and one at a time costs thrice."""
    gids = {(conversation, seq): gid for gid, conversation, seq in places}
    spans: dict[int, tuple[int, int, int]] = {}
    for _, conversation, seq in places:
        _, first, last = spans.get(conversation, (0, seq, seq))
        spans[conversation] = (conversation, min(first, seq), max(last, seq))
    rows = reader.execute(
        "SELECT m.conversation, m.seq, m.sender, m.at, m.kind = 'system', c.kind = 'direct', m.reply_to, m.thread, "  # noqa: S608
        "m.text LIKE '%@%' FROM (SELECT value ->> 0 AS conversation, value ->> 1 AS first_seq, "
        "value ->> 2 AS last_seq FROM json_each(:spans)) span CROSS JOIN conversations c ON c.key = span.conversation "
        "CROSS JOIN messages m ON m.conversation = c.key AND m.seq BETWEEN span.first_seq AND span.last_seq "
        f"WHERE m.deleted_at IS NULL {only}",
        {"spans": json_array(spans.values()), **values},
    )
    found = [Posting(gid, *row) for row in rows if (gid := gids.get(row[:2])) is not None]
    return sorted(found, key=_gid)


_gid = attrgetter("gid")


def shares_of(reader: Querying, postings: Iterable[Posting]) -> list[Share]:
    """What is to be judged, by conversation."""
    found: list[Share] = []
    anybody = _anybody_reachable(reader)
    by_conversation: dict[int, list[Posting]] = {}
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
        if pairs + each.pairs > MOST_PAIRS or each.pairs * len(each.groups) > MOST_LOOKS:
            later.append(each)
        else:
            now.append(each)
            pairs += each.pairs
    return now, later


def look(reader: Querying, shares: Iterable[Share]) -> Candidates:
    """Read what is needed to judge."""
    possible: list[Possible] = []
    everyone: dict[int, list[Posting]] = {}
    for share in shares:
        groups = {group[-1].gid: group for group in share.groups}
        if share.among is None:
            everyone |= groups
        else:
            possible += _possible(reader, groups, share.among)
    if everyone:
        possible += _possible(reader, everyone, None)
    people = {each.recipient.person for each in possible}
    return Candidates(possible, preferences_of(reader, people), _reachable(reader, people)) if people else _NOBODY


_NOBODY = Candidates((), {}, frozenset())


def _possible(
    reader: Querying, groups: Mapping[int, list[Posting]], among: Collection[int] | None
) -> Iterable[Possible]:
    rows = [
        Row(gid, group[-1].conversation, "", MessagePosted.name, group[-1].seq, group[-1].sender, group[-1].at)
        for gid, group in groups.items()
    ]
    return [Possible(each, groups[each.gid]) for each in recipients(reader, rows, among=among)]


# ---- who can be reached

_REACHABLE = (
    "(EXISTS (SELECT 1 FROM notifications_registrations r WHERE r.person = {0} "  # noqa: S608 -- constants
    f"AND r.state IN {USABLE_STATES}) "
    "OR EXISTS (SELECT 1 FROM notifications_people t WHERE t.person = {0} AND t.mail <> 'off'))"
)


def _anybody_reachable(reader: Querying) -> bool:
    row = reader.execute(
        f"SELECT 1 WHERE EXISTS (SELECT 1 FROM notifications_registrations WHERE state IN {USABLE_STATES}) "  # noqa: S608
        "OR EXISTS (SELECT 1 FROM notifications_people WHERE mail <> 'off')"
    ).fetchone()
    return row is not None


def _reaches(reader: Querying, conversation: int) -> bool:
    """Whether an alert can reach one of its members."""
    row = reader.execute(
        f"SELECT 1 FROM members w WHERE w.conversation = ? AND w.left_gid IS NULL "  # noqa: S608
        f"AND {_REACHABLE.format('w.person')} LIMIT 1",
        (conversation,),
    ).fetchone()
    return row is not None


def _reachable_members(reader: Querying, conversation: int) -> set[int]:
    rows = reader.execute(
        f"SELECT w.person FROM members w WHERE w.conversation = ? AND w.left_gid IS NULL "  # noqa: S608
        f"AND {_REACHABLE.format('w.person')}",
        (conversation,),
    )
    return {person for (person,) in rows}


def _reachable(reader: Querying, people: Collection[int]) -> frozenset[int]:
    rows = reader.execute(
        f"SELECT p.value FROM json_each(?) p WHERE {_REACHABLE.format('p.value')}",  # noqa: S608
        (json_array(people),),
    )
    return frozenset(person for (person,) in rows)


def _meant(reader: Querying, conversation: int, special: Sequence[Posting]) -> set[int]:
    """Members whom the messages name, authors whom they answer, and users of their threads."""
    found: set[int] = set()
    if naming := [each.seq for each in special if each.names]:
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


def read_shares(reader: Reader, places: Sequence[Place]) -> tuple[Candidates, list[Share]]:
    """What can be judged now, and what takes longer."""
    postings = postings_to_judge(reader, places)
    if not postings:
        return _NOBODY, []
    now, later = divided(shares_of(reader, postings))
    return look(reader, now), later
