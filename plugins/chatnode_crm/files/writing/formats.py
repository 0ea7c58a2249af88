"""The formats of files, and what makes their writers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import BinaryIO, Literal

from chatnode.api import record
from chatnode_crm.files.writing.columns import Column, ContactWriter

FormatName = Literal["csv", "xlsx", "vcard3", "vcard4"]
Delimiter = Literal["comma", "semicolon", "tab", "pipe"]


@record(frozen=True)
class FileOptions:
    """How a CSV file is written; other formats have no options."""

    delimiter: Delimiter = "comma"
    bom: bool = False


@record(frozen=True)
class FileFormat:
    """`suffix` of the file's name, its media type, and what opens a writer."""

    suffix: str
    media_type: str
    open: Callable[[BinaryIO, Sequence[Column], FileOptions], ContactWriter]


def _csv(file: BinaryIO, columns: Sequence[Column], options: FileOptions) -> ContactWriter:
    from chatnode_crm.files.writing.csv_files import DELIMITERS, CsvWriter

    return CsvWriter(file, columns, delimiter=DELIMITERS[options.delimiter], bom=options.bom)


def _xlsx(file: BinaryIO, columns: Sequence[Column], options: FileOptions) -> ContactWriter:
    from chatnode_crm.files.writing.xlsx_files import XlsxWriter

    return XlsxWriter(file, columns)


def _vcard3(file: BinaryIO, columns: Sequence[Column], options: FileOptions) -> ContactWriter:
    from chatnode_crm.files.writing.vcards import VCardWriter

    return VCardWriter(file, columns, version="3.0")


def _vcard4(file: BinaryIO, columns: Sequence[Column], options: FileOptions) -> ContactWriter:
    from chatnode_crm.files.writing.vcards import VCardWriter

    return VCardWriter(file, columns, version="4.0")


FORMATS: dict[FormatName, FileFormat] = {
    "csv": FileFormat("csv", "text/csv; charset=utf-8", _csv),
    "xlsx": FileFormat("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", _xlsx),
    "vcard3": FileFormat("vcf", "text/vcard; charset=utf-8", _vcard3),
    "vcard4": FileFormat("vcf", "text/vcard; charset=utf-8", _vcard4),
}
