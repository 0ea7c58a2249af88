"""The commands, one module per subject."""

from __future__ import annotations

from chatnode_attachments.commands import operating, reports, uploads

COMMANDS = (*uploads.COMMANDS, *reports.COMMANDS, *operating.COMMANDS)
