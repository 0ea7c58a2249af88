"""The commands, one module per subject."""

from __future__ import annotations

from chatnode_attachments.commands import avatars, links, operating, reports, uploads

COMMANDS = (*uploads.COMMANDS, *links.COMMANDS, *avatars.COMMANDS, *reports.COMMANDS, *operating.COMMANDS)
