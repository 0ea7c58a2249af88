"""Uploaded files, as an app of the client library has them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import attrs

from chatnode.errors import Refusal
from chatnode.model.messages import Media

PATIENCE_SECONDS = 300.0
"""How long a transfer may fail without moving on before it is given up."""

Source = str | os.PathLike[str] | BinaryIO | AsyncIterable[bytes]
Progress = Callable[[int, int | None], None]
"""Called with bytes done and bytes in all, as far as that is known. When a connection breaks, what is done can
shrink."""


def ignore(*_: object) -> None:
    """Nobody wants to know."""


@attrs.frozen
class UploadOptions:
    """How a file is uploaded: see `Client.upload`."""

    name: str
    type: str | None
    as_file: bool
    progress: Progress
    resume: str | None
    created: Callable[[str], None]
    patience: float


@attrs.frozen
class DownloadOptions:
    """How a file is downloaded: see `Client.download`."""

    variant: str | None
    overwrite: bool
    progress: Progress
    patience: float


@attrs.frozen
class UploadedFile:
    """A file on the node. `type`, `bytes` and `sha256` are of what is stored: the node removes the metadata of
    pictures. `sent_sha256` is of what was sent, where that differs and the node says it. `message` has it already.
    `scan` is what the virus scanner says now: `off`, `pending`, `safe`, or `unsafe` for a content that it knows."""

    id: str
    name: str
    type: str
    bytes: int
    sha256: str | None = None
    category: str | None = None
    sent_sha256: str | None = None
    message: str | None = None
    scan: str | None = None

    @classmethod
    def of(cls, reply: Mapping[str, Any]) -> UploadedFile:
        """From a reply with a `file`. Raises `Refusal` for what is none."""
        try:
            given = reply["file"]
            known = {key: given.get(key) for key in ("sha256", "category", "sent_sha256", "message", "scan")}
            return cls(
                str(given.get("id") or given["file"]),
                str(given["name"]),
                str(given["type"]),
                int(given["bytes"]),
                **known,
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise Refusal("internal", "the node's answer about the file is not valid") from None


def fields_of_files(files: Sequence[UploadedFile | str]) -> dict[str, Any]:
    """The fields of a post with files; none without."""
    if not files:
        return {}
    images = all(isinstance(each, UploadedFile) and each.category == "image" for each in files)
    return {"kind": "image" if images else "file", "files": [{"file": id_of(each)} for each in files]}


def name_of(source: Source) -> str:
    """What a file is called that is to be uploaded. Raises `ValueError`."""
    if not isinstance(source, str | os.PathLike):
        raise ValueError("a file without a path needs a name")
    return Path(source).name


def id_of(file: UploadedFile | Media | str) -> str:
    if isinstance(file, UploadedFile):
        return file.id
    return file.file if isinstance(file, Media) else file
