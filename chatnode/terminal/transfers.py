"""Files that are on their way, one at a time, while the person goes on chatting."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs
import trio

from chatnode.client import Client, new_cid
from chatnode.concurrency import Signal, raise_single
from chatnode.errors import Refusal
from chatnode.model.messages import Media
from chatnode.terminal.failures import reason_of
from chatnode.terminal.lines import file_size
from chatnode.terminal.posting import post_patiently
from chatnode.terminal.printable import one_line
from chatnode.terminal.saving import places, save
from chatnode.terminal.unfinished import UnfinishedUploads

_NAME_CHARS = 60


class TransferProgress:
    """How far one file is."""

    def __init__(self, arrow: str, name: str) -> None:
        self._arrow = arrow
        self._name = one_line(name, 30)
        self._done = 0
        self._whole: int | None = None

    def __call__(self, done: int, whole: int | None) -> None:
        self._done, self._whole = done, whole

    @property
    def text(self) -> str:
        if not self._whole:
            return f"{self._arrow} {self._name}"
        tenths = 10 * self._done // self._whole
        bar = "█" * tenths + "░" * (10 - tenths)
        return f"{self._arrow} {self._name} {bar} {100 * self._done // self._whole}% of {file_size(self._whole)}"


@attrs.frozen
class _Transfer:
    """`what` names it in messages: uploading plan.pdf."""

    what: str
    progress: TransferProgress
    run: Callable[[TransferProgress], Awaitable[None]]


class TransferQueue:
    """`note` and `complain` write a line; `refresh` draws the status again."""

    def __init__(
        self,
        client: Client,
        unfinished: UnfinishedUploads,
        note: Callable[[str], None],
        complain: Callable[[str], None],
        refresh: Callable[[], None],
    ) -> None:
        self._client = client
        self._unfinished = unfinished
        self._note = note
        self._complain = complain
        self._refresh = refresh
        self._waiting: deque[_Transfer] = deque()
        self._current: _Transfer | None = None
        self._scope = trio.CancelScope()
        self._changed = Signal()

    # ---- for the prompt

    @property
    def status(self) -> str:
        """Empty when no file is on its way."""
        current = self._current
        if current is None:
            return ""
        more = f" (+{len(self._waiting)})" if self._waiting else ""
        return f"{current.progress.text}{more}, Ctrl-C cancels"

    @property
    def unfinished(self) -> list[str]:
        """What is under way, or was when `run` ended, and what waits for it."""
        current = [self._current] if self._current is not None else []
        return [each.what for each in (*current, *self._waiting)]

    def cancel(self) -> bool:
        """Cancel the file that is on its way; False when there is none."""
        self._scope.cancel()
        return self._current is not None

    # ---- what the person wants

    async def attach(self, conversation: str, path: Path, text: str) -> None:
        """Upload a file and post it to a conversation, after those before it. Raises `Refusal` for what is none."""
        name = one_line(str(path), 200)
        if not await trio.Path(path).exists():
            raise Refusal("not_found", f"no such file: {name}")
        if not await trio.Path(path).is_file():
            raise Refusal("invalid", f"{name} is not a file")

        async def run(progress: TransferProgress) -> None:
            await self._upload(conversation, path, text, progress)

        self._add(_Transfer(f"uploading {one_line(path.name, _NAME_CHARS)}", TransferProgress("↑", path.name), run))

    async def save(self, file: Media, target: Path) -> None:
        """Download a file into a directory under a free name, or to a path that does not exist yet. Raises
        `Refusal`."""
        paths = await places(target, file.name)

        async def run(progress: TransferProgress) -> None:
            saved = await save(self._client, file, paths, progress)
            self._note(f"saved as {one_line(str(saved), 200)}")

        self._add(_Transfer(f"saving {one_line(file.name, _NAME_CHARS)}", TransferProgress("↓", file.name), run))

    def _add(self, transfer: _Transfer) -> None:
        self._waiting.append(transfer)
        self._changed.notify()

    # ---- the task

    async def run(self) -> None:
        """Transfers files until cancelled. Raises only what ends the session."""
        while True:
            while not self._waiting:
                await self._changed.wait()
            self._current = self._waiting.popleft()
            await self._transfer(self._current)
            self._current = None
            self._refresh()

    async def _transfer(self, transfer: _Transfer) -> None:
        self._scope = trio.CancelScope()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._refresh_regularly)
                with self._scope:
                    await self._reporting(transfer)
                nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            raise_single(group)
        if self._scope.cancelled_caught:
            again = "/attach" if transfer.what.startswith("up") else "/save"
            self._note(f"cancelled {transfer.what}; {again} it again to continue")

    async def _reporting(self, transfer: _Transfer) -> None:
        try:
            await transfer.run(transfer.progress)
        except Exception as error:
            self._complain(f"{transfer.what}: {reason_of(error)}")

    async def _upload(self, conversation: str, path: Path, text: str, progress: TransferProgress) -> None:
        with self._unfinished.of_file(path) as upload:
            file = await self._client.upload(path, progress=progress, resume=upload.id, created=upload.keep)
            upload.keep(file.id)  # until it is posted
            await post_patiently(self._client, conversation, text, cid=new_cid(), files=[file])
            upload.forget()

    async def _refresh_regularly(self) -> None:
        while True:
            self._refresh()
            await trio.sleep(0.25)
