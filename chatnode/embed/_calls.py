"""Typed calls: every command of the node as a method, with its types, defaults and description.

`python -m chatnode.embed.generate` writes this file; a test compares.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatnode.embed.calling import AsyncGroup, BlockingGroup, cid_or_new, given, plain, record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Literal

    from chatnode.model.actions import Action
    from chatnode.model.bots import BotCommand
    from chatnode.model.commands.accounts import Me, PersonPage
    from chatnode.model.commands.administration import PasswordReset, ResetReply
    from chatnode.model.commands.adoption import Adopted
    from chatnode.model.commands.backups import BackupReply
    from chatnode.model.commands.bots import BotCommandList, BotList, BotReply
    from chatnode.model.commands.certificates import CertificateReply, CertificateStatus
    from chatnode.model.commands.conversations import (
        ConversationDetails,
        ConversationPage,
        FoundConversation,
        MemberPage,
        SettingsReply,
    )
    from chatnode.model.commands.importing import Imported, ImportedConversationReply, ImportHead, ImportItem, Missing
    from chatnode.model.commands.items import ItemsReply
    from chatnode.model.commands.jobs import JobList, JobReply
    from chatnode.model.commands.messages import (
        AllMarked,
        EditionList,
        InboxPage,
        Marked,
        MessagePage,
        MessageReply,
        Posted,
        ReceiptList,
        ReportPage,
        ReportReply,
    )
    from chatnode.model.commands.operations import Checked, NodeAddress, NodeInfo, NodeStatistics, Repaired
    from chatnode.model.commands.plugins import (
        ConsumerList,
        ConsumerReplays,
        PluginDropped,
        PluginList,
        PluginRows,
        PluginSwitched,
        RowRetried,
        SetAsidePage,
    )
    from chatnode.model.commands.presence import (
        PresenceHistory,
        PresenceList,
        PresenceOf,
        TypingSaid,
        TypistList,
        Visible,
    )
    from chatnode.model.commands.privacy import Erased, ExportPage
    from chatnode.model.commands.retention import RemovalPage
    from chatnode.model.commands.roles import AuditPage, RoleList
    from chatnode.model.commands.search import SearchPage
    from chatnode.model.commands.shared import ConversationReply, Nothing, PersonReply, SignedIn
    from chatnode.model.commands.sign_in import InviteList, InviteReply, Revoked, SessionList, SetupReply, TokenReply
    from chatnode.model.commands.slash import ActionInvocation, OfferedCommands, SlashRan, SlashReplied
    from chatnode.model.commands.work import WorkPage, WorkReply
    from chatnode.model.conversations import ConversationContext
    from chatnode.model.messages import FileRef, Location, Notice


class AsyncSessions(AsyncGroup):
    """The commands `sessions.…`."""

    __slots__ = ()

    async def create(self, *, handle: str, password: str, device: str | None = None) -> SignedIn:
        """Sign in with handle and password; returns a token for this device."""
        return await self._run("sessions.create", given({"handle": handle, "password": password, "device": device}))

    async def list(self) -> SessionList:
        """Your signed-in devices and API tokens.

        To filter and sort: `items.query` of `sessions`.
        """
        return await self._run("sessions.list", {})

    async def rename(self, *, session: int, label: str) -> Nothing:
        """Rename one of your devices or tokens."""
        return await self._run("sessions.rename", given({"session": session, "label": label}))

    async def revoke(self, *, session: int) -> Revoked:
        """Sign out one of your devices or tokens; its live connections end at once."""
        return await self._run("sessions.revoke", given({"session": session}))

    async def revoke_others(self) -> Revoked:
        """Sign out all your other devices and tokens."""
        return await self._run("sessions.revoke_others", {})


class AsyncTokens(AsyncGroup):
    """The commands `tokens.…`."""

    __slots__ = ()

    async def create(
        self,
        *,
        person: str | None = None,
        label: str | None = None,
        days: int | None = None,
        scopes: Sequence[str] | None = None,
    ) -> TokenReply:
        """Create an API token for yourself or, with the permission to manage people, for another user.

        A token can create only tokens with the same or fewer scopes that expire no later than itself. No token can
        do more than its owner's role.

        A token for programs. A `person` other than the requester needs the permission to manage people.

        `scopes` are permissions, or `<permission>:read` for reading only; without them it can do everything its
        owner can.
        """
        fields = {
            "person": person,
            "label": label,
            "days": days,
            "scopes": plain(scopes),
        }
        return await self._run("tokens.create", given(fields))


class AsyncInvites(AsyncGroup):
    """The commands `invites.…`."""

    __slots__ = ()

    async def create(self, *, uses: int = 1, days: int | None = None, conversations: Sequence[str] = ()) -> InviteReply:
        """Create a link for a new user to create an account and join the given conversations.

        A link that creates up to `uses` accounts, each joining `conversations`.
        """
        fields = {
            "uses": uses,
            "days": days,
            "conversations": plain(conversations),
        }
        return await self._run("invites.create", given(fields))

    async def list(self) -> InviteList:
        """Invites that can still be used.

        To filter and sort: `items.query` of `invites`.
        """
        return await self._run("invites.list", {})

    async def revoke(self, *, invite: int) -> Revoked:
        """Revoke an invite."""
        return await self._run("invites.revoke", given({"invite": invite}))

    async def accept(
        self,
        *,
        code: str,
        handle: str,
        password: str,
        name: str | None = None,
        device: str | None = None,
    ) -> SignedIn:
        """Create an account with an invite or set-up link, and sign in.

        `not_joined` lists the groups of the invite that the new account could not join, for example because they
        are full.
        """
        fields = {
            "code": code,
            "handle": handle,
            "password": password,
            "name": name,
            "device": device,
        }
        return await self._run("invites.accept", given(fields))


class AsyncSetup(AsyncGroup):
    """The commands `setup.…`."""

    __slots__ = ()

    async def create(self) -> SetupReply:
        """Create a link for the first administrator; it replaces earlier links."""
        return await self._run("setup.create", {})


class AsyncPeople(AsyncGroup):
    """The commands `people.…`."""

    __slots__ = ()

    async def create(
        self,
        *,
        handle: str,
        name: str | None = None,
        password: str | None = None,
        admin: bool = False,
        bot: bool = False,
    ) -> PersonReply:
        """Create an account.

        An account created by an administrator. Without a password it can only be used with tokens; a bot never has
        one.
        """
        fields = {
            "handle": handle,
            "name": name,
            "password": password,
            "admin": admin,
            "bot": bot,
        }
        return await self._run("people.create", given(fields))

    async def me(self) -> Me:
        """Your own profile, role and permissions."""
        return await self._run("people.me", {})

    async def get(self, *, person: str) -> PersonReply:
        """A user's profile, by handle or id."""
        return await self._run("people.get", given({"person": person}))

    async def list(self, *, prefix: str = "", after: str | None = None, limit: int = 50) -> PersonPage:
        """Users whose handle begins with `prefix`, in order of handles.

        To filter and sort: `items.query` of `people`.
        """
        return await self._run("people.list", given({"prefix": prefix, "after": after, "limit": limit}))

    async def update(self, *, name: str | None = None, avatar: str | None = None) -> PersonReply:
        """Change your name, or remove your avatar with an empty one. Addresses of pictures are not accepted."""
        return await self._run("people.update", given({"name": name, "avatar": avatar}))

    async def password(self, *, new: str, old: str | None = None, person: str | None = None) -> Revoked:
        """Change a password and sign out the user's other devices and tokens.

        `old` is optional only for another user's password, with the permission to manage people.
        """
        return await self._run("people.password", given({"new": new, "old": old, "person": person}))

    async def sessions(self, *, person: str) -> SessionList:
        """A user's signed-in devices and API tokens, with their last use.

        To filter and sort: `items.query` of `account_sessions`.
        """
        return await self._run("people.sessions", given({"person": person}))

    async def sign_out(self, *, person: str, session: int | None = None) -> Revoked:
        """Sign a user out of one session or of all; live connections end at once.

        Without `session`, signs out all sessions.
        """
        return await self._run("people.sign_out", given({"person": person, "session": session}))

    async def deactivate(self, *, person: str | None = None, password: str | None = None) -> PersonReply:
        """Deactivate an account: it is signed out everywhere and cannot sign in until it is reactivated.

        Your own account needs your password; others need the permission to manage people. Messages and memberships
        stay.

        Without `person`, deactivates the requester, with `password` if they have one.
        """
        return await self._run("people.deactivate", given({"person": person, "password": password}))

    async def reactivate(self, *, person: str) -> PersonReply:
        """Reactivate a deactivated account; its password works as before, and devices must sign in again."""
        return await self._run("people.reactivate", given({"person": person}))

    async def reset_link(self, *, person: str) -> ResetReply:
        """Create a one-time link for a user to set a new password. It replaces an earlier link."""
        return await self._run("people.reset_link", given({"person": person}))

    async def reset_password(self, *, code: str, password: str) -> PasswordReset:
        """Set a new password with a reset link; all devices and tokens are signed out."""
        return await self._run("people.reset_password", given({"code": code, "password": password}))

    async def role(self, *, person: str, role: str) -> PersonReply:
        """Change a user's role on the node; neither the old nor the new role may have permissions that you lack."""
        return await self._run("people.role", given({"person": person, "role": role}))

    async def block(self, *, person: str) -> Nothing:
        """Block a user: your direct conversation is closed, and neither of you can add the other to a group."""
        return await self._run("people.block", given({"person": person}))

    async def unblock(self, *, person: str) -> Nothing:
        """Unblock a user; the direct conversation that the block closed is reopened."""
        return await self._run("people.unblock", given({"person": person}))

    async def blocked(self) -> PersonPage:
        """Users you have blocked.

        To filter and sort: `items.query` of `blocks`.
        """
        return await self._run("people.blocked", {})

    async def export(self, *, person: str | None = None, after: str | None = None, limit: int = 200) -> ExportPage:
        """Everything the node stores about you or, with the permission to manage people, about another user; page by
        page.

        `after` is the `next` of the previous page.
        """
        return await self._run("people.export", given({"person": person, "after": after, "limit": limit}))

    async def erase(self, *, handle: str, person: str | None = None, password: str | None = None) -> Erased:
        """Erase an account permanently: profile, sessions, settings and all its messages.

        Messages leave tombstones, and direct conversations keep two members, under a made-up handle. Returns a
        receipt of what was removed, and whether any of it is still in the files.

        `handle` repeats the account's handle. Without `person`, erases the requester, with their password.
        """
        return await self._run("people.erase", given({"handle": handle, "person": person, "password": password}))

    async def adopt(self, *, author: str, person: str | None = None, dry_run: bool = False) -> Adopted:
        """Hand an imported author over to a user, with messages, mentions, reactions and memberships.

        Without `person`, the author becomes an account of its own, for a user who has none yet. Later imports go to
        the user too. This cannot be undone; blocks of the author end.

        `author` is the handle or id of an imported author. Without `person`, it becomes an account of its own.

        `dry_run`: change nothing, only count.
        """
        return await self._run("people.adopt", given({"author": author, "person": person, "dry_run": dry_run}))


