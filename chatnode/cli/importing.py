"""`chatnode import`: brings conversations in from elsewhere, any number of times."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import attrs
import click
import trio

from chatnode.cli.operator import Call, operator
from chatnode.errors import Refusal
from chatnode.importers import ImportedMessage, IrcLog, Problem, Source, ZulipArchive

BATCH = 500
"""Messages that share a transaction."""


@attrs.define
class Tally:
    """What came of it."""

    imported: int = 0
    present: int = 0
    failed: int = 0

    def fail(self, place: str, message: str) -> None:
        self.failed += 1
        click.echo(f"{place}: {message}", err=True)


@click.group("import")
def import_group() -> None:
    """Bring in conversations from elsewhere.

    Importing the same archive again adds only what is new in it. Everybody with an account takes part in what
    is imported, and so will everybody who gets one, unless --no-join is given.
    """


_join = click.option("--join/--no-join", default=True, show_default=True, help="Everybody takes part.")
_path = click.argument("path", type=click.Path(exists=True, path_type=Path))


@import_group.command("zulip")
@_path
@_join
@click.pass_obj
def import_zulip(data: Path, path: Path, join: bool) -> None:
    """A Zulip archive: a directory, or a tar or zip file of one."""
    _import(data, ZulipArchive(path), join)


@import_group.command("irc")
@_path
@_join
@click.option("--timezone", default="UTC", show_default=True, help="Of the log's times, e.g. Europe/Berlin.")
@click.pass_obj
def import_irc(data: Path, path: Path, join: bool, timezone: str) -> None:
    """A WeeChat log, plain or compressed."""
    try:
        source = IrcLog(path, timezone=timezone)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--timezone") from None
    _import(data, source, join)


def _import(data: Path, source: Source, join: bool) -> None:
    tally = Tally()
    trio.run(_import_source, data, source, join, tally)
    click.echo(f"imported {tally.imported}, already present {tally.present}, failed {tally.failed}")
    sys.exit(1 if tally.failed else 0)


async def _import_source(data: Path, source: Source, join: bool, tally: Tally) -> None:
    async with operator(data, make=True) as call:
        total = await trio.to_thread.run_sync(lambda: source.total)
        with click.progressbar(length=total or 0, label=f"importing {source.kind}", file=sys.stderr) as bar:
            ids: dict[str, str] = {}
            for conversation in source.conversations():
                given = await call(
                    "import.conversation", source=source.kind, key=conversation.key,
                    title=conversation.title[:200], description=conversation.description[:2000], join=join,
                )  # fmt: skip
                ids[conversation.key] = given["conversation"]
            batches = _batches(source, tally.fail)
            while (batch := await trio.to_thread.run_sync(next, batches, None)) is not None:
                await _import_batch(call, source.kind, ids[batch[0].conversation], batch, tally)
                bar.update(len(batch))


def _batches(
    source: Iterable[ImportedMessage | Problem], fail: Callable[[str, str], None]
) -> Iterator[list[ImportedMessage]]:
    """Runs of messages of one conversation; what could not be read is reported on the way."""
    batch: list[ImportedMessage] = []
    for item in source:
        if isinstance(item, Problem):
            fail(item.place, item.message)
            continue
        if batch and (len(batch) == BATCH or item.conversation != batch[0].conversation):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


async def _import_batch(call: Call, source: str, conversation: str, batch: list[ImportedMessage], tally: Tally) -> None:
    """Hand over a batch; an item that the node refuses is reported and the rest handed over without it."""
    items = [_item(message) for message in batch]
    while items:
        try:
            done = await call("import.messages", conversation=conversation, source=source, items=items)
        except Refusal as refusal:
            place = (refusal.path or "").split(".")
            if place[0] != "items" or len(place) < 2:
                raise
            bad = items.pop(int(place[1]))
            tally.fail(f"{source} message {bad['cid']}", refusal.message)
            continue
        tally.imported += done["imported"]
        tally.present += done["present"]
        for failure in done["failed"]:
            tally.fail(f"{source} message {failure['cid']}", failure["reason"])
        return


def _item(message: ImportedMessage) -> dict[str, Any]:
    item: dict[str, Any] = {"cid": message.key, "author": message.author, "at": message.at, "text": message.text}
    if message.reply_to is not None:
        item |= {"reply_to": message.reply_to, "reply_to_author": message.reply_to_author}
    if message.metadata:
        item["metadata"] = message.metadata
    return item
