"""Backups."""

from __future__ import annotations

import attrs


@attrs.define
class BackupGiven:
    """A backup that was made. `problems` counts what the checks found in it; `removed` are the older ones that went."""

    name: str
    made_at: str
    bytes: int
    gid: int
    messages: int
    encrypted: bool
    problems: int
    removed: list[str]
