"""Getting a token: by password, or by an invite."""

from __future__ import annotations

import ssl
from typing import Any

import trio
from trio_websocket import ConnectionClosed

from chatnode.client.errors import Unreachable
from chatnode.client.wire import Address, ask, open_socket
from chatnode.concurrency import require_trio
from chatnode.model.commands.shared import SignedIn
from chatnode.protocol import codec

REPLY_SECONDS = 60.0
"""Passwords are hashed a few at a time, so that an answer may take a while."""


async def sign_in(
    url: str, handle: str, password: str, device: str | None = None, *, tls: ssl.SSLContext | None = None
) -> SignedIn:
    """Sign in by password; the token is this device's own.

    Raises `Refusal` (`wrong_password`, `rate_limited`) or `Unreachable`.
    """
    return await _ask(url, "sessions.create", tls, handle=handle, password=password, device=device)


async def accept_invite(
    url: str,
    code: str,
    handle: str,
    password: str,
    name: str | None = None,
    device: str | None = None,
    *,
    tls: ssl.SSLContext | None = None,
) -> SignedIn:
    """Make the account that an invite or set-up link is for, and sign in.

    Raises `Refusal` with the field at fault as its `path`, or `Unreachable`.
    """
    return await _ask(url, "invites.accept", tls, code=code, handle=handle, password=password, name=name, device=device)


async def _ask(url: str, command: str, tls: ssl.SSLContext | None, **fields: Any) -> SignedIn:
    given = {key: value for key, value in fields.items() if value is not None}
    require_trio("chatnode.client.aio")
    try:
        with trio.fail_after(REPLY_SECONDS):
            async with open_socket(Address.of(url), tls) as socket:
                return codec.read(await ask(socket, command, given), SignedIn)
    except trio.TooSlowError:
        raise Unreachable(f"{url} did not answer within {REPLY_SECONDS:g} s") from None
    except ConnectionClosed:
        raise Unreachable(f"{url} closed the connection before it answered") from None
