"""The commands, one module per subject."""

from __future__ import annotations

from chatnode_attachments.commands import avatars, files, links, operating, reports, scanning, uploads

COMMANDS = (
    *uploads.COMMANDS,
    *files.COMMANDS,
    *links.COMMANDS,
    *avatars.COMMANDS,
    *reports.COMMANDS,
    *operating.COMMANDS,
    *scanning.COMMANDS,
)
