"""Telling the people in charge of an endpoint that it fails: a notification, where the node sends them.

The event `webhooks.endpoint.changed` tells their clients in any case.
"""

from __future__ import annotations

from chatnode.api import Context, Refusal
from chatnode_webhooks.outgoing import endpoints
from chatnode_webhooks.outgoing.endpoints import Endpoint, Notice
from chatnode_webhooks.outgoing.showing import people_in_charge

_COMMAND = "notifications.send"


async def notify(ctx: Context, endpoint: Endpoint, notice: Notice) -> None:
    """Notify each of them, and store that it was done: until then, the next start of the node does it again, which
    those who were notified do not notice. What fails is logged."""
    title, text = _words(endpoint, notice)
    cid = f"{endpoint.id}.{notice}.{endpoint.failing_since}"
    for who in await ctx.read(lambda reader: people_in_charge(reader, endpoint)):
        try:
            await ctx.as_operator().call(_COMMAND, person=who.id, title=title, body=text, cid=cid)
        except Refusal as refusal:
            if refusal.code == "unknown_command":
                break
            ctx.log.warning("a user was not notified of the webhook endpoint %s: %s", endpoint.id, refusal.code)
    await ctx.write(lambda tx: endpoints.change(tx, endpoint.key, notice=None), repeatable=True)


def _words(endpoint: Endpoint, notice: Notice) -> tuple[str, str]:
    if notice == "disabled":
        return "A webhook was disabled", f"{endpoint.origin}: {endpoint.reason}. Resume it once it works again."
    return (
        "A webhook is failing",
        f"{endpoint.origin} has not accepted any event for a day. It will be disabled after five days.",
    )
