"""Administration of accounts: signing out, deactivating, resetting passwords."""

from __future__ import annotations

import attrs

from chatnode.model.fields import Password, Secret, Seq, Who
from chatnode.model.people import Person


@attrs.define
class SessionsOf:
    person: Who


@attrs.define
class SignOut:
    """Without `session`, signs out all sessions."""

    person: Who
    session: Seq | None = None


@attrs.define
class Deactivate:
    """Without `person`, deactivates the requester, with `password` if they have one."""

    person: Who | None = None
    password: Password | None = None


@attrs.define
class Reactivate:
    person: Who


@attrs.define
class CreateReset:
    person: Who


@attrs.define
class ResetReply:
    """Shown only once. Give `link` to the user in confidence."""

    code: str
    link: str
    expires_at: str


@attrs.define
class ResetPassword:
    code: Secret
    password: Password


@attrs.define
class PasswordReset:
    """`revoked` counts the sessions that were signed out."""

    person: Person
    revoked: int
