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
    ConversationsGiven,
    ListAbout,
    ListMembers,
    ListPublic,
    MembersGiven,
    OpenDirect,
    OpenGroup,
    OpenSupport,
    SetMemberRole,
    SettingsGiven,
    UpdateConversation,
)
from chatnode.model.commands.shared import ConversationGiven, InConversation, MemberOf, Nothing
from chatnode.model.conversations import Subject as About
from chatnode.model.folding import is_blank
from chatnode.model.times import milliseconds, rfc3339
from chatnode.storage.conversations import blocks, checks, conversations, invites, members, opening, settings
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.filters.collections import conversations as of_conversations
from chatnode.storage.messages import inbox
from chatnode.storage.people import people


@command("conversations.direct", permission=permissions.CHAT, repeatable=True)
async def direct(ctx: Caller, command: OpenDirect) -> ConversationGiven:
    """Find or create the direct conversation with a user."""

    def write(tx: Transaction) -> str:
        return opening.open_direct(tx, ctx.me, people.find(tx, command.with_, "with"))

    return ConversationGiven(await ctx.write(write))


@command("conversations.create", permission=permissions.OPEN_GROUPS)
async def create(ctx: Caller, command: OpenGroup) -> ConversationGiven:
    """Create a group that you own. New members see all history of a public group, and only later messages of a
    private one, unless `history` says otherwise.
    """
    history = command.history or opening.usual_history(command.visibility)

    def write(tx: Transaction) -> str:
        return opening.open_group(
            tx, ctx.me, title=command.title, description=command.description, visibility=command.visibility,
            history=history, others=[people.find_reachable(tx, who, "members") for who in command.members],
            most_members=ctx.core.config.limits.group_members, context=command.context, idle_days=command.idle_days,
            retention_days=command.retention_days,
        )  # fmt: skip

    return ConversationGiven(await ctx.write(write))


@command("conversations.support", permission=permissions.CHAT)
async def support(ctx: Caller, command: OpenSupport) -> ConversationGiven:
    """Create a support conversation with all users who answer support; they are its admins, you own it."""
    roles = [role for role, held in ctx.core.roles.items() if permissions.SUPPORT in held]
    most = ctx.core.config.limits.group_members

    def write(tx: Transaction) -> str:
        found = blocks.without_blocked(tx, ctx.me, people.with_roles(tx, roles))
        agents = [agent for agent in found if agent.key != ctx.me.key]
        if not agents:
            raise Refusal("not_found", "no account on this node answers support")
        if most:
            agents = agents[: most - 1]  # too many agents for one group must not mean no support
        return opening.open_group(
            tx, ctx.me, title=command.title, description="", visibility="private", history="all", others=agents,
            most_members=most, purpose="support", context=command.context,
            role_of_others="admin",
        )  # fmt: skip

    return ConversationGiven(await ctx.write(write))


@command("conversations.close", permission=permissions.CHAT, limit="changes")
async def close(ctx: Caller, command: CloseConversation) -> ConversationGiven:
    """Close a conversation: it accepts no messages, but can be read and reopened."""
    await ctx.write(lambda tx: conversations.close(tx, ctx.me, command.conversation, command.reason))
    return ConversationGiven(command.conversation)


@command("conversations.reopen", permission=permissions.CHAT, limit="changes")
async def reopen(ctx: Caller, command: InConversation) -> ConversationGiven:
    """Reopen a closed conversation."""
    await ctx.write(lambda tx: conversations.reopen(tx, ctx.me, command.conversation))
    return ConversationGiven(command.conversation)


@command("conversations.settings", permission=permissions.CHAT)
async def change_settings(ctx: Caller, command: ChangeSettings) -> SettingsGiven:
    """Change your own settings for a conversation: muting, notifications, star, colour, label, archive, receipts.

    If you hide receipts, others do not see how far you have read until you post. Without any field, returns the
    settings.
    """
    changes = {name: value for name, value in attrs.asdict(command).items() if value is not None}
    del changes["conversation"]
    if until := changes.get("muted_until"):
        changes["muted_until"] = rfc3339(milliseconds(until))
    if command.label is not None and is_blank(command.label):
        changes["label"] = ""
    return SettingsGiven(await ctx.write(lambda tx: settings.change(tx, ctx.me, command.conversation, changes)))


@command("conversations.get", permission=permissions.CHAT, reads=True)
async def get(ctx: Caller, command: InConversation) -> ConversationDetails:
    """A conversation, and your membership in it."""

    def read(reader: Reader) -> ConversationDetails:
        place = conversations.access(reader, ctx.me, command.conversation)
        return ConversationDetails(conversations.details(reader, place.key), inbox.entry(reader, ctx.me, place))

    return await ctx.read(read)


