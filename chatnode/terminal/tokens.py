"""Tokens of this terminal's sign-ins, one file for each node and handle, readable by its owner only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from chatnode.addresses import parse_url


def state_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """The XDG Base Directory Specification's place for state; a relative one is to be ignored, it says."""
    named = environment.get("XDG_STATE_HOME", "")
    base = Path(named) if os.path.isabs(named) else Path.home() / ".local" / "state"
    return base / "chatnode"


class Tokens:
    """The tokens for one node."""

    def __init__(self, directory: Path, url: str) -> None:
        self._directory = directory / "tokens" / _file_name(usual_url(url))

    def last_used(self) -> str | None:
        """The handle that was used here last."""
        with suppress(FileNotFoundError):
            files = [each for each in self._directory.iterdir() if not each.name.endswith(".new")]
            return max(files, key=lambda file: file.stat().st_mtime_ns).name if files else None
        return None

    def load(self, handle: str) -> str | None:
        with suppress(FileNotFoundError):
            file = self._file(handle)
            token = file.read_text().strip()
            os.utime(file)
            return token or None
        return None

    def save(self, handle: str, token: str) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self._directory / f"{self._file(handle).name}.new"
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w") as file:
            file.write(token + "\n")
        new.replace(self._file(handle))

    def forget(self, handle: str) -> None:
        self._file(handle).unlink(missing_ok=True)

    def _file(self, handle: str) -> Path:
        return self._directory / _file_name(handle.lower())


def usual_url(url: str) -> str:
    """A node's address in its usual spelling, so that its tokens are found by every other."""
    with suppress(ValueError):
        return str(parse_url(url))
    return url  # of no node: connecting says so


def _file_name(text: str) -> str:
    """`text` as one name in a directory; never `.` or `..`, nor empty."""
    quoted = quote(text, safe="")
    return quoted if quoted.strip(".") else "%2E" + quoted
