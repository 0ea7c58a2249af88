"""The owner's side of the connections of attached processes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio

from chatnode.concurrency import Signal, first_of
from chatnode.embed.exchanges import ForwardedExchange, scope_of
from chatnode.embed.frames import NODE, VERSION, ConsumerWanted, EventsWanted, Who, batch_frame, item_frame
from chatnode.embed.local import LocalBatches, begin_events, caller_of, open_batches, repeatable
from chatnode.errors import Refusal
from chatnode.protocol import codec
from chatnode.protocol.envelopes import RequestFrame, error_reply, ok_reply
from chatnode.transport.failures import failed_reply, unexpected_refusal
from chatnode.transport.lines import LineReader, LineSender, send_lines

if TYPE_CHECKING:
    from chatnode.node import Node

_MOST_AHEAD = 16
"""Lines that may come while the one before is answered: what asked for that one was cancelled."""


@attrs.frozen
class AttachedConnection:
    """A connection of an attached process. `stopping` is set when the owner ends."""

    stream: trio.SocketStream
    reader: LineReader
    stopping: trio.Event

    async def gone(self) -> None:
        """Until the other end closes the connection, or sends far more than it may meanwhile. What it sends is kept for
        the next to read."""
        kept: list[bytes] = []
        try:
            while len(kept) < _MOST_AHEAD and (lines := await self.reader.read()):
                kept += lines
        finally:
            if kept:
                self.reader.put_back(kept)


class AttachedProcesses:
    """Carries out what attached processes ask of `node`. They are trusted as the owner's own process is."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._most_calls = node.core.config.limits.attached_calls
        self._purposes: dict[str, Callable[[AttachedConnection, dict[str, Any]], Awaitable[None]]] = {
            "calls": self._serve_calls,
            "events": self._serve_events,
            "consumer": self._serve_consumer,
            "exchange": self._serve_exchange,
        }

    async def serve(
        self, stream: trio.SocketStream, reader: LineReader, request: RequestFrame, stopping: trio.Event
    ) -> None:
        """`chatnode.transport.control.ServeAttached`."""
        fields = request.fields
        version, serve = fields.get("version"), self._purposes.get(fields.get("for", ""))
        if version != VERSION or serve is None:
            why = f"the owner of the node speaks version {VERSION} to attached processes, and this is {version}"
            refusal = Refusal("invalid", f"{why}: run the same chatnode in all of them")
            await send_lines(stream, [error_reply(request.id, refusal)])
            return
        await send_lines(stream, [ok_reply(request.id, self._welcome())])
        await serve(AttachedConnection(stream, reader, stopping), fields)

    def _welcome(self) -> dict[str, Any]:
        return {"url": self._node.core.base_url, "repeatable": repeatable(self._node), "most_calls": self._most_calls}

    async def _serve_calls(self, connection: AttachedConnection, fields: dict[str, Any]) -> None:
        await _Calls(self._node, connection, self._most_calls).run()

    async def _serve_events(self, connection: AttachedConnection, fields: dict[str, Any]) -> None:
        tell = partial(self._tell, LineSender(connection.stream), EventsWanted.of_fields(fields))
        await first_of(connection.gone, connection.stopping.wait, tell)

    async def _tell(self, sender: LineSender, wanted: EventsWanted) -> None:
        """Send a user's events. While the other end does not take them, they are left in the log."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sender.run)
            try:
                async with await begin_events(self._node, wanted) as events:
                    sender.put(codec.encode({"ready": True}))
                    async for item in events:
                        await sender.wait_room()
                        sender.put(item_frame(item))
                sender.put(codec.encode({"over": True}))
            except Exception as error:
                sender.put(_error(error))
            await sender.wait_sent()
            nursery.cancel_scope.cancel()

    async def _serve_consumer(self, connection: AttachedConnection, fields: dict[str, Any]) -> None:
        await first_of(connection.stopping.wait, partial(self._consume, connection, fields))

    async def _consume(self, connection: AttachedConnection, fields: dict[str, Any]) -> None:
        stream = connection.stream
        try:
            batches = await open_batches(
                self._node, ConsumerWanted(fields["name"], fields["kinds"], fields["from_start"])
            )
        except Exception as error:
            await send_lines(stream, [_error(error)])
            return
        try:
            await send_lines(stream, [codec.encode({"ready": True})])
            while lines := await connection.reader.read():
                for line in lines:
                    reply = await first_of(connection.gone, partial(_next_or_done, batches, codec.decode(line)))
                    if reply is None:
                        return
                    await send_lines(stream, [reply])
        finally:
            await batches.aclose()

    async def _serve_exchange(self, connection: AttachedConnection, fields: dict[str, Any]) -> None:
        mounted = self._node.mounted
        if mounted is not None:
            exchange = ForwardedExchange(connection.stream, connection.reader, scope_of(fields))
            await first_of(connection.stopping.wait, partial(exchange.run, mounted))


async def _next_or_done(batches: LocalBatches, asked: dict[str, Any]) -> bytes:
    try:
        if "done" in asked:
            await batches.done(asked["done"])
            return codec.encode(asked)
        return batch_frame(*await batches.next())
    except Exception as error:
        return _error(error)


def _error(error: Exception) -> bytes:
    """Call it while handling the exception."""
    refusal = error if isinstance(error, Refusal) else unexpected_refusal()
    return codec.encode({"error": refusal.as_json()})


class _Calls:
    """The calls of an attached process: carried out all at once, up to a limit, and answered as they end.

    What is read and not answered yet is bounded by that limit; further calls wait in the kernel, and their callers.
    """

    def __init__(self, node: Node, connection: AttachedConnection, most: int) -> None:
        self._node = node
        self._connection = connection
        self._most = most
        self._sender = LineSender(connection.stream)
        self._under_way: dict[int, trio.CancelScope] = {}
        self._ended = Signal()
        self._newest = 0

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._sender.run)
            stopping = await first_of(self._wait_stopping, partial(self._read, nursery))
            if stopping:
                while self._under_way:
                    await self._ended.wait()
                self._sender.put(codec.encode({"stopping": self._newest}))
                await self._sender.wait_sent()
            nursery.cancel_scope.cancel()

    async def _wait_stopping(self) -> bool:
        await self._connection.stopping.wait()
        return True

    async def _read(self, nursery: trio.Nursery) -> bool:
        """Begin calls until the other end closes the connection."""
        while lines := await self._connection.reader.read():
            for line in lines:
                frame = codec.decode(line)
                if "cancel" in frame:
                    self._cancel(frame["cancel"])
                    continue
                while 0 < self._most <= len(self._under_way):
                    await self._ended.wait()
                await self._sender.wait_room()
                self._newest = frame["id"]
                scope = self._under_way[frame["id"]] = trio.CancelScope()
                nursery.start_soon(self._answer, frame, scope)
        return False

    def _cancel(self, number: int) -> None:
        if number in self._under_way:
            self._under_way[number].cancel()

    async def _answer(self, frame: dict[str, Any], scope: trio.CancelScope) -> None:
        number: int = frame["id"]
        with scope:
            try:
                reply = ok_reply(number, await self._carry_out(frame["as"], frame["op"], frame["fields"]))
            except Exception as error:
                reply = failed_reply(number, error)
            self._sender.put(reply)
        del self._under_way[number]
        self._ended.notify()

    async def _carry_out(self, who: Who, name: str, fields: dict[str, Any]) -> Any:
        if who != NODE:
            return await caller_of(self._node, who).call(name, **fields)
        if name == "admit":
            return codec.to_plain(await self._node.admit(fields["identity"], fields["profile"]))
        if name == "sign_out":
            return await self._node.sign_out(fields["identity"])
        well, parts = await self._node.health()
        return {"well": well, "parts": parts}