class AsyncRoles(AsyncGroup):
    """The commands `roles.…`."""

    __slots__ = ()

    async def list(self) -> RoleList:
        """All roles and all permissions."""
        return await self._run("roles.list", {})

    async def set(self, *, role: str, permissions: Sequence[str]) -> Nothing:
        """Create a role or replace its permissions; takes effect at once for every account with it.

        You can add and remove only permissions that you have yourself. `admin` cannot be changed.

        A new role, or the new permissions of an existing one.
        """
        return await self._run("roles.set", given({"role": role, "permissions": plain(permissions)}))

    async def delete(self, *, role: str) -> Nothing:
        """Delete a role that no account has."""
        return await self._run("roles.delete", given({"role": role}))


class AsyncAudit(AsyncGroup):
    """The commands `audit.…`."""

    __slots__ = ()

    async def list(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        target: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> AuditPage:
        """What administrators, moderators and the operator did, newest first.

        To filter and sort: `items.query` of `audit`.

        `target` is a public id or a handle; `before` is the number of the last entry of the previous page.
        """
        fields = {
            "actor": actor,
            "action": action,
            "target": target,
            "before": before,
            "limit": limit,
        }
        return await self._run("audit.list", given(fields))


class AsyncConversationsMembers(AsyncGroup):
    """The commands `conversations.members.…`."""

    __slots__ = ()

    async def list(self, *, conversation: str, after: str | None = None, limit: int = 100) -> MemberPage:
        """The members of a conversation, with their delivered and read marks.

        To filter and sort: `items.query` of `chat_participants`.
        """
        fields = {
            "conversation": conversation,
            "after": after,
            "limit": limit,
        }
        return await self._run("conversations.members.list", given(fields))

    async def add(self, *, conversation: str, member: str) -> Nothing:
        """Add a member to a group.

        In a group without any member who can act, a user with the permission `people.manage` does so; the new
        member then owns the group.
        """
        return await self._run("conversations.members.add", given({"conversation": conversation, "member": member}))

    async def remove(self, *, conversation: str, member: str) -> Nothing:
        """Remove a member of lower rank from a group."""
        return await self._run("conversations.members.remove", given({"conversation": conversation, "member": member}))

    async def role(self, *, conversation: str, member: str, role: Literal["owner", "admin", "member"]) -> Nothing:
        """Make a member an admin, a plain member, or the owner in your place. An owner must be able to sign in and to
        chat.
        """
        fields = {
            "conversation": conversation,
            "member": member,
            "role": role,
        }
        return await self._run("conversations.members.role", given(fields))


class AsyncConversations(AsyncGroup):
    """The commands `conversations.…`."""

    __slots__ = ()

    async def direct(self, *, with_: str) -> ConversationReply:
        """Find or create the direct conversation with a user."""
        return await self._run("conversations.direct", given({"with": with_}))

    async def create(
        self,
        *,
        title: str,
        members: Sequence[str] = (),
        visibility: Literal["private", "public"] = "private",
        description: str = "",
        history: Literal["all", "since_joining"] | None = None,
        context: ConversationContext | tuple[str, str] | Mapping[str, Any] | None = None,
        idle_days: int | None = None,
        retention_days: int | None = None,
    ) -> ConversationReply:
        """Create a group that you own. New members see all history of a public group, and only later messages of a
        private one, unless `history` says otherwise.

        A group owned by its creator. With `history` since_joining, members see only messages posted after they
        joined.
        """
        fields = {
            "title": title,
            "members": plain(members),
            "visibility": visibility,
            "description": description,
            "history": history,
            "context": record(context, "type", "id"),
            "idle_days": idle_days,
            "retention_days": retention_days,
        }
        return await self._run("conversations.create", given(fields))

    async def find_or_create(
        self,
        *,
        context: ConversationContext | tuple[str, str] | Mapping[str, Any],
        members: Sequence[str] = (),
        title: str | None = None,
    ) -> FoundConversation:
        """Find the group about an object of the embedding program, or create it; two requests at once get the same
        one.

        The operator has one group for each object, and so has each user who asks for one. A user also finds the
        operator's if they take part in it; a group that they have left is not found. Groups created otherwise are
        not found, because any user may give them any context. A group that is found stays as it is: its members do
        not change, and a closed one stays closed. A new one is private and has these members; you own it, or if the
        operator creates it, the first member who can act. The operator must name a member.

        `members` and `title` are for a new group; without a title, it is called by the type and the id.
        """
        fields = {
            "context": record(context, "type", "id"),
            "members": plain(members),
            "title": title,
        }
        return await self._run("conversations.find_or_create", given(fields))

    async def support(
        self,
        *,
        title: str,
        context: ConversationContext | tuple[str, str] | Mapping[str, Any] | None = None,
    ) -> ConversationReply:
        """Create a support conversation with all users who have the permission `support`; they are its admins, you own
        it.

        A private group of the requester and all users with the permission `support`.
        """
        fields = {
            "title": title,
            "context": record(context, "type", "id"),
        }
        return await self._run("conversations.support", given(fields))

    async def close(self, *, conversation: str, reason: Literal["manual", "completed"] = "manual") -> ConversationReply:
        """Close a conversation: it accepts no messages, but can be read and reopened."""
        return await self._run("conversations.close", given({"conversation": conversation, "reason": reason}))

    async def reopen(self, *, conversation: str) -> ConversationReply:
        """Reopen a closed conversation."""
        return await self._run("conversations.reopen", given({"conversation": conversation}))

    async def settings(
        self,
        *,
        conversation: str,
        muted_until: str | None = None,
        notify: Literal["all", "mentions", "none"] | None = None,
        desktop: bool | None = None,
        mobile: bool | None = None,
        sounds: bool | None = None,
        receipts: bool | None = None,
        starred: bool | None = None,
        archived: bool | None = None,
        colour: Literal["", "red", "orange", "yellow", "green", "blue", "purple"] | None = None,
        label: str | None = None,
    ) -> SettingsReply:
        """Change your own settings for a conversation: muting, notifications, star, colour, label, archive, receipts.

        If you hide receipts, others do not see how far you have read until you post. Without any field, returns the
        settings.

        Omitted fields keep their values. An empty time, label or colour removes it.
        """
        fields = {
            "conversation": conversation,
            "muted_until": muted_until,
            "notify": notify,
            "desktop": desktop,
            "mobile": mobile,
            "sounds": sounds,
            "receipts": receipts,
            "starred": starred,
            "archived": archived,
            "colour": colour,
            "label": label,
        }
        return await self._run("conversations.settings", given(fields))

    async def get(self, *, conversation: str) -> ConversationDetails:
        """A conversation, and your membership in it."""
        return await self._run("conversations.get", given({"conversation": conversation}))

    async def update(
        self,
        *,
        conversation: str,
        title: str | None = None,
        description: str | None = None,
        visibility: Literal["private", "public"] | None = None,
        idle_days: int | None = None,
        retention_days: int | None = None,
        avatar: str | None = None,
    ) -> ConversationReply:
        """Change a group's title, description, visibility, idle days or retention; an empty `avatar` removes its
        picture.

        In a direct conversation, both users can change `idle_days` and nothing else.

        Omitted fields keep their values. 0 days disables closing or removal.
        """
        fields = {
            "conversation": conversation,
            "title": title,
            "description": description,
            "visibility": visibility,
            "idle_days": idle_days,
            "retention_days": retention_days,
            "avatar": avatar,
        }
        return await self._run("conversations.update", given(fields))

    async def public(self, *, query: str = "", after: str | None = None, limit: int = 50) -> ConversationPage:
        """Public groups whose title or description contains `query`, ignoring case.

        To filter and sort: `items.query` of `public_conversations`.
        """
        return await self._run("conversations.public", given({"query": query, "after": after, "limit": limit}))

    async def context(
        self,
        *,
        type: str,
        context_id: str | None = None,
        id: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> ConversationPage:
        """Your conversations about an object of the embedding program, by its `type` and `context_id`.

        To filter and sort: `items.query` of `conversations`.

        `context_id` is the object's id; over HTTP `id` is accepted too, which is the request's on a socket. `after`
        takes the last id of the previous page.
        """
        fields = {
            "type": type,
            "context_id": context_id,
            "id": id,
            "after": after,
            "limit": limit,
        }
        return await self._run("conversations.context", given(fields))

    async def join(self, *, conversation: str) -> ConversationReply:
        """Join a public group."""
        return await self._run("conversations.join", given({"conversation": conversation}))

    async def leave(self, *, conversation: str) -> Nothing:
        """Leave a group. When the owner leaves, the longest-serving admin or member who can act becomes owner."""
        return await self._run("conversations.leave", given({"conversation": conversation}))

    @property
    def members(self) -> AsyncConversationsMembers:
        return AsyncConversationsMembers(self._run)


class AsyncMessages(AsyncGroup):
    """The commands `messages.…`."""

    __slots__ = ()

    async def post(
        self,
        *,
        conversation: str,
        cid: str | None = None,
        text: str = "",
        reply_to: str | None = None,
        thread: str | None = None,
        kind: Literal["text", "image", "file", "location", "system"] = "text",
        media: FileRef | Mapping[str, Any] | None = None,
        files: Sequence[FileRef | Mapping[str, Any]] | None = None,
        location: Location | Mapping[str, Any] | None = None,
        system: Notice | Mapping[str, Any] | None = None,
        metadata: Mapping[str, str] | None = None,
        actions: Sequence[Action | Mapping[str, Any]] | None = None,
    ) -> Posted:
        """Post a message. The reply comes when it is on disk; repeating the `cid` returns the same reply.

        A repeat does not count against the limit of messages.

        System messages need the permission `notices.post`, so that users can trust them.

        `thread` is the message whose thread this belongs to. Kinds other than text have a field of their own:
        `files` for image and file, `location`, `system`; `text` is then a caption. `media` is a list `files` of one
        file. `actions` are buttons, which only a bot can post, in a message of kind text.
        """
        fields = {
            "conversation": conversation,
            "cid": cid_or_new(cid),
            "text": text,
            "reply_to": reply_to,
            "thread": thread,
            "kind": kind,
            "media": plain(media),
            "files": plain(files),
            "location": plain(location),
            "system": plain(system),
            "metadata": plain(metadata),
            "actions": plain(actions),
        }
        return await self._run("messages.post", given(fields))

    async def list(
        self,
        *,
        conversation: str,
        before: int | None = None,
        after: int | None = None,
        limit: int = 50,
    ) -> MessagePage:
        """A page of a conversation's history in ascending order: the newest, or before or after a seq.

        To filter and sort: `items.query` of `messages`.

        The newest page, or the page before or after a seq; always in ascending order.
        """
        fields = {
            "conversation": conversation,
            "before": before,
            "after": after,
            "limit": limit,
        }
        return await self._run("messages.list", given(fields))

    async def get(self, *, message: str) -> MessageReply:
        """One message by id."""
        return await self._run("messages.get", given({"message": message}))

    async def edit(
        self,
        *,
        message: str,
        text: str,
        actions: Sequence[Action | Mapping[str, Any]] | None = None,
    ) -> MessageReply:
        """Edit your message; others can see its previous versions.

        Editing a system message needs the permission `notices.post`, like posting one.

        `actions` replace the buttons of a bot's message; omitted, they stay.
        """
        return await self._run("messages.edit", given({"message": message, "text": text, "actions": plain(actions)}))

    async def history(self, *, message: str) -> EditionList:
        """All versions of a message, from the original to the current one.

        Moderators of the node also see those of reported messages.

        To filter and sort: `items.query` of `message_edits`.
        """
        return await self._run("messages.history", given({"message": message}))

    async def delete(
        self,
        *,
        message: str,
        reason: Literal["user_request", "moderation", "abuse", "spam"] = "user_request",
    ) -> MessageReply:
        """Delete a message and all its versions for everyone. A placeholder stays, with the user who deleted it and
        the reason.

        You can delete your own messages and, as owner or admin of a group, those of members of lower rank.
        Moderators of the node can delete every message that they may see or that was reported.

        Moderation, abuse and spam are reasons to delete another user's message.
        """
        return await self._run("messages.delete", given({"message": message, "reason": reason}))

    async def pin(self, *, message: str) -> MessageReply:
        """Pin a message for everyone; in a group, only the owner and admins can."""
        return await self._run("messages.pin", given({"message": message}))

    async def unpin(self, *, message: str) -> MessageReply:
        """Unpin a message."""
        return await self._run("messages.unpin", given({"message": message}))

    async def pinned(self, *, conversation: str) -> MessagePage:
        """The pinned messages of a conversation, most recently pinned first.

        To filter and sort: `items.query` of `messages`.
        """
        return await self._run("messages.pinned", given({"conversation": conversation}))

    async def thread(self, *, message: str, after: int = 0, limit: int = 50) -> MessagePage:
        """A page of a message's thread, in ascending order.

        To filter and sort: `items.query` of `messages`.

        `message` is the thread's first message.
        """
        return await self._run("messages.thread", given({"message": message, "after": after, "limit": limit}))

    async def report(
        self,
        *,
        message: str,
        reason: Literal["abuse", "spam", "illegal", "other"],
        note: str = "",
    ) -> ReportReply:
        """Report a message to the moderators, who can then read it with `reports.list` and `messages.history`."""
        return await self._run("messages.report", given({"message": message, "reason": reason, "note": note}))


class AsyncReports(AsyncGroup):
    """The commands `reports.…`."""

    __slots__ = ()

    async def list(self, *, resolved: bool = False, after: int | None = None, limit: int = 50) -> ReportPage:
        """Open or resolved reports.

        To filter and sort: `items.query` of `reports`.

        Open reports, newest first; `after` takes the last number of the previous page.
        """
        return await self._run("reports.list", given({"resolved": resolved, "after": after, "limit": limit}))

    async def resolve(self, *, report: int, resolution: str) -> Nothing:
        """Resolve a report, and record what was done."""
        return await self._run("reports.resolve", given({"report": report, "resolution": resolution}))


class AsyncReceipts(AsyncGroup):
    """The commands `receipts.…`."""

    __slots__ = ()

    async def read(self, *, conversation: str, seq: int) -> Marked:
        """Mark everything up to `seq` as read."""
        return await self._run("receipts.read", given({"conversation": conversation, "seq": seq}))

    async def delivered(self, *, conversation: str, seq: int) -> Marked:
        """Mark everything up to `seq` as delivered to this device."""
        return await self._run("receipts.delivered", given({"conversation": conversation, "seq": seq}))

    async def read_all(self, *, conversations: Sequence[str] | None = None) -> AllMarked:
        """Mark everything as read, in all your conversations or in those given.

        The conversations to mark as read; omitted: all.
        """
        return await self._run("receipts.read_all", given({"conversations": plain(conversations)}))

    async def list(self, *, message: str) -> ReceiptList:
        """Who received and read a message, and when.

        To filter and sort: `items.query` of `message_reads`.
        """
        return await self._run("receipts.list", given({"message": message}))


class AsyncRetention(AsyncGroup):
    """The commands `retention.…`."""

    __slots__ = ()

    async def list(self, *, after: int | None = None, limit: int = 50) -> RemovalPage:
        """Receipts of what retention removed, newest first.

        To filter and sort: `items.query` of `removals`.
        """
        return await self._run("retention.list", given({"after": after, "limit": limit}))


class AsyncInbox(AsyncGroup):
    """The commands `inbox.…`."""

    __slots__ = ()

    async def list(
        self,
        *,
        limit: int = 50,
        after: int | None = None,
        unread: bool = False,
        archived: bool | None = None,
        starred: bool | None = None,
    ) -> InboxPage:
        """Your conversations, latest activity first, with last message, unread and mention counts.

        To filter and sort: `items.query` of `conversations`.

        `unread`: only conversations with unread messages. `archived`, `starred`: only those that are, or are not.
        """
        fields = {
            "limit": limit,
            "after": after,
            "unread": unread,
            "archived": archived,
            "starred": starred,
        }
        return await self._run("inbox.list", given(fields))


class AsyncItems(AsyncGroup):
    """The commands `items.…`."""

    __slots__ = ()

    async def query(
        self,
        *,
        collection: str,
        filter: Mapping[str, Any] | None = None,
        sort: str = "",
        limit: int = 50,
        after: str | None = None,
        group_by: str = "",
        fields: str = "",
    ) -> ItemsReply:
        """The rows of a collection that you may see, filtered and sorted, or counted in groups (see filters.md).

        Also `GET /items/<collection>`, with the other fields in the query.

        `filter` is described in docs/filters.md. `sort`, `group_by` and `fields` are comma-separated names of
        fields; a `-` before a sort field means descending.
        """
        values = {
            "collection": collection,
            "filter": plain(filter),
            "sort": sort,
            "limit": limit,
            "after": after,
            "group_by": group_by,
            "fields": fields,
        }
        return await self._run("items.query", given(values))


class AsyncPresence(AsyncGroup):
    """The commands `presence.…`."""

    __slots__ = ()

    async def get(self, *, people: Sequence[str]) -> PresenceList:
        """Users' presence, in order of handles. Users with whom you share no conversation, or whose presence you may
        not see, are left out.
        """
        return await self._run("presence.get", given({"people": plain(people)}))

    async def status(
        self,
        *,
        text: str | None = None,
        emoji: str | None = None,
        seconds: int | None = None,
    ) -> PresenceOf:
        """Set your status: a text, an emoji or both, for some time or until you change it.

        Text, emoji or both; neither clears the status. It ends after `seconds`, if given.
        """
        return await self._run("presence.status", given({"text": text, "emoji": emoji, "seconds": seconds}))

    async def visible(self, *, visible: bool) -> Visible:
        """Show or hide from others when you are online and active, your status, and that you are typing (default:
        shown).
        """
        return await self._run("presence.visible", given({"visible": visible}))

    async def history(
        self,
        *,
        person: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> PresenceHistory:
        """Your presence history, if the node keeps it. With the permission to operate the node, any user's.

        To filter and sort: `items.query` of `presence_history`.

        The newest changes, or those before an `entry`; of the requester unless `person` is given.
        """
        return await self._run("presence.history", given({"person": person, "before": before, "limit": limit}))


class AsyncTyping(AsyncGroup):
    """The commands `typing.…`."""

    __slots__ = ()

    async def __call__(self, *, conversation: str, stop: bool = False) -> TypingSaid:
        """Show that you are typing in a conversation; repeat it while you do. Posting or `stop` ends it."""
        return await self._run("typing", given({"conversation": conversation, "stop": stop}))

    async def list(self, *, conversation: str) -> TypistList:
        """Other users who are typing in a conversation now."""
        return await self._run("typing.list", given({"conversation": conversation}))


class AsyncSearch(AsyncGroup):
    """The commands `search.…`."""

    __slots__ = ()

    async def messages(
        self,
        *,
        query: str,
        conversation: str | None = None,
        limit: int = 20,
        after: str | None = None,
    ) -> SearchPage:
        """Messages that you may see and that match `query`, newest first.

        `docs/search.md` describes the query language.

        `query` has words, "quoted phrases", prefixes*, -excluded words, and operators: `from:ann`, `in:garden`,
        `before:2026-01-31`, `after:2026-01-31`, `has:link`. `conversation` is the same as `in:` with its id.
        """
        fields = {
            "query": query,
            "conversation": conversation,
            "limit": limit,
            "after": after,
        }
        return await self._run("search.messages", given(fields))


class AsyncImport(AsyncGroup):
    """The commands `import.…`."""

    __slots__ = ()

    async def conversation(
        self,
        *,
        source: str,
        key: str,
        title: str,
        description: str = "",
        join: bool = True,
        unique: Literal["source", "conversation"] = "source",
        sample: Sequence[str] = (),
    ) -> ImportedConversationReply:
        """Find or create the public group for an imported conversation.

        A public group for imported messages, identified by `source` and `key`.

        `source` is the kind of source, or kind and place: `irc`, `irc.libera`. `sample` has ids of some messages.
        Where ids are `unique` only in their conversation, they identify a conversation whose place was unknown then
        or is unknown now.
        """
        fields = {
            "source": source,
            "key": key,
            "title": title,
            "description": description,
            "join": join,
            "unique": unique,
            "sample": plain(sample),
        }
        return await self._run("import.conversation", given(fields))

    async def missing(
        self,
        *,
        source: str,
        key: str,
        items: Sequence[ImportHead | Mapping[str, Any]],
        unique: Literal["source", "conversation"] = "source",
        formerly: Sequence[str] = (),
        sample: Sequence[str] = (),
    ) -> Missing:
        """List the messages of a conversation that were never imported, so that only those need to be prepared.

        Authors who were renamed in the source since the last import are renamed here too.
        """
        fields = {
            "source": source,
            "key": key,
            "items": plain(items),
            "unique": unique,
            "formerly": plain(formerly),
            "sample": plain(sample),
        }
        return await self._run("import.missing", given(fields))

    async def messages(
        self,
        *,
        conversation: str,
        source: str,
        items: Sequence[ImportItem | Mapping[str, Any]],
        unique: Literal["source", "conversation"] = "source",
        formerly: Sequence[str] = (),
    ) -> Imported:
        """Append the messages that were never imported before, in their order.

        Messages removed here since their import stay removed.

        `unique`: whether ids are unique in the whole source, or only in each of its conversations.

        `formerly` are keys of conversations into which messages of this one may have been imported before.
        """
        fields = {
            "conversation": conversation,
            "source": source,
            "items": plain(items),
            "unique": unique,
            "formerly": plain(formerly),
        }
        return await self._run("import.messages", given(fields))


class AsyncNode(AsyncGroup):
    """The commands `node.…`."""

    __slots__ = ()

    async def info(self) -> NodeInfo:
        """The node's name and version, and whether it waits for its first administrator."""
        return await self._run("node.info", {})

    async def address(self) -> NodeAddress:
        """The URL at which programs on the node's own machine reach its port. Users may know it by another one, the
        setting `server.public_url`.
        """
        return await self._run("node.address", {})

    async def check(self, *, deep: bool = False) -> Checked:
        """Check the database with SQLite's own checks and chatnode's, and whether the files of plugins are there.

        `deep`: also read all files of plugins and compare their hashes, which may take hours.
        """
        return await self._run("node.check", given({"deep": deep}))

    async def repair(self) -> Repaired:
        """Rebuild derived data (heads, counts, mentions, marks, threads) in one transaction; other writes wait.

        Groups whose owner cannot act get a new owner. Then rebuild the search index if it is damaged, and let
        plugins repair what is theirs; writes continue.
        """
        return await self._run("node.repair", {})

    async def statistics(self) -> NodeStatistics:
        """Counts of users, conversations and messages."""
        return await self._run("node.statistics", {})


class AsyncJobs(AsyncGroup):
    """The commands `jobs.…`."""

    __slots__ = ()

    async def list(self) -> JobList:
        """The node's jobs: how often they run, and the outcome of the last run.

        To filter and sort: `items.query` of `jobs`.
        """
        return await self._run("jobs.list", {})

    async def run(self, *, job: str) -> JobReply:
        """Run a job now, regardless of its schedule; returns the outcome."""
        return await self._run("jobs.run", given({"job": job}))


class AsyncPlugins(AsyncGroup):
    """The commands `plugins.…`."""

    __slots__ = ()

    async def list(self) -> PluginList:
        """Installed plugins: whether they run, why not, and how often they failed."""
        return await self._run("plugins.list", {})

    async def consumers(self) -> ConsumerList:
        """The position in the log of each plugin's consumers, and what they fail on now.

        Those of the program that the node is embedded in are listed too, while they run, with the plugin
        `(program)`.
        """
        return await self._run("plugins.consumers", {})

    async def set_aside(
        self,
        *,
        plugin: str | None = None,
        consumer: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> SetAsidePage:
        """Rows of the log that consumers set aside after repeated failures, newest first.

        `before` is the number of the last entry of the previous page.
        """
        fields = {
            "plugin": plugin,
            "consumer": consumer,
            "before": before,
            "limit": limit,
        }
        return await self._run("plugins.set_aside", given(fields))

    async def replay(self, *, plugin: str, consumer: str, gid: int) -> ConsumerReplays:
        """Move a consumer back to read the log again, or forward to skip rows.

        It processes rows again that it has already processed.

        `gid`: the consumer continues with the rows after this one; 0 means from the first row.
        """
        return await self._run("plugins.replay", given({"plugin": plugin, "consumer": consumer, "gid": gid}))

    async def retry(self, *, entry: int) -> RowRetried:
        """Retry a row that a consumer set aside; if it succeeds, it is removed from the list."""
        return await self._run("plugins.retry", given({"entry": entry}))

    async def dismiss(self, *, entry: int) -> Nothing:
        """Remove a row from the list of those set aside; its consumer skips it for good."""
        return await self._run("plugins.dismiss", given({"entry": entry}))

    async def enable(self, *, plugin: str) -> PluginSwitched:
        """Enable a plugin after the next restart."""
        return await self._run("plugins.enable", given({"plugin": plugin}))

    async def disable(self, *, plugin: str) -> PluginSwitched:
        """Disable a plugin after the next restart; its data is kept."""
        return await self._run("plugins.disable", given({"plugin": plugin}))

    async def drop(self, *, plugin: str, confirm: str) -> PluginDropped:
        """Delete all data of a plugin that is not running: its tables and its files. Only a backup can bring it back.

        If it is still installed, it stays disabled.

        `confirm` repeats the plugin's name.
        """
        return await self._run("plugins.drop", given({"plugin": plugin, "confirm": confirm}))

    async def export(
        self,
        *,
        plugin: str,
        table: str | None = None,
        after: int | None = None,
        limit: int = 500,
    ) -> PluginRows:
        """Rows of a plugin's tables as they are stored, page by page.

        Only for the operator, because plugins may store data that nobody else may read.

        Without `table`, lists only the names of its tables. `after` is the `next` of the previous page.
        """
        fields = {
            "plugin": plugin,
            "table": table,
            "after": after,
            "limit": limit,
        }
        return await self._run("plugins.export", given(fields))


class AsyncBackup(AsyncGroup):
    """The commands `backup.…`."""

    __slots__ = ()

    async def create(self) -> BackupReply:
        """Make a backup in the node's backup directory now, and delete old backups as configured."""
        return await self._run("backup.create", {})


class AsyncWork(AsyncGroup):
    """The commands `work.…`."""

    __slots__ = ()

    async def list(
        self,
        *,
        status: Literal["waiting", "running", "paused", "done", "failed", "cancelled"] | None = None,
        kind: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> WorkPage:
        """Your work items, newest first; users who may operate the node see all of them.

        To filter and sort: `items.query` of `work`.

        Only work items with this status or of this kind. `before` takes the `next` of the previous page.
        """
        return await self._run("work.list", given({"status": status, "kind": kind, "before": before, "limit": limit}))

    async def get(self, *, work: str) -> WorkReply:
        """One of your work items, or with the permission to operate the node, any one: its status, progress and
        result.
        """
        return await self._run("work.get", given({"work": work}))

    async def pause(self, *, work: str) -> WorkReply:
        """Pause a work item; nothing more of it is written after that. `work.resume` continues where it stopped."""
        return await self._run("work.pause", given({"work": work}))

    async def resume(self, *, work: str) -> WorkReply:
        """Resume a paused work item, or retry a failed one, from its last checkpoint."""
        return await self._run("work.resume", given({"work": work}))

    async def cancel(self, *, work: str) -> WorkReply:
        """Cancel a work item. What it has written is kept, and nothing more is written."""
        return await self._run("work.cancel", given({"work": work}))


class AsyncBotsCommands(AsyncGroup):
    """The commands `bots.commands.…`."""

    __slots__ = ()

    async def set(self, *, commands: Sequence[BotCommand | Mapping[str, Any]]) -> BotCommandList:
        """For a bot: offer these slash commands, and no others, in every conversation that you take part in.

        When a user runs one, you get the event `slash.invoked`.

        All commands that the bot offers from now on.
        """
        return await self._run("bots.commands.set", given({"commands": plain(commands)}))


class AsyncBots(AsyncGroup):
    """The commands `bots.…`."""

    __slots__ = ()

    async def create(self, *, handle: str, name: str | None = None) -> BotReply:
        """Create a bot of your own, up to `bots.per_person` of the settings.

        It takes part where members add it. While your account is deactivated the bot is paused, and if your account
        is erased the bot ends. Creating it again with the same handle and name returns the bot that you have.
        """
        return await self._run("bots.create", given({"handle": handle, "name": name}))

    async def list(self, *, owner: str | None = None) -> BotList:
        """Your bots, with the commands that they offer; with the permission to manage people, those of another user.

        `owner` other than the requester needs the permission to manage people.
        """
        return await self._run("bots.list", given({"owner": owner}))

    async def remove(self, *, bot: str) -> Nothing:
        """End one of your bots: it is signed out and cannot act any more. What it posted stays."""
        return await self._run("bots.remove", given({"bot": bot}))

    async def token(
        self,
        *,
        bot: str,
        label: str | None = None,
        days: int | None = None,
        scopes: Sequence[str] = ("chat",),
        replace: bool = False,
    ) -> TokenReply:
        """Create a token for one of your bots, which is shown only once.

        Its scopes are `chat` unless you name others, which you need to have yourself. Your bots, whatever their
        scopes, see in lists only users with whom they share a conversation. `replace` ends the tokens that the bot
        has had so far.

        `scopes` are as for `tokens.create`. `replace`: sign the bot out of its earlier tokens.
        """
        fields = {
            "bot": bot,
            "label": label,
            "days": days,
            "scopes": plain(scopes),
            "replace": replace,
        }
        return await self._run("bots.token", given(fields))

    @property
    def commands(self) -> AsyncBotsCommands:
        return AsyncBotsCommands(self._run)


class AsyncSlash(AsyncGroup):
    """The commands `slash.…`."""

    __slots__ = ()

    async def list(self, *, conversation: str) -> OfferedCommands:
        """The slash commands that you can run in a conversation: those of plugins, and of the bots that take part.

        Where several have the same name, each has its long form, `/plugin:name` or `/name@bot`; the long forms
        always work.
        """
        return await self._run("slash.list", given({"conversation": conversation}))

    async def run(self, *, conversation: str, text: str, cid: str | None = None) -> SlashRan:
        """Run a slash command, `/name` and what follows. Repeating the `cid` within a day returns the same reply.

        A plugin answers in the reply. A bot gets the event `slash.invoked`, and its answers are messages, or
        private notices (the event `notice.private`); if it does not answer, a notice says so.

        `text` is what the user typed, such as `/deploy main`.
        """
        return await self._run("slash.run", given({"conversation": conversation, "text": text, "cid": cid_or_new(cid)}))

    async def reply(
        self,
        *,
        invocation: str,
        text: str,
        visible: Literal["all", "only_you"] = "only_you",
        cid: str | None = None,
        actions: Sequence[Action | Mapping[str, Any]] | None = None,
    ) -> SlashReplied:
        """For a bot: answer a slash command or a button, within `bots.reply_minutes` and up to `bots.replies` times.

        The answer is a notice that only the user sees, or a message of the bot, which may have buttons.

        `only_you` is for the user who invoked it. With a `cid`, repeating the reply changes nothing.
        """
        fields = {
            "invocation": invocation,
            "text": text,
            "visible": visible,
            "cid": cid,
            "actions": plain(actions),
        }
        return await self._run("slash.reply", given(fields))


class AsyncActions(AsyncGroup):
    """The commands `actions.…`."""

    __slots__ = ()

    async def invoke(self, *, message: str, action: str, cid: str | None = None) -> ActionInvocation:
        """Press a button of a bot's message. Repeating the `cid` within a day does not press it again.

        The bot gets the event `action.invoked`. It may edit its message, or answer with `slash.reply`.

        `action` is the id of a button of the message.
        """
        return await self._run("actions.invoke", given({"message": message, "action": action, "cid": cid_or_new(cid)}))


class AsyncCertificate(AsyncGroup):
    """The commands `certificate.…`."""

    __slots__ = ()

    async def status(self) -> CertificateStatus:
        """The certificate of the node's port, when it is renewed, and what is wrong with it."""
        return await self._run("certificate.status", {})

    async def issue(self, *, dry_run: bool = False) -> CertificateReply:
        """Obtain a certificate now, even if the current one is not due; new connections get it at once.

        The authority connects to the node's port, so the node must serve.

        `dry_run`: with the directory `acme.staging`; its certificate is not used.
        """
        return await self._run("certificate.issue", given({"dry_run": dry_run}))

    async def revoke(
        self,
        *,
        reason: Literal["unspecified", "key_compromise", "superseded", "cessation_of_operation"] = "unspecified",
    ) -> CertificateReply:
        """Revoke the certificate in use, because its key is not secret any more, for example.

        A node that serves obtains a new one at once, with a new key. Until then the revoked one stays in use.
        """
        return await self._run("certificate.revoke", given({"reason": reason}))


class AsyncCalls(AsyncGroup):
    """All commands, by their groups."""

    __slots__ = ()

    @property
    def sessions(self) -> AsyncSessions:
        return AsyncSessions(self._run)

    @property
    def tokens(self) -> AsyncTokens:
        return AsyncTokens(self._run)

    @property
    def invites(self) -> AsyncInvites:
        return AsyncInvites(self._run)

    @property
    def setup(self) -> AsyncSetup:
        return AsyncSetup(self._run)

    @property
    def people(self) -> AsyncPeople:
        return AsyncPeople(self._run)

    @property
    def roles(self) -> AsyncRoles:
        return AsyncRoles(self._run)

    @property
    def audit(self) -> AsyncAudit:
        return AsyncAudit(self._run)

    @property
    def conversations(self) -> AsyncConversations:
        return AsyncConversations(self._run)

    @property
    def messages(self) -> AsyncMessages:
        return AsyncMessages(self._run)

    @property
    def reports(self) -> AsyncReports:
        return AsyncReports(self._run)

    @property
    def receipts(self) -> AsyncReceipts:
        return AsyncReceipts(self._run)

    @property
    def retention(self) -> AsyncRetention:
        return AsyncRetention(self._run)

    @property
    def inbox(self) -> AsyncInbox:
        return AsyncInbox(self._run)

    @property
    def items(self) -> AsyncItems:
        return AsyncItems(self._run)

    @property
    def presence(self) -> AsyncPresence:
        return AsyncPresence(self._run)

    @property
    def typing(self) -> AsyncTyping:
        return AsyncTyping(self._run)

    @property
    def search(self) -> AsyncSearch:
        return AsyncSearch(self._run)

    @property
    def import_(self) -> AsyncImport:
        return AsyncImport(self._run)

    @property
    def node(self) -> AsyncNode:
        return AsyncNode(self._run)

    @property
    def jobs(self) -> AsyncJobs:
        return AsyncJobs(self._run)

    @property
    def plugins(self) -> AsyncPlugins:
        return AsyncPlugins(self._run)

    @property
    def backup(self) -> AsyncBackup:
        return AsyncBackup(self._run)

    @property
    def work(self) -> AsyncWork:
        return AsyncWork(self._run)

    @property
    def bots(self) -> AsyncBots:
        return AsyncBots(self._run)

    @property
    def slash(self) -> AsyncSlash:
        return AsyncSlash(self._run)

    @property
    def actions(self) -> AsyncActions:
        return AsyncActions(self._run)

    @property
    def certificate(self) -> AsyncCertificate:
        return AsyncCertificate(self._run)


class BlockingSessions(BlockingGroup):
    """The commands `sessions.…`."""

    __slots__ = ()

    def create(self, *, handle: str, password: str, device: str | None = None) -> SignedIn:
        """Sign in with handle and password; returns a token for this device."""
        return self._run("sessions.create", given({"handle": handle, "password": password, "device": device}))

    def list(self) -> SessionList:
        """Your signed-in devices and API tokens.

        To filter and sort: `items.query` of `sessions`.
        """
        return self._run("sessions.list", {})

    def rename(self, *, session: int, label: str) -> Nothing:
        """Rename one of your devices or tokens."""
        return self._run("sessions.rename", given({"session": session, "label": label}))

    def revoke(self, *, session: int) -> Revoked:
        """Sign out one of your devices or tokens; its live connections end at once."""
        return self._run("sessions.revoke", given({"session": session}))

    def revoke_others(self) -> Revoked:
        """Sign out all your other devices and tokens."""
        return self._run("sessions.revoke_others", {})


class BlockingTokens(BlockingGroup):
    """The commands `tokens.…`."""

    __slots__ = ()

    def create(
        self,
        *,
        person: str | None = None,
        label: str | None = None,
        days: int | None = None,
        scopes: Sequence[str] | None = None,
    ) -> TokenReply:
        """Create an API token for yourself or, with the permission to manage people, for another user.

        A token can create only tokens with the same or fewer scopes that expire no later than itself. No token can
        do more than its owner's role.

        A token for programs. A `person` other than the requester needs the permission to manage people.

        `scopes` are permissions, or `<permission>:read` for reading only; without them it can do everything its
        owner can.
        """
        fields = {
            "person": person,
            "label": label,
            "days": days,
            "scopes": plain(scopes),
        }
        return self._run("tokens.create", given(fields))


class BlockingInvites(BlockingGroup):
    """The commands `invites.…`."""

    __slots__ = ()

    def create(self, *, uses: int = 1, days: int | None = None, conversations: Sequence[str] = ()) -> InviteReply:
        """Create a link for a new user to create an account and join the given conversations.

        A link that creates up to `uses` accounts, each joining `conversations`.
        """
        return self._run("invites.create", given({"uses": uses, "days": days, "conversations": plain(conversations)}))

    def list(self) -> InviteList:
        """Invites that can still be used.

        To filter and sort: `items.query` of `invites`.
        """
        return self._run("invites.list", {})

    def revoke(self, *, invite: int) -> Revoked:
        """Revoke an invite."""
        return self._run("invites.revoke", given({"invite": invite}))

    def accept(
        self,
        *,
        code: str,
        handle: str,
        password: str,
        name: str | None = None,
        device: str | None = None,
    ) -> SignedIn:
        """Create an account with an invite or set-up link, and sign in.

        `not_joined` lists the groups of the invite that the new account could not join, for example because they
        are full.
        """
        fields = {
            "code": code,
            "handle": handle,
            "password": password,
            "name": name,
            "device": device,
        }
        return self._run("invites.accept", given(fields))


class BlockingSetup(BlockingGroup):
    """The commands `setup.…`."""

    __slots__ = ()

    def create(self) -> SetupReply:
        """Create a link for the first administrator; it replaces earlier links."""
        return self._run("setup.create", {})


class BlockingPeople(BlockingGroup):
    """The commands `people.…`."""

    __slots__ = ()

    def create(
        self,
        *,
        handle: str,
        name: str | None = None,
        password: str | None = None,
        admin: bool = False,
        bot: bool = False,
    ) -> PersonReply:
        """Create an account.

        An account created by an administrator. Without a password it can only be used with tokens; a bot never has
        one.
        """
        fields = {
            "handle": handle,
            "name": name,
            "password": password,
            "admin": admin,
            "bot": bot,
        }
        return self._run("people.create", given(fields))

    def me(self) -> Me:
        """Your own profile, role and permissions."""
        return self._run("people.me", {})

    def get(self, *, person: str) -> PersonReply:
        """A user's profile, by handle or id."""
        return self._run("people.get", given({"person": person}))

    def list(self, *, prefix: str = "", after: str | None = None, limit: int = 50) -> PersonPage:
        """Users whose handle begins with `prefix`, in order of handles.

        To filter and sort: `items.query` of `people`.
        """
        return self._run("people.list", given({"prefix": prefix, "after": after, "limit": limit}))

    def update(self, *, name: str | None = None, avatar: str | None = None) -> PersonReply:
        """Change your name, or remove your avatar with an empty one. Addresses of pictures are not accepted."""
        return self._run("people.update", given({"name": name, "avatar": avatar}))

    def password(self, *, new: str, old: str | None = None, person: str | None = None) -> Revoked:
        """Change a password and sign out the user's other devices and tokens.

        `old` is optional only for another user's password, with the permission to manage people.
        """
        return self._run("people.password", given({"new": new, "old": old, "person": person}))

    def sessions(self, *, person: str) -> SessionList:
        """A user's signed-in devices and API tokens, with their last use.

        To filter and sort: `items.query` of `account_sessions`.
        """
        return self._run("people.sessions", given({"person": person}))

    def sign_out(self, *, person: str, session: int | None = None) -> Revoked:
        """Sign a user out of one session or of all; live connections end at once.

        Without `session`, signs out all sessions.
        """
        return self._run("people.sign_out", given({"person": person, "session": session}))

    def deactivate(self, *, person: str | None = None, password: str | None = None) -> PersonReply:
        """Deactivate an account: it is signed out everywhere and cannot sign in until it is reactivated.

        Your own account needs your password; others need the permission to manage people. Messages and memberships
        stay.

        Without `person`, deactivates the requester, with `password` if they have one.
        """
        return self._run("people.deactivate", given({"person": person, "password": password}))

    def reactivate(self, *, person: str) -> PersonReply:
        """Reactivate a deactivated account; its password works as before, and devices must sign in again."""
        return self._run("people.reactivate", given({"person": person}))

    def reset_link(self, *, person: str) -> ResetReply:
        """Create a one-time link for a user to set a new password. It replaces an earlier link."""
        return self._run("people.reset_link", given({"person": person}))

    def reset_password(self, *, code: str, password: str) -> PasswordReset:
        """Set a new password with a reset link; all devices and tokens are signed out."""
        return self._run("people.reset_password", given({"code": code, "password": password}))

    def role(self, *, person: str, role: str) -> PersonReply:
        """Change a user's role on the node; neither the old nor the new role may have permissions that you lack."""
        return self._run("people.role", given({"person": person, "role": role}))

    def block(self, *, person: str) -> Nothing:
        """Block a user: your direct conversation is closed, and neither of you can add the other to a group."""
        return self._run("people.block", given({"person": person}))

    def unblock(self, *, person: str) -> Nothing:
        """Unblock a user; the direct conversation that the block closed is reopened."""
        return self._run("people.unblock", given({"person": person}))

    def blocked(self) -> PersonPage:
        """Users you have blocked.

        To filter and sort: `items.query` of `blocks`.
        """
        return self._run("people.blocked", {})

    def export(self, *, person: str | None = None, after: str | None = None, limit: int = 200) -> ExportPage:
        """Everything the node stores about you or, with the permission to manage people, about another user; page by
        page.

        `after` is the `next` of the previous page.
        """
        return self._run("people.export", given({"person": person, "after": after, "limit": limit}))

    def erase(self, *, handle: str, person: str | None = None, password: str | None = None) -> Erased:
        """Erase an account permanently: profile, sessions, settings and all its messages.

        Messages leave tombstones, and direct conversations keep two members, under a made-up handle. Returns a
        receipt of what was removed, and whether any of it is still in the files.

        `handle` repeats the account's handle. Without `person`, erases the requester, with their password.
        """
        return self._run("people.erase", given({"handle": handle, "person": person, "password": password}))

    def adopt(self, *, author: str, person: str | None = None, dry_run: bool = False) -> Adopted:
        """Hand an imported author over to a user, with messages, mentions, reactions and memberships.

        Without `person`, the author becomes an account of its own, for a user who has none yet. Later imports go to
        the user too. This cannot be undone; blocks of the author end.

        `author` is the handle or id of an imported author. Without `person`, it becomes an account of its own.

        `dry_run`: change nothing, only count.
        """
        return self._run("people.adopt", given({"author": author, "person": person, "dry_run": dry_run}))


class BlockingRoles(BlockingGroup):
    """The commands `roles.…`."""

    __slots__ = ()

    def list(self) -> RoleList:
        """All roles and all permissions."""
        return self._run("roles.list", {})

    def set(self, *, role: str, permissions: Sequence[str]) -> Nothing:
        """Create a role or replace its permissions; takes effect at once for every account with it.

        You can add and remove only permissions that you have yourself. `admin` cannot be changed.

        A new role, or the new permissions of an existing one.
        """
        return self._run("roles.set", given({"role": role, "permissions": plain(permissions)}))

    def delete(self, *, role: str) -> Nothing:
        """Delete a role that no account has."""
        return self._run("roles.delete", given({"role": role}))


class BlockingAudit(BlockingGroup):
    """The commands `audit.…`."""

    __slots__ = ()

    def list(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        target: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> AuditPage:
        """What administrators, moderators and the operator did, newest first.

        To filter and sort: `items.query` of `audit`.

        `target` is a public id or a handle; `before` is the number of the last entry of the previous page.
        """
        fields = {
            "actor": actor,
            "action": action,
            "target": target,
            "before": before,
            "limit": limit,
        }
        return self._run("audit.list", given(fields))


class BlockingConversationsMembers(BlockingGroup):
    """The commands `conversations.members.…`."""

    __slots__ = ()

    def list(self, *, conversation: str, after: str | None = None, limit: int = 100) -> MemberPage:
        """The members of a conversation, with their delivered and read marks.

        To filter and sort: `items.query` of `chat_participants`.
        """
        fields = {
            "conversation": conversation,
            "after": after,
            "limit": limit,
        }
        return self._run("conversations.members.list", given(fields))

    def add(self, *, conversation: str, member: str) -> Nothing:
        """Add a member to a group.

        In a group without any member who can act, a user with the permission `people.manage` does so; the new
        member then owns the group.
        """
        return self._run("conversations.members.add", given({"conversation": conversation, "member": member}))

    def remove(self, *, conversation: str, member: str) -> Nothing:
        """Remove a member of lower rank from a group."""
        return self._run("conversations.members.remove", given({"conversation": conversation, "member": member}))

    def role(self, *, conversation: str, member: str, role: Literal["owner", "admin", "member"]) -> Nothing:
        """Make a member an admin, a plain member, or the owner in your place. An owner must be able to sign in and to
        chat.
        """
        fields = {
            "conversation": conversation,
            "member": member,
            "role": role,
        }
        return self._run("conversations.members.role", given(fields))


class BlockingConversations(BlockingGroup):
    """The commands `conversations.…`."""

    __slots__ = ()

    def direct(self, *, with_: str) -> ConversationReply:
        """Find or create the direct conversation with a user."""
        return self._run("conversations.direct", given({"with": with_}))

    def create(
        self,
        *,
        title: str,
        members: Sequence[str] = (),
        visibility: Literal["private", "public"] = "private",
        description: str = "",
        history: Literal["all", "since_joining"] | None = None,
        context: ConversationContext | tuple[str, str] | Mapping[str, Any] | None = None,
        idle_days: int | None = None,
        retention_days: int | None = None,
    ) -> ConversationReply:
        """Create a group that you own. New members see all history of a public group, and only later messages of a
        private one, unless `history` says otherwise.

        A group owned by its creator. With `history` since_joining, members see only messages posted after they
        joined.
        """
        fields = {
            "title": title,
            "members": plain(members),
            "visibility": visibility,
            "description": description,
            "history": history,
            "context": record(context, "type", "id"),
            "idle_days": idle_days,
            "retention_days": retention_days,
        }
        return self._run("conversations.create", given(fields))

    def find_or_create(
        self,
        *,
        context: ConversationContext | tuple[str, str] | Mapping[str, Any],
        members: Sequence[str] = (),
        title: str | None = None,
    ) -> FoundConversation:
        """Find the group about an object of the embedding program, or create it; two requests at once get the same
        one.

        The operator has one group for each object, and so has each user who asks for one. A user also finds the
        operator's if they take part in it; a group that they have left is not found. Groups created otherwise are
        not found, because any user may give them any context. A group that is found stays as it is: its members do
        not change, and a closed one stays closed. A new one is private and has these members; you own it, or if the
        operator creates it, the first member who can act. The operator must name a member.

        `members` and `title` are for a new group; without a title, it is called by the type and the id.
        """
        fields = {
            "context": record(context, "type", "id"),
            "members": plain(members),
            "title": title,
        }
        return self._run("conversations.find_or_create", given(fields))

    def support(
        self,
        *,
        title: str,
        context: ConversationContext | tuple[str, str] | Mapping[str, Any] | None = None,
    ) -> ConversationReply:
        """Create a support conversation with all users who have the permission `support`; they are its admins, you own
        it.

        A private group of the requester and all users with the permission `support`.
        """
        return self._run("conversations.support", given({"title": title, "context": record(context, "type", "id")}))

    def close(self, *, conversation: str, reason: Literal["manual", "completed"] = "manual") -> ConversationReply:
        """Close a conversation: it accepts no messages, but can be read and reopened."""
        return self._run("conversations.close", given({"conversation": conversation, "reason": reason}))

    def reopen(self, *, conversation: str) -> ConversationReply:
        """Reopen a closed conversation."""
        return self._run("conversations.reopen", given({"conversation": conversation}))

    def settings(
        self,
        *,
        conversation: str,
        muted_until: str | None = None,
        notify: Literal["all", "mentions", "none"] | None = None,
        desktop: bool | None = None,
        mobile: bool | None = None,
        sounds: bool | None = None,
        receipts: bool | None = None,
        starred: bool | None = None,
        archived: bool | None = None,
        colour: Literal["", "red", "orange", "yellow", "green", "blue", "purple"] | None = None,
        label: str | None = None,
    ) -> SettingsReply:
        """Change your own settings for a conversation: muting, notifications, star, colour, label, archive, receipts.

        If you hide receipts, others do not see how far you have read until you post. Without any field, returns the
        settings.

        Omitted fields keep their values. An empty time, label or colour removes it.
        """
        fields = {
            "conversation": conversation,
            "muted_until": muted_until,
            "notify": notify,
            "desktop": desktop,
            "mobile": mobile,
            "sounds": sounds,
            "receipts": receipts,
            "starred": starred,
            "archived": archived,
            "colour": colour,
            "label": label,
        }
        return self._run("conversations.settings", given(fields))

    def get(self, *, conversation: str) -> ConversationDetails:
        """A conversation, and your membership in it."""
        return self._run("conversations.get", given({"conversation": conversation}))

    def update(
        self,
        *,
        conversation: str,
        title: str | None = None,
        description: str | None = None,
        visibility: Literal["private", "public"] | None = None,
        idle_days: int | None = None,
        retention_days: int | None = None,
        avatar: str | None = None,
    ) -> ConversationReply:
        """Change a group's title, description, visibility, idle days or retention; an empty `avatar` removes its
        picture.

        In a direct conversation, both users can change `idle_days` and nothing else.

        Omitted fields keep their values. 0 days disables closing or removal.
        """
        fields = {
            "conversation": conversation,
            "title": title,
            "description": description,
            "visibility": visibility,
            "idle_days": idle_days,
            "retention_days": retention_days,
            "avatar": avatar,
        }
        return self._run("conversations.update", given(fields))

    def public(self, *, query: str = "", after: str | None = None, limit: int = 50) -> ConversationPage:
        """Public groups whose title or description contains `query`, ignoring case.

        To filter and sort: `items.query` of `public_conversations`.
        """
        return self._run("conversations.public", given({"query": query, "after": after, "limit": limit}))

    def context(
        self,
        *,
        type: str,
        context_id: str | None = None,
        id: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> ConversationPage:
        """Your conversations about an object of the embedding program, by its `type` and `context_id`.

        To filter and sort: `items.query` of `conversations`.

        `context_id` is the object's id; over HTTP `id` is accepted too, which is the request's on a socket. `after`
        takes the last id of the previous page.
        """
        fields = {
            "type": type,
            "context_id": context_id,
            "id": id,
            "after": after,
            "limit": limit,
        }
        return self._run("conversations.context", given(fields))

    def join(self, *, conversation: str) -> ConversationReply:
        """Join a public group."""
        return self._run("conversations.join", given({"conversation": conversation}))

    def leave(self, *, conversation: str) -> Nothing:
        """Leave a group. When the owner leaves, the longest-serving admin or member who can act becomes owner."""
        return self._run("conversations.leave", given({"conversation": conversation}))

    @property
    def members(self) -> BlockingConversationsMembers:
        return BlockingConversationsMembers(self._run)


class BlockingMessages(BlockingGroup):
    """The commands `messages.…`."""

    __slots__ = ()

    def post(
        self,
        *,
        conversation: str,
        cid: str | None = None,
        text: str = "",
        reply_to: str | None = None,
        thread: str | None = None,
        kind: Literal["text", "image", "file", "location", "system"] = "text",
        media: FileRef | Mapping[str, Any] | None = None,
        files: Sequence[FileRef | Mapping[str, Any]] | None = None,
        location: Location | Mapping[str, Any] | None = None,
        system: Notice | Mapping[str, Any] | None = None,
        metadata: Mapping[str, str] | None = None,
        actions: Sequence[Action | Mapping[str, Any]] | None = None,
    ) -> Posted:
        """Post a message. The reply comes when it is on disk; repeating the `cid` returns the same reply.

        A repeat does not count against the limit of messages.

        System messages need the permission `notices.post`, so that users can trust them.

        `thread` is the message whose thread this belongs to. Kinds other than text have a field of their own:
        `files` for image and file, `location`, `system`; `text` is then a caption. `media` is a list `files` of one
        file. `actions` are buttons, which only a bot can post, in a message of kind text.
        """
        fields = {
            "conversation": conversation,
            "cid": cid_or_new(cid),
            "text": text,
            "reply_to": reply_to,
            "thread": thread,
            "kind": kind,
            "media": plain(media),
            "files": plain(files),
            "location": plain(location),
            "system": plain(system),
            "metadata": plain(metadata),
            "actions": plain(actions),
        }
        return self._run("messages.post", given(fields))

    def list(
        self,
        *,
        conversation: str,
        before: int | None = None,
        after: int | None = None,
        limit: int = 50,
    ) -> MessagePage:
        """A page of a conversation's history in ascending order: the newest, or before or after a seq.

        To filter and sort: `items.query` of `messages`.

        The newest page, or the page before or after a seq; always in ascending order.
        """
        fields = {
            "conversation": conversation,
            "before": before,
            "after": after,
            "limit": limit,
        }
        return self._run("messages.list", given(fields))

    def get(self, *, message: str) -> MessageReply:
        """One message by id."""
        return self._run("messages.get", given({"message": message}))

    def edit(
        self,
        *,
        message: str,
        text: str,
        actions: Sequence[Action | Mapping[str, Any]] | None = None,
    ) -> MessageReply:
        """Edit your message; others can see its previous versions.

        Editing a system message needs the permission `notices.post`, like posting one.

        `actions` replace the buttons of a bot's message; omitted, they stay.
        """
        return self._run("messages.edit", given({"message": message, "text": text, "actions": plain(actions)}))

    def history(self, *, message: str) -> EditionList:
        """All versions of a message, from the original to the current one.

        Moderators of the node also see those of reported messages.

        To filter and sort: `items.query` of `message_edits`.
        """
        return self._run("messages.history", given({"message": message}))

    def delete(
        self,
        *,
        message: str,
        reason: Literal["user_request", "moderation", "abuse", "spam"] = "user_request",
    ) -> MessageReply:
        """Delete a message and all its versions for everyone. A placeholder stays, with the user who deleted it and
        the reason.

        You can delete your own messages and, as owner or admin of a group, those of members of lower rank.
        Moderators of the node can delete every message that they may see or that was reported.

        Moderation, abuse and spam are reasons to delete another user's message.
        """
        return self._run("messages.delete", given({"message": message, "reason": reason}))

    def pin(self, *, message: str) -> MessageReply:
        """Pin a message for everyone; in a group, only the owner and admins can."""
        return self._run("messages.pin", given({"message": message}))

    def unpin(self, *, message: str) -> MessageReply:
        """Unpin a message."""
        return self._run("messages.unpin", given({"message": message}))

    def pinned(self, *, conversation: str) -> MessagePage:
        """The pinned messages of a conversation, most recently pinned first.

        To filter and sort: `items.query` of `messages`.
        """
        return self._run("messages.pinned", given({"conversation": conversation}))

    def thread(self, *, message: str, after: int = 0, limit: int = 50) -> MessagePage:
        """A page of a message's thread, in ascending order.

        To filter and sort: `items.query` of `messages`.

        `message` is the thread's first message.
        """
        return self._run("messages.thread", given({"message": message, "after": after, "limit": limit}))

    def report(
        self,
        *,
        message: str,
        reason: Literal["abuse", "spam", "illegal", "other"],
        note: str = "",
    ) -> ReportReply:
        """Report a message to the moderators, who can then read it with `reports.list` and `messages.history`."""
        return self._run("messages.report", given({"message": message, "reason": reason, "note": note}))


class BlockingReports(BlockingGroup):
    """The commands `reports.…`."""

    __slots__ = ()

    def list(self, *, resolved: bool = False, after: int | None = None, limit: int = 50) -> ReportPage:
        """Open or resolved reports.

        To filter and sort: `items.query` of `reports`.

        Open reports, newest first; `after` takes the last number of the previous page.
        """
        return self._run("reports.list", given({"resolved": resolved, "after": after, "limit": limit}))

    def resolve(self, *, report: int, resolution: str) -> Nothing:
        """Resolve a report, and record what was done."""
        return self._run("reports.resolve", given({"report": report, "resolution": resolution}))


class BlockingReceipts(BlockingGroup):
    """The commands `receipts.…`."""

    __slots__ = ()

    def read(self, *, conversation: str, seq: int) -> Marked:
        """Mark everything up to `seq` as read."""
        return self._run("receipts.read", given({"conversation": conversation, "seq": seq}))

    def delivered(self, *, conversation: str, seq: int) -> Marked:
        """Mark everything up to `seq` as delivered to this device."""
        return self._run("receipts.delivered", given({"conversation": conversation, "seq": seq}))

    def read_all(self, *, conversations: Sequence[str] | None = None) -> AllMarked:
        """Mark everything as read, in all your conversations or in those given.

        The conversations to mark as read; omitted: all.
        """
        return self._run("receipts.read_all", given({"conversations": plain(conversations)}))

    def list(self, *, message: str) -> ReceiptList:
        """Who received and read a message, and when.

        To filter and sort: `items.query` of `message_reads`.
        """
        return self._run("receipts.list", given({"message": message}))


class BlockingRetention(BlockingGroup):
    """The commands `retention.…`."""

    __slots__ = ()

    def list(self, *, after: int | None = None, limit: int = 50) -> RemovalPage:
        """Receipts of what retention removed, newest first.

        To filter and sort: `items.query` of `removals`.
        """
        return self._run("retention.list", given({"after": after, "limit": limit}))


class BlockingInbox(BlockingGroup):
    """The commands `inbox.…`."""

    __slots__ = ()

    def list(
        self,
        *,
        limit: int = 50,
        after: int | None = None,
        unread: bool = False,
        archived: bool | None = None,
        starred: bool | None = None,
    ) -> InboxPage:
        """Your conversations, latest activity first, with last message, unread and mention counts.

        To filter and sort: `items.query` of `conversations`.

        `unread`: only conversations with unread messages. `archived`, `starred`: only those that are, or are not.
        """
        fields = {
            "limit": limit,
            "after": after,
            "unread": unread,
            "archived": archived,
            "starred": starred,
        }
        return self._run("inbox.list", given(fields))


class BlockingItems(BlockingGroup):
    """The commands `items.…`."""

    __slots__ = ()

    def query(
        self,
        *,
        collection: str,
        filter: Mapping[str, Any] | None = None,
        sort: str = "",
        limit: int = 50,
        after: str | None = None,
        group_by: str = "",
        fields: str = "",
    ) -> ItemsReply:
        """The rows of a collection that you may see, filtered and sorted, or counted in groups (see filters.md).

        Also `GET /items/<collection>`, with the other fields in the query.

        `filter` is described in docs/filters.md. `sort`, `group_by` and `fields` are comma-separated names of
        fields; a `-` before a sort field means descending.
        """
        values = {
            "collection": collection,
            "filter": plain(filter),
            "sort": sort,
            "limit": limit,
            "after": after,
            "group_by": group_by,
            "fields": fields,
        }
        return self._run("items.query", given(values))


class BlockingPresence(BlockingGroup):
    """The commands `presence.…`."""

    __slots__ = ()

    def get(self, *, people: Sequence[str]) -> PresenceList:
        """Users' presence, in order of handles. Users with whom you share no conversation, or whose presence you may
        not see, are left out.
        """
        return self._run("presence.get", given({"people": plain(people)}))

    def status(self, *, text: str | None = None, emoji: str | None = None, seconds: int | None = None) -> PresenceOf:
        """Set your status: a text, an emoji or both, for some time or until you change it.

        Text, emoji or both; neither clears the status. It ends after `seconds`, if given.
        """
        return self._run("presence.status", given({"text": text, "emoji": emoji, "seconds": seconds}))

    def visible(self, *, visible: bool) -> Visible:
        """Show or hide from others when you are online and active, your status, and that you are typing (default:
        shown).
        """
        return self._run("presence.visible", given({"visible": visible}))

    def history(self, *, person: str | None = None, before: int | None = None, limit: int = 50) -> PresenceHistory:
        """Your presence history, if the node keeps it. With the permission to operate the node, any user's.

        To filter and sort: `items.query` of `presence_history`.

        The newest changes, or those before an `entry`; of the requester unless `person` is given.
        """
        return self._run("presence.history", given({"person": person, "before": before, "limit": limit}))


class BlockingTyping(BlockingGroup):
    """The commands `typing.…`."""

    __slots__ = ()

    def __call__(self, *, conversation: str, stop: bool = False) -> TypingSaid:
        """Show that you are typing in a conversation; repeat it while you do. Posting or `stop` ends it."""
        return self._run("typing", given({"conversation": conversation, "stop": stop}))

    def list(self, *, conversation: str) -> TypistList:
        """Other users who are typing in a conversation now."""
        return self._run("typing.list", given({"conversation": conversation}))


class BlockingSearch(BlockingGroup):
    """The commands `search.…`."""

    __slots__ = ()

    def messages(
        self,
        *,
        query: str,
        conversation: str | None = None,
        limit: int = 20,
        after: str | None = None,
    ) -> SearchPage:
        """Messages that you may see and that match `query`, newest first.

        `docs/search.md` describes the query language.

        `query` has words, "quoted phrases", prefixes*, -excluded words, and operators: `from:ann`, `in:garden`,
        `before:2026-01-31`, `after:2026-01-31`, `has:link`. `conversation` is the same as `in:` with its id.
        """
        fields = {
            "query": query,
            "conversation": conversation,
            "limit": limit,
            "after": after,
        }
        return self._run("search.messages", given(fields))


class BlockingImport(BlockingGroup):
    """The commands `import.…`."""

    __slots__ = ()

    def conversation(
        self,
        *,
        source: str,
        key: str,
        title: str,
        description: str = "",
        join: bool = True,
        unique: Literal["source", "conversation"] = "source",
        sample: Sequence[str] = (),
    ) -> ImportedConversationReply:
        """Find or create the public group for an imported conversation.

        A public group for imported messages, identified by `source` and `key`.

        `source` is the kind of source, or kind and place: `irc`, `irc.libera`. `sample` has ids of some messages.
        Where ids are `unique` only in their conversation, they identify a conversation whose place was unknown then
        or is unknown now.
        """
        fields = {
            "source": source,
            "key": key,
            "title": title,
            "description": description,
            "join": join,
            "unique": unique,
            "sample": plain(sample),
        }
        return self._run("import.conversation", given(fields))

    def missing(
        self,
        *,
        source: str,
        key: str,
        items: Sequence[ImportHead | Mapping[str, Any]],
        unique: Literal["source", "conversation"] = "source",
        formerly: Sequence[str] = (),
        sample: Sequence[str] = (),
    ) -> Missing:
        """List the messages of a conversation that were never imported, so that only those need to be prepared.

        Authors who were renamed in the source since the last import are renamed here too.
        """
        fields = {
            "source": source,
            "key": key,
            "items": plain(items),
            "unique": unique,
            "formerly": plain(formerly),
            "sample": plain(sample),
        }
        return self._run("import.missing", given(fields))

    def messages(
        self,
        *,
        conversation: str,
        source: str,
        items: Sequence[ImportItem | Mapping[str, Any]],
        unique: Literal["source", "conversation"] = "source",
        formerly: Sequence[str] = (),
    ) -> Imported:
        """Append the messages that were never imported before, in their order.

        Messages removed here since their import stay removed.

        `unique`: whether ids are unique in the whole source, or only in each of its conversations.

        `formerly` are keys of conversations into which messages of this one may have been imported before.
        """
        fields = {
            "conversation": conversation,
            "source": source,
            "items": plain(items),
            "unique": unique,
            "formerly": plain(formerly),
        }
        return self._run("import.messages", given(fields))


class BlockingNode(BlockingGroup):
    """The commands `node.…`."""

    __slots__ = ()

    def info(self) -> NodeInfo:
        """The node's name and version, and whether it waits for its first administrator."""
        return self._run("node.info", {})

    def address(self) -> NodeAddress:
        """The URL at which programs on the node's own machine reach its port. Users may know it by another one, the
        setting `server.public_url`.
        """
        return self._run("node.address", {})

    def check(self, *, deep: bool = False) -> Checked:
        """Check the database with SQLite's own checks and chatnode's, and whether the files of plugins are there.

        `deep`: also read all files of plugins and compare their hashes, which may take hours.
        """
        return self._run("node.check", given({"deep": deep}))

    def repair(self) -> Repaired:
        """Rebuild derived data (heads, counts, mentions, marks, threads) in one transaction; other writes wait.

        Groups whose owner cannot act get a new owner. Then rebuild the search index if it is damaged, and let
        plugins repair what is theirs; writes continue.
        """
        return self._run("node.repair", {})

    def statistics(self) -> NodeStatistics:
        """Counts of users, conversations and messages."""
        return self._run("node.statistics", {})


class BlockingJobs(BlockingGroup):
    """The commands `jobs.…`."""

    __slots__ = ()

    def list(self) -> JobList:
        """The node's jobs: how often they run, and the outcome of the last run.

        To filter and sort: `items.query` of `jobs`.
        """
        return self._run("jobs.list", {})

    def run(self, *, job: str) -> JobReply:
        """Run a job now, regardless of its schedule; returns the outcome."""
        return self._run("jobs.run", given({"job": job}))


class BlockingPlugins(BlockingGroup):
    """The commands `plugins.…`."""

    __slots__ = ()

    def list(self) -> PluginList:
        """Installed plugins: whether they run, why not, and how often they failed."""
        return self._run("plugins.list", {})

    def consumers(self) -> ConsumerList:
        """The position in the log of each plugin's consumers, and what they fail on now.

        Those of the program that the node is embedded in are listed too, while they run, with the plugin
        `(program)`.
        """
        return self._run("plugins.consumers", {})

    def set_aside(
        self,
        *,
        plugin: str | None = None,
        consumer: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> SetAsidePage:
        """Rows of the log that consumers set aside after repeated failures, newest first.

        `before` is the number of the last entry of the previous page.
        """
        fields = {
            "plugin": plugin,
            "consumer": consumer,
            "before": before,
            "limit": limit,
        }
        return self._run("plugins.set_aside", given(fields))

    def replay(self, *, plugin: str, consumer: str, gid: int) -> ConsumerReplays:
        """Move a consumer back to read the log again, or forward to skip rows.

        It processes rows again that it has already processed.

        `gid`: the consumer continues with the rows after this one; 0 means from the first row.
        """
        return self._run("plugins.replay", given({"plugin": plugin, "consumer": consumer, "gid": gid}))

    def retry(self, *, entry: int) -> RowRetried:
        """Retry a row that a consumer set aside; if it succeeds, it is removed from the list."""
        return self._run("plugins.retry", given({"entry": entry}))

    def dismiss(self, *, entry: int) -> Nothing:
        """Remove a row from the list of those set aside; its consumer skips it for good."""
        return self._run("plugins.dismiss", given({"entry": entry}))

    def enable(self, *, plugin: str) -> PluginSwitched:
        """Enable a plugin after the next restart."""
        return self._run("plugins.enable", given({"plugin": plugin}))

    def disable(self, *, plugin: str) -> PluginSwitched:
        """Disable a plugin after the next restart; its data is kept."""
        return self._run("plugins.disable", given({"plugin": plugin}))

    def drop(self, *, plugin: str, confirm: str) -> PluginDropped:
        """Delete all data of a plugin that is not running: its tables and its files. Only a backup can bring it back.

        If it is still installed, it stays disabled.

        `confirm` repeats the plugin's name.
        """
        return self._run("plugins.drop", given({"plugin": plugin, "confirm": confirm}))

    def export(
        self,
        *,
        plugin: str,
        table: str | None = None,
        after: int | None = None,
        limit: int = 500,
    ) -> PluginRows:
        """Rows of a plugin's tables as they are stored, page by page.

        Only for the operator, because plugins may store data that nobody else may read.

        Without `table`, lists only the names of its tables. `after` is the `next` of the previous page.
        """
        return self._run("plugins.export", given({"plugin": plugin, "table": table, "after": after, "limit": limit}))


class BlockingBackup(BlockingGroup):
    """The commands `backup.…`."""

    __slots__ = ()

    def create(self) -> BackupReply:
        """Make a backup in the node's backup directory now, and delete old backups as configured."""
        return self._run("backup.create", {})


class BlockingWork(BlockingGroup):
    """The commands `work.…`."""

    __slots__ = ()

    def list(
        self,
        *,
        status: Literal["waiting", "running", "paused", "done", "failed", "cancelled"] | None = None,
        kind: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> WorkPage:
        """Your work items, newest first; users who may operate the node see all of them.

        To filter and sort: `items.query` of `work`.

        Only work items with this status or of this kind. `before` takes the `next` of the previous page.
        """
        return self._run("work.list", given({"status": status, "kind": kind, "before": before, "limit": limit}))

    def get(self, *, work: str) -> WorkReply:
        """One of your work items, or with the permission to operate the node, any one: its status, progress and
        result.
        """
        return self._run("work.get", given({"work": work}))

    def pause(self, *, work: str) -> WorkReply:
        """Pause a work item; nothing more of it is written after that. `work.resume` continues where it stopped."""
        return self._run("work.pause", given({"work": work}))

    def resume(self, *, work: str) -> WorkReply:
        """Resume a paused work item, or retry a failed one, from its last checkpoint."""
        return self._run("work.resume", given({"work": work}))

    def cancel(self, *, work: str) -> WorkReply:
        """Cancel a work item. What it has written is kept, and nothing more is written."""
        return self._run("work.cancel", given({"work": work}))


class BlockingBotsCommands(BlockingGroup):
    """The commands `bots.commands.…`."""

    __slots__ = ()

    def set(self, *, commands: Sequence[BotCommand | Mapping[str, Any]]) -> BotCommandList:
        """For a bot: offer these slash commands, and no others, in every conversation that you take part in.

        When a user runs one, you get the event `slash.invoked`.

        All commands that the bot offers from now on.
        """
        return self._run("bots.commands.set", given({"commands": plain(commands)}))


class BlockingBots(BlockingGroup):
    """The commands `bots.…`."""

    __slots__ = ()

    def create(self, *, handle: str, name: str | None = None) -> BotReply:
        """Create a bot of your own, up to `bots.per_person` of the settings.

        It takes part where members add it. While your account is deactivated the bot is paused, and if your account
        is erased the bot ends. Creating it again with the same handle and name returns the bot that you have.
        """
        return self._run("bots.create", given({"handle": handle, "name": name}))

    def list(self, *, owner: str | None = None) -> BotList:
        """Your bots, with the commands that they offer; with the permission to manage people, those of another user.

        `owner` other than the requester needs the permission to manage people.
        """
        return self._run("bots.list", given({"owner": owner}))

    def remove(self, *, bot: str) -> Nothing:
        """End one of your bots: it is signed out and cannot act any more. What it posted stays."""
        return self._run("bots.remove", given({"bot": bot}))

    def token(
        self,
        *,
        bot: str,
        label: str | None = None,
        days: int | None = None,
        scopes: Sequence[str] = ("chat",),
        replace: bool = False,
    ) -> TokenReply:
        """Create a token for one of your bots, which is shown only once.

        Its scopes are `chat` unless you name others, which you need to have yourself. Your bots, whatever their
        scopes, see in lists only users with whom they share a conversation. `replace` ends the tokens that the bot
        has had so far.

        `scopes` are as for `tokens.create`. `replace`: sign the bot out of its earlier tokens.
        """
        fields = {
            "bot": bot,
            "label": label,
            "days": days,
            "scopes": plain(scopes),
            "replace": replace,
        }
        return self._run("bots.token", given(fields))

    @property
    def commands(self) -> BlockingBotsCommands:
        return BlockingBotsCommands(self._run)


class BlockingSlash(BlockingGroup):
    """The commands `slash.…`."""

    __slots__ = ()

    def list(self, *, conversation: str) -> OfferedCommands:
        """The slash commands that you can run in a conversation: those of plugins, and of the bots that take part.

        Where several have the same name, each has its long form, `/plugin:name` or `/name@bot`; the long forms
        always work.
        """
        return self._run("slash.list", given({"conversation": conversation}))

    def run(self, *, conversation: str, text: str, cid: str | None = None) -> SlashRan:
        """Run a slash command, `/name` and what follows. Repeating the `cid` within a day returns the same reply.

        A plugin answers in the reply. A bot gets the event `slash.invoked`, and its answers are messages, or
        private notices (the event `notice.private`); if it does not answer, a notice says so.

        `text` is what the user typed, such as `/deploy main`.
        """
        return self._run("slash.run", given({"conversation": conversation, "text": text, "cid": cid_or_new(cid)}))

    def reply(
        self,
        *,
        invocation: str,
        text: str,
        visible: Literal["all", "only_you"] = "only_you",
        cid: str | None = None,
        actions: Sequence[Action | Mapping[str, Any]] | None = None,
    ) -> SlashReplied:
        """For a bot: answer a slash command or a button, within `bots.reply_minutes` and up to `bots.replies` times.

        The answer is a notice that only the user sees, or a message of the bot, which may have buttons.

        `only_you` is for the user who invoked it. With a `cid`, repeating the reply changes nothing.
        """
        fields = {
            "invocation": invocation,
            "text": text,
            "visible": visible,
            "cid": cid,
            "actions": plain(actions),
        }
        return self._run("slash.reply", given(fields))


class BlockingActions(BlockingGroup):
    """The commands `actions.…`."""

    __slots__ = ()

    def invoke(self, *, message: str, action: str, cid: str | None = None) -> ActionInvocation:
        """Press a button of a bot's message. Repeating the `cid` within a day does not press it again.

        The bot gets the event `action.invoked`. It may edit its message, or answer with `slash.reply`.

        `action` is the id of a button of the message.
        """
        return self._run("actions.invoke", given({"message": message, "action": action, "cid": cid_or_new(cid)}))


class BlockingCertificate(BlockingGroup):
    """The commands `certificate.…`."""

    __slots__ = ()

    def status(self) -> CertificateStatus:
        """The certificate of the node's port, when it is renewed, and what is wrong with it."""
        return self._run("certificate.status", {})

    def issue(self, *, dry_run: bool = False) -> CertificateReply:
        """Obtain a certificate now, even if the current one is not due; new connections get it at once.

        The authority connects to the node's port, so the node must serve.

        `dry_run`: with the directory `acme.staging`; its certificate is not used.
        """
        return self._run("certificate.issue", given({"dry_run": dry_run}))

    def revoke(
        self,
        *,
        reason: Literal["unspecified", "key_compromise", "superseded", "cessation_of_operation"] = "unspecified",
    ) -> CertificateReply:
        """Revoke the certificate in use, because its key is not secret any more, for example.

        A node that serves obtains a new one at once, with a new key. Until then the revoked one stays in use.
        """
        return self._run("certificate.revoke", given({"reason": reason}))


class BlockingCalls(BlockingGroup):
    """All commands, by their groups."""

    __slots__ = ()

    @property
    def sessions(self) -> BlockingSessions:
        return BlockingSessions(self._run)

    @property
    def tokens(self) -> BlockingTokens:
        return BlockingTokens(self._run)

    @property
    def invites(self) -> BlockingInvites:
        return BlockingInvites(self._run)

    @property
    def setup(self) -> BlockingSetup:
        return BlockingSetup(self._run)

    @property
    def people(self) -> BlockingPeople:
        return BlockingPeople(self._run)

    @property
    def roles(self) -> BlockingRoles:
        return BlockingRoles(self._run)

    @property
    def audit(self) -> BlockingAudit:
        return BlockingAudit(self._run)

    @property
    def conversations(self) -> BlockingConversations:
        return BlockingConversations(self._run)

    @property
    def messages(self) -> BlockingMessages:
        return BlockingMessages(self._run)

    @property
    def reports(self) -> BlockingReports:
        return BlockingReports(self._run)

    @property
    def receipts(self) -> BlockingReceipts:
        return BlockingReceipts(self._run)

    @property
    def retention(self) -> BlockingRetention:
        return BlockingRetention(self._run)

    @property
    def inbox(self) -> BlockingInbox:
        return BlockingInbox(self._run)

    @property
    def items(self) -> BlockingItems:
        return BlockingItems(self._run)

    @property
    def presence(self) -> BlockingPresence:
        return BlockingPresence(self._run)

    @property
    def typing(self) -> BlockingTyping:
        return BlockingTyping(self._run)

    @property
    def search(self) -> BlockingSearch:
        return BlockingSearch(self._run)

    @property
    def import_(self) -> BlockingImport:
        return BlockingImport(self._run)

    @property
    def node(self) -> BlockingNode:
        return BlockingNode(self._run)

    @property
    def jobs(self) -> BlockingJobs:
        return BlockingJobs(self._run)

    @property
    def plugins(self) -> BlockingPlugins:
        return BlockingPlugins(self._run)

    @property
    def backup(self) -> BlockingBackup:
        return BlockingBackup(self._run)

    @property
    def work(self) -> BlockingWork:
        return BlockingWork(self._run)

    @property
    def bots(self) -> BlockingBots:
        return BlockingBots(self._run)

    @property
    def slash(self) -> BlockingSlash:
        return BlockingSlash(self._run)

    @property
    def actions(self) -> BlockingActions:
        return BlockingActions(self._run)

    @property
    def certificate(self) -> BlockingCertificate:
        return BlockingCertificate(self._run)
