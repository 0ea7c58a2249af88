"""The lifespan events of ASGI: they start and stop the node, and are passed on to the program around which it is."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Protocol

from chatnode.transport.exchange import Application, Message, Receive, Send


class Startable(Protocol):
    """A node of `aio.py`."""

    async def start(self) -> object: ...
    async def close(self) -> None: ...


async def serve_lifespan(node: Startable, app: Application | None, scope: Any, receive: Receive, send: Send) -> None:
    """Start the node and then `app`; at the end stop `app` and then the node."""
    await receive()
    try:
        await node.start()
    except Exception as error:
        await send({"type": "lifespan.startup.failed", "message": f"the chat node did not start: {error}"})
        return
    inner = _InnerLifespan(app, scope) if app is not None else None
    try:
        failed = await inner.tell("startup") if inner is not None else None
        await send(failed or {"type": "lifespan.startup.complete"})
        if failed is None:
            await receive()
            failed = await inner.tell("shutdown") if inner is not None else None
    finally:
        if inner is not None:
            await inner.end()
        await node.close()
    if failed is None or failed["type"] == "lifespan.shutdown.failed":
        await send(failed or {"type": "lifespan.shutdown.complete"})


class _InnerLifespan:
    """The lifespan of the program's own application, which may know nothing of such events."""

    def __init__(self, app: Application, scope: Any) -> None:
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._answers: asyncio.Queue[Message] = asyncio.Queue()
        self._running = asyncio.ensure_future(app(scope, self._events.get, self._answers.put))

    async def tell(self, event: str) -> Message | None:
        """Returns its answer if it has failed. One that has ended, or has raised on startup, takes no part."""
        if self._running.done():
            return None
        await self._events.put({"type": f"lifespan.{event}"})
        answer = asyncio.ensure_future(self._answers.get())
        try:
            await asyncio.wait((answer, self._running), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                return self._raised(event)
            return answer.result() if answer.result()["type"].endswith(".failed") else None
        finally:
            answer.cancel()

    def _raised(self, event: str) -> Message | None:
        """On startup it is how an application says that it knows no lifespan."""
        error = None if self._running.cancelled() else self._running.exception()
        if event == "startup" or error is None:
            return None
        return {"type": "lifespan.shutdown.failed", "message": str(error)}

    async def end(self) -> None:
        """It gets to end by itself once it has answered to shutdown; else it is cancelled."""
        _, pending = await asyncio.wait((self._running,), timeout=1)
        for each in pending:
            each.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await self._running
