"""Sessions, tokens, invites and set-up links."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from chatnode.model.fields import Days, Device, Handle, Id, Items, Limit, Name, Password, Scope, Secret, Seq, Who
from chatnode.model.people import PersonRef


@attrs.define
class SignIn:
    handle: Handle
    password: Password
    device: Device | None = None


@attrs.define
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


@attrs.define
class SessionList:
    sessions: list[Session]


@attrs.define
class RevokeSession:
    session: Seq


@attrs.define
class RenameSession:
    session: Seq
    label: Device


@attrs.define
class Revoked:
    revoked: int


@attrs.define
class CreateToken:
    """A token for programs. A `person` other than the requester needs the permission to manage people.

    `scopes` are permissions, or `<permission>:read` for reading only; without them it can do everything its owner can.
    """

    person: Who | None = None
    label: Device | None = None
    days: Days | None = None
    scopes: Annotated[list[Scope], Items(50)] | None = None


@attrs.define
class TokenReply:
    token: str
    session: int


@attrs.define
class CreateInvite:
    """A link that creates up to `uses` accounts, each joining `conversations`."""

    uses: Limit = 1
    days: Days | None = None
    conversations: Annotated[list[Id], Items(50)] = attrs.field(factory=list[str])


@attrs.define
class Invite:
    invite: int
    uses_left: int
    created_at: str
    expires_at: str
    by: PersonRef | None = None


@attrs.define
class InviteReply:
    code: str
    link: str
    invite: Invite


@attrs.define
class InviteList:
    invites: list[Invite]


@attrs.define
class RevokeInvite:
    invite: Seq


@attrs.define
class AcceptInvite:
    code: Secret
    handle: Handle
    password: Password
    name: Name | None = None
    device: Device | None = None


@attrs.define
class CreateSetup:
    """A link for the first administrator to create their account."""


@attrs.define
class SetupReply:
    code: str
    link: str
