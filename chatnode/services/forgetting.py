"""Making removed data unreadable in the files, and proving it.

SQLite zeroes deleted rows at once. Still left for a while: the parts of the search index that have
the removed words; copies in the gaps of pages whose rows moved to another one; and older pages in the write-ahead log.
All of it goes in slices between other writes.
"""

from __future__ import annotations

from functools import partial
from typing import Protocol

import trio

from chatnode.dispatch.core import Core
from chatnode.errors import Refusal
from chatnode.logs import get_logger
from chatnode.model.records import record
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.gaps import Slice, Sweep, Unswept, empty_log
from chatnode.storage.privacy import traces
from chatnode.storage.search import index as search_index
from chatnode.storage.search.renewal import Settling

logger = get_logger("forgetting")

PATIENCE_SECONDS = 30.0
PAUSE_SECONDS = 0.01
BUSY_SECONDS = 0.1


class FindCopies(Protocol):
    """Returns those of `texts` that other users' messages contain."""

    def __call__(self, reader: Reader, texts: list[str]) -> list[str]: ...


@record(frozen=True)
class Cleaned:
    """`swept`: the gaps of all pages are zero; `flushed`: the write-ahead log, which has older pages, was cut off."""

    swept: bool
    flushed: bool

    @property
    def complete(self) -> bool:
        return self.swept and self.flushed


@record(frozen=True)
class Looked:
    """What became of removed texts: those still found, and those that other users' messages contain too."""

    found: list[str]
    elsewhere: list[str]
    cleaned: Cleaned

    @property
    def advice(self) -> str | None:
        """What the operator can do about what is left."""
        if not self.cleaned.flushed:
            return "a long read kept old pages; the job `erasures` retries within the hour, jobs.run runs it now"
        if not self.cleaned.swept or self.found:
            return "stop the node and run: sqlite3 chatnode.sqlite3 VACUUM"
        return None


async def forget(core: Core) -> Cleaned:
    """Call after a commit that removed, deleted or edited messages: it removes their words from the files.

    The result says if reads of an older state prevented that for half a minute.
    """
    async with core.db.file.alone:
        upto = await core.db.read(traces.pending_traces)
        settling = Settling(core.config.search)
        while not await core.db.write(settling.go_on):
            await core.db.checkpoint()
        cleaned = await _sweep(core)
    if cleaned.complete and upto is not None:
        await core.db.write(partial(traces.clear_pending_traces, upto=upto))
    return cleaned


async def forget_what_is_owed(core: Core) -> Cleaned | None:
    """Run `forget` if it is due or was not completed since the last removal; None if not."""
    return await forget(core) if await core.db.read(traces.pending_traces) is not None else None


async def _sweep(core: Core) -> Cleaned:
    """Zero the gaps of all pages, and cut off the write-ahead log."""
    db, sweep = core.db, Sweep(core.db.file)
    give_up = trio.current_time() + PATIENCE_SECONDS
    await db.checkpoint()
    try:
        while (ended := await db.maintain(sweep.go_on)) is not Slice.DONE:
            if ended is Slice.MORE:
                await trio.to_thread.run_sync(db.file.sync)  # else the next checkpoint does it while writes wait
                give_up = trio.current_time() + PATIENCE_SECONDS
            elif trio.current_time() > give_up:
                logger.warning("long reads keep old pages in the write-ahead log; removed texts may still be in it")
                return Cleaned(swept=False, flushed=False)
            await trio.sleep(PAUSE_SECONDS if ended is Slice.MORE else BUSY_SECONDS)
    except Unswept as error:
        logger.warning("copies of removed texts may be left in gaps of the database: %s", error)
        return Cleaned(swept=False, flushed=await db.maintain(empty_log))
    finally:
        with trio.CancelScope(shield=True):
            await _end(core, sweep)
    await trio.to_thread.run_sync(db.file.sync)
    return Cleaned(swept=True, flushed=True)


async def _end(core: Core, sweep: Sweep) -> None:
    try:
        await core.db.maintain(partial(sweep.end, checkpoint_pages=core.config.storage.checkpoint_pages))
    except Refusal:  # the node is stopping, and empties the log itself
        return


async def prove_gone(core: Core, texts: list[str], elsewhere: FindCopies) -> Looked:
    """`forget`, and look for removed `texts` in the search index and in the bytes of the files.

    `elsewhere` tells which of those found are in other users' messages.
    """
    cleaned = await forget(core)
    there = {*await trio.to_thread.run_sync(traces.found, core.db.path, texts)}
    others: set[str] = set()
    for text in there:  # each in a read of its own: it goes through all messages
        others |= {*await core.db.read(partial(elsewhere, texts=[text]))}
    there = (there - others) | {*await core.db.read(lambda reader: search_index.remains(reader, texts))}
    return Looked(
        [text for text in texts if text in there],
        [text for text in texts if text in others],
        cleaned,
    )
