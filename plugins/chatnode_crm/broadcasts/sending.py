"""Sending a broadcast: what was sent to whom is stored in the transaction that posts the message.

So a contact gets it exactly once, whenever the node is killed; and nobody gets it who opted out, has no account here,
may not use the chat, or blocked the bot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import trio

from chatnode.api import (
    Account,
    Context,
    EndedWork,
    Querying,
    Reader,
    Refusal,
    Transaction,
    Work,
    WorkKind,
    acting,
    check_can_act,
    now_ms,
    open_direct,
    person_by_key,
    post_message,
)
from chatnode_crm.broadcasts.answers import follow_talk
from chatnode_crm.broadcasts.audience import lists_of, store_audience
from chatnode_crm.broadcasts.model import BroadcastFigures
from chatnode_crm.broadcasts.results import figures
from chatnode_crm.broadcasts.rows import BroadcastRow, end_broadcast, find_broadcast, set_error
from chatnode_crm.people.opting import is_opted_out
from chatnode_crm.permissions import LISTS, VIEW
from chatnode_crm.requester import check_owner
from chatnode_crm.settings import CrmSettings

_LONGEST_REST = 300.0
"""Seconds: after them the clock is looked at again, which may have been set."""
_TURNS = 240
"""At a high rate, how many times a minute a batch is sent."""
_OF_RECIPIENTS = frozenset({"forbidden", "closed", "not_found", "not_member", "conflict"})
"""Refusals that are about one recipient. Any other is about the message or the node, and ends the attempt."""


async def run_broadcast(ctx: Context, work: Work) -> Mapping[str, Any] | None:
    """The whole broadcast, from where it was."""
    broadcast = await ctx.read(lambda reader: find_broadcast(reader, work.arguments["broadcast"]))
    if broadcast.error is not None:
        await ctx.write(lambda tx: set_error(tx, broadcast, None))
    try:
        return await _run(ctx, work, broadcast)
    except Refusal as refusal:
        why = refusal.message
        if not refusal.temporary:
            await ctx.write(lambda tx: set_error(tx, broadcast, why))
        raise


async def _run(ctx: Context, work: Work, broadcast: BroadcastRow) -> Mapping[str, Any]:
    if broadcast.state == "snapshot":
        await check_owner(ctx, work, LISTS, VIEW)
        await store_audience(ctx, work, broadcast)
    bot = await ctx.bot(broadcast.bot, ctx.settings(CrmSettings).broadcast_bot_name)
    lists = await ctx.read(lambda reader: lists_of(reader, broadcast))
    pace, sizes = _Pace(broadcast.per_minute), work.slices(100)
    while True:
        zones, rest = await ctx.read(lambda reader: _open_zones(reader, broadcast))
        if not zones:
            if rest is None:
                break
            await trio.sleep(rest)
            continue
        most = min(pace.batch, next(sizes))
        contacts = await ctx.read(lambda reader, zones=zones, most=most: _next(reader, broadcast, zones, most))
        if contacts:
            await pace.wait(len(contacts))
            await work.write(lambda tx, contacts=contacts: _send(ctx, tx, work, broadcast, lists, bot, contacts))
    await work.write(lambda tx: end_broadcast(tx, broadcast, "done"))
    return await ctx.read(lambda reader: _result(figures(reader, broadcast.key)))


def _result(figures: BroadcastFigures) -> dict[str, Any]:
    return {"sent": figures.sent, "opted_out": figures.opted_out, "unreachable": sum(figures.unreachable.values())}


class _Pace:
    """At most `per_minute` messages a minute, in small batches. Time in which none were sent is not made up for."""

    def __init__(self, per_minute: int) -> None:
        self.batch = max(1, per_minute // _TURNS)
        self._seconds_each = 60 / per_minute
        self._next = trio.current_time()

    async def wait(self, count: int) -> None:
        """Wait until it is the turn of the next `count`."""
        now = trio.current_time()
        await trio.sleep_until(self._next)
        self._next = max(self._next, now) + count * self._seconds_each


# ---- who is next

_Zones = Sequence[str | None]


def _open_zones(reader: Reader, broadcast: BroadcastRow) -> tuple[_Zones, float | None]:
    """The zones of contacts that wait, where the window is open; if there is none, how many seconds to rest until it
    is, or None if no contact waits."""
    window, now = broadcast.window, now_ms()
    zones: list[str | None] = []
    row = reader.execute(_FIRST.format("TRUE"), {"key": broadcast.key}).fetchone()
    while row is not None:  # each zone costs one look into the index
        zones.append(row[0])
        row = reader.execute(
            _FIRST.format("zone > :after" if row[0] is not None else "zone IS NOT NULL"),
            {"key": broadcast.key, "after": row[0]},
        ).fetchone()
    if window is None or not zones:
        return zones, None
    here = [zone for zone in zones if window.is_open(zone or broadcast.zone, now)]
    if here:
        return here, None
    opens = min(window.next_opening(zone or broadcast.zone, now) for zone in zones)
    return [], min(_LONGEST_REST, (opens - now) / 1000)


_FIRST = "SELECT zone FROM crm_deliveries WHERE broadcast = :key AND state = 'waiting' AND {} ORDER BY zone LIMIT 1"


def _next(reader: Reader, broadcast: BroadcastRow, zones: _Zones, most: int) -> list[int]:
    """By zone, and in each in order of keys."""
    found: list[int] = []
    for zone in zones:
        here = "zone = :zone" if zone is not None else "zone IS NULL"
        rows = reader.execute(
            "SELECT contact FROM crm_deliveries WHERE broadcast = :key AND state = 'waiting' "  # noqa: S608 -- constants
            f"AND {here} ORDER BY contact LIMIT :most",
            {"key": broadcast.key, "zone": zone, "most": most - len(found)},
        )
        found += [contact for (contact,) in rows]
        if len(found) == most:
            break
    return found


# ---- sending


def _send(
    ctx: Context,
    tx: Transaction,
    work: Work,
    broadcast: BroadcastRow,
    lists: Sequence[int],
    bot: Account,
    contacts: Sequence[int],
) -> None:
    """Raises `Refusal` if the bot cannot post: then nobody counts as unreachable."""
    sender, settings = check_can_act(tx, bot.key), ctx.settings(CrmSettings)
    for contact in contacts:
        if _is_waiting(tx, broadcast, contact):
            _deliver(tx, broadcast, lists, sender, contact, settings)
    work.note(tx, done=work.done + len(contacts))


def _deliver(
    tx: Transaction, broadcast: BroadcastRow, lists: Sequence[int], bot: Account, contact: int, settings: CrmSettings
) -> None:
    person = _account_of(tx, contact)
    if person is not None:
        _follow_answers(tx, person, settings)
    if is_opted_out(tx, contact, person.key if person is not None else None, lists):
        _settle(tx, broadcast, contact, "opted_out")
    elif person is None:
        _settle(tx, broadcast, contact, "unreachable", "no_account")
    else:
        refusal = tx.attempt(lambda: _post(tx, broadcast, bot, person, contact))
        if refusal is not None and refusal.code not in _OF_RECIPIENTS:
            raise refusal
        if refusal is not None:
            _settle(tx, broadcast, contact, "unreachable", refusal.code)


def _follow_answers(tx: Transaction, person: Account, settings: CrmSettings) -> None:
    """A word to stop holds from the moment it is posted, whichever bot of broadcasts it was sent to, and the consumer
    of answers may not have got to it."""
    talks = tx.execute("SELECT conversation FROM crm_talks WHERE person = ? ORDER BY conversation", (person.key,))
    for (conversation,) in talks.fetchall():
        follow_talk(tx, conversation, settings)


def _post(tx: Transaction, broadcast: BroadcastRow, bot: Account, person: Account, contact: int) -> None:
    """One account gets it once, also if several contacts have it. Who may not use the chat cannot read it."""
    conversation = open_direct(tx, bot, check_can_act(tx, person.key))
    posted = post_message(tx, bot, conversation, broadcast.text, cid=_cid(broadcast, person))
    if posted.dup:
        raise Refusal("conflict", "this account has got it as another contact")
    (key,) = tx.execute("SELECT key FROM conversations WHERE id = ?", (conversation,)).fetchone()
    tx.execute(
        "INSERT INTO crm_talks (conversation, bot, person, seen) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (key, bot.key, person.key, posted.seq),
    )
    tx.execute(
        "UPDATE crm_deliveries SET state = 'sent', conversation = ?, seq = ?, at = ? "
        "WHERE broadcast = ? AND contact = ?",
        (key, posted.seq, tx.now, broadcast.key, contact),
    )


def _cid(broadcast: BroadcastRow, person: Account) -> str:
    return f"crm-{blake2b(f'{broadcast.id} {person.id}'.encode(), digest_size=16).hexdigest()}"


def _settle(tx: Transaction, broadcast: BroadcastRow, contact: int, state: str, reason: str | None = None) -> None:
    tx.execute(
        "UPDATE crm_deliveries SET state = ?, reason = ?, at = ? WHERE broadcast = ? AND contact = ?",
        (state, reason, tx.now, broadcast.key, contact),
    )


def _is_waiting(reader: Querying, broadcast: BroadcastRow, contact: int) -> bool:
    row = reader.execute(
        "SELECT 1 FROM crm_deliveries WHERE broadcast = ? AND contact = ? AND state = 'waiting'",
        (broadcast.key, contact),
    ).fetchone()
    return row is not None


def _account_of(reader: Querying, contact: int) -> Account | None:
    """The account that a contact was verified to be; of several the first that can be reached."""
    rows = reader.execute(
        "SELECT i.person FROM crm_identities i JOIN people p ON p.key = i.person WHERE i.contact = ? "
        "AND i.verified_at IS NOT NULL AND p.erased_at IS NULL ORDER BY i.key",
        (contact,),
    ).fetchall()
    people = [person for (person,) in rows]
    if len(people) > 1:
        can_read = acting(reader, people)
        people.sort(key=lambda person: person not in can_read)
    return person_by_key(reader, people[0]) if people else None


def _ended(tx: Transaction, work: EndedWork) -> None:
    """However a work was cancelled, its broadcast is; one that has failed can be resumed, and says why it has."""
    broadcast = find_broadcast(tx, work.arguments["broadcast"])
    if work.status == "cancelled":
        end_broadcast(tx, broadcast, "cancelled")
    if work.status == "failed" and broadcast.error is None:
        set_error(tx, broadcast, "internal error; see the node's log")


KIND = WorkKind("broadcast", run_broadcast, "Broadcast", at_once=8, ended=_ended)
