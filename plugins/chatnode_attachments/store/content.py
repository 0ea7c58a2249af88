"""What is stored of an upload: its type by its bytes, a picture's clean copy and thumbnails."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from chatnode.api import record
from chatnode_attachments.images.prepared import DerivedImage, Prepared
from chatnode_attachments.store.sink import digest_of
from chatnode_attachments.types import HEAD_BYTES, PICTURES, category, label, proven_type

T = TypeVar("T")


class Thread(Protocol):
    """Runs a function that blocks in one of the plugin's threads; not cancellable once it has begun."""

    def __call__(self, function: Callable[[], T], /) -> Awaitable[T]: ...


class Pictures(Protocol):
    """Decodes pictures, away from the node's own process."""

    async def prepare(self, path: Path, *, clean: bool) -> Prepared | None:
        """None for what cannot be decoded."""
        ...


@record(frozen=True)
class Content:
    """What is stored. `path` is where its bytes are now."""

    path: Path
    sha256: bytes
    bytes: int
    type: str
    category: str
    derive: Literal["none", "done", "failed"]
    width: int | None = None
    height: int | None = None
    placeholder: str | None = None
    derived: Sequence[DerivedImage] = ()

    def remove_work(self, work: Path) -> None:
        """Remove what was made for it and is not stored."""
        for path in (self.path, *(each.path for each in self.derived)):
            if path.parent == work:
                path.unlink(missing_ok=True)


async def inspect(
    path: Path, name: str, *, clean: bool, digest: bytes | None, pictures: Pictures, run: Thread
) -> Content:
    """Find out what an upload is, and put on disk what was made from it. `digest` is its SHA-256, if known."""
    proven = await run(lambda: _proven(path))
    is_picture = proven in PICTURES
    picture = await pictures.prepare(path, clean=clean) if is_picture else None

    def describe() -> Content:
        if picture is None:
            type = proven or label(path, name)
            derive = "failed" if is_picture else "none"
            return Content(path, digest or digest_of(path), path.stat().st_size, type, category(type), derive)
        stored = picture.cleaned or path
        _sync_files([each.path for each in picture.derived])
        if stored != path:
            _sync_files([stored])
        sha256 = digest if digest is not None and stored == path else digest_of(stored)
        return Content(
            stored, sha256, stored.stat().st_size, picture.type, category(picture.type), "done", picture.width,
            picture.height, picture.placeholder, picture.derived,
        )  # fmt: skip

    return await run(describe)


def _proven(path: Path) -> str | None:
    with path.open("rb") as file:
        return proven_type(file.read(HEAD_BYTES))


def _sync_files(paths: Sequence[Path]) -> None:
    for path in paths:
        file = os.open(path, os.O_RDONLY)
        try:
            os.fdatasync(file)
        finally:
            os.close(file)
