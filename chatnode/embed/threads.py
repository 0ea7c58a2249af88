"""A node for programs without an event loop: scripts, Django, Flask, any threads.

    from chatnode.embed.threads import Node

    with Node("chat-data") as chat:
        chat.operator.people.create(handle="ann")
        talk = chat.person("ann").conversations.direct(with_="bob")
        chat.person("ann").messages.post(conversation=talk.conversation, text="hello")

The node runs in a thread of its own; any number of threads may call it. Every call blocks until it is answered. It
raises `Refusal` if the node refuses it, and `NodeGone` if there is no node any more. On a thread that runs an event
loop, it raises `RuntimeError`: there the loop, and with it everything else in the thread, would stand still. So
it does in a function that the node runs in a thread of its database, such as the one given to `done`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, TypeVarTuple

import attrs
import trio

from chatnode.embed._calls import BlockingCalls
from chatnode.embed.handle import NodeHandle
from chatnode.embed.portal import begin_command, size_of
from chatnode.errors import NodeGone, WouldBlock
from chatnode.logs import get_logger
from chatnode.portal.calls import Call, OneThread
from chatnode.portal.stream import BlockingStream
from chatnode.portal.thread import Portal
from chatnode.protocol import codec
from chatnode.storage.engine.own_threads import in_own_thread

if TYPE_CHECKING:
    from chatnode.client.feed import Pushed
    from chatnode.embed.portal import Acting, LocalItem, Read, Reading
    from chatnode.model.commands.resume import Cursor
    from chatnode.model.people import Person
    from chatnode.services.vouching import Profile
    from chatnode.storage.engine.transaction import Write

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
logger = get_logger("embed")


class Node(NodeHandle["BlockingCaller"]):
    """A node over the directory `data`. Nothing happens before `start`, or `with`.

    Without `config`, the directory's own config.toml and the environment are read. `plugins` are modules or objects
    with hooks, besides those that are installed. With `serve`, an address such as `127.0.0.1:0`, clients can connect,
    at `url`.

    `attach` says what to do while another process owns the directory. "never": `start` raises `InUse`. "auto": the
    first process owns it, and serves; the others attach to it, with the same calls, and one of them takes over when it
    ends. "only": attach to a process, such as `chatnode serve`, which may come within `start_seconds`. In an attached
    process a call raises `ConnectionLost` if the owner ended and it is not known whether the call was carried out, and
    `Refusal("unavailable")` if no process has taken over for a while.
    """

    # ---- start and end

    def start(self) -> Self:
        """Open the node; returns when it can be used, after migrations.

        Raises `StartError` with the reason, also when it takes longer than `start_seconds`.
        """
        refuse_to_block()
        until = time.monotonic() + self._inside.start_seconds
        try:
            if (ending := self._inside.ending) is not None:
                ending.result(self._inside.start_seconds)
            self._inside.start().ready.result(max(0.0, until - time.monotonic()))
        except TimeoutError:
            raise self._inside.too_slow() from None
        except KeyboardInterrupt:
            self._inside.portal.stop()
            raise
        return self

    def close(self) -> None:
        """Stop the node in order: sessions are told to resume, and what was handed over is written.

        It takes at most 5 s more than `server.shutdown_seconds`. Closing twice, or before the start, does nothing.
        """
        refuse_to_block()
        if not self._inside.was_started:
            return
        portal = self._inside.portal
        portal.stop()
        if not portal.join(portal.patience):
            logger.error("%s did not stop within %g s", portal.name, portal.patience)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def wait_closed(self, seconds: float | None = None) -> NodeGone | None:
        """Wait until the node has ended: with the reason if it was not closed. Raises `TimeoutError`."""
        refuse_to_block()
        return self._inside.portal.ended.result(seconds)

    # ---- while it runs

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Whether the node is well, and each part's own word."""
        return _run(self._inside.portal, self._inside.node.health)

    def _caller(self, acting: Acting) -> BlockingCaller:
        return BlockingCaller(self._inside.portal, acting)

    def admit(self, identity: str, profile: Profile | None = None) -> Person:
        """The account of a user of the program, by what the program calls them: a word, a colon and a name of theirs,
        such as `app:42`. It is made if there is none. `profile` says how they are shown: {"handle": …, "name": …}.

        Raises `Refusal("forbidden")` if it is deactivated, and `ValueError` for another form of identity.
        """
        return _run(self._inside.portal, self._inside.node.admit, identity, profile)

    def sign_out(self, identity: str) -> None:
        """A user has signed out of the program: what they have open in a mounted node ends at once, in all browsers, as
        with `chatnode.embed.aio`. If they are not known, nothing happens.

        Raises `ValueError` for another form of identity than `admit` takes.
        """
        _run(self._inside.portal, self._inside.node.sign_out, identity)

    def consumer(self, name: str, kinds: Iterable[str] | None = None, from_start: bool = False) -> BlockingConsumer:
        """A durable reader of the log: `for batch in node.consumer("orders", {"message.posted"})`.

        Its position is stored under its name, in the node's database. A new one begins with what comes next, or with
        `from_start` with the oldest event there is. Of each name, one can run at a time. `kinds` are names of events;
        None: all.
        """
        return BlockingConsumer(self._inside.portal, self._inside.node.consumer(name, kinds, from_start))


