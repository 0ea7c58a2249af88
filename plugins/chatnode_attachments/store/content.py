"""What is stored of an upload: its type by its bytes, a picture's clean copy and thumbnails."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Literal, Protocol, TypeVar

import attrs

from chatnode_attachments.store.rows import DerivedKind
from chatnode_attachments.store.sink import digest_of
from chatnode_attachments.types import category, label, proven_type

T = TypeVar("T")
_HEAD = 4096


class Thread(Protocol):
    """Runs a function that blocks in one of the plugin's threads; not cancellable once it has begun."""

    def __call__(self, function: Callable[[], T], /) -> Awaitable[T]: ...


class Thumbnail(Protocol):
    """A smaller picture, made from another. The file is in `work/`."""

    @property
    def kind(self) -> DerivedKind: ...
    @property
    def path(self) -> Path: ...
    @property
    def type(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...


class Picture(Protocol):
    """What came of a picture. `cleaned` is a copy without metadata in `work/`, which is stored in its place."""

    @property
    def type(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def cleaned(self) -> Path | None: ...
    @property
    def derived(self) -> Sequence[Thumbnail]: ...
    @property
    def placeholder(self) -> str | None: ...


class Pictures(Protocol):
    """Decodes pictures, away from the node's own process."""

    async def prepare(self, path: Path, *, clean: bool) -> Picture | None:
        """None for what cannot be decoded."""
        ...


@attrs.frozen
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
    derived: Sequence[Thumbnail] = ()

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
    picture = None
    if proven is not None and proven.startswith("image/"):
        picture = await pictures.prepare(path, clean=clean)
    if picture is None:
        derive = "none" if proven is None or not proven.startswith("image/") else "failed"
        type = proven or await run(lambda: label(path, name))
        sha256 = digest or await run(lambda: digest_of(path))
        return Content(path, sha256, path.stat().st_size, type, category(type), derive)
    stored = picture.cleaned or path
    made = [each.path for each in picture.derived] + [picture.cleaned] * (picture.cleaned is not None)
    await run(lambda: _sync_files(made))
    sha256 = digest if digest is not None and stored == path else await run(lambda: digest_of(stored))
    return Content(
        stored, sha256, stored.stat().st_size, picture.type, category(picture.type), "done", picture.width,
        picture.height, picture.placeholder, picture.derived,
    )  # fmt: skip


def _proven(path: Path) -> str | None:
    with path.open("rb") as file:
        return proven_type(file.read(_HEAD))


def _sync_files(paths: Sequence[Path]) -> None:
    for path in paths:
        file = os.open(path, os.O_RDONLY)
        try:
            os.fdatasync(file)
        finally:
            os.close(file)
