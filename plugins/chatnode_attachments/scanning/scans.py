"""The work on what waits for the scanner: several at a time, oldest first, again until there is a verdict."""

from __future__ import annotations

from functools import partial

import trio

from chatnode.api import Context, Transaction, now_ms
from chatnode_attachments.scanning import contents, notifying
from chatnode_attachments.scanning.contents import DueContent, Outcome
from chatnode_attachments.scanning.scanner import Scanner
from chatnode_attachments.scanning.verdicts import ScanVerdict
from chatnode_attachments.store.layout import Layout
from chatnode_attachments.store.rows import FileRow

MOST_SLEEP = 60.0
"""Seconds after which the tables are looked at anyway."""


class Scans:
    """Scans contents while `run` runs."""

    def __init__(self, scanner: Scanner, layout: Layout, at_a_time: int) -> None:
        self.scanner = scanner
        self._layout = layout
        self._at_a_time = at_a_time
        self._taken: set[int] = set()
        self._woken = trio.Event()

    # ---- what the store needs

    @property
    def on(self) -> bool:
        """Whether new content waits for the scanner."""
        return self.scanner.on

    def added(self, tx: Transaction, file: FileRow) -> None:
        """A file was added in this transaction. If its content is known to be unsafe, that is told at once; if it was
        found safe with another database, it is scanned again."""
        if file.scan == "unsafe":
            notifying.notify_infected(tx, file.key)
        elif file.scan == "safe" and self.scanner.state == "ok":
            contents.scan_if_older(tx, file.blob, self.scanner.version)

    def changed(self, tx: Transaction, content: int) -> None:
        """A content was stored again, or its thumbnails changed: notify the users who can see its files."""
        notifying.notify_now(tx, content)

    def wake(self) -> None:
        """Something is due, or may be."""
        self._woken.set()
        self._woken = trio.Event()

    # ---- the work

    async def run(self, ctx: Context) -> None:
        """For ever. Bring the tables in line with whether files are scanned, then scan."""
        if not self.on:
            while await ctx.write(_wait_no_more):
                pass
            await trio.sleep_forever()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.scanner.run, partial(ctx.log.warning, "the virus scanner gives no verdicts: %s"))
            nursery.start_soon(self._find_unscanned, ctx)
            for _ in range(self._at_a_time):
                nursery.start_soon(self._work, ctx)

    async def _find_unscanned(self, ctx: Context) -> None:
        after = 0
        while keys := await ctx.read(partial(contents.unscanned, after=after)):
            await ctx.write(partial(contents.make_pending, keys=keys), repeatable=True)
            after = keys[-1]
            self.wake()

    async def _work(self, ctx: Context) -> None:
        while True:
            await self.scanner.ready()
            woken = self._woken
            content = await self._take(ctx)
            if content is None:
                await self._wait(ctx, woken)
                continue
            try:
                await self._scan(ctx, content)
            finally:
                self._taken.discard(content.key)

    async def _take(self, ctx: Context) -> DueContent | None:
        found = await ctx.read(lambda reader: contents.due(reader, now_ms(), self._at_a_time))
        content = next((each for each in found if each.key not in self._taken), None)
        if content is not None:
            self._taken.add(content.key)
        return content

    async def _wait(self, ctx: Context, woken: trio.Event) -> None:
        """Until something may be due that nobody scans just now."""
        at = await ctx.read(partial(contents.next_due, but=frozenset(self._taken)))
        seconds = MOST_SLEEP if at is None else min(max((at - now_ms()) / 1000, 0.0), MOST_SLEEP)
        with trio.move_on_after(seconds):
            await woken.wait()

    async def _scan(self, ctx: Context, content: DueContent) -> None:
        verdict = await self.scanner.verdict(ctx, self._layout.blob(content.name), content.bytes)
        outcome = await apply_verdict(ctx, content, verdict)
        ctx.count("scans")
        if outcome == "unsafe":
            ctx.count("infected")
            ctx.log.warning("the virus scanner found something; the content was removed", extra={"blob": content.key})
        self.wake()


def _wait_no_more(tx: Transaction) -> bool:
    """Some contents stop waiting; users who can see their files are notified. False if none are left."""
    keys = contents.wait_no_more(tx)
    for key in keys:
        notifying.notify_now(tx, key)
    return bool(keys)


async def apply_verdict(ctx: Context, content: DueContent, verdict: ScanVerdict) -> Outcome:
    """Store a verdict, and tell it to those whom it concerns. The first ones are told in the same transaction."""

    def first(tx: Transaction) -> tuple[Outcome, int | None]:
        outcome = contents.store_verdict(tx, content, verdict)
        return outcome, notifying.notify_outcome(tx, content.key, outcome, 0)

    outcome, after = await ctx.write(first, repeatable=True)
    while after is not None:
        more = partial(notifying.notify_outcome, content=content.key, outcome=outcome, after=after)
        after = await ctx.write(more, repeatable=True)
    if outcome == "unsafe":
        ctx.wake("collect")
    return outcome


async def scan_all_again(ctx: Context, before: int) -> int:
    """Scan again what was last scanned before a time, in milliseconds; returns how many contents that are."""
    count = after = 0
    while keys := await ctx.read(partial(contents.scanned_before, at=before, after=after)):
        await ctx.write(partial(contents.scan_again, keys=keys), repeatable=True)
        count, after = count + len(keys), keys[-1]
    return count
