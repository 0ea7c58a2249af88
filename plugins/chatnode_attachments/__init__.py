"""Attachments: files in messages, uploaded in one piece or resumably, with thumbnails, scanning and quotas."""

from __future__ import annotations

from collections.abc import Callable

from chatnode.api import Context, EventKind, Metric, Permission, Plugin, Table, hookimpl, steps_in
from chatnode_attachments import hookspecs
from chatnode_attachments.commands import links, scanning
from chatnode_attachments.health import SCANNER_METRICS, health
from chatnode_attachments.model import AttachmentsChanged, FileInfected
from chatnode_attachments.scanning import telling
from chatnode_attachments.serving.downloads import ROUTES
from chatnode_attachments.serving.tasks import COUNTING
from chatnode_attachments.settings import AttachmentsSettings
from chatnode_attachments.state import Attachments, open_attachments
from chatnode_attachments.tasks import TASKS

_FILES = Table(
    "attachments_files", people=("uploader",), message="message",
    export="SELECT f.key, f.id AS file, f.name, f.category, b.type, b.bytes, m.id AS message, c.id AS conversation, "
    "f.downloads, f.created_at FROM attachments_files f JOIN attachments_blobs b ON b.key = f.blob "
    "LEFT JOIN messages m ON m.key = f.message LEFT JOIN conversations c ON c.key = m.conversation "
    "WHERE f.uploader = :person AND f.key > :after ORDER BY f.key LIMIT :limit",
)  # fmt: skip
_UPLOADS = Table("attachments_uploads", people=("person",))
_USAGE = Table("attachments_usage", people=("person",))


@hookimpl
def chatnode_plugin() -> Plugin:
    """The declaration."""
    return Plugin(
        name="attachments",
        version="0.1.0",
        api="2.0",
        about="Files in messages.",
        settings=AttachmentsSettings,
        steps=steps_in(__name__),
        tables=(_FILES, _UPLOADS, _USAGE),
        permissions=(
            Permission("attachments.upload", "upload files"),
            Permission("attachments.audit", "see who uploaded how much, and what was downloaded", roles=()),
        ),
        metrics=(
            Metric("uploads", "Uploads begun."),
            Metric("files", "Uploads that became files."),
            Metric("bytes_received", "Bytes of uploads written to disk."),
            Metric("bytes_removed", "Bytes of files removed from the disk."),
            *SCANNER_METRICS,
        ),
        commands=(*links.COMMANDS, *scanning.COMMANDS),
        events=(
            EventKind(AttachmentsChanged, telling.make_changed, of_message=True),
            EventKind(FileInfected, telling.make_infected),
        ),
        routes=ROUTES,
        tasks=(*TASKS, COUNTING),
        health=health,
        state=open_attachments,
    )


@hookimpl
def add_hookspecs(add: Callable[[object], None]) -> None:
    """Let other plugins refuse uploads, and follow files."""
    add(hookspecs)


@hookimpl
async def node_stopping(ctx: Context) -> None:
    """Write the downloads that were counted since the last time."""
    await ctx.state(Attachments).counts.write(ctx)
