"""Messages for very many users: they are judged for some hundreds at a time, in a task of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import orjson
import trio

from chatnode.api import Context, Reader, Task, Transaction, record
from chatnode_notifications.deciding import bundles
from chatnode_notifications.deciding.bundles import BundleDraft
from chatnode_notifications.deciding.judging import Judging
from chatnode_notifications.deciding.looking import (
    MOST_LOOKS,
    MOST_PAIRS,
    Candidates,
    Place,
    Share,
    look,
    postings_at,
    shares_of,
)
from chatnode_notifications.deciding.rules import oldest_judged
from chatnode_notifications.tasks import CLOSING, FANNING_OUT
from chatnode_notifications.transports.state import plugin_state

_LEAST = 20
_LOOK_SECONDS = 5.0
"""The task looks for work as often, and `_COMMIT_SECONDS` after it was woken, when the work should be committed."""
_COMMIT_SECONDS = 0.2


@record(frozen=True)
class _Part:
    """The next users for whom messages are judged: those with keys above `above`, up to `upto`; None is the rest."""

    key: int
    above: int
    upto: int | None
    look: Candidates


def put_off(tx: Transaction, shares: Iterable[Share]) -> None:
    """Store what takes longer."""
    tx.executemany(
        "INSERT INTO notifications_fanouts (conversation, messages, made_at) VALUES (?, ?, ?)",
        [
            (
                share.postings[0].conversation,
                orjson.dumps([place for each in share.postings for place in each.places]).decode(), tx.now,
            )
            for share in shares
        ],
    )  # fmt: skip


async def fan_out_next(ctx: Context) -> bool:
    """Judge for the next users; returns whether there were any to judge for."""
    part = await ctx.read(partial(_next_part, oldest_judged(ctx)))
    if part is None:
        return False
    drafts = await Judging(ctx, part.look).run()
    await ctx.write(partial(_write, part, drafts))
    if drafts:
        plugin_state(ctx).wakes.wake(CLOSING)
    return True


def _next_part(oldest: int, reader: Reader) -> _Part | None:
    row = reader.execute("SELECT key, messages, above FROM notifications_fanouts ORDER BY key LIMIT 1").fetchone()
    if row is None:
        return None
    key, messages, above = row
    places: list[Place] = [(gid, conversation, seq) for gid, conversation, seq in orjson.loads(messages)]
    shares = shares_of(reader, postings_at(reader, places, oldest))
    if not shares or shares[0].among is None:
        return _Part(key, above, None, look(reader, shares))
    share = shares[0]
    left = [person for person in share.among or () if person > above]
    some = left[: max(_LEAST, min(MOST_PAIRS, MOST_LOOKS // max(1, len(share.postings))))]
    upto = some[-1] if len(some) < len(left) else None
    return _Part(key, above, upto, look(reader, [Share(share.postings, some)]))


def _write(part: _Part, drafts: Sequence[BundleDraft], tx: Transaction) -> None:
    """Store the bundles together with how far the fan-out is, so that each user is judged once."""
    if part.upto is not None:
        moved = tx.execute(
            "UPDATE notifications_fanouts SET above = ? WHERE key = ? AND above = ?", (part.upto, part.key, part.above)
        )
    else:
        moved = tx.execute("DELETE FROM notifications_fanouts WHERE key = ? AND above = ?", (part.key, part.above))
    if moved.rowcount == 1:
        bundles.store(tx, drafts)


async def keep_fanning_out(ctx: Context) -> None:
    """Until cancelled."""
    while True:
        while await fan_out_next(ctx):
            await trio.lowlevel.checkpoint()
        if await plugin_state(ctx).wakes.wait(FANNING_OUT, _LOOK_SECONDS):
            await trio.sleep(_COMMIT_SECONDS)


TASK = Task(FANNING_OUT, keep_fanning_out)
