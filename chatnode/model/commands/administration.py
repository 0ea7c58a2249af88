"""What is done to accounts: signing out, deactivating, new passwords."""

from __future__ import annotations

import attrs

from chatnode.model.fields import Password, Secret, Seq, Who
from chatnode.model.people import Person


@attrs.define
class SessionsOf:
    person: Who


@attrs.define
class SignOut:
    """Without `session`, all of them."""

    person: Who
    session: Seq | None = None


@attrs.define
class Deactivate:
    """Without `person`, oneself, with one's password if there is one."""

    person: Who | None = None
    password: Password | None = None


@attrs.define
class Reactivate:
    person: Who


@attrs.define
class CreateReset:
    person: Who


@attrs.define
class ResetGiven:
    """Shown this once. `link` is for the person, in confidence."""

    code: str
    link: str
    expires_at: str


@attrs.define
class ResetPassword:
    code: Secret
    password: Password


@attrs.define
class PasswordReset:
    """`revoked` sessions were signed out."""

    person: Person
    revoked: int
