"""The addresses of uploads."""

from __future__ import annotations

from chatnode.api import Limit, Route
from chatnode_attachments.permissions import UPLOAD
from chatnode_attachments.uploading import simple, tus

_LIMIT = "uploads"
LIMITS = (Limit(_LIMIT, "uploads", "uploads_per_minute"),)

# The store counts bytes against quotas and the declared length, and waits for them as the settings say.
ROUTES = (
    Route(
        "files", simple.upload_file, UPLOAD, ("POST",), "Upload a file in one request.",
        most_bytes=0, idle_seconds=0, limit=_LIMIT,
    ),
    Route("uploads", tus.options, None, ("OPTIONS",), "What resumable uploads (tus 1.0) support."),
    Route("uploads/<id>", tus.options, None, ("OPTIONS",), "What resumable uploads (tus 1.0) support."),
    Route(
        "uploads", tus.create_upload, UPLOAD, ("POST",), "Create a resumable upload (tus 1.0).",
        most_bytes=0, idle_seconds=0, limit=_LIMIT,
    ),
    Route(
        "uploads/<id>", tus.continue_upload, UPLOAD, ("HEAD", "PATCH", "DELETE", "POST"),
        "See, continue or remove a resumable upload (tus 1.0).", most_bytes=0, idle_seconds=0,
    ),
)  # fmt: skip
