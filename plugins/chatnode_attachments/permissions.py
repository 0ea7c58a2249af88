"""The plugin's permissions."""

from __future__ import annotations

from chatnode.api import Permission

UPLOAD = "attachments.upload"
AUDIT = "attachments.audit"

PERMISSIONS = (
    Permission(UPLOAD, "upload files"),
    Permission(AUDIT, "see who uploaded how much, and what was downloaded", roles=()),
)
