"""Reaches what is not a command: pages and routes over HTTP, and consumers."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import attrs
import trio

from chatnode.node import Node
from chatnode.testing.people import PATIENCE


async def catch_up(node: Node) -> None:
    """Let plugins' consumers process everything in the log now."""
    await node.consumers.catch_up()


async def run_work(node: Node, work: str, *, ahead_seconds: float = 0.0) -> dict[str, Any]:
    """Run all works that are due to their ends; returns this one as `work.get` does, whatever became of it.

    A work that failed and will be tried again is `waiting` then. With `ahead_seconds`, what would be due so much later
    is due now, also further attempts. Do not use it on a node that serves, which runs its works itself.
    """
    await node.works.run_due(ahead_seconds)
    return (await node.call("work.get", work=work))["work"]


@attrs.frozen
class Answer:
    """The response to an HTTP request; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


async def fetch(
    address: str,
    token: str | None = None,
    *,
    method: str = "GET",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send an HTTP request to a serving node: `fetch(f"{url}/plugins/polls/totals", await ann.token())`."""
    sent = dict(headers or {})
    if token is not None:
        sent["Authorization"] = f"Bearer {token}"
    return await trio.to_thread.run_sync(_fetch, address, method, body, sent)


def _fetch(address: str, method: str, body: bytes, headers: dict[str, str]) -> Answer:
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
    try:
        connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body or None, headers)
        response = connection.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    finally:
        connection.close()
