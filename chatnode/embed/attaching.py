"""Several processes over one node: one owns its directory, the others are attached to it.

    program ── SharedNode ─┬─ Owned    ── the node, in this process
                           └─ Attached ── control socket ── the node, in the owner's process

When the owner ends, the others try to become the owner, and go on with what they were doing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import trio

from chatnode.concurrency import Backoff, Signal, raise_single
from chatnode.embed._calls import AsyncCalls
from chatnode.embed.frames import OPERATOR, ConsumerWanted, EventsWanted, Who, bot, person
from chatnode.embed.kinds import checked_cursor, checked_who, words
from chatnode.embed.link import ANSWER_SECONDS, LEAST_ANSWER_SECONDS, NoOwner, OwnerHung, OwnerLink, connect
from chatnode.embed.owners import Attached, NodeOwner, Owned
from chatnode.embed.shared_consumer import SharedConsumer
from chatnode.embed.shared_events import SharedEvents
from chatnode.errors import ConnectionLost, InUse, Refusal, StartError
from chatnode.logs import get_logger
from chatnode.model.commands.resume import Cursor
from chatnode.model.people import Person
from chatnode.services.vouching import Profile, read_identity, read_profile
from chatnode.storage.engine.connection import DatabaseError
from chatnode.transport.exchange import Receive, Send

if TYPE_CHECKING:
    from chatnode.dispatch.table import BegunRequest
    from chatnode.node import Node

T = TypeVar("T")
logger = get_logger("attached")

OWNER_SECONDS = 20.0
"""How long a call waits while no process owns the node, before it is refused; and a start for an owner that hangs."""
RETRY_SECONDS = 0.25
"""How soon an owner that did not answer is asked again, while it is still there."""
FAULT_SECONDS = 5.0
"""How soon a process tries again to take a node over that it could not open."""

Own = Callable[[], "AbstractAsyncContextManager[Node]"]
"""Opens the node in this process, and its control socket. Raises `InUse`."""


@asynccontextmanager
async def open_shared(data: Path, own: Own | None, *, start_seconds: float) -> AsyncGenerator[SharedNode]:
    """Own the node with `own`, or attach to the process that does; without `own`, only attach.

    Raises `StartError` when it can do neither within `start_seconds`, or when the node cannot start.
    """
    shared = SharedNode(data, own)
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(shared.keep, trio.current_time() + start_seconds)
            yield shared
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise_single(group)


class SharedNode:
    """A node that several processes share, as a program in one of them has it. Made by `open_shared`.

    Calls that are under way when the owner ends are repeated at the next one if it is safe to do so; others raise
    `ConnectionLost`. While no process owns the node, calls wait, at most `OWNER_SECONDS`: then they raise
    `Refusal("unavailable")`.
    """

    def __init__(self, data: Path, own: Own | None) -> None:
        self._data = data
        self._own = own
        self._owner: NodeOwner | None = None
        self._changed = Signal()
        self.names: set[str] = set()

    @property
    def operator(self) -> SharedCaller:
        return SharedCaller(self, OPERATOR)

    def person(self, who: str, limits: bool = True) -> SharedCaller:
        return SharedCaller(self, person(checked_who(who), limits))

    def bot(self, handle: str, create: bool = True) -> SharedCaller:
        return SharedCaller(self, bot(checked_who(handle), create))

    def consumer(self, name: str, kinds: Iterable[str] | None = None, from_start: bool = False) -> SharedConsumer:
        """A durable reader of the log, as `chatnode.node.Node.consumer`, for one of the processes at a time."""
        return SharedConsumer(self, ConsumerWanted(name, _listed(kinds), from_start))

    async def health(self) -> tuple[bool, dict[str, Any]]:
        """Whether the node is well, and each part's own word."""
        return await self.ask(lambda owner: owner.health())

    async def admit(self, identity: str, profile: Profile | None = None) -> Person:
        """The account of a user of the program, as `chatnode.node.Node.admit`."""
        read_identity(identity)
        known = read_profile(profile)
        return await self.ask(lambda owner: owner.admit(identity, known))

    async def sign_out(self, identity: str) -> None:
        """A user has signed out of the program, as `chatnode.node.Node.sign_out`."""
        read_identity(identity)
        await self.ask(lambda owner: owner.sign_out(identity))

    async def mounted(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request to the program that the node is mounted in, as `chatnode.transport.mount.MountedNode`.

        Raises `ConnectionLost` if the owner ends before it has answered, and `Refusal("unavailable")` if none does in
        `OWNER_SECONDS`."""
        deadline = trio.current_time() + OWNER_SECONDS
        while True:
            owner = await self.owner()
            try:
                await owner.answer(scope, receive, send)
                return
            except NoOwner:
                if trio.current_time() >= deadline:
                    raise self._unavailable() from None
                await self.wait_changed(owner)

    @property
    def url(self) -> str:
        """Where the node can be reached; empty if it has no port, or if no process owns it now."""
        return self._owner.url if self._owner is not None else ""

    # ---- whom to ask

    def begin(self, who: Who, name: str, fields: dict[str, Any]) -> BegunRequest | None:
        """`EmbeddedCaller.begin`; None if another process has to be asked."""
        return self._owner.begin(who, name, fields) if isinstance(self._owner, Owned) else None

    async def ask(self, ask: Callable[[NodeOwner], Awaitable[T]], command: str | None = None) -> T:
        """Ask whichever process owns the node, and again if it ends before it answers, unless that could carry
        `command` out twice."""
        while True:
            owner = await self.owner()
            try:
                return await ask(owner)
            except NoOwner:
                pass
            except ConnectionLost:
                if command is not None and command not in owner.repeatable:
                    raise
            await self.wait_changed(owner)

    async def owner(self) -> NodeOwner:
        """The owner, once there is one. Raises `Refusal("unavailable")` after `OWNER_SECONDS`."""
        if self._owner is None:
            with trio.move_on_after(OWNER_SECONDS):
                while self._owner is None:
                    await self._changed.wait()
        if self._owner is None:
            raise self._unavailable()
        return self._owner

    def _unavailable(self) -> Refusal:
        return Refusal(
            "unavailable", f"no process answers for the node in {self._data} now; try again", retry_after=1.0
        )

    async def wait_changed(self, owner: NodeOwner) -> None:
        """This owner did not answer: wait for another, or a moment."""
        with trio.move_on_after(RETRY_SECONDS):
            while self._owner is owner:
                await self._changed.wait()

    def _use(self, owner: NodeOwner | None) -> None:
        self._owner = owner
        self._changed.notify()

    # ---- having an owner

    async def keep(self, deadline: float, task_status: trio.TaskStatus[None]) -> None:
        """Own the node or be attached to its owner, until cancelled; reports the first time.

        Until then it raises what went wrong, at the latest at `deadline`, or once an owner has not answered for
        `OWNER_SECONDS`. After that it logs that, and tries again.
        """
        waits, hung_since = Backoff(first=0.05, most=0.5), inf
        started = False

        def use(owner: NodeOwner) -> None:
            nonlocal started
            self._use(owner)
            waits.reset()
            if not started:
                started = True
                task_status.started()

        while True:
            why: Exception
            began = trio.current_time()
            patience = ANSWER_SECONDS if started else min(ANSWER_SECONDS, max(deadline - began, LEAST_ANSWER_SECONDS))
            try:
                await self._own_or_attach(use, patience)
                continue
            except OwnerHung as error:
                why, hung_since = error, min(hung_since, began)
            except (InUse, NoOwner, Refusal) as error:
                why, hung_since = error, inf
            except (StartError, DatabaseError) as error:
                if not started:
                    raise
                logger.error("this process can neither take over the node nor attach to it: %s", error)
                await trio.sleep(FAULT_SECONDS)
                continue
            finally:
                self._use(None)
            until = deadline if hung_since == inf else min(deadline - ANSWER_SECONDS, hung_since + OWNER_SECONDS)
            wait = waits.next_wait()
            if not started and trio.current_time() + wait >= until:
                raise self._too_late(why) from None
            await trio.sleep(wait)

    async def _own_or_attach(self, use: Callable[[NodeOwner], None], answer_seconds: float) -> None:
        """Returns when the owner has ended. Raises `InUse` if there is one that cannot be attached to yet."""
        in_use: InUse | None = None
        if self._own is not None:
            try:
                async with self._own() as node:
                    use(Owned(node))
                    logger.info("this process owns the node in %s", self._data)
                    await trio.sleep_forever()
            except InUse as error:
                in_use = error
        try:
            async with await connect(self._data, "calls", answer_seconds=answer_seconds) as connection:
                link = OwnerLink(connection)
                use(Attached(self._data, link))
                logger.info("attached to the node in %s, which process %d owns", self._data, connection.process)
                await link.run()
        except OwnerHung:
            raise
        except NoOwner as error:
            raise in_use or error from None

    def _too_late(self, why: Exception) -> StartError:
        if isinstance(why, InUse | OwnerHung):
            return InUse(self._data, why.process, "it does not answer at its control socket; is it starting, or hung?")
        if isinstance(why, NoOwner):
            return StartError(
                f"{self._data}: no process owns the node here to attach to; start one, such as chatnode serve, or use "
                'attach="auto"'
            )
        return StartError(f"{self._data}: cannot attach to the node: {why}")


class SharedCaller(AsyncCalls):
    """Somebody who calls, at whichever process owns the node: see `chatnode.embed.callers.EmbeddedCaller`."""

    __slots__ = ("_node", "_who")

    def __init__(self, node: SharedNode, who: Who) -> None:
        super().__init__(self.run)
        self._node = node
        self._who = who

    async def run(self, name: str, fields: dict[str, Any]) -> Any:
        """Run a command with plain values as `fields`; an object of its reply class. Raises `Refusal`, and
        `ConnectionLost` if it is not known whether the command was carried out."""
        return await self._node.ask(lambda owner: owner.run(self._who, name, fields), name)

    def begin(self, name: str, fields: dict[str, Any]) -> BegunRequest | None:
        """The first half of `run`, which does not wait, if this process owns the node and nothing has to be looked up.
        Raises `Refusal`."""
        return self._node.begin(self._who, name, fields)

    async def call(self, name: str, /, **fields: Any) -> Any:
        """The same, as plain values."""
        return await self._node.ask(lambda owner: owner.call(self._who, name, fields), name)

    def events(
        self,
        after: Cursor | None = None,
        *,
        kinds: Collection[str] | None = None,
        conversations: Collection[str] | None = None,
    ) -> SharedEvents:
        """What happens for this user, as `chatnode.embed.callers.EmbeddedCaller.events`; when another process takes the
        node over, it goes on from its cursor."""
        return SharedEvents(
            self._node, EventsWanted(self._who, checked_cursor(after), _listed(kinds), _listed(conversations))
        )


def _listed(given: Iterable[str] | None) -> list[str] | None:
    found = words(given)
    return None if found is None else sorted(found)
