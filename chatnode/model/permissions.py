"""Permissions and the roles that carry them.

A permission answers "may this account use this command at all"; what it may do in one conversation is the
membership's role there. Roles are rows of the database (`role_permissions`), written from this table by the
first migration.
"""

from __future__ import annotations

CHAT = "chat"  # take part: converse, read, post
OPEN_GROUPS = "groups.create"
INVITE = "invites.manage"
MANAGE_PEOPLE = "people.manage"  # make accounts, set roles and passwords, issue tokens for others
IMPORT = "import"
OPERATE = "operate"  # look into and run the node
MODERATE = "moderate"  # work on reports, delete anybody's messages
SUPPORT = "support"  # see and answer support conversations

PERMISSIONS = {
    CHAT: "take part in conversations",
    OPEN_GROUPS: "open groups",
    INVITE: "make and revoke invite links",
    MANAGE_PEOPLE: "make accounts, set roles, reset passwords, issue tokens for others",
    IMPORT: "bring in conversations from elsewhere",
    OPERATE: "check and inspect the node",
    MODERATE: "work on reports, delete messages of others, close conversations",
    SUPPORT: "see, join and close support conversations",
}

MEMBER = "member"
MODERATOR = "moderator"
ADMIN = "admin"

ROLES: dict[str, frozenset[str]] = {
    MEMBER: frozenset({CHAT, OPEN_GROUPS}),
    MODERATOR: frozenset({CHAT, OPEN_GROUPS, MODERATE, SUPPORT}),
    ADMIN: frozenset(PERMISSIONS),
}
