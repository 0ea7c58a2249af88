"""Attachments: files in messages, uploaded in one piece or resumably, with thumbnails, scanning and quotas."""

from __future__ import annotations

from collections.abc import Callable

from chatnode.api import (
    Change,
    Context,
    ConversationUpdated,
    Event,
    EventKind,
    MessagePosted,
    PersonUpdated,
    Plugin,
    Table,
    Transaction,
    hookimpl,
    only_for,
    steps_in,
)
from chatnode_attachments import hookspecs, keeping
from chatnode_attachments.avatars.sending import ROUTES as AVATARS
from chatnode_attachments.avatars.setting import follow
from chatnode_attachments.cli import cli
from chatnode_attachments.commands import COMMANDS
from chatnode_attachments.figures import METRICS, health
from chatnode_attachments.messages.collection import ATTACHMENTS
from chatnode_attachments.messages.posting import bind_files, has_files
from chatnode_attachments.messages.posting import prepare_draft as prepare_draft
from chatnode_attachments.messages.shown import enrich_messages as enrich_messages
from chatnode_attachments.model import AttachmentsChanged, FileInfected
from chatnode_attachments.permissions import PERMISSIONS
from chatnode_attachments.reducing import picture_reducer as picture_reducer
from chatnode_attachments.scanning import notifying
from chatnode_attachments.serving.downloads import ROUTES as DOWNLOADS
from chatnode_attachments.serving.tasks import COUNTING
from chatnode_attachments.settings import AttachmentsSettings
from chatnode_attachments.state import Attachments, open_attachments
from chatnode_attachments.store.checking import check
from chatnode_attachments.tasks import CONSUMERS, TASKS
from chatnode_attachments.uploading.routes import LIMITS
from chatnode_attachments.uploading.routes import ROUTES as UPLOADS

_FILES = Table(
    "attachments_files", people=("uploader",), message="message",
    export="SELECT f.key, f.id AS file, f.name, f.category, f.type, b.bytes, m.id AS message, c.id AS conversation, "
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
        permissions=PERMISSIONS,
        commands=COMMANDS,
        events=(
            EventKind(AttachmentsChanged, notifying.make_changed, of_message=True),
            EventKind(FileInfected, notifying.make_infected),
        ),
        limits=LIMITS,
        routes=(*UPLOADS, *DOWNLOADS, *AVATARS),
        consumers=CONSUMERS,
        metrics=METRICS,
        collections=(ATTACHMENTS,),
        tasks=(*TASKS, COUNTING),
        state=open_attachments,
        check=check,
        repair=keeping.repair,
        stored_files=keeping.stored_files,
        after_restore=keeping.after_restore,
        after_removal=keeping.after_removal,
        health=health,
        cli=cli,
    )


@hookimpl
def add_hookspecs(add: Callable[[object], None]) -> None:
    """Let other plugins refuse uploads, and follow files."""
    add(hookspecs)


@hookimpl
async def node_started(ctx: Context) -> None:
    """Finish what a kill left, at once."""
    ctx.wake("finish")


@hookimpl
async def node_stopping(ctx: Context) -> None:
    """Write the downloads that were counted since the last time."""
    await ctx.state(Attachments).counts.write(ctx)


def _concerns_files(event: Event) -> bool:
    return not isinstance(event, MessagePosted) or has_files(event)


@hookimpl
@only_for(MessagePosted, PersonUpdated, ConversationUpdated, when=_concerns_files)
def in_transaction(tx: Transaction, change: Change) -> None:
    """Files are bound to the message that has them; pictures of people and groups go with their addresses."""
    if isinstance(change.event, MessagePosted):
        bind_files(tx, change)
    else:
        follow(tx, change)
