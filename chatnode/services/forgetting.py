"""Making what was removed unreadable in the files, and proving it.

The tables forget at once, and zero what they delete. What is left for a while: the parts of the search index that have
the removed words; older pages in the write-ahead log; and, seldom, copies that stayed in a page of a table when its
rows moved to another one, which only writing the whole file anew removes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import attrs
import trio

from chatnode.dispatch.core import Core
from chatnode.logs import get_logger
from chatnode.storage import maintenance, search_index, traces
from chatnode.storage.connection import Reader, file_statistics
from chatnode.storage.search_renewal import Settling

logger = get_logger("forgetting")

_TRIES, _TRY_SECONDS = 60, 0.5
_PATIENT_TRIES = 10


@attrs.frozen
class Looked:
    """What became of removed texts: those still to be found, and those that somebody else has said too.

    `complete`: no long read kept older pages in the write-ahead log. If one did, the log still has what was removed.
    """

    found: list[str]
    elsewhere: list[str]
    complete: bool


async def forget(core: Core) -> bool:
    """Call after messages were removed, deleted or edited, and committed: then no older page has what they said.

    Makes the parts of the search index anew that had it, in slices between other writes, and cuts the write-ahead
    log off. False when a read of an older state stood in the way of that for half a minute.
    """
    settling = Settling(core.config.search)
    while not await core.db.write(lambda tx: settling.go_on(tx.connection)):
        pass
    for _ in range(_TRIES):
        if await core.db.maintain(traces.forget_old_pages):
            return True
        await trio.sleep(_TRY_SECONDS)
    return False


async def prove_gone(core: Core, texts: list[str], elsewhere: Callable[[Reader, list[str]], list[str]]) -> Looked:
    """`forget`, and look for removed `texts` in the search index and in the bytes of the files.

    `elsewhere` says which of those found are there because somebody else said them. If others are found, the file is
    written anew, during which other writes wait, and looked through once more.
    """
    complete = await forget(core)
    looked = await _look(core, texts, elsewhere, complete)
    if looked.found and complete and await write_anew(core, patient=False):
        looked = await _look(core, texts, elsewhere, await forget(core))
    return looked


async def _look(
    core: Core, texts: list[str], elsewhere: Callable[[Reader, list[str]], list[str]], complete: bool
) -> Looked:
    there = {*await trio.to_thread.run_sync(traces.found, core.db.path, texts)}
    others = set(await core.db.read(lambda reader: elsewhere(reader, [text for text in texts if text in there])))
    there = (there - others) | {*await core.db.read(lambda reader: search_index.remains(reader, texts))}
    return Looked(
        [text for text in texts if text in there],
        [text for text in texts if text in others],
        complete,
    )


async def write_anew(core: Core, *, patient: bool) -> bool:
    """Write the whole database anew; False when it is larger than the settings allow.

    Other writes wait meanwhile; if this is `patient`, it waits for them, and is False when there was no end of them.
    """
    db = core.db
    size = (await db.read(file_statistics)).bytes
    if size > core.config.storage.vacuum_most_mib << 20:
        logger.warning("removed texts may have left copies, and the database is larger than storage.vacuum_most_mib")
        return False
    logger.info("the database of %d MiB is written anew, without copies of what was removed", size >> 20)
    for _ in range(_PATIENT_TRIES):
        if await db.maintain(partial(maintenance.vacuum, wanted=lambda: patient and db.writes_waiting > 0)):
            return True
        await trio.sleep(_TRY_SECONDS)
    return False
