"""Direct conversations and groups."""

from __future__ import annotations

from chatnode.dispatch.context import Context
from chatnode.dispatch.table import command
from chatnode.model import permissions
from chatnode.model.commands.conversations import (
    ConversationDetails,
    ConversationsGiven,
    ListMembers,
    ListPublic,
    MembersGiven,
    OpenDirect,
    OpenGroup,
    SetMemberRole,
    UpdateConversation,
)
from chatnode.model.commands.shared import ConversationGiven, InConversation, MemberOf, Nothing
from chatnode.storage import conversations, inbox, people
from chatnode.storage.database import Reader, Transaction


@command("conversations.direct", permission=permissions.CHAT)
async def direct(ctx: Context, command: OpenDirect) -> ConversationGiven:
    """The direct conversation with somebody: found, or opened."""

    def write(tx: Transaction) -> str:
        return conversations.open_direct(tx, ctx.me, people.find(tx, command.with_))

    return ConversationGiven(await ctx.write(write))


@command("conversations.create", permission=permissions.OPEN_GROUPS)
async def create(ctx: Context, command: OpenGroup) -> ConversationGiven:
    """Open a group that you own.

    Those who join a public group see all of its history, those who join a private one what is said from then
    on; `history` says otherwise.
    """
    history = command.history or ("all" if command.visibility == "public" else "since_joining")

    def write(tx: Transaction) -> str:
        return conversations.open_group(
            tx, ctx.me, title=command.title, description=command.description, visibility=command.visibility,
            history=history, members=[people.find(tx, who) for who in command.members],
            most_members=ctx.core.config.limits.group_members,
        )  # fmt: skip

    return ConversationGiven(await ctx.write(write))


@command("conversations.get", permission=permissions.CHAT, reads=True)
async def get(ctx: Context, command: InConversation) -> ConversationDetails:
    """A conversation and how you stand in it."""

    def read(reader: Reader) -> ConversationDetails:
        place = conversations.access(reader, ctx.me, command.conversation)
        return ConversationDetails(conversations.details(reader, place.key), inbox.entry(reader, ctx.me, place))

    return await ctx.read(read)


@command("conversations.update", permission=permissions.CHAT)
async def update(ctx: Context, command: UpdateConversation) -> ConversationGiven:
    """Change a group's title, description or visibility."""
    await ctx.write(
        lambda tx: conversations.update(
            tx, ctx.me, command.conversation,
            title=command.title, description=command.description, visibility=command.visibility,
        )
    )  # fmt: skip
    return ConversationGiven(command.conversation)


@command("conversations.public", permission=permissions.CHAT, reads=True)
async def public(ctx: Context, command: ListPublic) -> ConversationsGiven:
    """Public groups whose title has `query`."""
    limit = ctx.page_size(command.limit)
    return ConversationsGiven(
        await ctx.read(lambda reader: conversations.public_page(reader, command.query, command.after, limit))
    )


@command("conversations.join", permission=permissions.CHAT)
async def join(ctx: Context, command: InConversation) -> ConversationGiven:
    """Take part in a public group."""
    most = ctx.core.config.limits.group_members
    await ctx.write(lambda tx: conversations.join(tx, ctx.me, command.conversation, most))
    return ConversationGiven(command.conversation)


@command("conversations.leave", permission=permissions.CHAT)
async def leave(ctx: Context, command: InConversation) -> Nothing:
    """Take part no more. When the owner leaves, the longest-serving admin or member owns the group."""
    await ctx.write(lambda tx: conversations.leave(tx, ctx.me, command.conversation))
    return Nothing()


@command("conversations.members.list", permission=permissions.CHAT, reads=True)
async def list_members(ctx: Context, command: ListMembers) -> MembersGiven:
    """Who takes part, and how far they have got."""
    limit = ctx.page_size(command.limit)

    def read(reader: Reader) -> MembersGiven:
        place = conversations.access(reader, ctx.me, command.conversation)
        return MembersGiven(conversations.members_page(reader, place, command.after, limit))

    return await ctx.read(read)


@command("conversations.members.add", permission=permissions.CHAT)
async def add_member(ctx: Context, command: MemberOf) -> Nothing:
    """Bring somebody into a group."""
    most = ctx.core.config.limits.group_members

    def write(tx: Transaction) -> None:
        conversations.add(tx, ctx.me, command.conversation, people.find(tx, command.member), most)

    await ctx.write(write)
    return Nothing()


@command("conversations.members.remove", permission=permissions.CHAT)
async def remove_member(ctx: Context, command: MemberOf) -> Nothing:
    """Take somebody of lower rank out of a group."""

    def write(tx: Transaction) -> None:
        conversations.remove(tx, ctx.me, command.conversation, people.find(tx, command.member))

    await ctx.write(write)
    return Nothing()


@command("conversations.members.role", permission=permissions.CHAT)
async def set_member_role(ctx: Context, command: SetMemberRole) -> Nothing:
    """Make somebody admin, member, or owner in your place."""

    def write(tx: Transaction) -> None:
        member = people.find(tx, command.member)
        conversations.set_role(tx, ctx.me, command.conversation, member, command.role)

    await ctx.write(write)
    return Nothing()


COMMANDS = (
    direct,
    create,
    get,
    update,
    public,
    join,
    leave,
    list_members,
    add_member,
    remove_member,
    set_member_role,
)
