"""Signing in users whom the program vouches for that the node is mounted in.

To the rest of the node such a user has a session with a token, like a browser with the cookie: it is listed among their
devices, and signing it out ends its connections. Only the token is made and kept here, and given to nobody.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, cast

from chatnode.dispatch.core import Core
from chatnode.dispatch.limits import KeyedLocks
from chatnode.dispatch.subject import Subject
from chatnode.errors import Refusal
from chatnode.model.people import Person
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import identities, people, sessions
from chatnode.storage.people.identities import ProgramUser

MOST_TOKENS = 10_000
"""Tokens that are kept; a user without one gets another."""
_SOURCE = re.compile(r"[a-z][a-z0-9]{0,15}")
_MOST_NAME = 200


Profile = Mapping[str, str]
"""How a new user is shown: `handle`, `name`, or one of them. The handle is made to fit: other characters become -, and
one that is taken gets a number."""


def read_identity(text: object) -> ProgramUser:
    """`app:42` as an identity. Raises `ValueError`."""
    source, _, name = text.partition(":") if isinstance(text, str) else ("", "", "")
    if not _SOURCE.fullmatch(source) or not 0 < len(name) <= _MOST_NAME or not name.isprintable():
        raise ValueError(  # without the text, which may be a secret by mistake
            "this names no user of the program; expected PROGRAM:USER, such as app:42: PROGRAM is a letter and up to "
            f"15 letters and digits (a-z, 0-9), and USER is 1 to {_MOST_NAME} printable characters"
        )
    return ProgramUser(source, name)


def read_profile(found: object) -> Profile:
    """What a program says of a new user, None for nothing. Raises `ValueError`."""
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise ValueError("a profile must be a dict with a handle and a name, or one of them, or None")
    profile: dict[str, str] = {}
    for name in ("handle", "name"):
        value = cast("Mapping[str, Any]", found).get(name)
        if isinstance(value, str):
            profile[name] = value
        elif value is not None:
            raise ValueError(f"the {name} in a profile must be a string")
    return profile


class Vouching:
    """The tokens of the users who are vouched for."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._tokens: OrderedDict[ProgramUser, str] = OrderedDict()
        self._signing_in = KeyedLocks()

    async def token(self, identity: ProgramUser, profile: Profile) -> str:
        """A token of the user, whose account is created if need be. Raises `Refusal`, as `identities.admit`."""
        if (token := await self._good_token(identity)) is not None:
            return token
        async with self._signing_in.hold(identity):  # another request may have been quicker
            if (token := await self._good_token(identity)) is not None:
                return token
            token, token_hash = sessions.new_secret()
            days = self._core.config.accounts.session_days

            def write(tx: Transaction) -> None:
                account = identities.admit(tx, identity, profile.get("handle"), profile.get("name"))
                identities.sign_in(tx, identity, account, token_hash, days)

            await self._core.db.write(write)
            self._tokens[identity] = token
            if len(self._tokens) > MOST_TOKENS:
                self._tokens.popitem(last=False)
            return token

    async def admit(self, identity: ProgramUser, profile: Profile) -> Person:
        """The user, whose account is created if need be. Raises `Refusal`, as `identities.admit`."""
        handle, shown = profile.get("handle"), profile.get("name")
        return await self._core.db.write(lambda tx: people.public(identities.admit(tx, identity, handle, shown)))

    async def sign_out(self, identity: ProgramUser) -> None:
        """End the user's session; what it has open is closed at once."""
        await self._core.db.write(lambda tx: identities.sign_out(tx, identity))

    async def _good_token(self, identity: ProgramUser) -> str | None:
        """The token that is kept, unless its session was signed out."""
        token = self._tokens.get(identity)
        if token is None:
            return None
        try:
            await self._core.db.read(lambda reader: sessions.authenticate(reader, token))
        except Refusal as refusal:
            if refusal.code != "unauthenticated":
                raise
            if self._tokens.get(identity) == token:  # else another request has signed in meanwhile
                del self._tokens[identity]
            return None
        if identity in self._tokens:
            self._tokens.move_to_end(identity)
        return token


SUBJECT = Subject(tables=identities.TABLES)
