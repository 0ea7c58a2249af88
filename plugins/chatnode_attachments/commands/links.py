"""Links to files."""

from __future__ import annotations

from chatnode.api import CHAT, Context, command, now_ms, rfc3339
from chatnode_attachments.model import FileLink, LinkFile
from chatnode_attachments.serving.access import permitted
from chatnode_attachments.serving.links import make_link


@command("attachments.link", permission=CHAT, reads=True)
async def link(ctx: Context, asked: LinkFile) -> FileLink:
    """Make a link to a file or one of its thumbnails, for programs that cannot send your token.

    Everyone who has the link can use it, and gets what you may have at that time: it ends early when you can no longer
    see the file, and when you sign out of the session that asked for it.
    """
    await permitted(ctx, ctx.me, asked.file, asked.variant)
    attachment = asked.disposition == "attachment"
    address = make_link(ctx, asked.file, asked.variant, attachment=attachment, seconds=asked.seconds)
    return FileLink(address, rfc3339(now_ms() + asked.seconds * 1_000))


COMMANDS = (link,)
