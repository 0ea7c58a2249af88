"""Opening a file as a table."""

from __future__ import annotations

from pathlib import Path

from chatnode_crm.files.reading.encodings import find_encoding
from chatnode_crm.files.reading.kinds import is_archive, is_cards
from chatnode_crm.files.reading.model import ReadLimits, ReadOptions, UnreadableFile
from chatnode_crm.files.reading.tables import FileTable
from chatnode_crm.files.reading.text_files import open_delimited, read_sample


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
        raise NotImplementedError
    return _open_text(path, options, limits)


def _open_text(path: Path, options: ReadOptions, limits: ReadLimits) -> FileTable:
    encoding = find_encoding(path, options.encoding)
    sample, _ = read_sample(path, encoding)
    if is_cards(sample):
        raise NotImplementedError
    return open_delimited(path, encoding, options, limits)
