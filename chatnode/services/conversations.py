"""Direct conversations and groups."""

from __future__ import annotations

import attrs

from chatnode.dispatch.caller import Caller
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import command
from chatnode.errors import Refusal
from chatnode.model import permissions
from chatnode.model.commands.conversations import (
    ChangeSettings,
    CloseConversation,
    ConversationDetails,
    ConversationPage,
    FindOrOpen,
    FoundConversation,
    ListAbout,
    ListMembers,
    ListPublic,
    MemberPage,
    OpenDirect,
    OpenGroup,
    OpenSupport,
    SetMemberRole,
    SettingsReply,
    UpdateConversation,
)
from chatnode.model.commands.shared import ConversationReply, InConversation, MemberOf, Nothing
from chatnode.model.conversations import ConversationContext as About
from chatnode.model.folding import is_blank
from chatnode.model.times import milliseconds, rfc3339
from chatnode.storage.conversations import blocks, checks, conversations, finding, invites, members, opening, settings
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.filters.collections import conversations as of_conversations
from chatnode.storage.messages import inbox
from chatnode.storage.people import people


@command("conversations.direct", permission=permissions.CHAT, repeatable=True)
async def direct(ctx: Caller, asked: OpenDirect) -> ConversationReply:
    """Find or create the direct conversation with a user."""

    def write(tx: Transaction) -> str:
        return opening.open_direct(tx, ctx.me, people.find(tx, asked.with_, "with"))

    return ConversationReply(await ctx.write(write))


@command("conversations.create", permission=permissions.OPEN_GROUPS)
async def create(ctx: Caller, asked: OpenGroup) -> ConversationReply:
    """Create a group that you own. New members see all history of a public group, and only later messages of a
    private one, unless `history` says otherwise.
    """
    history = asked.history or opening.usual_history(asked.visibility)

    def write(tx: Transaction) -> str:
        return opening.open_group(
            tx, ctx.me, title=asked.title, description=asked.description, visibility=asked.visibility,
            history=history, others=[people.find_reachable(tx, who, "members") for who in asked.members],
            most_members=ctx.core.config.limits.group_members, context=asked.context, idle_days=asked.idle_days,
            retention_days=asked.retention_days,
        )  # fmt: skip

    return ConversationReply(await ctx.write(write))


@command("conversations.find_or_create", permission=permissions.OPEN_GROUPS, repeatable=True)
async def find_or_create(ctx: Caller, asked: FindOrOpen) -> FoundConversation:
    """Find the group about an object of the embedding program, or create it; two requests at once get the same one.

    The operator has one group for each object, and so has each user who asks for one. A user also finds the operator's
    if they take part in it; a group that they have left is not found. Groups created otherwise are not found, because
    any user may give them any context. A group that is found stays as it is: its members do not change, and a closed
    one stays closed. A new one is private and has these members; you own it, or if the operator creates it, the first
    member who can act. The operator must name a member.
    """
    most = ctx.core.config.limits.group_members
    account = None if ctx.operator else ctx.me

    def write(tx: Transaction) -> FoundConversation:
        return FoundConversation(
            *finding.find_or_open(tx, account, asked.context, asked.title or "", asked.members, most)
        )

    return await ctx.write(write)


@command("conversations.support", permission=permissions.CHAT)
async def support(ctx: Caller, asked: OpenSupport) -> ConversationReply:
    """Create a support conversation with all users who have the permission `support`; they are its admins, you own
    it."""
    roles = [role for role, held in ctx.core.roles.items() if held >= {permissions.SUPPORT, permissions.CHAT}]
    most = ctx.core.config.limits.group_members

    def write(tx: Transaction) -> str:
        found = blocks.without_blocked(tx, ctx.me, people.with_roles(tx, roles))
        agents = [agent for agent in found if agent.key != ctx.me.key]
        if not agents:
            raise Refusal("not_found", "no user of this node has both permissions, support and chat")
        if most:
            agents = agents[: most - 1]  # too many agents for one group must not mean no support
        return opening.open_group(
            tx, ctx.me, title=asked.title, description="", visibility="private", history="all", others=agents,
            most_members=most, purpose="support", context=asked.context,
            role_of_others="admin",
        )  # fmt: skip

    return ConversationReply(await ctx.write(write))


@command("conversations.close", permission=permissions.CHAT, limit="changes")
async def close(ctx: Caller, asked: CloseConversation) -> ConversationReply:
    """Close a conversation: it accepts no messages, but can be read and reopened."""
    await ctx.write(lambda tx: conversations.close(tx, ctx.me, asked.conversation, asked.reason))
    return ConversationReply(asked.conversation)


@command("conversations.reopen", permission=permissions.CHAT, limit="changes")
async def reopen(ctx: Caller, asked: InConversation) -> ConversationReply:
    """Reopen a closed conversation."""
    await ctx.write(lambda tx: conversations.reopen(tx, ctx.me, asked.conversation))
    return ConversationReply(asked.conversation)


@command("conversations.settings", permission=permissions.CHAT)
async def change_settings(ctx: Caller, asked: ChangeSettings) -> SettingsReply:
    """Change your own settings for a conversation: muting, notifications, star, colour, label, archive, receipts.

    If you hide receipts, others do not see how far you have read until you post. Without any field, returns the
    settings.
    """
    changes = {name: value for name, value in attrs.asdict(asked).items() if value is not None}
    del changes["conversation"]
    if until := changes.get("muted_until"):
        changes["muted_until"] = rfc3339(milliseconds(until))
    if asked.label is not None and is_blank(asked.label):
        changes["label"] = ""
    return SettingsReply(await ctx.write(lambda tx: settings.change(tx, ctx.me, asked.conversation, changes)))


