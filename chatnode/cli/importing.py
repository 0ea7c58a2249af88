"""`chatnode import`: brings conversations in from elsewhere, any number of times."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import attrs
import click
import trio

from chatnode.cli.opening import operator
from chatnode.cli.remote import OperatorCall
from chatnode.errors import Refusal
from chatnode.importers import (
    Converted,
    Converter,
    ImportedConversation,
    ImportedMessage,
    IrcLog,
    Problem,
    Source,
    Threads,
    ZulipArchive,
    left_out,
)

BATCH = 500
"""Messages that share a transaction."""

MOST_LINES = 20
"""Messages that are named because they are in another conversation; the rest are counted."""

_ITEM = re.compile(r"items\.(\d+)\.")
"""What the path of a refusal begins with if it is about one of them."""


@attrs.define
class Tally:
    """What came of it."""

    imported: int = 0
    present: int = 0
    removed: int = 0
    elsewhere: int = 0
    failed: int = 0

    def fail(self, place: str, message: str) -> None:
        self.failed += 1
        click.echo(f"{place}: {message}", err=True)

    def count(self, source: str, done: dict[str, Any]) -> None:
        """Add what a command answered."""
        self.imported += done.get("imported", 0)
        self.present += done["present"]
        self.removed += done.get("removed", 0)
        for each in done.get("elsewhere", ()):
            self.elsewhere += 1
            if self.elsewhere <= MOST_LINES:
                click.echo(f"{source} message {each['cid']}: is already in {each['title']!r}; not moved", err=True)
        for failure in done.get("failed", ()):
            self.fail(f"{source} message {failure['cid']}", failure["reason"])

    def __str__(self) -> str:
        elsewhere = f" ({self.elsewhere} in another conversation)" if self.elsewhere else ""
        removed = f"previously removed {self.removed}, " if self.removed else ""
        return f"imported {self.imported}, already present {self.present}{elsewhere}, {removed}failed {self.failed}"


@click.group("import")
def import_group() -> None:
    """Import conversations from other systems.

    Importing an archive again adds only what is new in it. What was deleted or erased here does not come back.
    Every account, present or future, becomes a member of the imported conversations, unless you give
    --no-join.
    """


_join = click.option("--join/--no-join", default=True, show_default=True, help="Add every account as a member.")
_path = click.argument("path", type=click.Path(exists=True, path_type=Path))


@import_group.command("zulip")
@_path
@_join
@click.option("--server", help="Name of the Zulip server, if you import from several; use the same name each time.")
@click.pass_obj
def import_zulip(data: Path, path: Path, join: bool, server: str | None) -> None:
    """Import a Zulip archive: a directory, or a tar or zip file."""
    try:
        source = ZulipArchive(path, server=server)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--server") from None
    _import(data, source, join)


@import_group.command("irc")
@_path
@_join
@click.option("--timezone", default="UTC", show_default=True, help="Time zone of the log, e.g. Europe/Berlin.")
@click.option("--network", help="IRC network, if the file is not named irc.NETWORK.#channel.weechatlog.")
@click.option("--channel", help="IRC channel, if neither the log nor its file name contains it.")
@click.pass_obj
def import_irc(data: Path, path: Path, join: bool, timezone: str, network: str | None, channel: str | None) -> None:
    """Import a WeeChat log, plain or compressed."""
    try:
        source = IrcLog(path, timezone=timezone, network=network, channel=channel)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    _import(data, source, join)


def _import(data: Path, source: Source, join: bool) -> None:
    tally = Tally()
    with Converter(source.convert) as converter:
        trio.run(_import_source, data, source, join, converter, tally)
    click.echo(str(tally))
    sys.exit(1 if tally.failed else 0)


async def _import_source(data: Path, source: Source, join: bool, converter: Converter, tally: Tally) -> None:
    async with operator(data, make=True) as call:
        total = await trio.to_thread.run_sync(lambda: source.total)
        with click.progressbar(length=total or 0, label=f"importing {source.kind}", file=sys.stderr) as bar:
            await _Import(call, source, join, converter, tally).run(bar.update)


@attrs.define
class _Batch:
    """Messages of one conversation, in order; those in `missing` were never imported."""

    messages: list[ImportedMessage]
    missing: set[str]

    @property
    def wanted(self) -> list[ImportedMessage]:
        return [message for message in self.messages if message.key in self.missing]


@attrs.define
class _Import:
    """While a batch is converted, the one before is stored and the next one read."""

    _call: OperatorCall
    _source: Source
    _join: bool
    _converter: Converter
    _tally: Tally
    _rooms: dict[str, ImportedConversation] = attrs.field(factory=dict[str, ImportedConversation])
    _opened: dict[str, dict[str, str]] = attrs.field(factory=dict[str, dict[str, str]])
    _threads: Threads = attrs.field(factory=Threads)

    async def run(self, progress: Callable[[int], None]) -> None:
        self._rooms = {each.key: each for each in await trio.to_thread.run_sync(self._source.conversations)}
        batches = _batches(self._source.drafts(), self._tally.fail)
        begun: _Batch | None = None
        while (messages := await trio.to_thread.run_sync(next, batches, None)) is not None:
            read = len(messages)
            batch = _Batch(messages, await self._missing(messages))
            texts = await self._converted() if begun is not None else []
            await trio.to_thread.run_sync(self._converter.begin, [message.text for message in batch.wanted])
            if begun is not None:
                await self._store(begun, texts)
            begun = batch
            progress(read)
        if begun is not None:
            await self._store(begun, await self._converted())

    async def _converted(self) -> list[Converted]:
        return await trio.to_thread.run_sync(self._converter.end)

    async def _missing(self, messages: list[ImportedMessage]) -> set[str]:
        room = self._rooms[messages[0].conversation]
        done = await self._call_with_fit(
            "import.missing", messages, [_head(message) for message in messages], source=self._source.name,
            key=room.key, unique=self._source.unique, sample=list(room.sample), formerly=list(room.formerly),
        )  # fmt: skip
        return set(done["missing"]) if done else set()

    async def _store(self, batch: _Batch, texts: list[Converted]) -> None:
        converted = dict(zip((message.key for message in batch.wanted), texts, strict=True))
        messages: list[ImportedMessage] = []
        items: list[dict[str, Any]] = []
        for message in batch.messages:
            text, why = converted.get(message.key, ("", ""))
            if text is None:
                problem = left_out(message, why)
                self._tally.fail(problem.place, problem.message)
                continue
            placed = self._threads.place(message)
            if message.key in converted:
                messages.append(message)
                items.append(_item(attrs.evolve(placed, text=text)))
        if items:
            room = self._rooms[batch.messages[0].conversation]
            fields = await self._open(room) | {"unique": self._source.unique, "formerly": list(room.formerly)}
            await self._call_with_fit("import.messages", messages, items, **fields)

    async def _call_with_fit(
        self, command: str, messages: list[ImportedMessage], items: list[dict[str, Any]], **fields: Any
    ) -> dict[str, Any] | None:
        """Call with the items of messages; one that the node refuses is reported, and taken out of both lists."""
        while items:
            try:
                done = await self._call(command, **fields, items=items)
            except Refusal as refusal:
                found = _ITEM.match(refusal.path or "")
                if found is None:
                    raise
                items.pop(int(found[1]))
                bad = messages.pop(int(found[1]))
                why = refusal.message.removeprefix(found[0])
                problem = left_out(bad, why)
                self._tally.fail(problem.place or self._source.name, problem.message)
                continue
            self._tally.count(self._source.name, done)
            return done
        return None

    async def _open(self, room: ImportedConversation) -> dict[str, Any]:
        """The conversation and its source; it is made when there is something for it."""
        if room.key not in self._opened:
            self._opened[room.key] = await self._call(
                "import.conversation", source=self._source.name, key=room.key, title=room.title or room.key,
                description=room.description[:2000], join=self._join, unique=self._source.unique,
                sample=list(room.sample),
            )  # fmt: skip
        return self._opened[room.key]


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


def _head(message: ImportedMessage) -> dict[str, Any]:
    head: dict[str, Any] = {"cid": message.key, "author": message.author}
    if message.author_key is not None:
        head["author_key"] = message.author_key
    if message.also:
        head["also"] = list(message.also)
    return head


def _item(message: ImportedMessage) -> dict[str, Any]:
    item = _head(message) | {"at": message.at, "text": message.text}
    if message.reply_to is not None:
        item["reply_to"] = message.reply_to
    if message.metadata:
        item["metadata"] = message.metadata
    return item
