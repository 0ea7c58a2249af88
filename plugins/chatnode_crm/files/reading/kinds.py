"""What kind of file it is, by its content; names are not trusted."""

from __future__ import annotations

import re
from pathlib import Path

from chatnode_crm.files.reading.model import UnreadableFile

_USE = "save it as CSV, XLSX or vCard"
_REFUSED = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", f"an old Excel file, or one with a password; {_USE} without a password"),
    (b"%PDF", f"a PDF; {_USE}"),
    (b"\x1f\x8b", "packed with gzip; unpack it first"),
    (b"BZh", "packed with bzip2; unpack it first"),
    (b"\xfd7zXZ", "packed with xz; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it first"),
    (b"Rar!\x1a\x07", "a RAR archive; unpack it first"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"SQLite format 3\0", f"a database; {_USE}"),
    (b"PAR1", f"a Parquet file; {_USE}"),
    (b"{\\rtf", f"a word processor document; {_USE}"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90", "a program"),
)
_MARKUP = re.compile(r"\s*<(?:!doctype|html|head|body|table|\?xml|meta|ss:|workbook)", re.IGNORECASE)
_JSON = re.compile(r"\s*(?:\{\s*[\"}]|\[\s*[\[{])")
_CARD = re.compile(r"\s*(?:[\w-]+\.)?BEGIN:VCARD\s", re.IGNORECASE)
_CONTROL = re.compile("[\x01-\x08\x0e-\x19\x1c-\x1f\x7f]")


def is_archive(path: Path) -> bool:
    """Whether it is a ZIP: an archive, or a workbook. Refuses what is no text and no ZIP."""
    with path.open("rb") as file:
        start = file.read(16)
    if not start:
        raise UnreadableFile("empty", "the file is empty")
    for magic, what in _REFUSED:
        if start.startswith(magic):
            raise UnreadableFile("unknown_kind", f"the file is {what}")
    return start.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", b"PK00"))


def is_cards(sample: str) -> bool:
    """Whether the text is vCards and no table. Refuses other kinds of text."""
    if _CARD.match(sample.lstrip("\ufeff")):
        return True
    if _MARKUP.match(sample):
        raise UnreadableFile("unknown_kind", f"the file is a web page or XML; {_USE}")
    if _JSON.match(sample):
        raise UnreadableFile("unknown_kind", f"the file is JSON; {_USE}")
    if not sample.strip(" \t\r\n\0\x1a\ufeff"):
        raise UnreadableFile("empty", "there is no text in the file")
    if len(_CONTROL.findall(sample)) > len(sample) / 20 or sample.count("\0") > len(sample) / 3:
        raise UnreadableFile("unknown_kind", f"the file is not a text, workbook or vCard; {_USE}")
    return False


def archive_kind(names: list[str]) -> str | None:
    """`xlsx` for a workbook, None for an archive of files. Refuses other kinds of documents."""
    lower = {name.replace("\\", "/").lower() for name in names}
    if any(name.startswith("xl/") and name.endswith("workbook.bin") for name in lower):
        raise UnreadableFile("unknown_kind", f"the file is a binary Excel file (XLSB); {_USE}")
    if "[content_types].xml" in lower:
        if not any("workbook" in name or name.startswith("xl/") for name in lower):
            raise UnreadableFile("unknown_kind", f"the file is an Office document without sheets; {_USE}")
        return "xlsx"
    if "mimetype" in lower and "content.xml" in lower:
        raise UnreadableFile("unknown_kind", f"the file is an OpenDocument file; {_USE}")
    if any(name.startswith("index/") and name.endswith(".iwa") for name in lower):
        raise UnreadableFile("unknown_kind", f"the file is a Numbers document; {_USE}")
    return None


def choose_member(names: list[str], wanted: str | None) -> str:
    """The file in an archive that is read: what systems add to archives does not count."""
    files = [name for name in names if not _is_clutter(name)]
    if wanted is not None:
        if wanted not in files:
            raise UnreadableFile("no_member", f"there is no file {wanted!r} in the archive")
        return wanted
    if not files:
        raise UnreadableFile("empty", "there is no file in the archive")
    if len(files) > 1:
        some = ", ".join(files[:5]) + (", ..." if len(files) > 5 else "")
        raise UnreadableFile("no_member", f"there are {len(files)} files in the archive; choose one: {some}")
    return files[0]


def _is_clutter(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return parts[0] == "__MACOSX" or parts[-1].startswith(".") or parts[-1].lower() in ("thumbs.db", "desktop.ini")
