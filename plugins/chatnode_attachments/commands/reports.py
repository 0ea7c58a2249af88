"""Who uploaded how much, and what is downloaded."""

from __future__ import annotations

from chatnode.api import Context, PersonRef, Reader, command, rfc3339_or_none
from chatnode_attachments.model import AskReport, AttachmentsReport, DayDownloads, FileDownloads, PersonUploads
from chatnode_attachments.permissions import AUDIT
from chatnode_attachments.store import quotas


@command("attachments.report", permission=AUDIT, reads=True)
async def report(ctx: Context, asked: AskReport) -> AttachmentsReport:
    """What users uploaded, and what is downloaded, by file and day."""
    limit = ctx.page_size(asked.limit)

    def read(reader: Reader) -> AttachmentsReport:
        blobs, bytes = quotas.stored(reader)
        return AttachmentsReport(blobs, bytes, _people(reader, limit), _files(reader, limit), _days(reader, limit))

    return await ctx.query(read)


def _people(reader: Reader, limit: int) -> list[PersonUploads]:
    rows = reader.execute(
        "SELECT p.id, p.handle, (SELECT count(*) FROM attachments_files f WHERE f.uploader = u.person), u.bytes, "
        "u.reserved FROM attachments_usage u JOIN people p ON p.key = u.person ORDER BY u.bytes DESC, p.handle LIMIT ?",
        (limit,),
    )
    return [PersonUploads(PersonRef(id, handle), *counts) for id, handle, *counts in rows.fetchall()]


def _files(reader: Reader, limit: int) -> list[FileDownloads]:
    rows = reader.execute(
        "SELECT f.id, f.name, p.id, p.handle, f.downloads, f.last_download_at FROM attachments_files f "
        "JOIN people p ON p.key = f.uploader WHERE f.downloads > 0 ORDER BY f.downloads DESC, f.key LIMIT ?",
        (limit,),
    )
    return [
        FileDownloads(id, name, PersonRef(person, handle), downloads, rfc3339_or_none(at))
        for id, name, person, handle, downloads, at in rows.fetchall()
    ]


def _days(reader: Reader, limit: int) -> list[DayDownloads]:
    rows = reader.execute("SELECT day, bytes, downloads FROM attachments_served ORDER BY day DESC LIMIT ?", (limit,))
    return [DayDownloads(*row) for row in rows.fetchall()]


COMMANDS = (report,)
