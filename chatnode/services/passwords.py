"""Passwords: argon2id, hashed in threads, a few at a time.

Parameters are argon2-cffi's defaults, which are RFC 9106's low-memory profile (64 MiB, 3 passes, 4 lanes).

Systems encode the same password differently: ä as one character or as two. So the node hashes a normalized form, RFC
8265's OpaqueString. It still accepts older hashes of passwords as typed, and replaces them.
"""

from __future__ import annotations

from unicodedata import category, normalize

import argon2
import trio

from chatnode.counting import counted
from chatnode.dispatch.caller import Caller
from chatnode.dispatch.core import Core
from chatnode.errors import Refusal
from chatnode.model.people import Account
from chatnode.storage.people import people

_hasher = argon2.PasswordHasher()
_nobody = ""


async def hash_password(core: Core, password: str, path: str = "password") -> str:
    """Raises `Refusal` for a password that is too short or has characters that no password field accepts."""
    prepared = opaque(password)
    least = core.config.accounts.password_min_chars
    if len(prepared) < least:
        raise Refusal("invalid", f"a password needs at least {counted(least, 'character')}", path=path)
    if any(category(char) == "Cc" for char in prepared):
        raise Refusal("invalid", "a password has no line breaks or other control characters", path=path)
    return await trio.to_thread.run_sync(_hasher.hash, prepared, limiter=core.hashers)


async def is_password(core: Core, handle: str, hashed: str | None, password: str) -> bool:
    """Whether `password` is correct. Takes the same time for an account that has no password or does not exist.

    Every call, from any command, counts as a guess at the password of `handle`: raises
    `Refusal("rate_limited")` beyond `limits.logins_per_minute`.
    """
    core.logins.take(("handle", handle.lower()))
    return await trio.to_thread.run_sync(_verify, hashed, spellings(password), limiter=core.hashers)


async def renewed(core: Core, hashed: str, password: str) -> str | None:
    """The hash that replaces `hashed`, a hash of this password; None if it is up to date."""
    prepared, *others = spellings(password)
    return await trio.to_thread.run_sync(_renewed, hashed, prepared, limiter=core.hashers) if others else None


async def check_own_password(ctx: Caller, account: Account, password: str | None) -> None:
    """Confirm an action that must not be possible on another user's unlocked device. An account without a password
    passes.

    Raises `Refusal("wrong_password")`.
    """
    found = await ctx.read(lambda reader: people.password_hash(reader, account.handle))
    hashed = found and found[1]
    if hashed is not None and not await is_password(ctx.core, account.handle, hashed, password or ""):
        raise Refusal("wrong_password", "the password is incorrect", path="password")


def opaque(password: str) -> str:
    """The normalized form of a password: letters composed (NFC), all spaces plain; case stays."""
    return normalize("NFC", "".join(" " if category(char) == "Zs" else char for char in password))


def spellings(password: str) -> list[str]:
    """The normalized form, and the forms that an older hash may have been made from; each once."""
    return list(dict.fromkeys([opaque(password), normalize("NFC", password), normalize("NFD", password), password]))


def _verify(hashed: str | None, tried: list[str]) -> bool:
    global _nobody
    if hashed is None:
        _nobody = _nobody or _hasher.hash("nobody")
    right = [
        _is(hashed or _nobody, each) for each in tried
    ]  # all of them, so that it takes the same time for every account
    return hashed is not None and any(right)


def _is(hashed: str, password: str) -> bool:
    try:
        return _hasher.verify(hashed, password)
    except argon2.exceptions.VerificationError:
        return False


def _renewed(hashed: str, prepared: str) -> str | None:
    return None if _is(hashed, prepared) else _hasher.hash(prepared)
