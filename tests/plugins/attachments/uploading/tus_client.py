"""A client of uploads that says exactly what a test wants, also what no real one would."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

from chatnode.node import Node
from chatnode.testing import User
from tests.plugins.attachments.store.storing import rows, store_of
from tests.transport.clients import Address, Http, Response, bearer, head

UPLOADS = "/plugins/attachments/uploads"
FILES = "/plugins/attachments/files"
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {"Content-Type": "application/offset+octet-stream"}


class TusClient:
    """One user and their connection, which is opened again when the node closed it."""

    def __init__(self, node: Node, address: Address, token: str, user: User) -> None:
        self.node = node
        self.address = address
        self.token = token
        self.user = user
        self._http: Http | None = None

    @classmethod
    async def signed_in(cls, node: Node, address: Address, handle: str) -> TusClient:
        user = await User.new(node, handle)
        return cls(node, address, (await user.call("tokens.create"))["token"], user)

    async def __aenter__(self) -> TusClient:
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._http is not None:
            await self._http.__aexit__()

    async def asks(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        if self._http is None:
            self._http = await Http.open(self.address)
        answer = await self._http.request(method, path, body, bearer(self.token) | dict(headers or {}))
        if "connection" in answer.headers:
            await self._http.__aexit__()
            self._http = None
        return answer

    async def creates(self, length: int | None = None, body: bytes | None = None, **headers: str) -> Response:
        """POST; `headers` by their names with underscores."""
        sized = {"Upload-Length": str(length)} if length is not None else {"Upload-Defer-Length": "1"}
        typed = BYTES if body is not None else {}
        return await self.asks("POST", UPLOADS, body or b"", TUS | sized | typed | named(headers))

    async def begins(self, length: int | None, **headers: str) -> str:
        """Create an upload; its path."""
        answer = await self.creates(length, **headers)
        assert answer.status == 201, answer.body
        return urljoin(UPLOADS, answer.headers["location"])

    async def sends(self, path: str, body: bytes, offset: int, **headers: str) -> Response:
        """PATCH."""
        return await self.asks("PATCH", path, body, TUS | BYTES | {"Upload-Offset": str(offset)} | named(headers))

    async def looks(self, path: str) -> Response:
        """HEAD."""
        return await self.asks("HEAD", path, headers=TUS)

    async def offset(self, path: str) -> int:
        answer = await self.looks(path)
        assert answer.status == 200
        return int(answer.headers["upload-offset"])

    async def removes(self, path: str) -> Response:
        """DELETE."""
        return await self.asks("DELETE", path, headers=TUS)

    async def starts_sending(self, path: str, length: int, body: bytes, offset: int = 0, **headers: str) -> Http:
        """A PATCH of which not everything is sent; the connection it goes on."""
        http = await Http.open(self.address)
        fields = bearer(self.token) | TUS | BYTES | {"Upload-Offset": str(offset), "Content-Length": str(length)}
        await http.send(head("PATCH", path, None, fields | named(headers)) + body)
        return http

    async def stored(self, path: str) -> bytes | None:
        """What the file has that came of an upload; None without one."""
        found = await rows(
            self.node,
            "SELECT b.name FROM attachments_files f JOIN attachments_blobs b ON b.key = f.blob WHERE f.id = ?",
            (path.rpartition("/")[2],),
        )
        return store_of(self.node).layout.blob(found[0][0]).read_bytes() if found else None

    async def reserved(self) -> int:
        """The bytes of the quota that are held for uploads in progress."""
        found = await rows(self.node, "SELECT coalesce(sum(reserved), 0) FROM attachments_usage")
        return found[0][0]


def named(headers: Mapping[str, Any]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def metadata(**values: str) -> str:
    return ",".join(f"{name} {b64encode(value.encode()).decode()}" for name, value in values.items())


def checksum(data: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm} {b64encode(hashlib.new(algorithm, data).digest()).decode()}"
