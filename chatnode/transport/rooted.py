"""The base path itself, without a slash at its end: browsers are sent to the one with it, where relative links work."""

from __future__ import annotations

from typing import Any

from chatnode.dispatch.core import Core
from chatnode.transport.exchange import Application, Receive, Send
from chatnode.transport.origins import Credentials


class Rooted:
    """An ASGI application: a request for nothing is redirected to `/`, all others are answered by `otherwise`."""

    def __init__(self, core: Core, otherwise: Application) -> None:
        self._core = core
        self._otherwise = otherwise

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["path"]:
            await self._otherwise(scope, receive, send)
            return
        query: bytes = scope["query_string"]
        root = Credentials.of_scope(scope, self._core).prefix.encode() + b"/"
        fields = [(b"location", root + b"?" * bool(query) + query), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 308, "headers": fields})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
