"""The client library: `connect` for bots, tests and terminals, on trio.

    async with connect("http://127.0.0.1:8008", token) as client:
        await client.post(await client.direct("ann"), "hello")
        async for item in client.events():
            ...

A token comes from `sign_in`, `accept_invite`, or `chatnode token create`.
"""

from __future__ import annotations

from chatnode.client.client import Client, connect
from chatnode.client.errors import SignedOut, Unreachable
from chatnode.client.feed import Interrupted, Item, Live, Pushed, Reset
from chatnode.client.imports import Imports
from chatnode.client.sign_in import accept_invite, sign_in
from chatnode.client.uploaded import UploadedFile
from chatnode.errors import ConnectionLost, Refusal
from chatnode.model.cids import new_cid
from chatnode.model.commands.resume import Cursor

__all__ = [
    "Client",
    "ConnectionLost",
    "Cursor",
    "Imports",
    "Interrupted",
    "Item",
    "Live",
    "Pushed",
    "Refusal",
    "Reset",
    "SignedOut",
    "Unreachable",
    "UploadedFile",
    "accept_invite",
    "connect",
    "new_cid",
    "sign_in",
]
