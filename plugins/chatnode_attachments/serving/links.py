"""Signed links to files and their thumbnails."""

from __future__ import annotations

from collections.abc import Mapping

from chatnode.api import CHAT, Account, Context, FileLinks
from chatnode_attachments.serving.access import FILE

DOWNLOAD = "download"
"""The field of a query, also without a link, that asks for a file to save."""
LINKS = FileLinks("file", CHAT, also=(DOWNLOAD,))


def make_link(ctx: Context, id: str, variant: str, *, attachment: bool, seconds: int) -> str:
    """The address of a file for the requesting user, relative to the node's."""
    path = f"files/{id}" + (f"/{variant}" if variant != FILE else "")
    return LINKS.make(ctx, path, _name(id, variant), seconds, **({DOWNLOAD: "1"} if attachment else {}))


async def asked_by_link(ctx: Context, query: Mapping[str, str], id: str, variant: str) -> Account:
    """The user on whose behalf a link asks. Raises `Refusal` for one that is not, or no longer, valid."""
    LINKS.check(ctx, query, _name(id, variant))
    account = await ctx.read(lambda reader: LINKS.requester(reader, query))
    assert account is not None  # the operator makes no links to files
    return account


def _name(id: str, variant: str) -> str:
    return f"{id}/{variant}"
