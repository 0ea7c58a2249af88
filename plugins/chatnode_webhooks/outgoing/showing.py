"""Endpoints as programs see them, and as events tell of them."""

from __future__ import annotations

import attrs

from chatnode.api import (
    Account,
    Event,
    EventKind,
    Querying,
    Reader,
    Row,
    Transaction,
    bot_owner,
    holders_of,
    person_by_key,
    record,
    rfc3339,
    rfc3339_or_none,
)
from chatnode_webhooks.outgoing import deliveries, endpoints
from chatnode_webhooks.outgoing.endpoints import Endpoint
from chatnode_webhooks.outgoing.kinds import CHANGED
from chatnode_webhooks.outgoing.model import EndpointInfo
from chatnode_webhooks.permissions import MANAGE


@record
class WebhookEndpointChanged(Event):
    """An endpoint that the recipient may look at was added, changed or removed, or the node tells that it has been
    failing for a day, or that it was disabled; this is its new state.

    As in lists, its `url` is only the origin: every session of the recipient gets events, also those whose tokens may
    not manage endpoints.
    """

    name = CHANGED
    endpoint: EndpointInfo


def info(reader: Querying, endpoint: Endpoint) -> EndpointInfo:
    """Without its secret, which is shown once."""
    pending, dead = deliveries.counts(reader, endpoint.key)
    return EndpointInfo(
        endpoint.id, endpoint.url, list(endpoint.kinds), endpoint.format, endpoint.state, rfc3339(endpoint.created_at),
        pending, dead, endpoint.echo, endpoint.about,
        person_by_key(reader, endpoint.bot).ref if endpoint.bot is not None else None,
        endpoint.reason, rfc3339_or_none(endpoint.failing_since), rfc3339_or_none(endpoint.sent_at),
        rfc3339_or_none(endpoint.failed_at),
    )  # fmt: skip


def summary(reader: Querying, endpoint: Endpoint) -> EndpointInfo:
    """As lists and events have it: with the origin of its address only, as the rest may be a secret."""
    return attrs.evolve(info(reader, endpoint), url=endpoint.origin if endpoint.url else "")


def people_in_charge(reader: Querying, endpoint: Endpoint) -> list[Account]:
    """The users who may look at it and remove it, without bots: those with the permission, and the owner of its bot."""
    in_charge = {each.key: each for each in holders_of(reader, MANAGE) if not each.bot}
    key = bot_owner(reader, endpoint.bot) if endpoint.bot is not None else None
    if key is not None and (owner := person_by_key(reader, key)).deactivated_at is None:
        in_charge[key] = owner
    return [*in_charge.values()]


def _audience(reader: Querying, endpoint: Endpoint) -> list[int]:
    """Those users, and its bot."""
    own = [endpoint.bot] if endpoint.bot is not None else []
    return [*own, *(each.key for each in people_in_charge(reader, endpoint))]


def record_changed(tx: Transaction, endpoint: Endpoint, actor: int | None = None) -> None:
    """Tell the users in charge, and the task that sends events."""
    event = WebhookEndpointChanged(summary(tx, endpoint))
    tx.record(event, people=_audience(tx, endpoint), subject=endpoint.key, actor=actor)


def _make_changed(reader: Reader, row: Row) -> WebhookEndpointChanged | None:
    endpoint = endpoints.by_key(reader, row.subject)
    return WebhookEndpointChanged(summary(reader, endpoint)) if endpoint is not None else None


def _show(reader: Reader, person: int, row: Row, event: Event) -> Event | None:
    """It shows how things are now: those who were in charge then, and are no more, do not get it."""
    endpoint = endpoints.by_key(reader, row.subject)
    return event if endpoint is not None and person in _audience(reader, endpoint) else None


EVENTS = (EventKind(WebhookEndpointChanged, _make_changed, show=_show),)
