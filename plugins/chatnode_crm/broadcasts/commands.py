"""Broadcasts: creating, pausing, cancelling, and what became of them."""

from __future__ import annotations

from typing import Any

import attrs
import orjson

from chatnode.api import (
    DAY_MS,
    Context,
    Querying,
    Reader,
    Refusal,
    Transaction,
    command,
    is_blank,
    milliseconds,
    new_id,
    now_ms,
    rfc3339,
    rfc3339_or_none,
    zone_of,
)
from chatnode_crm.broadcasts import results, rows
from chatnode_crm.broadcasts.model import (
    Broadcast,
    BroadcastReply,
    BroadcastResults,
    Broadcasts,
    CreateBroadcast,
    Deliveries,
    ListBroadcasts,
    ListDeliveries,
    OfBroadcast,
    SendingWindow,
)
from chatnode_crm.broadcasts.rows import BroadcastRow
from chatnode_crm.broadcasts.sending import KIND
from chatnode_crm.broadcasts.windows import as_time, minutes_of
from chatnode_crm.contacts import fields
from chatnode_crm.lists.finding import find_list
from chatnode_crm.permissions import LISTS, VIEW
from chatnode_crm.requester import actor_of
from chatnode_crm.segments.collection import asker_for
from chatnode_crm.segments.selection import check
from chatnode_crm.settings import CrmSettings

_LATEST_DAYS = 366


@command("crm.broadcasts.create", permission=LISTS)
async def create_broadcast(ctx: Context, asked: CreateBroadcast) -> BroadcastReply:
    """Send a message to many contacts: a bot posts it in its direct conversation with each of them.

    Only contacts with a verified account of this node get it, each once, and none that opted out of everything or of
    a list that `contacts` names. The audience is stored when the broadcast begins. A recipient who answers with one of
    the setting's words, such as STOP, gets no more.
    """
    ctx.check(VIEW)
    settings = ctx.settings(CrmSettings)
    per_minute = asked.per_minute or settings.broadcasts_per_minute
    if per_minute > settings.broadcasts_per_minute:
        most = settings.broadcasts_per_minute
        raise Refusal("invalid", f"at most {most} a minute on this node", path="per_minute")
    starts_at, asker = _start(asked.starts_at), asker_for(ctx)
    window = _window(asked.window, settings)
    zone_field = asked.window.zone_field if asked.window is not None else None
    text = _text(asked.text, settings.broadcast_footer, asker.limits.message_chars)
    bot = await ctx.bot(settings.broadcast_bot, settings.broadcast_bot_name)

    def write(tx: Transaction) -> Broadcast:
        selection = check(tx, asker, asked.contacts)
        list_key = find_list(tx, asked.contacts.in_list).key if asked.contacts.in_list is not None else None
        zone_key = fields.find(tx, zone_field, "window.zone_field").key if zone_field else None
        id = new_id()
        work = ctx.start_work(
            tx, KIND.name, {"broadcast": id}, title=asked.title, resource=f"broadcast {id}", not_before=starts_at
        )
        found = rows.insert_broadcast(tx, {
            "id": id, "title": asked.title, "text": text, "bot": settings.broadcast_bot,
            "selection": orjson.dumps(attrs.asdict(selection)).decode(), "list": list_key,
            "per_minute": per_minute, **window, "zone_field": zone_key, "starts_at": starts_at or tx.now,
            "state": "snapshot", "work": work,
            "created_at": tx.now, "created_by": actor_of(ctx),
        })  # fmt: skip
        ctx.audit(tx, "broadcasts.create", id, bot=bot.id)
        return _shown(tx, found)

    return BroadcastReply(await ctx.write(write))


@command("crm.broadcasts.get", permission=LISTS, reads=True)
async def get_broadcast(ctx: Context, asked: OfBroadcast) -> BroadcastResults:
    """A broadcast and its figures: sent, read, answered, opted out, unreachable."""

    def read(reader: Reader) -> BroadcastResults:
        found = rows.find_broadcast(reader, asked.broadcast)
        return BroadcastResults(_shown(reader, found), results.figures(reader, found.key))

    reply = await ctx.query(read)
    if reply.broadcast.ended_at is None:
        reply.paused = await _work_status(ctx, reply.broadcast.work) == "paused"
    return reply


@command("crm.broadcasts.list", permission=LISTS, reads=True)
async def list_broadcasts(ctx: Context, asked: ListBroadcasts) -> Broadcasts:
    """All broadcasts, newest first."""
    limit = ctx.page_size(asked.limit)

    def read(reader: Reader) -> Broadcasts:
        found = rows.broadcasts_page(reader, asked.before, limit)
        return Broadcasts([_shown(reader, each) for each in found], found[-1].key if len(found) == limit else None)

    return await ctx.read(read)


@command("crm.broadcasts.deliveries", permission=LISTS, reads=True)
async def list_deliveries(ctx: Context, asked: ListDeliveries) -> Deliveries:
    """The delivery to each contact of a broadcast's audience. Deleted contacts are only in the figures."""
    ctx.check(VIEW, reads=True)
    limit = ctx.page_size(asked.limit)

    def read(reader: Reader) -> Deliveries:
        found = rows.find_broadcast(reader, asked.broadcast)
        return Deliveries(*results.deliveries_page(reader, found.key, asked.state, asked.after, limit))

    return await ctx.query(read)


