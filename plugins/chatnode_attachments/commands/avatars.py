"""Pictures of people and groups."""

from __future__ import annotations

from chatnode.api import Context, command
from chatnode_attachments.avatars.setting import set_avatar
from chatnode_attachments.model import AvatarReply, SetAvatar
from chatnode_attachments.permissions import UPLOAD


@command("attachments.avatar.set", permission=UPLOAD, limit="uploads")
async def set_picture(ctx: Context, asked: SetAvatar) -> AvatarReply:
    """Use a picture that you uploaded as your avatar, or as that of a group that you may rename.

    It is cropped to its middle, 256 pixels square, without metadata. Every signed-in user can see it. To remove it, set
    an empty `avatar` with `people.update` or `conversations.update`.
    """
    return AvatarReply(await set_avatar(ctx, asked.file, asked.conversation))


COMMANDS = (set_picture,)
