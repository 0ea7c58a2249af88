"""Sessions, tokens, invites and set-up links."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from chatnode.model.fields import Days, Device, Handle, Id, Items, Limit, Name, Password, Scope, Secret, Seq, Who
from chatnode.model.people import PersonRef
from chatnode.model.records import record


@record
class SignIn:
    handle: Handle
    password: Password
    device: Device | None = None


@record
class Session:
    """A signed-in device or an API token. `last_used_at` is absent until the first use."""

    session: int
    kind: Literal["device", "token"]
    label: str
    created_at: str
    expires_at: str | None = None
    last_used_at: str | None = None
    current: bool = False
    scopes: list[str] | None = None


@record
class SessionList:
    sessions: list[Session]


@record
class RevokeSession:
    session: Seq


@record
class RenameSession:
    session: Seq
    label: Device


@record
class Revoked:
    revoked: int


@record
class CreateToken:
    """A token for programs. A `person` other than the requester needs the permission to manage people.

    `scopes` are permissions, or `<permission>:read` for reading only; without them it can do everything its owner can.
    """

    person: Who | None = None
    label: Device | None = None
    days: Days | None = None
    scopes: Annotated[list[Scope], Items(50)] | None = None


@record
class TokenReply:
    token: str
    session: int


@record
class CreateInvite:
    """A link that creates up to `uses` accounts, each joining `conversations`."""

    uses: Limit = 1
    days: Days | None = None
    conversations: Annotated[list[Id], Items(50)] = attrs.field(factory=list[str])


@record
class Invite:
    invite: int
    uses_left: int
    created_at: str
    expires_at: str
    by: PersonRef | None = None


@record
class InviteReply:
    code: str
    link: str
    invite: Invite


@record
class InviteList:
    invites: list[Invite]


@record
class RevokeInvite:
    invite: Seq


@record
class AcceptInvite:
    code: Secret
    handle: Handle
    password: Password
    name: Name | None = None
    device: Device | None = None


@record
class CreateSetup:
    """A link for the first administrator to create their account."""


@record
class SetupReply:
    code: str
    link: str
