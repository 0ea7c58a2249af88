"""Your devices and addresses that notifications go to."""

from __future__ import annotations

from typing import cast

import attrs

from chatnode.api import (
    CHAT,
    Context,
    Limit,
    Nothing,
    Reader,
    Refusal,
    Transaction,
    command,
    counted,
    new_id,
    now_ms,
)
from chatnode_notifications.notes import Note
from chatnode_notifications.registrations import rows
from chatnode_notifications.registrations.model import (
    DeviceList,
    DeviceRegistered,
    DeviceUnregistered,
    ListDevices,
    OfRegistration,
    RegisterDevice,
    TriedDevice,
    VapidKey,
)
from chatnode_notifications.registrations.rows import NewRegistration, RegistrationRow
from chatnode_notifications.settings import NotificationsSettings
from chatnode_notifications.transports import TRANSPORTS
from chatnode_notifications.transports.contents import least_of
from chatnode_notifications.transports.state import plugin_state
from chatnode_notifications.transports.transport import Alert, CheckedDevice, Content

REGISTERING, TRYING = "notification_devices", "notification_tests"
LIMITS = (
    Limit(REGISTERING, "registering devices for notifications", "registrations_per_minute"),
    Limit(TRYING, "test notifications", "tests_per_minute"),
)
_WITH_VAPID = ("webpush", "unifiedpush")
_OF_DEVICES = (*_WITH_VAPID, "desktop")
"""Transports whose addresses only the device itself knows. A user who registers one has the device, even if another
user had registered it before."""


@command("notifications.register", permission=CHAT, limit=REGISTERING, repeatable=True, active=False)
async def register(ctx: Context, asked: RegisterDevice) -> DeviceRegistered:
    """Register a device or an address for notifications; registering the same address again updates it.

    Call this at every start of a client. The registration ends when the device or token that made it is signed out. An
    address that another user had registered is no longer theirs, as when two users share a browser.
    """
    settings = ctx.settings(NotificationsSettings)
    if asked.transport not in settings.transports:
        raise Refusal("invalid", f"this node does not notify by {asked.transport}", path="transport")
    keys = attrs.asdict(asked.keys) if asked.keys is not None else {}
    checked = TRANSPORTS[asked.transport].check(ctx, asked.address, keys)
    vapid = plugin_state(ctx).vapid if asked.transport in _WITH_VAPID else None
    new = NewRegistration(
        ctx.me.key, ctx.session, asked.transport, checked.address, checked.keys, asked.label, asked.content,
        vapid.public if vapid is not None else None,
    )  # fmt: skip
    found, shown = await ctx.write(lambda tx: _register(tx, new, checked, settings.registrations))
    return DeviceRegistered(found.shown(ctx.session), shown)


def _register(
    tx: Transaction, new: NewRegistration, checked: CheckedDevice, most: int
) -> tuple[RegistrationRow, str | None]:
    found = rows.at_address(tx, new.transport, new.address)
    mine = found is not None and found.person == new.person
    if found is not None and not mine and new.transport not in _OF_DEVICES:
        raise Refusal("conflict", "another user gets notifications at this address", path="address")
    has_place = found is not None and mine and found.state != "gone"
    if most and not has_place and rows.count(tx, new.person) >= most:
        why = f"you have {counted(most, 'device')} registered, which is the maximum; unregister one first"
        raise Refusal("too_large", why)
    if found is None or not mine:
        if found is not None:
            rows.delete(tx, found.key)  # and with it what is on its way to its last user
        if most:
            rows.forget_gone(tx, new.person, most)
        return rows.insert(tx, new), checked.shown
    if checked.shown is not None and found.keys:  # the receiver has the secret that was shown the first time
        return rows.renew(tx, found, attrs.evolve(new, keys=found.target().keys)), None
    return rows.renew(tx, found, new), checked.shown


@command("notifications.unregister", permission=CHAT, repeatable=True)
async def unregister(ctx: Context, asked: OfRegistration) -> DeviceUnregistered:
    """Stop notifications to a device or an address."""

    def write(tx: Transaction) -> bool:
        found = rows.find(tx, ctx.me.key, asked.registration)
        if found is not None:
            rows.delete(tx, found.key)
        return found is not None

    return DeviceUnregistered(await ctx.write(write))


@command("notifications.devices", permission=CHAT, reads=True)
async def list_devices(ctx: Context, asked: ListDevices) -> DeviceList:
    """Your devices and addresses that get notifications, oldest first, and their status."""
    limit = ctx.page_size(asked.limit)

    def read(reader: Reader) -> DeviceList:
        found = rows.page(reader, ctx.me.key, asked.after, limit)
        more = found[-1].key if len(found) == limit else None
        return DeviceList([each.shown(ctx.session) for each in found], more)

    return await ctx.read(read)


@command("notifications.vapid", permission=CHAT, reads=True)
async def vapid_key(ctx: Context, asked: Nothing) -> VapidKey:
    """The node's key for Web Push. A subscription that was made with another key gets nothing: subscribe again."""
    vapid = plugin_state(ctx).vapid
    return VapidKey(vapid.public if vapid is not None else None)


@command("notifications.test", permission=CHAT, limit=TRYING)
async def try_device(ctx: Context, asked: OfRegistration) -> TriedDevice:
    """Send a notification to one of your devices now, and return what its service answers."""
    found = await ctx.read(lambda reader: rows.find(reader, ctx.me.key, asked.registration))
    if found is None:
        raise Refusal("not_found", "you have no such device", path="registration")
    if found.state == "gone":
        raise Refusal("gone", "the device no longer exists; register it again", path="registration")
    transport, settings = TRANSPORTS[found.transport], ctx.settings(NotificationsSettings)
    content = least_of(cast("Content", settings.max_content), found.content or transport.usual_content)
    result = await transport.send(ctx, found.target(), _test_alert(ctx, content))
    await ctx.write(lambda tx: rows.record_result(tx, found.key, result, now_ms()))
    return TriedDevice(result.outcome, result.status, result.why or None)


def _test_alert(ctx: Context, content: Content) -> Alert:
    now = now_ms()
    note = Note(
        0, new_id(), ctx.me.key, "system", True, False, None, None, None, 1, "chatnode",
        "Notifications reach this device.", None, ctx.base_url, now,
    )  # fmt: skip
    return Alert(f"ntf_{note.id}", note, content, 0, {}, now + 60_000)


COMMANDS = (register, unregister, list_devices, vapid_key, try_device)
