"""Who may manage which endpoints, and what endpoints may be."""

from __future__ import annotations

from collections.abc import Sequence

from chatnode.api import (
    MAKE_BOTS,
    Account,
    Blocked,
    Context,
    Querying,
    Refusal,
    bot_owner,
    counted,
    event_names,
    find_person,
)
from chatnode_webhooks.outgoing import endpoints
from chatnode_webhooks.outgoing.endpoints import Endpoint
from chatnode_webhooks.outgoing.kinds import fault_of_pattern
from chatnode_webhooks.outgoing.reading import node_may_get
from chatnode_webhooks.outgoing.sending import PURPOSE
from chatnode_webhooks.permissions import MANAGE
from chatnode_webhooks.settings import WebhooksSettings


def find_own(ctx: Context, reader: Querying, id: str, *, reads: bool = False) -> Endpoint:
    """An endpoint that the requester may look at and remove: a bot its own, users those of the bots that they own, and
    users with the permission all of them. For others it does not exist."""
    endpoint = endpoints.find(reader, id)
    own = endpoint.bot is not None and _is_own(ctx, reader, endpoint.bot)
    if not (own or ctx.may(MANAGE, reads=reads)):
        raise endpoints.no_such_endpoint()
    return endpoint


def find_managed(ctx: Context, reader: Querying, id: str) -> Endpoint:
    """An endpoint that the requester may change, and have events sent to. Raises `Refusal`."""
    endpoint = find_own(ctx, reader, id)
    if not ctx.may(MANAGE):
        _check_may_make(ctx)
    return endpoint


def find_bot(ctx: Context, reader: Querying, who: str | None, *, reads: bool = False) -> Account | None:
    """The bot whose endpoints the requester wants to manage, or with `reads` to look at, None for those of the node.
    Raises `Refusal`."""
    if who is None:
        ctx.check(MANAGE, reads=reads)
        return None
    if (found := _known_own(ctx, reader, who)) is not None:
        if not reads and not ctx.may(MANAGE):
            _check_may_make(ctx)
        return found
    ctx.check(MANAGE, reads=reads)
    found = find_person(reader, who, "bot")
    if not found.bot:
        raise Refusal("invalid", f"{found.handle} is not a bot", path="bot")
    return found


def check_address(ctx: Context, url: str) -> str:
    """The address, if requests may go there as far as can be told without looking up its host. Raises `Refusal`."""
    try:
        ctx.outbound.check(PURPOSE, url)
    except Blocked as blocked:
        raise Refusal("invalid", blocked.why, path="url") from None
    return url


def check_kinds(
    ctx: Context, reader: Querying, bot: int | None, kinds: Sequence[str], before: Sequence[str] = ()
) -> None:
    """Raises `Refusal` if there are none, for names that no event has, and for events that the operator does not let
    endpoints of the node have. `before` are those that the endpoint has: their plugin may be gone since."""
    if not kinds:
        raise Refusal("invalid", "name at least one event, such as message.posted, or * for all", path="kinds")
    settings, events = ctx.settings(WebhooksSettings), event_names(reader)
    allowed = node_may_get(settings)
    for place, pattern in enumerate(kinds):
        if pattern not in before and (fault := fault_of_pattern(pattern, events, settings.node_kinds)) is not None:
            raise Refusal("invalid", fault, path=f"kinds.{place}")
        if bot is None and not allowed.covers(pattern):
            raise Refusal(
                "invalid",
                f"endpoints of the node do not get {pattern}; the settings node_kinds and messages of the section "
                "plugins.webhooks say what they get. An endpoint of a bot gets what the bot may see",
                path=f"kinds.{place}",
            )


def check_room(ctx: Context, reader: Querying, bot: int | None) -> None:
    """Raises `Refusal` if there are as many endpoints as the settings allow."""
    settings = ctx.settings(WebhooksSettings)
    in_all, own = endpoints.count(reader, bot)
    if in_all >= settings.endpoints:
        raise Refusal("too_large", f"the node has at most {counted(settings.endpoints, 'endpoint')}")
    if bot is not None and own >= settings.endpoints_per_bot:
        raise Refusal("too_large", f"a bot has at most {counted(settings.endpoints_per_bot, 'endpoint')}", path="bot")


def _known_own(ctx: Context, reader: Querying, who: str) -> Account | None:
    """The bot with this handle or id if it is the requester, or belongs to them."""
    try:
        found = find_person(reader, who)
    except Refusal:
        return None
    return found if found.bot and _is_own(ctx, reader, found.key) else None


def _is_own(ctx: Context, reader: Querying, bot: int) -> bool:
    """Whether the bot with this key is the requester, or one that they own."""
    return ctx.account is not None and ctx.account.key in (bot, bot_owner(reader, bot))


def _check_may_make(ctx: Context) -> None:
    """An endpoint hears what the bot does, so its owner needs the same permission as for a token of the bot."""
    if not ctx.me.bot:
        ctx.check(MAKE_BOTS)
