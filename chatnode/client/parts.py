"""What a `Client` is made of. On trio, `keep_connected` makes the parts; on asyncio they are what crosses to those
(`aio.py`). So a `Client` is the same for both."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol, cast

import attrs
import trio

from chatnode.client.calls import Calls
from chatnode.client.errors import SignedOut
from chatnode.client.feed import Feed, Item
from chatnode.client.link import Link
from chatnode.client.transfers import Transfers
from chatnode.client.uploaded import DownloadOptions, Source, UploadedFile, UploadOptions
from chatnode.client.wire import Address
from chatnode.concurrency import Signal, raise_single
from chatnode.errors import ConnectionLost, WrongKind
from chatnode.model.commands.resume import Cursor, Hello, Welcome


class Connected(Protocol):
    """The connection to the node, and the next one."""

    @property
    def welcome(self) -> Welcome | None: ...
    @property
    def connected(self) -> bool: ...


class Asking(Protocol):
    """Runs commands."""

    async def ask(self, command: str, fields: dict[str, Any], /) -> dict[str, Any]: ...


class Feeding(Protocol):
    """Has the events."""

    @property
    def dealt_with(self) -> Cursor | None: ...
    async def next(self) -> Item:
        """Raises `trio.EndOfChannel` at the end."""
        ...


class Transferring(Protocol):
    """Transfers files; see `Client.upload` and `Client.download`."""

    async def upload(self, source: Source, options: UploadOptions) -> UploadedFile: ...

    async def download(self, file: str, target: Path, options: DownloadOptions) -> None: ...


@attrs.frozen
class Parts:
    """All of them."""

    link: Connected
    calls: Asking
    feed: Feeding
    transfers: Transferring


@asynccontextmanager
async def keep_connected(
    url: str,
    token: str,
    *,
    cursor: Cursor | None,
    device: str | None,
    events: bool,
    tls: ssl.SSLContext | None,
    unread_bytes: int,
) -> AsyncGenerator[Parts]:
    """The parts of a client that is connected until the block ends; see `connect`."""
    if not isinstance(cast("object", token), str):  # such as None for a variable of the environment that is not set
        raise WrongKind(f"the token must be a string, not {type(token).__name__}")
    if not token.isascii():
        raise SignedOut("this is not a token: it has characters that tokens do not have")
    changed = Signal()
    calls = Calls(changed)
    feed = Feed(changed, cursor, unread_bytes, wanted=events)
    address = Address.of(url)
    link = Link(address, Hello(token, device, presence=events), tls, calls, feed, changed)
    transfers = Transfers(address, token, tls, calls.ask)
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(link.run)
            yield Parts(link, calls, feed, transfers)
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise_single(group)
    finally:
        calls.end(ConnectionLost("the client is closed"))
        feed.end(None)
        await transfers.aclose()


def events_of(feed: Feeding) -> AsyncIterator[Item]:
    """The events as an iterator, not a generator: leaving the loop leaves nothing to close."""
    return _Events(feed)


class _Events(AsyncIterator[Item]):
    def __init__(self, feed: Feeding) -> None:
        self._feed = feed

    async def __anext__(self) -> Item:
        try:
            return await self._feed.next()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None