@command("crm.broadcasts.pause", permission=LISTS)
async def pause_broadcast(ctx: Context, asked: OfBroadcast) -> BroadcastReply:
    """Pause a broadcast: no further contact gets it until it is resumed."""
    return await _act(ctx, asked, "work.pause")


@command("crm.broadcasts.resume", permission=LISTS)
async def resume_broadcast(ctx: Context, asked: OfBroadcast) -> BroadcastReply:
    """Resume a paused broadcast, for the contacts that have not received it."""
    return await _act(ctx, asked, "work.resume")


@command("crm.broadcasts.cancel", permission=LISTS)
async def cancel_broadcast(ctx: Context, asked: OfBroadcast) -> BroadcastReply:
    """Cancel a broadcast. Messages already sent stay."""
    await _act(ctx, asked, "work.cancel")

    def write(tx: Transaction) -> Broadcast:
        found = rows.find_broadcast(tx, asked.broadcast)
        if found.state not in ("done", "cancelled"):
            rows.end_broadcast(tx, found, "cancelled")
        return _shown(tx, rows.find_broadcast(tx, asked.broadcast))

    return BroadcastReply(await ctx.write(write))


async def _act(ctx: Context, asked: OfBroadcast, command: str) -> BroadcastReply:
    """Raises `Refusal("conflict")` for one that has ended."""
    found = await ctx.read(lambda reader: rows.find_broadcast(reader, asked.broadcast))
    if found.state in ("done", "cancelled"):
        raise Refusal("conflict", f"the broadcast is {found.state}", path="broadcast")
    before = await _work_status(ctx, found.work or "")
    if before is not None:
        await ctx.as_operator().call(command, work=found.work)
    elif command != "work.cancel":
        raise Refusal("conflict", "it failed long ago, or its user was erased", path="broadcast")
    if before is None or before != await _work_status(ctx, found.work or ""):
        await ctx.write(lambda tx: ctx.audit(tx, command.replace("work", "broadcasts"), found.id))
    return BroadcastReply(await ctx.read(lambda reader: _shown(reader, rows.find_broadcast(reader, asked.broadcast))))


async def _work_status(ctx: Context, work: str) -> str | None:
    """None for a work that was removed: long after it failed, or with the user whose it was."""
    try:
        return (await ctx.as_operator().call("work.get", work=work))["work"]["status"]
    except Refusal as refusal:
        if refusal.code == "not_found":
            return None
        raise


# ---- fields


def _text(text: str, footer: str, most: int) -> str:
    """As it is posted. Raises `Refusal` for what cannot be: nobody would get it."""
    if is_blank(text):
        raise Refusal("invalid", "the text is blank", path="text")
    found = f"{text.strip()}\n\n{footer}" if footer else text.strip()
    if most and len(found) > most:
        raise Refusal("too_large", f"a message has at most {most} characters, with the footer", path="text")
    return found


def _start(text: str | None) -> int | None:
    """Raises `Refusal("invalid")` for a time that is too far away."""
    if text is None:
        return None
    at = milliseconds(text)
    if at > now_ms() + _LATEST_DAYS * DAY_MS:
        raise Refusal("invalid", f"more than {_LATEST_DAYS} days from now", path="starts_at")
    return at


def _window(asked: SendingWindow | None, settings: CrmSettings) -> dict[str, Any]:
    """Columns. Raises `Refusal("invalid")`."""
    zone = (asked.zone if asked is not None else "") or settings.time_zone
    if zone_of(zone) is None:
        raise Refusal(
            "invalid", f"this node knows no time zone {zone}; expected one such as Europe/Paris", path="window.zone"
        )
    if asked is None:
        return {"opens": None, "closes": None, "zone": zone}
    opens, closes = minutes_of(asked.opens), minutes_of(asked.closes)
    if opens == closes:
        raise Refusal("invalid", "the window opens and closes at the same time", path="window.closes")
    return {"opens": opens, "closes": closes, "zone": zone}


def _shown(reader: Querying, row: BroadcastRow) -> Broadcast:
    window = None
    if row.opens is not None and row.closes is not None:
        field = fields.by_key(reader).get(str(row.zone_field))
        name = field.name if field is not None else None
        window = SendingWindow(as_time(row.opens), as_time(row.closes), row.zone, name)
    found = reader.execute("SELECT id FROM crm_lists WHERE key = ?", (row.list,)).fetchone()
    return Broadcast(
        row.id, row.title, row.text, row.bot, row.state, row.per_minute, rfc3339(row.created_at),
        rfc3339(row.starts_at), row.work or "", window=window, list=found[0] if found is not None else None,
        ended_at=rfc3339_or_none(row.ended_at), error=row.error,
    )  # fmt: skip


COMMANDS = (
    create_broadcast, get_broadcast, list_broadcasts, list_deliveries, pause_broadcast, resume_broadcast,
    cancel_broadcast,
)  # fmt: skip
