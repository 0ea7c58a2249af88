"""Devices and addresses that users get notifications on."""

from __future__ import annotations

from chatnode.api import Part, Table
from chatnode_notifications.registrations import commands, ending
from chatnode_notifications.transports.desktop import DesktopNotification

# Addresses and keys are left out: they are all that it takes to send to the device.
_REGISTRATIONS = Table(
    "notifications_registrations", people=("person",),
    export="SELECT key, id AS registration, transport, label, content, state, created_at, last_ok_at "
    "FROM notifications_registrations WHERE person = :person AND key > :after ORDER BY key LIMIT :limit",
)  # fmt: skip

PART = Part(
    commands=commands.COMMANDS,
    ephemeral=(DesktopNotification,),
    tables=(_REGISTRATIONS,),
    consumers=(ending.CONSUMER,),
    tasks=(ending.TASK,),
    limits=commands.LIMITS,
)
