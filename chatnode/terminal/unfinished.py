"""Uploads that this terminal began and has not posted yet: one small file for each, so that the next run continues."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs

from chatnode.terminal.tokens import usual_url

_KEPT_SECONDS = 8 * 86_400
"""Longer than any node keeps an upload."""


@attrs.define
class UnfinishedUpload:
    """`id` is the upload to continue, if there is one. What is kept is for the next run."""

    id: str | None
    _descriptor: int | None

    def keep(self, id: str) -> None:
        """A new upload was begun."""
        self.id = id
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, id.encode(), 0)

    def forget(self) -> None:
        """It is done, or there is nothing to continue."""
        self.id = None


class UnfinishedUploads:
    """Those of one user of one node."""

    def __init__(self, state: Path, url: str, person: str) -> None:
        self._directory = state / "uploads"
        self._of = f"{usual_url(url)}\n{person}"

    @contextmanager
    def of_file(self, file: Path | None, *, original: bool = False) -> Generator[UnfinishedUpload]:
        """The upload of a file as it is now: after a change it is another one. Raises `OSError`.

        While one program uploads a file, another begins an upload of its own, which is not kept; as is one of no file.
        """
        if file is None:
            yield UnfinishedUpload(None, None)
            return
        found = file.stat()
        key = f"{self._of}\n{file.resolve()}\n{found.st_size} {found.st_mtime_ns} {original}"
        path = self._directory / hashlib.sha256(os.fsencode(key)).hexdigest()
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._drop_old()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield UnfinishedUpload(None, None)
                return
            id = os.pread(descriptor, 200, 0).decode("ascii", "replace")
            upload = UnfinishedUpload(id or None, descriptor)
            try:
                yield upload
            finally:
                if upload.id is None:
                    path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)

    def _drop_old(self) -> None:
        before = time.time() - _KEPT_SECONDS
        for each in self._directory.iterdir():
            with suppress(FileNotFoundError):
                if each.stat().st_mtime < before:
                    each.unlink()
