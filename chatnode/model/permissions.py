"""Permissions, and the roles that have them.

A permission answers "may this account use this command at all"; what it may do in one conversation is the
membership's role there. Roles are rows of the database (`role_permissions`), written from `ROLES` on a new node and
changed with `roles.set`; `admin` always has all permissions.

A token's scope is a permission, or `<permission>:read` for reading only.
"""

from __future__ import annotations

from collections.abc import Iterable

CHAT = "chat"  # take part: converse, read, post
OPEN_GROUPS = "groups.create"
INVITE = "invites.manage"
MANAGE_PEOPLE = "people.manage"  # create accounts, set roles and passwords, issue tokens for others
IMPORT = "import"
OPERATE = "operate"  # inspect and run the node
MANAGE_ROLES = "roles.manage"  # define roles
AUDIT = "audit.read"  # read the audit log
MODERATE = "moderate"  # handle reports, delete others' messages
SUPPORT = "support"  # answer support conversations
NOTIFY = "notices.post"  # post system messages for the node or the embedding program
MAKE_BOTS = "bots.make"  # own bots

PERMISSIONS = {
    CHAT: "take part in conversations",
    OPEN_GROUPS: "create groups",
    INVITE: "create and revoke invite links",
    MANAGE_PEOPLE: "create accounts, set roles, reset passwords, issue tokens for others",
    IMPORT: "import conversations from other systems",
    OPERATE: "check and inspect the node",
    MANAGE_ROLES: "define roles and their permissions",
    AUDIT: "read the audit log",
    MODERATE: "handle reports, delete others' messages",
    SUPPORT: "take part in support conversations",
    NOTIFY: "post system messages",
    MAKE_BOTS: "create bots of your own",
}

MEMBER = "member"
MODERATOR = "moderator"
ADMIN = "admin"

ROLES: dict[str, frozenset[str]] = {
    MEMBER: frozenset({CHAT, OPEN_GROUPS}),
    MODERATOR: frozenset({CHAT, OPEN_GROUPS, MODERATE, SUPPORT}),
    ADMIN: frozenset(PERMISSIONS),
}

READ_SCOPE = ":read"


def scopes_of(permissions: Iterable[str]) -> frozenset[str]:
    """The scopes that a token can have: each permission, and its reading part."""
    return frozenset(scope for permission in permissions for scope in (permission, permission + READ_SCOPE))


def in_scope(permission: str, reads: bool, scopes: frozenset[str] | None) -> bool:
    """Whether a token with these scopes may use the permission; None is a token without scopes."""
    if scopes is None or permission in scopes:
        return True
    return reads and permission + READ_SCOPE in scopes


def beyond(scopes: frozenset[str], most: frozenset[str] | None) -> list[str]:
    """Those of `scopes` that a token with the scopes `most` does not cover."""
    return sorted(
        scope
        for scope in scopes
        if not in_scope(scope.removesuffix(READ_SCOPE), reads=scope.endswith(READ_SCOPE), scopes=most)
    )
