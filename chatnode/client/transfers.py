"""Files of a client. What transfers them is imported for the first one: most clients never do."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatnode.client.uploaded import DownloadOptions, Source, UploadedFile, UploadOptions
from chatnode.client.wire import Address

if TYPE_CHECKING:
    from chatnode.client.files.http import NodeHttp

Ask = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


class Transfers:
    """`ask` runs a command of the node."""

    def __init__(self, address: Address, token: str, tls: ssl.SSLContext | None, ask: Ask) -> None:
        self._address = address
        self._token = token
        self._tls = tls
        self._ask = ask
        self._opened: NodeHttp | None = None

    async def upload(self, source: Source, options: UploadOptions) -> UploadedFile:
        """See `Client.upload`."""
        from chatnode.client.files.sources import open_source
        from chatnode.client.files.upload import upload

        async with open_source(source) as readable:
            return await upload(self._http(), readable, options, self._describe)

    async def download(self, file: str, target: Path, options: DownloadOptions) -> None:
        """See `Client.download`."""
        from chatnode.client.files.download import download

        await download(self._http(), file, target, options)

    async def aclose(self) -> None:
        if self._opened is not None:
            await self._opened.aclose()

    def _http(self) -> NodeHttp:
        from chatnode.client.files.http import NodeHttp

        if self._opened is None:
            self._opened = NodeHttp(self._address, self._token, self._tls)
        return self._opened

    async def _describe(self, id: str) -> UploadedFile:
        return UploadedFile.of(await self._ask("attachments.get", {"file": id}))
