"""Files of a client. What transfers them is imported for the first one: most clients never do."""

from __future__ import annotations

import os
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from chatnode.client.uploaded import Progress, Source, UploadedFile, id_of
from chatnode.client.wire import Address
from chatnode.model.messages import Media

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

    async def upload(
        self,
        source: Source,
        *,
        name: str | None,
        type: str | None,
        as_file: bool,
        progress: Progress | None,
        resume: str | None,
        created: Callable[[str], None] | None,
        patience: float,
    ) -> UploadedFile:
        """See `Client.upload`."""
        from chatnode.client.files.sources import open_source
        from chatnode.client.files.upload import UploadOptions, upload

        if name is None:
            if not isinstance(source, str | os.PathLike):
                raise ValueError("what has no path needs a name")
            name = Path(source).name
        options = UploadOptions(name, type, as_file, progress or _ignore, resume, created or _ignore, patience)
        async with open_source(source) as readable:
            return await upload(self._http(), readable, options, self._describe)

    async def download(
        self,
        file: UploadedFile | Media | str,
        target: str | os.PathLike[str],
        *,
        variant: str | None,
        overwrite: bool,
        progress: Progress | None,
        patience: float,
    ) -> Path:
        """See `Client.download`."""
        from chatnode.client.files.download import download
        from chatnode.client.files.retrying import Retries

        retries = Retries(patience, trio.current_time)
        path = Path(target)
        await download(self._http(), id_of(file), path, variant, overwrite, progress or _ignore, retries)
        return path

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


def _ignore(*_: object) -> None:
    pass