@command("conversations.update", permission=permissions.CHAT, limit="changes")
async def update(ctx: Caller, command: UpdateConversation) -> ConversationGiven:
    """Change a group's title, description, visibility, idle days or retention.

    In a direct conversation, both users can change `idle_days` and nothing else.
    """
    await ctx.write(
        lambda tx: conversations.update(
            tx, ctx.me, command.conversation,
            title=command.title, description=command.description, visibility=command.visibility,
            idle_days=command.idle_days, retention_days=command.retention_days,
        )
    )  # fmt: skip
    return ConversationGiven(command.conversation)


@command("conversations.public", permission=permissions.CHAT, reads=True)
async def public(ctx: Caller, command: ListPublic) -> ConversationsGiven:
    """Public groups whose title or description contains `query`, ignoring case.

    To filter and sort: `items.query` of `public_conversations`.
    """
    limit = ctx.page_size(command.limit)
    return ConversationsGiven(
        await ctx.query(lambda reader: conversations.public_page(reader, command.query, command.after, limit))
    )


@command("conversations.context", permission=permissions.CHAT, reads=True)
async def about(ctx: Caller, command: ListAbout) -> ConversationsGiven:
    """Your conversations about an object of the embedding program, by its `type` and `id`.

    To filter and sort: `items.query` of `conversations`.
    """
    limit = ctx.page_size(command.limit)
    subject = About(command.type, command.id)
    return ConversationsGiven(
        await ctx.query(lambda reader: conversations.about_page(reader, ctx.me, subject, command.after, limit))
    )


@command("conversations.join", permission=permissions.CHAT, limit="changes")
async def join(ctx: Caller, command: InConversation) -> ConversationGiven:
    """Join a public group."""
    most = ctx.core.config.limits.group_members
    await ctx.write(lambda tx: members.join(tx, ctx.me, command.conversation, most))
    return ConversationGiven(command.conversation)


@command("conversations.leave", permission=permissions.CHAT, limit="changes")
async def leave(ctx: Caller, command: InConversation) -> Nothing:
    """Leave a group. When the owner leaves, the longest-serving admin or member who can act becomes owner."""
    await ctx.write(lambda tx: members.leave(tx, ctx.me, command.conversation))
    return Nothing()


@command("conversations.members.list", permission=permissions.CHAT, reads=True)
async def list_members(ctx: Caller, command: ListMembers) -> MembersGiven:
    """The members of a conversation, with their delivered and read marks.

    To filter and sort: `items.query` of `chat_participants`.
    """
    limit = ctx.page_size(command.limit)

    def read(reader: Reader) -> MembersGiven:
        place = conversations.access(reader, ctx.me, command.conversation)
        return MembersGiven(conversations.members_page(reader, ctx.me, place, command.after, limit))

    return await ctx.query(read)


@command("conversations.members.add", permission=permissions.CHAT)
async def add_member(ctx: Caller, command: MemberOf) -> Nothing:
    """Add a member to a group.

    In a group without any member who can act, a user with the permission `people.manage` does so; the new member then
    owns the group.
    """
    most = ctx.core.config.limits.group_members
    manages = ctx.may(permissions.MANAGE_PEOPLE)

    def write(tx: Transaction) -> None:
        member = people.find_reachable(tx, command.member, "member")
        if not (manages and members.add_to_abandoned(tx, ctx.account, command.conversation, member, most)):
            members.add(tx, ctx.me, command.conversation, member, most)

    await ctx.write(write)
    return Nothing()


@command("conversations.members.remove", permission=permissions.CHAT)
async def remove_member(ctx: Caller, command: MemberOf) -> Nothing:
    """Remove a member of lower rank from a group."""

    def write(tx: Transaction) -> None:
        members.remove(tx, ctx.me, command.conversation, people.find(tx, command.member, "member"))

    await ctx.write(write)
    return Nothing()


@command("conversations.members.role", permission=permissions.CHAT, limit="changes")
async def set_member_role(ctx: Caller, command: SetMemberRole) -> Nothing:
    """Make a member an admin, a plain member, or the owner in your place. An owner must be able to sign in and to
    chat."""

    def write(tx: Transaction) -> None:
        member = people.find(tx, command.member, "member")
        members.set_role(tx, ctx.me, command.conversation, member, command.role)

    await ctx.write(write)
    return Nothing()


SUBJECT = Subject(
    commands=(
        direct,
        create,
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
