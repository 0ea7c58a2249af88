"""Backups."""

from __future__ import annotations

from chatnode.model.records import record


@record
class BackupReply:
    """A new backup. `problems` counts the problems that checks found in it; `removed` names the old backups deleted.
    `files` and `file_bytes` count the files of plugins that belong to it."""

    name: str
    made_at: str
    bytes: int
    gid: int
    messages: int
    encrypted: bool
    problems: int
    removed: list[str]
    files: int = 0
    file_bytes: int = 0
