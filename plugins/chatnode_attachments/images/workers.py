"""Preparing pictures in a sandbox: thumbnails, previews, and copies without metadata."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Any, Literal, TypeVar

import trio

from chatnode.api import Refusal
from chatnode_attachments.images.prepared import KINDS, Prepared, SquarePicture, read_answer, read_square
from chatnode_attachments.images.process import SandboxLost, Zygote
from chatnode_attachments.types import HEAD_BYTES, PICTURES, proven_type

AT_A_TIME = 2
MOST_BYTES = 30 << 20
"""Larger pictures stay files."""
SECONDS = 15.0
"""On the clock, for one picture."""
_MEGAPIXEL = 1_000_000

T = TypeVar("T")
Outcome = Literal["prepared", "refused", "crashed", "timed out", "not understood"]
"""What became of a picture. All but the first two speak of an attack, or of an error of ours."""


_Reading = Callable[[Mapping[str, Any], "_Outputs"], T]
"""Checks an answer and keeps the files that it speaks of."""


class ImageWorkers:
    """The sandbox, an async context manager. Its process starts with the first picture and ends with the context.

    `work` is a directory on the same file system as the store; it gets what is prepared. Nothing here imports Pillow.
    """

    def __init__(self, work: Path, *, megapixels: int, seconds: float = SECONDS) -> None:
        self._work = work
        self._pixels = megapixels * _MEGAPIXEL
        self._seconds = seconds
        self._slots = trio.CapacityLimiter(AT_A_TIME)
        self._starting = trio.Lock()
        self._zygote: Zygote | None = None
        self._failure = ""
        self._closed = False
        self.outcomes: Counter[Outcome] = Counter()

    async def __aenter__(self) -> ImageWorkers:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closed = True
        await self._stop()

    async def prepare(self, path: Path, *, clean: bool) -> Prepared | None:
        """Decode a picture, with a copy without metadata if `clean`. None if it is none, or none that can be shown.

        Two are decoded at a time; more wait. Raises `Refusal("unavailable")` if the sandbox does not run: that says
        nothing about the picture.
        """

        def read(answer: Mapping[str, Any], outputs: _Outputs) -> Prepared:
            cleaned, *thumbnails = outputs.paths
            found = read_answer(answer, cleaned, thumbnails, clean=clean)
            outputs.keep(*(each.path for each in found.derived), *([] if found.cleaned is None else [found.cleaned]))
            return found

        return await self._do(path, {"clean": clean}, ("cleaned", *KINDS), read)

    async def make_square(self, path: Path, side: int) -> SquarePicture | None:
        """The middle of a picture, reduced to `side` pixels. Like `prepare` otherwise."""

        def read(answer: Mapping[str, Any], outputs: _Outputs) -> SquarePicture:
            found = read_square(answer, outputs.paths[0], side)
            outputs.keep(found.path)
            return found

        return await self._do(path, {"side": side}, ("square",), read)

    def status(self) -> dict[str, Any]:
        """For the plugin's health: whether the process runs, whether it has no network, and why it does not start."""
        if self._zygote is None:
            return {"images": self._failure or "not started"}
        return {"images": "running", "images_isolated": self._zygote.namespaces}

    async def _do(self, path: Path, request: dict[str, Any], names: Sequence[str], read: _Reading[T]) -> T | None:
        async with self._slots:
            source = await trio.to_thread.run_sync(_open_picture, path)
            if source is None:
                return None
            try:
                for _ in range(2):  # again if the whole sandbox was lost: another picture may have been the reason
                    zygote = await self._running()
                    with suppress(SandboxLost), _Outputs(self._work, names) as outputs:
                        return await self._run(zygote, source, request, outputs, read)
            finally:
                os.close(source)
        raise Refusal("unavailable", "pictures cannot be processed: the process for them keeps ending")

    async def _running(self) -> Zygote:
        async with self._starting:
            if self._zygote is not None and not self._zygote.is_running:
                await self._stop()
            if self._closed:
                raise Refusal("unavailable", "the node is stopping")
            if self._zygote is None:
                try:
                    self._zygote = await Zygote.start(self._work)
                except SandboxLost as error:
                    self._failure = str(error)
                    raise Refusal("unavailable", "pictures cannot be processed now; see the node's health") from None
            return self._zygote

    async def _stop(self) -> None:
        zygote, self._zygote = self._zygote, None
        if zygote is not None:
            await zygote.stop()

    async def _run(
        self, zygote: Zygote, source: int, request: dict[str, Any], outputs: _Outputs, read: _Reading[T]
    ) -> T | None:
        os.lseek(source, 0, os.SEEK_SET)
        found: T | None = None
        with zygote.begin({**request, "pixels": self._pixels}, [source, *outputs.descriptors]) as job:
            try:
                answer = await job.answer(self._seconds)
                if answer is None and (self._closed or not zygote.is_running):
                    raise SandboxLost
                if answer is not None and "refused" not in answer:
                    found = read(answer, outputs)
                    outcome: Outcome = "prepared"
                else:
                    outcome = "crashed" if answer is None else "refused"
            except trio.TooSlowError:
                outcome = "timed out"
            except (ValueError, TypeError, KeyError):
                outcome = "not understood"
        self.outcomes[outcome] += 1
        return found


class _Outputs:
    """Files for what the job makes, open while it runs; a context manager, which removes those that are not kept."""

    def __init__(self, work: Path, names: Sequence[str]) -> None:
        stem = token_hex(16)
        self.paths = [work / f"{stem}-{name}" for name in names]
        self.descriptors: list[int] = []
        self._kept = set[Path]()

    def __enter__(self) -> _Outputs:
        self.descriptors = [os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600) for path in self.paths]
        return self

    def keep(self, *paths: Path) -> None:
        self._kept.update(paths)

    def __exit__(self, *_: object) -> None:
        for path, descriptor in zip(self.paths, self.descriptors, strict=True):
            os.close(descriptor)
            if path not in self._kept:
                path.unlink(missing_ok=True)


def _open_picture(path: Path) -> int | None:
    """A descriptor of the file, if it begins like a picture and is not too large: what else there is starts nothing."""
    descriptor = os.open(path, os.O_RDONLY)
    if os.fstat(descriptor).st_size <= MOST_BYTES and proven_type(os.pread(descriptor, HEAD_BYTES, 0)) in PICTURES:
        return descriptor
    os.close(descriptor)
    return None
