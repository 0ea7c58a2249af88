"""People: accounts, profiles, passwords, roles."""

from __future__ import annotations

from typing import Annotated

from chatnode.model.fields import Avatar, Handle, Limit, Name, Password, RoleName, Text, Who
from chatnode.model.people import Person
from chatnode.model.records import record


@record
class CreatePerson:
    """An account created by an administrator. Without a password it can only be used with tokens; a bot never has
    one."""

    handle: Handle
    name: Name | None = None
    password: Password | None = None
    admin: bool = False
    bot: bool = False


@record
class GetPerson:
    person: Who


@record
class UpdateProfile:
    name: Name | None = None
    avatar: Avatar | None = None


@record
class ChangePassword:
    """`old` is optional only for another user's password, with the permission to manage people."""

    new: Password
    old: Password | None = None
    person: Who | None = None


@record
class SetRole:
    person: Who
    role: RoleName


@record
class ListPeople:
    prefix: Annotated[str, Text(63)] = ""
    after: Annotated[str, Text(63)] | None = None
    limit: Limit = 50


@record
class PersonPage:
    people: list[Person]


@record
class Me:
    """`permissions` are those of the role; `scopes` limit the token."""

    person: Person
    role: str
    permissions: list[str]
    scopes: list[str] | None = None
