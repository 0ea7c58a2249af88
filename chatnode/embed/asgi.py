"""The node as an ASGI application in an asyncio program: `asgi`, `wrap` and `lifespan` of `aio.Node`.

The program's server calls in its loop; the node answers in its own thread. Each request, event stream and client socket
has a pipe each way, of `MOST_BYTES`: a body comes as fast as the node takes it, and an answer goes as fast as the
server sends it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import outcome
from websockets.frames import CloseCode

from chatnode.addresses import read_base_path
from chatnode.embed.lifespan import Startable, serve_lifespan
from chatnode.embed.portal import NodePortal
from chatnode.errors import NodeGone, Refusal
from chatnode.logs import get_logger
from chatnode.portal.calls import Call, Result
from chatnode.portal.loops import LoopPortal
from chatnode.portal.pipe import Pipe, PipeBroken, on_loop, on_trio
from chatnode.transport.exchange import Application, ClientGone, Message, Receive, Send
from chatnode.transport.mount import Doorman, below_root, inner_scope, refuse

logger = get_logger("mount")

MOST_BYTES = 65_536
_GOODBYE_SECONDS = 0.5
_NOT_STARTED = (
    "the chat node has not been started: pass the program's lifespan to it (lifespan=chat.lifespan, or chat.wrap), "
    "or start it before the first request"
)


class MountedApp:
    """An ASGI application for one node. `base` is the path of a mount that the framework knows nothing of."""

    def __init__(self, node: Startable, inside: NodePortal, doorman: Doorman, base: str = "") -> None:
        self._node = node
        self._inside = inside
        self._doorman = doorman
        self._base = base
        self._loops: LoopPortal | None = None

    def _loops_of_node(self) -> LoopPortal:
        """Raises `NodeGone` before the node is started."""
        if self._loops is None or self._loops.portal is not self._inside.portal:
            self._loops = LoopPortal(self._inside.portal)
        return self._loops

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await serve_lifespan(self._node, None, scope, receive, send)
            return
        if scope["type"] not in ("http", "websocket"):
            raise ValueError(f"the node does not know the ASGI scope {scope['type']!r}")
        try:
            mounted, loops = self._inside.node.mounted, self._loops_of_node()
        except NodeGone as error:
            logger.error("%s", error)
            await refuse(scope, send, Refusal("unavailable", _NOT_STARTED))
            return
        inner = inner_scope(scope, await self._doorman.who(scope), self._base)
        await _Crossing(loops, inner).run(mounted, receive, send)


class WrappedApp:
    """An ASGI application: the node below `base`, and everything else `app`, whose lifespan is within the node's."""

    def __init__(self, app: Application, mounted: MountedApp, node: Startable, base: str) -> None:
        self._app = app
        self._mounted = mounted
        self._node = node
        self._base = base

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await serve_lifespan(self._node, self._app, scope, receive, send)
        elif _is_below(scope, self._base):
            await self._mounted(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def base_of_wrap(prefix: str) -> str:
    """Where to mount. Raises `ValueError`."""
    base = read_base_path(prefix)
    if not base:
        raise ValueError("wrap needs a path to mount the node at, such as /chat")
    return base


def _is_below(scope: Mapping[str, Any], base: str) -> bool:
    path, base = below_root(scope), unquote(base)
    return path == base or path.startswith(f"{base}/")


class _Crossing:
    """One request, or one client socket, on its way between the server's loop and the node's thread."""

    def __init__(self, loops: LoopPortal, scope: dict[str, Any]) -> None:
        self._portal = loops.portal
        self._queue = loops.queue()
        self._scope = scope
        of_loop, of_trio = on_loop(self._queue), on_trio(loops.portal)
        self._inwards: Pipe[Message] = Pipe(MOST_BYTES, of_loop, of_trio)
        self._outwards: Pipe[Message] = Pipe(MOST_BYTES, of_trio, of_loop)
        self._giving: asyncio.Task[None] | None = None
        self._begun = False
        """Whether the node has begun to answer."""
        self._heard = False
        """Whether the node has begun to read."""
        self._complete = False
        """Whether the node has given all of its answer."""
        self._gone = False
        """The node has ended, and may not have answered."""
        self._refusal = Refusal("unavailable", "the chat node is stopping", retry_after=1)
        """What the client is told then."""

    # ---- in the server's loop

    async def run(self, mounted: Application | None, receive: Receive, send: Send) -> None:
        """Until it is answered, or the server cancels it. Raises what `send` raises, unless the client has gone."""
        try:
            call = self._portal.hand_over(self._ended, Call.run_in_task, self._answer, mounted)
        except NodeGone:
            await refuse(self._scope, send, self._refusal)
            return
        feeding = asyncio.create_task(self._feed(receive, call))
        giving = self._giving = asyncio.create_task(self._give(send))
        cancelled = True
        try:
            await asyncio.wait((giving,))
            cancelled = False
        finally:
            self._inwards.end()
            self._outwards.abandon()
            call.cancel()
            feeding.cancel()
            giving.cancel()
            await asyncio.gather(feeding, giving, return_exceptions=True)
            if cancelled and self._begun and not self._complete:
                await self._say_goodbye(send)
        error = None if giving.cancelled() else giving.exception()
        if error is not None and not isinstance(error, OSError):
            raise error
        if self._gone and not self._begun:
            await refuse(self._scope, send, self._refusal)

    async def _feed(self, receive: Receive, call: Call) -> None:
        """Pass on what the server has received, as far as there is room.

        A client that goes is heard of by the node, which may still have to do something then. If it has not begun to
        read, such as while no process answers for it, nothing was done, and nothing need be.
        """
        try:
            while True:
                message = await receive()
                await self._inwards.put(message, _size(message))
                if message["type"].endswith(".disconnect"):
                    if not self._heard:
                        call.cancel()
                    return
        except PipeBroken:
            pass
        finally:
            self._inwards.end()

    async def _give(self, send: Send) -> None:
        """Let the server send what the node answers."""
        while (message := await self._outwards.receive()) is not None:
            await send(message)

    async def _say_goodbye(self, send: Send) -> None:
        """The server is stopping: without this, clients of a socket would take it for a fault."""
        if self._scope["type"] == "websocket":
            with contextlib.suppress(Exception):
                async with asyncio.timeout(_GOODBYE_SECONDS):
                    await send({"type": "websocket.close", "code": CloseCode.GOING_AWAY, "reason": "stopping; resume"})

    def _cut(self) -> None:
        """The node has ended the answer early, perhaps while the server waits for a client that takes nothing."""
        if self._giving is not None:
            self._giving.cancel()

    # ---- in the node's thread

    async def _answer(self, mounted: Application | None) -> None:
        if mounted is None:
            raise NodeGone("the node is not running")
        await mounted(self._scope, self._receive, self._send)

    async def _receive(self) -> Message:
        self._heard = True
        message = await self._inwards.receive()
        return {"type": f"{self._scope['type']}.disconnect", "code": 1006} if message is None else message

    async def _send(self, message: Message) -> None:
        """Raises `ClientGone`."""
        try:
            await self._outwards.put(message, _size(message))
        except PipeBroken:
            raise ClientGone from None
        self._begun = True
        kind = message["type"]
        if kind == "websocket.close" or (kind == "http.response.body" and not message.get("more_body", False)):
            self._complete = True

    def _ended(self, result: Result) -> None:
        """In any thread."""
        self._gone = isinstance(result, outcome.Error)
        if isinstance(result, outcome.Error) and isinstance(result.error, Refusal):
            self._refusal = result.error
        self._outwards.end()
        if not self._complete and (self._begun or not self._gone):
            self._queue.call_soon(self._cut)


def _size(message: Message) -> int:
    return len(message.get("body") or message.get("text") or message.get("bytes") or b"")
