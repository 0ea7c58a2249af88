"""A node for asyncio programs.

    from chatnode.embed.aio import Node

    async with Node("chat-data", serve="127.0.0.1:0") as chat:
        await chat.operator.people.create(handle="ann")
        talk = await chat.person("ann").conversations.direct(with_="bob")
        await chat.person("ann").messages.post(conversation=talk.conversation, text="hello")

The node runs in a thread of its own, so a program that blocks its loop does not block the node. One `Node` may be used
from several loops in several threads. Cancelling a call ends the waiting at once; a write that was handed over is
carried out. Every call raises `Refusal` if the node refuses it, and `NodeGone` if there is no node any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import attrs

from chatnode.concurrency import OneReader
from chatnode.embed._calls import AsyncCalls
from chatnode.embed.closing import ClosingIterator
from chatnode.embed.handle import NodeHandle
from chatnode.embed.portal import START_SECONDS, Attach, begin_command, size_of
from chatnode.errors import NodeGone
from chatnode.logs import get_logger
from chatnode.portal.loops import LoopPortal, running_loop, wait_for
from chatnode.portal.stream import AsyncStream
from chatnode.protocol import codec

if TYPE_CHECKING:
    from chatnode.client.feed import Pushed
    from chatnode.config import Config
    from chatnode.embed.asgi import MountedApp, WrappedApp
    from chatnode.embed.portal import Acting, LocalItem, Read, Reading
    from chatnode.model.commands.resume import Cursor
    from chatnode.model.people import Person
    from chatnode.services.vouching import Profile
    from chatnode.storage.engine.transaction import Write
    from chatnode.transport.exchange import Application
    from chatnode.transport.mount import AskProfile, Identify

T = TypeVar("T")
logger = get_logger("embed")


class Node(NodeHandle["AsyncCaller"]):
    """A node over the directory `data`. Nothing happens before `start`, or `async with`.

    Without `config`, the directory's own config.toml and the environment are read. `plugins` are modules or objects
    with hooks, besides those that are installed. With `serve`, an address such as `127.0.0.1:0`, clients can connect,
    at `url`.

    `attach` says what to do while another process owns the directory. "never": `start` raises `InUse`. "auto": the
    first process owns it, and serves; the others attach to it, with the same calls, and one of them takes over when it
    ends. "only": attach to a process, such as `chatnode serve`, which may come within `start_seconds`. In an attached
    process a call raises `ConnectionLost` if the owner ended and it is not known whether the call was carried out, and
    `Refusal("unavailable")` if no process has taken over for a while.

    Where the node is mounted (`asgi`, `wrap`), `identify` says who is signed in to the program, by a request's ASGI
    scope: `app:42`, or None for nobody. Such a user needs no other sign-in, and gets an account with the first request.
    `profile` says how they are then shown, by what follows the colon: {"handle": …, "name": …}; without it, the handle
    is app-42. Both may be async, and run in the program's loop.
    """

    def __init__(
        self,
        data: Path | str,
        *,
        config: Config | None = None,
        plugins: Iterable[Any] = (),
        serve: str = "",
        attach: Attach = "never",
        start_seconds: float = START_SECONDS,
        identify: Identify | None = None,
        profile: AskProfile | None = None,
    ) -> None:
        super().__init__(data, config=config, plugins=plugins, serve=serve, attach=attach, start_seconds=start_seconds)
        self._identify, self._profile = identify, profile
        self._crossing: LoopPortal | None = None

    # ---- in a web framework

    def asgi(self) -> MountedApp:
        """The node as an ASGI application: `app.mount("/chat", node.asgi())`. See `lifespan`."""
        return self._mounted("")

    def wrap(self, app: Application, prefix: str) -> WrappedApp:
        """`app` with the node below a path such as `/chat`. It starts and closes the node as the server starts and
        stops, and passes these events on: `app` starts after the node, and stops before it.

        Raises `ValueError` for a prefix that is no path.
        """
        from chatnode.embed.asgi import WrappedApp, base_of_wrap

        base = base_of_wrap(prefix)
        return WrappedApp(app, self._mounted(base), self, base)

    def _mounted(self, base: str) -> MountedApp:
        from chatnode.embed.asgi import MountedApp
        from chatnode.transport.mount import Doorman

        return MountedApp(self, self._inside, Doorman(self._identify, self._profile), base)

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncGenerator[None]:
        """The node is open within it: `FastAPI(lifespan=node.lifespan)`. Frameworks tell only the outermost application
        that the server starts and stops, and not one that is mounted."""
        async with self:
            yield

    # ---- start and end

    async def start(self) -> Self:
        """Open the node; returns when it can be used, after migrations.

        Raises `StartError` with the reason, also when it takes longer than `start_seconds`.
        """
        running_loop()
        try:
            async with asyncio.timeout(self._inside.start_seconds):
                if (ending := self._inside.ending) is not None:
                    await wait_for(ending)
                portal = self._inside.start()
                self._crossing = LoopPortal(portal)
                await wait_for(portal.ready)
        except TimeoutError:
            raise self._inside.too_slow() from None
        except asyncio.CancelledError:
            self._inside.portal.stop()
            raise
        return self

    async def close(self) -> None:
        """Stop the node in order: sessions are told to resume, and what was handed over is written.

        It takes at most 5 s more than `server.shutdown_seconds`. Closing twice, or before the start, does nothing.
        """
        if not self._inside.was_started:
            return
        portal = self._inside.portal
        portal.stop()
        try:
            async with asyncio.timeout(portal.patience):
                await wait_for(portal.ended)
        except TimeoutError:
            logger.error("%s did not stop within %g s", portal.name, portal.patience)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def wait_closed(self) -> NodeGone | None:
        """Wait until the node has ended: with the reason if it was not closed."""
        return await wait_for(self._inside.portal.ended)

    # ---- while it runs

    @property
    def _loops(self) -> LoopPortal:
        if self._crossing is None:
            raise NodeGone(f"{self._inside.name} has not been started; use it in an async with block, or await start()")
        return self._crossing

    async def health(self) -> tuple[bool, dict[str, Any]]:
        """Whether the node is well, and each part's own word."""
        return await self._loops.run(self._inside.node.health)

    def _caller(self, acting: Acting) -> AsyncCaller:
        return AsyncCaller(self._loops, acting)

    async def admit(self, identity: str, profile: Profile | None = None) -> Person:
        """The account of a user of the program, by what `identify` calls them: `app:42`. It is made if they have not
        come yet, and shown as `profile` says: {"handle": …, "name": …}.

        Raises `Refusal("forbidden")` if it is deactivated, and `ValueError` for another form of identity.
        """
        return await self._loops.run(self._inside.node.admit, identity, profile)

    async def sign_out(self, identity: str) -> None:
        """A user has signed out of the program: their client sockets and event streams end at once, in all browsers.
        One who is still signed in there, by what `identify` says, may open others. If they are not known, nothing
        happens.

        Raises `ValueError` for another form of identity than `identify` gives.
        """
        await self._loops.run(self._inside.node.sign_out, identity)

    def consumer(self, name: str, kinds: Iterable[str] | None = None, from_start: bool = False) -> AsyncConsumer:
        """A durable reader of the log: `async for batch in node.consumer("orders", {"message.posted"})`.

        Its position is stored under its name, in the node's database. A new one begins with what comes next, or with
        `from_start` with the oldest event there is. Of each name, one can run at a time. `kinds` are names of events;
        None: all.
        """
        return AsyncConsumer(self._loops, self._inside.node.consumer(name, kinds, from_start))


