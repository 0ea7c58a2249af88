"""Commands on endpoints: for a bot on its own, for users on those of their bots, and for users with the permission
`webhooks.manage` on all of them. Owners without `bots.make` may look at endpoints and remove them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chatnode.api import (
    CHAT,
    DAY_MS,
    Context,
    Nothing,
    Reader,
    Refusal,
    Transaction,
    command,
    log_rows,
    new_id,
    new_webhook_secret,
    now_ms,
    rfc3339,
)
from chatnode_webhooks.outgoing import deliveries, endpoints
from chatnode_webhooks.outgoing.endpoints import Endpoint
from chatnode_webhooks.outgoing.envelopes import make_test_body
from chatnode_webhooks.outgoing.model import (
    AddEndpoint,
    EndpointInfo,
    EndpointList,
    EndpointReply,
    EndpointSecret,
    EndpointTest,
    ListEndpoints,
    OfEndpoint,
    ResumeEndpoint,
    UpdateEndpoint,
)
from chatnode_webhooks.outgoing.rights import check_address, check_kinds, check_room, find_bot, find_managed, find_own
from chatnode_webhooks.outgoing.sending import send
from chatnode_webhooks.outgoing.showing import info, record_changed, summary
from chatnode_webhooks.permissions import MANAGE

_END = 2**62


@command("webhooks.endpoints.add", permission=CHAT, or_permission=MANAGE, limit="changes")
async def add(ctx: Context, asked: AddEndpoint) -> EndpointSecret:
    """Add an address that events are posted to, from now on. Its secret, which signs them, is shown once.

    An endpoint of a bot gets exactly what the bot may see. A bot adds its own, and with the permission `bots.make` you
    add those of your bots; with `webhooks.manage` you add one for any bot, or for the node. It outlives the token that
    it was added with.
    """
    url, secret, id = check_address(ctx, asked.url), new_webhook_secret(), new_id()

    def write(tx: Transaction) -> EndpointInfo:
        bot = find_bot(ctx, tx, asked.bot)
        key = bot.key if bot is not None else None
        check_kinds(ctx, tx, key, asked.kinds)
        _check_new(tx, key, url)
        check_room(ctx, tx, key)
        made = endpoints.insert(
            tx, id=id, bot=key, url=url, about=asked.about, kinds=endpoints.as_json(asked.kinds), format=asked.format,
            echo=int(asked.echo), secret=secret, state="active", epoch=ctx.epoch, cursor=_head(tx),
        )  # fmt: skip
        ctx.audit(tx, "endpoints.add", id, bot=bot.id if bot is not None else None, origin=_of(tx, made).origin)
        return _changed(ctx, tx, made)

    return EndpointSecret(await ctx.write(write, repeatable=True), secret)


@command("webhooks.endpoints.list", permission=CHAT, or_permission=MANAGE, reads=True)
async def list_endpoints(ctx: Context, asked: ListEndpoints) -> EndpointList:
    """The endpoints of a bot; with the permission `webhooks.manage`, of any bot, or all there are. Their `url` is
    only the origin: `webhooks.endpoints.get` has the rest."""
    limit = ctx.page_size(asked.limit)

    def read(reader: Reader) -> list[EndpointInfo]:
        own = ctx.account if ctx.account is not None and not ctx.may(MANAGE, reads=True) and ctx.account.bot else None
        bot = own if own is not None and asked.bot is None else find_bot(ctx, reader, asked.bot, reads=True)
        page = endpoints.page(reader, bot.key if bot is not None else None, asked.after or "", limit)
        return [summary(reader, each) for each in page]

    found = await ctx.read(read)
    return EndpointList(found, found[-1].endpoint if len(found) == limit else None)


@command("webhooks.endpoints.get", permission=CHAT, or_permission=MANAGE, reads=True)
async def get(ctx: Context, asked: OfEndpoint) -> EndpointReply:
    """One endpoint, with its status."""
    return EndpointReply(await ctx.read(lambda reader: info(reader, find_own(ctx, reader, asked.endpoint, reads=True))))


@command("webhooks.endpoints.update", permission=CHAT, or_permission=MANAGE, limit="changes", repeatable=True)
async def update(ctx: Context, asked: UpdateEndpoint) -> EndpointReply:
    """Change an endpoint. With another address, events that failed are tried there, and the secret stays the same."""
    if asked.url is not None:
        check_address(ctx, asked.url)

    def change(tx: Transaction, endpoint: Endpoint) -> None:
        values: dict[str, Any] = {"format": asked.format, "about": asked.about}
        if asked.url is not None and asked.url != endpoint.url:
            _check_new(tx, endpoint.bot, asked.url)
            values |= {"url": asked.url, "probe_at": endpoint.probe_at and tx.now}
            deliveries.all_due(tx, endpoint.key)
        if asked.kinds is not None:
            check_kinds(ctx, tx, endpoint.bot, asked.kinds, endpoint.kinds)
            values["kinds"] = endpoints.as_json(asked.kinds)
        values["echo"] = int(asked.echo) if asked.echo is not None else None
        values = {name: value for name, value in values.items() if value is not None}
        if values:
            endpoints.change(tx, endpoint.key, **values)

    return await _change(ctx, "update", asked.endpoint, change)


@command("webhooks.endpoints.remove", permission=CHAT, or_permission=MANAGE, limit="changes")
async def remove(ctx: Context, asked: OfEndpoint) -> Nothing:
    """Remove an endpoint: nothing is sent to it any more, and what failed is forgotten."""

    def change(tx: Transaction, endpoint: Endpoint) -> None:
        endpoints.remove(tx, endpoint.key)

    await _change(ctx, "remove", asked.endpoint, change, find=find_own)
    return Nothing()


@command("webhooks.endpoints.pause", permission=CHAT, or_permission=MANAGE, limit="changes", repeatable=True)
async def pause(ctx: Context, asked: OfEndpoint) -> EndpointReply:
    """Pause an endpoint until it is resumed. Requests in progress are finished."""

    def change(tx: Transaction, endpoint: Endpoint) -> None:
        if endpoint.runs:
            endpoints.change(tx, endpoint.key, state="paused", probes=0, probe_at=None)

    return await _change(ctx, "pause", asked.endpoint, change)


@command("webhooks.endpoints.resume", permission=CHAT, or_permission=MANAGE, limit="changes")
async def resume(ctx: Context, asked: ResumeEndpoint) -> EndpointReply:
    """Resume an endpoint that is paused, stalled or disabled: it gets the events since then, and those that failed."""

    def change(tx: Transaction, endpoint: Endpoint) -> None:
        if endpoint.state != "active":
            endpoints.change(
                tx, endpoint.key, state="active", reason=None, failing_since=None, noticed_at=None, notice=None,
                probes=0, probe_at=None,
            )  # fmt: skip
        if asked.skip:
            endpoints.advance(tx, endpoint.key, _head(tx))
        elif endpoint.state != "active":
            deliveries.all_due(tx, endpoint.key)

    return await _change(ctx, "resume", asked.endpoint, change)


@command("webhooks.endpoints.rotate", permission=CHAT, or_permission=MANAGE, limit="changes")
async def rotate(ctx: Context, asked: OfEndpoint) -> EndpointSecret:
    """Give an endpoint a new secret, which is shown once. For a day, events are signed with the old one too.

    If others know the old one, rotate it twice: then it signs nothing any more.
    """
    secret, until = new_webhook_secret(), now_ms() + DAY_MS

    def change(tx: Transaction, endpoint: Endpoint) -> None:
        endpoints.change(tx, endpoint.key, secret=secret, old_secret=endpoint.secret, old_until=until)

    changed = await _change(ctx, "rotate", asked.endpoint, change)
    return EndpointSecret(changed.endpoint, secret, rfc3339(until))


@command("webhooks.endpoints.test", permission=CHAT, or_permission=MANAGE, limit="changes")
async def test(ctx: Context, asked: OfEndpoint) -> EndpointTest:
    """Post an event of the type `webhooks.test` to an endpoint now, whatever its state, and return what it answers."""
    endpoint = await ctx.read(lambda reader: find_managed(ctx, reader, asked.endpoint))
    id = f"test_{new_id()}"
    attempt = await send(ctx, endpoint, id, make_test_body(endpoint.format, id, now_ms()))
    sent = attempt.outcome == "sent"
    return EndpointTest(sent, attempt.ms, attempt.status, attempt.error, attempt.answer)


async def _change(
    ctx: Context,
    verb: str,
    id: str,
    change: Callable[[Transaction, Endpoint], None],
    find: Callable[[Context, Transaction, str], Endpoint] = find_managed,
) -> EndpointReply:
    """Find an endpoint, change it, and tell those in charge, unless it is as it was. Repeating it does no harm."""

    def write(tx: Transaction) -> EndpointInfo:
        endpoint = find(ctx, tx, id)
        change(tx, endpoint)
        if _of(tx, endpoint.key) == endpoint:
            return info(tx, endpoint)
        endpoints.change(tx, endpoint.key, revision=endpoint.revision + 1)
        ctx.audit(tx, f"endpoints.{verb}", id)
        return _changed(ctx, tx, endpoint.key)

    return EndpointReply(await ctx.write(write, repeatable=True))


def _changed(ctx: Context, tx: Transaction, key: int) -> EndpointInfo:
    endpoint = _of(tx, key)
    record_changed(tx, endpoint, ctx.account.key if ctx.account is not None else None)
    return info(tx, endpoint)


def _of(tx: Transaction, key: int) -> Endpoint:
    found = endpoints.by_key(tx, key)
    assert found is not None
    return found


def _check_new(tx: Transaction, bot: int | None, url: str) -> None:
    """Adding the same address again, as after a lost reply, makes no second endpoint."""
    if (known := endpoints.at_address(tx, bot, url)) is not None:
        raise Refusal("conflict", f"the endpoint {known} has this address; update it, or rotate its secret", path="url")


def _head(tx: Transaction) -> int:
    return log_rows(tx, _END, frozenset(), 1).head


COMMANDS = (add, list_endpoints, get, update, remove, pause, resume, rotate, test)
