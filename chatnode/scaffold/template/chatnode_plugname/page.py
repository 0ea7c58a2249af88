"""A page for operators: `/plugins/plugname/totals`."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from chatnode.api import Context

from . import storage


async def show_totals(ctx: Context, query: Mapping[str, str]) -> str:
    """How many items each user has added."""
    rows = [f"<tr><td>{escape(handle)}</td><td>{items}</td></tr>" for handle, items in await ctx.read(storage.totals)]
    return f"<table><tr><th>Who</th><th>Items</th></tr>{''.join(rows)}</table>"
