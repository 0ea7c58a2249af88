"""Pictures of people and groups."""

from __future__ import annotations

from chatnode.api import Context, command
from chatnode_attachments.avatars.setting import set_avatar
from chatnode_attachments.model import AvatarReply, SetAvatar
from chatnode_attachments.permissions import UPLOAD


@command("attachments.avatar.set", permission=UPLOAD, limit="uploads")
async def set_picture(ctx: Context, asked: SetAvatar) -> AvatarReply:
    """Show a picture that you uploaded as yours, or as that of a group that you may rename.

    Its middle is kept, 256 pixels square, without metadata. Every signed-in user can get it. To remove it, set an empty
    `avatar` with `people.update` or `conversations.update`.
    """
    return AvatarReply(await set_avatar(ctx, asked.file, asked.conversation))


COMMANDS = (set_picture,)
