"""A user's own uploads, and what their files take."""

from __future__ import annotations

from chatnode.api import DAY_MS, Context, Nothing, Reader, command, now_ms, rfc3339
from chatnode_attachments.model import UploadInfo, UploadList, UsageReply
from chatnode_attachments.permissions import UPLOAD
from chatnode_attachments.settings import MIB, AttachmentsSettings
from chatnode_attachments.store import quotas
from chatnode_attachments.store.uploads import unfinished


@command("attachments.uploads", permission=UPLOAD, reads=True)
async def list_uploads(ctx: Context, asked: Nothing) -> UploadList:
    """Your uploads in progress, which you can continue on any device."""
    rows = await ctx.read(lambda reader: unfinished(reader, ctx.me.key))
    return UploadList(
        [
            UploadInfo(
                each.id, each.name, each.declared, each.durable, rfc3339(each.created_at), rfc3339(each.expires_at),
                each.length,
            )
            for each in rows
        ]
    )  # fmt: skip


@command("attachments.usage", permission=UPLOAD, reads=True)
async def usage(ctx: Context, asked: Nothing) -> UsageReply:
    """Disk usage of your files and uploads, and the limits."""
    settings, me = ctx.settings(AttachmentsSettings), ctx.me.key

    def read(reader: Reader) -> UsageReply:
        bytes, reserved = quotas.usage_of(reader, me)
        sent = quotas.sent_since(reader, me, now_ms() - DAY_MS)
        return UsageReply(
            bytes, reserved, sent, _limit(settings.person_mib), _limit(settings.day_mib), _limit(settings.file_mib)
        )

    return await ctx.read(read)


def _limit(mib: int) -> int | None:
    return mib * MIB or None


COMMANDS = (list_uploads, usage)
