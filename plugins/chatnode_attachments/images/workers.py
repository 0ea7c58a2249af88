"""Preparing pictures in a sandbox: thumbnails, previews, and copies without metadata."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Any, Literal

import trio

from chatnode.api import Refusal
from chatnode_attachments.images.prepared import KINDS, Prepared, read_answer
from chatnode_attachments.images.process import PictureJob, SandboxLost, Zygote
from chatnode_attachments.types import HEAD_BYTES, PICTURES, proven_type

AT_A_TIME = 2
MOST_BYTES = 30 << 20
"""Larger pictures stay files."""
SECONDS = 15.0
"""On the clock, for one picture."""
_MEGAPIXEL = 1_000_000

Outcome = Literal["prepared", "refused", "crashed", "timed out", "not understood"]
"""What became of a picture. All but the first two speak of an attack, or of an error of ours."""


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
        async with self._slots:
            source = await trio.to_thread.run_sync(_open_picture, path)
            if source is None:
                return None
            try:
                return await self._prepare(source, clean)
            finally:
                os.close(source)

    def status(self) -> dict[str, Any]:
        """For the plugin's health: whether the process runs, whether it has no network, and why it does not start."""
        if self._zygote is None:
            return {"images": self._failure or "not started"}
        return {"images": "running", "images_isolated": self._zygote.namespaces}

    async def _prepare(self, source: int, clean: bool) -> Prepared | None:
        for _ in range(2):  # again if the whole sandbox was lost: another picture may have been the reason
            zygote = await self._running()
            with suppress(SandboxLost):
                return await self._run(zygote, source, clean)
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

    async def _run(self, zygote: Zygote, source: int, clean: bool) -> Prepared | None:
        os.lseek(source, 0, os.SEEK_SET)
        with _Outputs(self._work) as outputs:
            with zygote.begin({"clean": clean, "pixels": self._pixels}, [source, *outputs.descriptors]) as job:
                outcome, prepared = await self._result(zygote, job, outputs.paths, clean)
            self.outcomes[outcome] += 1
            outputs.keep(prepared)
            return prepared

    async def _result(
        self, zygote: Zygote, job: PictureJob, paths: Sequence[Path], clean: bool
    ) -> tuple[Outcome, Prepared | None]:
        cleaned, *thumbnails = paths
        try:
            answer = await job.answer(self._seconds)
            if answer is None:
                if self._closed or not zygote.is_running:
                    raise SandboxLost
                return "crashed", None
            if "refused" in answer:
                return "refused", None
            return "prepared", read_answer(answer, cleaned, thumbnails, clean=clean)
        except trio.TooSlowError:
            return "timed out", None
        except (ValueError, TypeError, KeyError):
            return "not understood", None


class _Outputs:
    """Files for the copy without metadata and for each kind of thumbnail, open while the job runs; a context manager,
    which removes those that are not kept."""

    def __init__(self, work: Path) -> None:
        stem = token_hex(16)
        self.paths = [work / f"{stem}-{name}" for name in ("cleaned", *KINDS)]
        self.descriptors: list[int] = []
        self._kept = set[Path]()

    def __enter__(self) -> _Outputs:
        self.descriptors = [os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600) for path in self.paths]
        return self

    def keep(self, prepared: Prepared | None) -> None:
        if prepared is not None:
            self._kept.update(each.path for each in prepared.derived)
            self._kept.update(() if prepared.cleaned is None else (prepared.cleaned,))

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
