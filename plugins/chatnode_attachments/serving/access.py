"""Who may have a file. Every variant and every way in is judged here, each time it is asked for."""

from __future__ import annotations

from pathlib import Path

from chatnode.api import Account, Allow, Context, Deny, Querying, Refusal, may_see_message, record
from chatnode_attachments.scanning.verdicts import refuse_unless_servable
from chatnode_attachments.state import Attachments
from chatnode_attachments.store.files import find_file
from chatnode_attachments.store.layout import Layout
from chatnode_attachments.store.rows import FileRow

FILE = "file"
"""The variant that is the file itself; the others are thumbnails."""


@record(frozen=True)
class ServedFile:
    """A file, or a thumbnail of it, that a user may have now. `sha256` and the entity tag are those of `path`; the hash
    of a thumbnail is not known, but its name is never used for other bytes.
    """

    row: FileRow
    path: Path
    type: str
    bytes: int
    tag: str
    sha256: bytes | None


async def permitted(ctx: Context, account: Account, id: str, variant: str) -> ServedFile:
    """What the user asks for, if they may have it.

    Raises `Refusal`: `not_found` for anything that the user may not know of, `gone` for what is not served any more,
    `unavailable` for what is not served yet, and what a plugin that denies it says.
    """
    state = ctx.state(Attachments)

    def look_up(reader: Querying) -> tuple[FileRow, ServedFile | None]:
        row = find_file(reader, id)
        if row is None or not (_is_used(row) or may_see_file(reader, account, row)):
            raise no_such_file()
        return row, _variant(reader, state.layout, row, variant)

    row, served = await ctx.read(look_up)
    await _ask_plugins(ctx, account, row)
    refuse_unserved(row, state)
    if served is None:
        raise Refusal("not_found", f"the file has no {variant}", path="variant")
    return served


def _variant(reader: Querying, layout: Layout, row: FileRow, variant: str) -> ServedFile | None:
    if variant == FILE:
        tag = f'"{row.sha256.hex()[:32]}"'
        return ServedFile(row, layout.blob(row.blob_name), row.type, row.bytes, tag, row.sha256)
    found = reader.execute(
        "SELECT name, type, bytes FROM attachments_derived WHERE blob = ? AND kind = ?", (row.blob, variant)
    ).fetchone()
    if found is None:
        return None
    name, type, size = found
    return ServedFile(row, layout.derived(name), type, size, f'"{name}"', None)


def judge(reader: Querying, account: Account, row: FileRow | None, state: Attachments) -> FileRow:
    """The file, if the user may have it, as far as this plugin decides. Raises `Refusal` as `permitted` does.

    For commands. A file that something else of the node uses does not exist for them.
    """
    if row is None or not may_see_file(reader, account, row):
        raise no_such_file()
    refuse_unserved(row, state)
    return row


def may_see_file(reader: Querying, account: Account, row: FileRow) -> bool:
    """Whether the user may know of the file: who uploaded it, until it is posted; then who may see its message."""
    if row.message is None:
        return row.uploader == account.key and not _is_used(row)
    seen = reader.execute(
        "SELECT 1 FROM messages m "  # noqa: S608 -- constants
        f"WHERE m.key = :message AND m.deleted_at IS NULL AND {may_see_message('m')}",
        {"message": row.message, "me": account.key},
    )
    return seen.fetchone() is not None


def refuse_unserved(row: FileRow, state: Attachments) -> None:
    """Raises `Refusal`: `gone` for a file that was removed, withdrawn, lost or found unsafe; `unavailable` for one that
    waits for its scan."""
    if row.removed_at is not None:
        raise Refusal("gone", "the file was removed", path="file")
    refuse_unless_servable(row, state.scanner)


def no_such_file() -> Refusal:
    return Refusal("not_found", "no such file, or you may not see it", path="file")


def _is_used(row: FileRow) -> bool:
    """Whether something other than a message has the file."""
    return row.message is None and row.used_by is not None


async def _ask_plugins(ctx: Context, account: Account, row: FileRow) -> None:
    verdicts = await ctx.ask("may_download", account=account, file=row.id, used_by=row.used_by)
    for verdict in verdicts:
        if isinstance(verdict, Deny):
            raise Refusal(verdict.code, verdict.reason, path="file")
        if not isinstance(verdict, Allow | None):
            ctx.log.error("an implementation of may_download returned %s", type(verdict).__name__)
            raise Refusal("internal", "a plugin that judges downloads failed; see the node's log")
    if _is_used(row) and not any(isinstance(verdict, Allow) for verdict in verdicts):
        raise no_such_file()
