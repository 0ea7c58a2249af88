"""Where the plugin's files are. All names are the node's own; nothing that a client sent is ever part of a path."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from chatnode.api import record, sync_directory

TREES = ("incoming", "blobs", "derived", "work")


@record(frozen=True)
class Layout:
    """The plugin's directory: `incoming/<id of the upload>`, `blobs/ab/<name>`, `derived/ab/<name>` and `work/`.

    Names in `blobs` and `derived` are never used twice, so that an unlink can never hit another content.
    """

    directory: Path

    def incoming(self, id: str) -> Path:
        return self.directory / "incoming" / id

    def blob(self, name: str) -> Path:
        return self.directory / "blobs" / name[:2] / name

    def derived(self, name: str) -> Path:
        return self.directory / "derived" / name[:2] / name

    @property
    def work(self) -> Path:
        """For files that nothing refers to: they are removed when the node starts."""
        return self.directory / "work"

    def in_tree(self, tree: str, name: str) -> Path:
        """The path of a file by the name of its tree, as `attachments_trash` has it."""
        return {"incoming": self.incoming, "blobs": self.blob, "derived": self.derived}[tree](name)

    def folders(self) -> Iterator[tuple[str, Path]]:
        """Every directory that has files, with the name of its tree."""
        for tree in TREES:
            directory = self.directory / tree
            if tree in ("blobs", "derived"):
                yield from ((tree, each) for each in sorted(directory.iterdir()) if each.is_dir())
            else:
                yield tree, directory

    def prepare(self) -> None:
        """Create what is missing and empty `work`. Costs the same however many files there are."""
        shutil.rmtree(self.work, ignore_errors=True)
        for tree in TREES:
            _make(self.directory / tree)
        devices = {(self.directory / tree).stat().st_dev for tree in TREES}
        if len(devices) > 1:
            raise OSError(
                f"{', '.join(TREES)} in {self.directory} must be on one file system: files are moved by rename"
            )
        sync_directory(self.directory)


def _make(directory: Path) -> None:
    """What root makes, as with `sudo chatnode user add`, belongs to the owner of the directory it is in: the node."""
    directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        with suppress(OSError):  # a file system without owners
            owner = directory.parent.stat()
            os.chown(directory, owner.st_uid, owner.st_gid)


def move(source: Path, target: Path) -> None:
    """Rename a file whose bytes are on disk, so that a power loss after this call does not undo it."""
    if not target.parent.is_dir():
        _make(target.parent)
        sync_directory(target.parent.parent)
    source.rename(target)
    sync_directory(target.parent)
