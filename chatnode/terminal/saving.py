"""Where a download goes: never over a file that exists, and never where its name says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import trio

from chatnode.client import Client
from chatnode.client.uploaded import Progress
from chatnode.errors import Refusal
from chatnode.model.messages import Media
from chatnode.terminal.paths import free_names, safe_name
from chatnode.terminal.printable import one_line


async def places(target: Path, name: str) -> Iterator[Path]:
    """Paths to try one after another for a file that others called `name`: in the directory `target`, or `target`
    itself, which must not exist. Raises `Refusal`."""
    if await trio.Path(target).is_dir():
        return (target / each for each in free_names(safe_name(name)))
    if await trio.Path(target).exists():
        raise Refusal("conflict", f"{one_line(str(target), 200)} already exists; give another name, or a directory")
    if not await trio.Path(target.parent).is_dir():
        raise Refusal("not_found", f"no such directory: {one_line(str(target.parent), 200)}")
    return iter((target,))


async def save(
    client: Client, file: Media | str, paths: Iterator[Path], progress: Progress, variant: str | None = None
) -> Path:
    """Download a file to the first of the paths that is free. Raises `Refusal`, `Unreachable`, `OSError`."""
    for path in paths:
        with suppress(FileExistsError):
            return await client.download(file, path, variant=variant, progress=progress)
    raise Refusal("conflict", "the file already exists")