@command("conversations.get", permission=permissions.CHAT, reads=True)
async def get(ctx: Caller, asked: InConversation) -> ConversationDetails:
    """A conversation, and your membership in it."""

    def read(reader: Reader) -> ConversationDetails:
        place = conversations.access(reader, ctx.me, asked.conversation)
        return ConversationDetails(conversations.details(reader, place.key), inbox.entry(reader, ctx.me, place))

    return await ctx.read(read)


@command("conversations.update", permission=permissions.CHAT, limit="changes")
async def update(ctx: Caller, asked: UpdateConversation) -> ConversationReply:
    """Change a group's title, description, visibility, idle days or retention; an empty `avatar` removes its picture.

    In a direct conversation, both users can change `idle_days` and nothing else.
    """
    await ctx.write(
        lambda tx: conversations.update(
            tx, ctx.me, asked.conversation,
            title=asked.title, description=asked.description, visibility=asked.visibility,
            idle_days=asked.idle_days, retention_days=asked.retention_days, avatar=asked.avatar,
        )
    )  # fmt: skip
    return ConversationReply(asked.conversation)


@command("conversations.public", permission=permissions.CHAT, reads=True)
async def public(ctx: Caller, asked: ListPublic) -> ConversationPage:
    """Public groups whose title or description contains `query`, ignoring case.

    To filter and sort: `items.query` of `public_conversations`.
    """
    limit = ctx.page_size(asked.limit)
    return ConversationPage(
        await ctx.query(lambda reader: conversations.public_page(reader, asked.query, asked.after, limit))
    )


@command("conversations.context", permission=permissions.CHAT, reads=True)
async def about(ctx: Caller, asked: ListAbout) -> ConversationPage:
    """Your conversations about an object of the embedding program, by its `type` and `context_id`.

    To filter and sort: `items.query` of `conversations`.
    """
    limit = ctx.page_size(asked.limit)
    id = asked.context_id if asked.context_id is not None else asked.id
    if id is None:
        raise Refusal("invalid", "is missing", path="context_id")
    subject = About(asked.type, id)
    return ConversationPage(
        await ctx.query(lambda reader: conversations.about_page(reader, ctx.me, subject, asked.after, limit))
    )


@command("conversations.join", permission=permissions.CHAT, limit="changes")
async def join(ctx: Caller, asked: InConversation) -> ConversationReply:
    """Join a public group."""
    most = ctx.core.config.limits.group_members
    await ctx.write(lambda tx: members.join(tx, ctx.me, asked.conversation, most))
    return ConversationReply(asked.conversation)


@command("conversations.leave", permission=permissions.CHAT, limit="changes")
async def leave(ctx: Caller, asked: InConversation) -> Nothing:
    """Leave a group. When the owner leaves, the longest-serving admin or member who can act becomes owner."""
    await ctx.write(lambda tx: members.leave(tx, ctx.me, asked.conversation))
    return Nothing()


@command("conversations.members.list", permission=permissions.CHAT, reads=True)
async def list_members(ctx: Caller, asked: ListMembers) -> MemberPage:
    """The members of a conversation, with their delivered and read marks.

    To filter and sort: `items.query` of `chat_participants`.
    """
    limit = ctx.page_size(asked.limit)

    def read(reader: Reader) -> MemberPage:
        place = conversations.access(reader, ctx.me, asked.conversation)
        return MemberPage(conversations.members_page(reader, ctx.me, place, asked.after, limit))

    return await ctx.query(read)


@command("conversations.members.add", permission=permissions.CHAT)
async def add_member(ctx: Caller, asked: MemberOf) -> Nothing:
    """Add a member to a group.

    In a group without any member who can act, a user with the permission `people.manage` does so; the new member then
    owns the group.
    """
    most = ctx.core.config.limits.group_members
    manages = ctx.may(permissions.MANAGE_PEOPLE)

    def write(tx: Transaction) -> None:
        member = people.find_reachable(tx, asked.member, "member")
        if not (manages and members.add_to_abandoned(tx, ctx.account, asked.conversation, member, most)):
            members.add(tx, ctx.me, asked.conversation, member, most)

    await ctx.write(write)
    return Nothing()


@command("conversations.members.remove", permission=permissions.CHAT)
async def remove_member(ctx: Caller, asked: MemberOf) -> Nothing:
    """Remove a member of lower rank from a group."""

    def write(tx: Transaction) -> None:
        members.remove(tx, ctx.me, asked.conversation, people.find(tx, asked.member, "member"))

    await ctx.write(write)
    return Nothing()


@command("conversations.members.role", permission=permissions.CHAT, limit="changes")
async def set_member_role(ctx: Caller, asked: SetMemberRole) -> Nothing:
    """Make a member an admin, a plain member, or the owner in your place. An owner must be able to sign in and to
    chat."""

    def write(tx: Transaction) -> None:
        member = people.find(tx, asked.member, "member")
        members.set_role(tx, ctx.me, asked.conversation, member, asked.role)

    await ctx.write(write)
    return Nothing()


SUBJECT = Subject(
    commands=(
        direct,
        create,
        find_or_create,
        support,
        close,
        reopen,
        change_settings,
        get,
        update,
        public,
        about,
        join,
        leave,
        list_members,
        add_member,
        remove_member,
        set_member_role,
    ),
    events=(*conversations.EVENTS, *members.EVENTS, *settings.EVENTS),
    tables=(*conversations.TABLES, *members.TABLES, *settings.TABLES, *invites.TABLES),
    checks=checks.CHECKS,
    derived=checks.DERIVED,
    collections=of_conversations.COLLECTIONS,
)
