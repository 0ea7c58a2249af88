"""Administration of accounts: signing out, deactivating, resetting passwords."""

from __future__ import annotations

from chatnode.model.fields import Password, Secret, Seq, Who
from chatnode.model.people import Person
from chatnode.model.records import record


@record
class SessionsOf:
    person: Who


@record
class SignOut:
    """Without `session`, signs out all sessions."""

    person: Who
    session: Seq | None = None


@record
class Deactivate:
    """Without `person`, deactivates the requester, with `password` if they have one."""

    person: Who | None = None
    password: Password | None = None


@record
class Reactivate:
    person: Who


@record
class CreateReset:
    person: Who


@record
class ResetReply:
    """Shown only once. Give `link` to the user in confidence."""

    code: str
    link: str
    expires_at: str


@record
class ResetPassword:
    code: Secret
    password: Password


@record
class PasswordReset:
    """`revoked` counts the sessions that were signed out."""

    person: Person
    revoked: int
