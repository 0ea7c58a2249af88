"""An export as one stream of lines: for accounts of any size, at the pace of who reads it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from quart import Response

from chatnode.dispatch.caller import Caller
from chatnode.dispatch.table import CommandTable
from chatnode.model.commands.privacy import ExportPage
from chatnode.protocol import codec

NDJSON = "application/x-ndjson"


async def export_stream(
    table: CommandTable, context: Callable[[], Awaitable[Caller]], fields: dict[str, Any]
) -> Response:
    """The response: a line of JSON for each thing, at last `{"kind": "end", "entries": n}`; without it, it broke off.

    Each page is asked for by the command, and only while the user is signed in: `context` is called for each.
    Raises `Refusal` if the first page is refused.
    """
    first: ExportPage = await table.run(await context(), "people.export", fields)

    async def lines() -> AsyncGenerator[bytes]:
        page, count = first, 0
        while True:
            if page.entries:
                yield b"".join(codec.encode(entry) + b"\n" for entry in page.entries)
            count += len(page.entries)
            if page.next is None:
                break
            page = await table.run(await context(), "people.export", fields | {"after": page.next})
        yield codec.encode({"kind": "end", "entries": count}) + b"\n"

    response = Response(
        lines(), content_type=NDJSON, headers={"Content-Disposition": 'attachment; filename="export.ndjson"'}
    )
    response.timeout = None
    return response
