"""Mail: users' addresses, mails soon after messages, and digests once an hour, day or week."""

from __future__ import annotations

from collections.abc import Sequence

from chatnode.api import Context, Limit, Metric, Part, Table, Task, now_ms
from chatnode_notifications.mail import commands, unsubscribing
from chatnode_notifications.mail.scheduling import note_new_items
from chatnode_notifications.mail.sending import send_mails
from chatnode_notifications.mail.upkeep import tidy
from chatnode_notifications.notes import Follower


async def _oldest_seconds(ctx: Context) -> float:
    oldest = await ctx.read(
        lambda reader: reader.execute(
            "SELECT min(made_at) FROM notifications_mails WHERE state = 'pending'"
        ).fetchone()[0]
    )
    return 0.0 if oldest is None else max(0.0, (now_ms() - oldest) / 1000)


_MAILBOXES = Table(
    "notifications_mailboxes", people=("person",),
    export="SELECT key, address, state, added_at, verified_at, last_ok_at FROM notifications_mailboxes "
    "WHERE person = :person AND key > :after ORDER BY key LIMIT :limit",
)  # fmt: skip
_MAILS = Table(
    "notifications_mails", people=("person",),
    export="SELECT key, kind, state, made_at, ended_at FROM notifications_mails "
    "WHERE person = :person AND key > :after ORDER BY key LIMIT :limit",
)  # fmt: skip
_CODES = Table(
    "notifications_mail_codes", people=("person",),
    export="SELECT key, address, at FROM notifications_mail_codes "
    "WHERE person = :person AND key > :after ORDER BY key LIMIT :limit",
)  # fmt: skip

PART = Part(
    commands=commands.COMMANDS,
    tables=(_MAILBOXES, _MAILS, _CODES, Table("notifications_mail_items", people=("person",))),
    tasks=(Task("mail", send_mails), Task("mail_tidy", tidy, every=86_400.0)),
    routes=unsubscribing.ROUTES,
    metrics=(
        Metric("mails_sent", "Notification emails that the mail server accepted."),
        Metric("mails_oldest_seconds", "Age of the oldest email that waits to be sent.", _oldest_seconds),
    ),
    limits=(Limit(commands.LIMIT, "codes by mail", "mail_codes_per_minute"),),
)
FOLLOWERS: Sequence[Follower] = (note_new_items,)
