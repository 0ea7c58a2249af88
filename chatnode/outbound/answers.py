"""Reading an answer within its purpose's limits."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Protocol

import trio

from chatnode.outbound.errors import BodyTooLarge, Failed, TimedOut, Unwanted
from chatnode.outbound.hops import Hop
from chatnode.outbound.purpose import Purpose

GRACE_SECONDS = 5.0
LEAST_BYTES_PER_SECOND = 1_024
"""A body that is sent more slowly, after the grace, is given up: it would keep a connection busy for nothing."""
MOST_SMALL_CHUNKS = 1_000
LEAST_BYTES_PER_CHUNK = 16
"""On average, of those after as many: each takes time of the whole node, however short it is."""
CHUNKS_AT_ONCE = 50
"""So many, as one read may bring thousands, before other tasks have their turn."""


class Incoming(Protocol):
    """An answer whose head was read."""

    status: int
    headers: dict[str, str]

    def chunks(self) -> AsyncGenerator[bytes]: ...

    async def aclose(self) -> None: ...


async def read_body(answer: Incoming, purpose: Purpose, hop: Hop) -> bytes:
    """The body. Raises `Unwanted`, `BodyTooLarge`, `TimedOut` or `Failed`; of an answer that is no success the status
    is what counts, so its body is cut or left out instead."""
    origin, is_success = hop.target.origin, 200 <= answer.status < 300
    length = answer.headers.get("content-length", "")
    declared = int(length) if length.isascii() and length.isdigit() and len(length) < 20 else None
    if hop.method == "HEAD" or answer.status in (204, 304) or declared == 0:
        return await _read(answer, 0, origin, cut=False)
    unwanted = _why_unwanted(answer.headers, purpose)
    if unwanted:
        if is_success:
            raise Unwanted(f"{origin} answers with {unwanted}")
        return b""
    cut = purpose.cut or not is_success
    if not cut and declared is not None and declared > purpose.most_bytes:
        raise _too_large(origin, purpose.most_bytes)
    return await _read(answer, purpose.most_bytes, origin, cut=cut)


def _why_unwanted(headers: Mapping[str, str], purpose: Purpose) -> str:
    if headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
        return "a compressed body, although none was asked for"
    if purpose.types is None:
        return ""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    return "" if media_type in purpose.types else "a type that is not accepted here"


async def _read(answer: Incoming, most: int, origin: str, *, cut: bool) -> bytes:
    """Counts what arrives: a Content-Length may lie, or be missing."""
    body, count = bytearray(), 0
    began = trio.current_time()
    with trio.CancelScope(deadline=began + GRACE_SECONDS) as pace:
        async with aclosing(answer.chunks()) as chunks:
            async for chunk in chunks:
                body += chunk
                count += 1
                if count > MOST_SMALL_CHUNKS + len(body) // LEAST_BYTES_PER_CHUNK:
                    raise Failed(f"{origin} sends its answer in too many small pieces")
                if count % CHUNKS_AT_ONCE == 0:
                    await trio.lowlevel.checkpoint()
                if len(body) > most:
                    if cut:
                        return bytes(body[:most])
                    raise _too_large(origin, most)
                pace.deadline = began + GRACE_SECONDS + len(body) / LEAST_BYTES_PER_SECOND
        await answer.aclose()
    if pace.cancelled_caught:
        raise TimedOut(f"{origin} sends its answer too slowly")
    return bytes(body)


def _too_large(origin: str, most: int) -> BodyTooLarge:
    return BodyTooLarge(f"{origin} answers with more than {most} bytes")
