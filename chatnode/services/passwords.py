"""Passwords: argon2id, hashed in threads, a few at a time.

Parameters are argon2-cffi's defaults, which are RFC 9106's low-memory profile (64 MiB, 3 passes, 4 lanes).
"""

from __future__ import annotations

import argon2
import trio

from chatnode.dispatch.context import Context
from chatnode.dispatch.core import Core
from chatnode.errors import Refusal
from chatnode.model.people import Account
from chatnode.storage import people

_hasher = argon2.PasswordHasher()
_nobody = ""


async def hash_password(core: Core, password: str, path: str = "password") -> str:
    """Raises `Refusal` for a password that is too short."""
    least = core.config.accounts.password_min_chars
    if len(password) < least:
        raise Refusal("invalid", f"a password has at least {least} characters", path=path)
    return await trio.to_thread.run_sync(_hasher.hash, password, limiter=core.hashers)


async def is_password(core: Core, handle: str, hashed: str | None, password: str) -> bool:
    """Whether `password` is the one. Takes as long for an account that has none, or does not exist.

    Every call counts as a guess at the password of `handle`, whichever command makes it: raises
    `Refusal("rate_limited")` beyond `limits.logins_per_minute`.
    """
    core.logins.take(("handle", handle.lower()))
    return await trio.to_thread.run_sync(_verify, hashed, password, limiter=core.hashers)


async def check_own_password(ctx: Context, account: Account, password: str | None) -> None:
    """For what nobody shall do with somebody else's unlocked device. Who has no password needs none.

    Raises `Refusal("wrong_password")`.
    """
    found = await ctx.read(lambda reader: people.password_hash(reader, account.handle))
    hashed = found and found[1]
    if hashed is not None and not await is_password(ctx.core, account.handle, hashed, password or ""):
        raise Refusal("wrong_password", "this is not your password", path="password")


def _verify(hashed: str | None, password: str) -> bool:
    global _nobody
    if hashed is None:
        _nobody = _nobody or _hasher.hash("nobody")
    try:
        return _hasher.verify(hashed or _nobody, password) and hashed is not None
    except argon2.exceptions.VerificationError:
        return False
