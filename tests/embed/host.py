"""A program with a node in it, for tests: python -m tests.embed.host SERVER PORT, with the directory in $CHAT_DATA.

It takes the word of the header X-User for who is signed in. What is not below /chat is the program's own. The limits
are small, so that what is bounded shows soon.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any

import hypercorn
import hypercorn.asyncio
import hypercorn.trio
import trio
import uvicorn

from chatnode import open_node
from chatnode.embed.aio import Node
from chatnode.testing import configured

OUTBOX_BYTES = 200_000
CONFIG = configured(
    server={"shutdown_seconds": 2.0},
    limits={"outbox_bytes": OUTBOX_BYTES, "posts_per_minute": 0, "requests_per_minute": 0, "frame_bytes": 50_000},
)


async def who(scope: Mapping[str, Any]) -> str | None:
    await asyncio.sleep(0)
    name = dict(scope["headers"]).get(b"x-user", b"").decode()
    return f"app:{name}" if name else None


def who_at_once(scope: Mapping[str, Any]) -> str | None:
    name = dict(scope["headers"]).get(b"x-user", b"").decode()
    return f"app:{name}" if name else None


def profile(name: str) -> Any:
    return {"handle": name, "name": name.title()}


async def elsewhere_of(node: Any, scope: Any, receive: Any, send: Any) -> None:
    """The program's own application, where users can sign out of it."""
    if scope["type"] == "http" and scope["path"] == "/sign-out":
        await node.sign_out(who_at_once(scope))
    await elsewhere(scope, receive, send)


async def elsewhere(scope: Any, receive: Any, send: Any) -> None:
    """The program's own application; it knows no lifespan."""
    assert scope["type"] == "http", "no lifespan here"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
    await send({"type": "http.response.body", "body": b"elsewhere"})


def made(data: str) -> Any:
    attach: Any = os.environ.get("CHAT_ATTACH", "never")
    node = Node(data, config=CONFIG, identify=who, profile=profile, attach=attach)
    return node.wrap(partial(elsewhere_of, node), "/chat")


async def only_serve(data: str, bind: str) -> None:
    """The node alone, for programs to attach to."""
    async with open_node(data, CONFIG) as node:
        await node.serve(bind)


async def with_trio(data: str, config: hypercorn.Config) -> None:
    """The server and the node in one trio run; the program says where the mount is, as its framework would."""
    async with open_node(data, CONFIG) as node, trio.open_nursery() as nursery:
        await nursery.start(node.run)
        app = node.asgi(who_at_once, profile)

        async def program(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan" or f"{scope['path']}/".startswith("/chat/"):
                await app({**scope, "root_path": "/chat"}, receive, send)
            else:
                await elsewhere_of(node, scope, receive, send)

        await hypercorn.trio.serve(program, config)
        nursery.cancel_scope.cancel()


def main(server: str, port: str, data: str) -> None:
    config = hypercorn.Config()
    config.bind, config.graceful_timeout = [f"127.0.0.1:{port}"], 2
    if server == "uvicorn":
        uvicorn.run(made(data), port=int(port), timeout_graceful_shutdown=2)
    elif server == "hypercorn":
        asyncio.run(hypercorn.asyncio.serve(made(data), config))
    elif server == "trio":
        trio.run(with_trio, data, config)
    else:
        trio.run(only_serve, data, f"127.0.0.1:{port}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], os.environ["CHAT_DATA"])