class AsyncCaller(AsyncCalls):
    """Runs commands as one requester: `await caller.messages.post(conversation=…, text=…)`.

    Every command of the node is a method, by its name; it returns an object of the command's reply class. Commands of
    plugins are run with `call`, or with the classes that `chatnode plugin docs --python` prints.
    """

    __slots__ = ("_acting", "_loops")

    def __init__(self, loops: LoopPortal, acting: Acting) -> None:
        super().__init__(partial(loops.ask, begin_command, acting))
        self._loops = loops
        self._acting = acting

    async def call(self, name: str, /, **fields: Any) -> Any:
        """Run a command by its name, with plain values; returns its result as plain values."""
        return codec.to_plain(await self._run(name, fields))

    async def run(self, name: str, fields: dict[str, Any]) -> Any:
        """Run a command by its name, with plain values; returns an object of its reply class."""
        return await self._run(name, fields)

    def events(
        self,
        after: Cursor | None = None,
        *,
        kinds: Collection[str] | None = None,
        conversations: Collection[str] | None = None,
    ) -> AsyncStream[LocalItem]:
        """What happens for this user, from `after` on: an async iterator of `Pushed`, `Reset` and `Live`.

        Only events with the names `kinds`, and only those of the conversations with these ids, if they are given; then
        events that belong to no conversation are left out. Each item's `cursor` is where to go on after it.

        With `async with`, nothing is missed from its beginning on. Leaving the loop ends it, once nobody refers to the
        iterator any more; so does `aclose`. A reader that is slow loses nothing: what it did not take in time is read
        from the log. Asking for an item raises `Refusal`, such as `forbidden` for the operator.
        """
        source = partial(self._acting.events, after, kinds=kinds, conversations=conversations)
        return AsyncStream(self._loops.portal, source, size_of)


@attrs.frozen
class AsyncBatch:
    """Events in the order of the log, complete and as they are now: nothing is left out that some users may not see.

    Deal with them, then call `done` once.
    """

    events: list[Pushed]
    _loops: LoopPortal
    _batch: Read

    async def done(self, write: Write[T] | None = None) -> T | None:
        """Store that the batch is dealt with; returns when that is on disk.

        `write(tx)` runs in the same transaction, in the writer thread: what it does in the node's database happens
        exactly once. Returns what it returned; what it raises leaves the batch undone. Raises `Refusal("conflict")`
        if the stored position is not where the batch was read, and `RuntimeError` for a batch that is done, or that has
        come again meanwhile.
        """
        return await self._loops.run(self._batch.done, write)


class AsyncConsumer(ClosingIterator):
    """`async for batch in …: …; await batch.done()`. A batch that is not done comes again, after a pause.

    Asking for the first batch raises `Refusal("conflict")` while another consumer with the same name is open. Close it
    with `aclose`, or use `async with`; one that nobody refers to any more is closed too.
    """

    def __init__(self, loops: LoopPortal, reading: Reading) -> None:
        self._loops = loops
        self._reading = reading
        self._reader = OneReader()

    async def __anext__(self) -> AsyncBatch:
        with self._reader:
            batch = await self._loops.run(self._reading.next_in_turn)
        return AsyncBatch(batch.events, self._loops, batch)

    async def _ready(self) -> None:
        await self._loops.run(self._reading.__aenter__)

    async def _release(self) -> None:
        await self._loops.run(self._reading.aclose)
