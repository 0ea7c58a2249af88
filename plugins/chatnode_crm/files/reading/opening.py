"""Opening a file as a table."""

from __future__ import annotations

from pathlib import Path

from chatnode_crm.files.reading.archives import open_archive
from chatnode_crm.files.reading.cards import open_cards
from chatnode_crm.files.reading.encodings import find_encoding
from chatnode_crm.files.reading.kinds import archive_kind, choose_member, is_archive, is_cards
from chatnode_crm.files.reading.model import ReadLimits, ReadOptions, UnreadableFile
from chatnode_crm.files.reading.tables import FileTable
from chatnode_crm.files.reading.text_files import open_delimited, read_sample
from chatnode_crm.files.reading.workbooks.books import open_workbook


def open_table(
    path: Path,
    options: ReadOptions | None = None,
    limits: ReadLimits | None = None,
    scratch: Path | None = None,
) -> FileTable:
    """Open a file by its content. `scratch` is the directory for what has to be unpacked while it is read."""
    options = options or ReadOptions()
    limits = limits or ReadLimits()
    size = path.stat().st_size
    if limits.file_bytes and size > limits.file_bytes:
        raise UnreadableFile("too_large", f"{size} bytes; the maximum is {limits.file_bytes}")
    if is_archive(path):
        return _open_archive(path, options, limits, scratch)
    return _open_text(path, options, limits)


def _open_text(path: Path, options: ReadOptions, limits: ReadLimits) -> FileTable:
    encoding = find_encoding(path, options.encoding)
    sample, _ = read_sample(path, encoding)
    if is_cards(sample):
        return open_cards(path, encoding, sample, limits)
    return open_delimited(path, encoding, options, limits)


def _open_archive(path: Path, options: ReadOptions, limits: ReadLimits, scratch: Path | None) -> FileTable:
    with open_archive(path, limits) as archive:
        kind = archive_kind(archive.names)
        member = choose_member(archive.names, options.member) if kind is None else None
        copy = archive.extract(member, scratch) if member is not None else None
    if copy is None:
        return open_workbook(path, options, limits, scratch)
    try:
        if not is_archive(copy):
            table = _open_text(copy, options, limits)
        else:
            with open_archive(copy, limits) as archive:
                if archive_kind(archive.names) is None:
                    raise UnreadableFile("unknown_kind", "the archive holds another archive; unpack it first")
            table = open_workbook(copy, options, limits, scratch)
    except BaseException:
        copy.unlink()
        raise
    table.close_also(copy.unlink)
    return table
