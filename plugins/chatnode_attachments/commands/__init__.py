"""The commands, one module per subject."""

from __future__ import annotations

from chatnode_attachments.commands import links, operating, reports, uploads

COMMANDS = (*uploads.COMMANDS, *links.COMMANDS, *reports.COMMANDS, *operating.COMMANDS)