class BlockingCaller(BlockingCalls):
    """Runs commands as one requester: `caller.messages.post(conversation=…, text=…)`.

    Every command of the node is a method, by its name; it returns an object of the command's reply class. Commands of
    plugins are run with `call`, or with the classes that `chatnode plugin docs --python` prints.
    """

    __slots__ = ("_acting", "_portal")

    def __init__(self, portal: Portal, acting: Acting) -> None:
        super().__init__(partial(_command, portal, acting))
        self._portal = portal
        self._acting = acting

    def call(self, name: str, /, **fields: Any) -> Any:
        """Run a command by its name, with plain values; returns its result as plain values."""
        return codec.to_plain(self._run(name, fields))

    def run(self, name: str, fields: dict[str, Any]) -> Any:
        """Run a command by its name, with plain values; returns an object of its reply class."""
        return self._run(name, fields)

    def events(
        self,
        after: Cursor | None = None,
        *,
        kinds: Collection[str] | None = None,
        conversations: Collection[str] | None = None,
    ) -> BlockingStream[LocalItem]:
        """What happens for this user, from `after` on: an iterator of `Pushed`, `Reset` and `Live`, which waits for the
        next.

        Only events with the names `kinds`, and only those of the conversations with these ids, if they are given; then
        events that belong to no conversation are left out. Each item's `cursor` is where to go on after it.

        With `with`, nothing is missed from its beginning on. Leaving the loop ends it, once nobody refers to the
        iterator any more; so does `close`, from any thread. A reader that is slow loses nothing: what it did not take
        in time is read from the log. Asking for an item raises `Refusal`, such as `forbidden` for the operator.

        When the interpreter exits, it first waits for all threads but daemons: let a thread that reads events without
        an end be a daemon.
        """
        source = partial(self._acting.events, after, kinds=kinds, conversations=conversations)
        return BlockingStream(self._portal, source, size_of, check=refuse_to_block)


@attrs.frozen
class BlockingBatch:
    """Events in the order of the log, complete and as they are now: nothing is left out that some users may not see.

    Deal with them, then call `done` once.
    """

    events: list[Pushed]
    _portal: Portal
    _batch: Read

    def done(self, write: Write[T] | None = None) -> T | None:
        """Store that the batch is dealt with; returns when that is on disk.

        `write(tx)` runs in the same transaction, in the writer thread: what it does in the node's database happens
        exactly once. Returns what it returned; what it raises leaves the batch undone. Raises `Refusal("conflict")`
        if the stored position is not where the batch was read, and `RuntimeError` for a batch that is done, or that has
        come again meanwhile.
        """
        return _run(self._portal, self._batch.done, write)


class BlockingConsumer:
    """`for batch in …: …; batch.done()`. A batch that is not done comes again, after a pause.

    Asking for the first batch raises `Refusal("conflict")` while another consumer with the same name is open. Close it
    with `close`, or use `with`; one that nobody refers to any more is closed too.
    """

    def __init__(self, portal: Portal, reading: Reading) -> None:
        self._portal = portal
        self._reading = reading
        self._reader = OneThread()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> BlockingBatch:
        try:
            with self._reader:
                batch = _run(self._portal, self._reading.next_in_turn)
        except StopAsyncIteration:
            raise StopIteration from None
        return BlockingBatch(batch.events, self._portal, batch)

    def close(self) -> None:
        """End it, from any thread, and let another consumer have the name. Closing twice does nothing."""
        _run(self._portal, self._reading.aclose)

    def __enter__(self) -> Self:
        """From here on its position is stored, and nothing is missed."""
        _run(self._portal, self._reading.__aenter__)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def refuse_to_block() -> None:
    """Raises `RuntimeError` on a thread that must not block: one that runs an event loop, which could never answer what
    the node asks it, and a thread of a node's database, for which the call would wait."""
    if asyncio._get_running_loop() is not None:  # pyright: ignore[reportPrivateUsage] - without the cost of an exception
        raise WouldBlock("this would block the event loop of this thread; use chatnode.embed.aio here")
    if trio.lowlevel.in_trio_run():
        raise WouldBlock("this would block the trio run of this thread; use chatnode.embed.open_node here")
    if in_own_thread():
        raise WouldBlock(
            "this thread is the node's own, and would wait for itself; call the node after the transaction"
        )


def _command(portal: Portal, caller: Acting, name: str, fields: dict[str, Any]) -> Any:
    refuse_to_block()
    return portal.wait(begin_command, caller, name, fields)


def _run(portal: Portal, function: Callable[[*Ts], Awaitable[T]], *args: *Ts) -> T:
    """The result of an async function that runs on the trio thread."""
    refuse_to_block()
    return portal.wait(Call.run_in_task, function, *args)
