"""Reading and changing one's settings of notifications."""

from __future__ import annotations

from chatnode.api import CHAT, Context, Event, EventKind, Nothing, Reader, Row, Transaction, command
from chatnode_notifications.limits import LIMIT
from chatnode_notifications.preferences.model import NotificationSettingsChanged, PreferencesReply, SetPreferences
from chatnode_notifications.preferences.stored import change, preferences_of_one
from chatnode_notifications.tasks import CLOSING
from chatnode_notifications.transports.state import plugin_state


@command("notifications.settings.get", permission=CHAT, reads=True)
async def get_settings(ctx: Context, asked: Nothing) -> PreferencesReply:
    """Your notification settings: zone, quiet hours, pause, content, mail."""
    return PreferencesReply(await ctx.read(lambda reader: preferences_of_one(reader, ctx.me.key)))


@command("notifications.settings.set", permission=CHAT, limit=LIMIT, repeatable=True)
async def set_settings(ctx: Context, asked: SetPreferences) -> PreferencesReply:
    """Change your notification settings. Fields that are left out stay as they are.

    What is held back by a pause or by quiet hours is judged again at once.
    """

    def write(tx: Transaction) -> PreferencesReply:
        changed = change(tx, ctx.me.key, asked)
        if changed is None:
            return PreferencesReply(preferences_of_one(tx, ctx.me.key))
        tx.record(NotificationSettingsChanged(changed), people=(ctx.me.key,), subject=ctx.me.key, actor=ctx.me.key)
        return PreferencesReply(changed)

    reply = await ctx.write(write)
    plugin_state(ctx).wakes.wake(CLOSING)
    return reply


def _make_changed(reader: Reader, row: Row) -> Event:
    return NotificationSettingsChanged(preferences_of_one(reader, row.subject))


COMMANDS = (get_settings, set_settings)
EVENTS = (EventKind(NotificationSettingsChanged, _make_changed),)
