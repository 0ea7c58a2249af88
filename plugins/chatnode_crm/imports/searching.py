"""Looking for contacts in the uploaded file of an import, all of which may have them: one sheet of a workbook, or one
file of an archive, is imported. It all blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs

from chatnode_crm.contacts.numbered import PHONE
from chatnode_crm.contacts.values import email_key, phone_key
from chatnode_crm.files.mapping import ColumnMapping, RowMapper, suggest
from chatnode_crm.files.reading import FileTable, ReadLimits, UnreadableFile
from chatnode_crm.files.reading.archives import open_archive
from chatnode_crm.files.reading.kinds import archive_kind, choose_member, is_archive
from chatnode_crm.imports.known import KnownNames
from chatnode_crm.imports.options import FileReading, ImportOptions, options_of
from chatnode_crm.imports.reading import open_file
from chatnode_crm.imports.rows import ImportRow
from chatnode_crm.settings import CrmSettings

MOST_MEMBERS = 200
"""An archive with more files is not searched: opening it for each would take too long."""


def file_has(path: Path, import_: ImportRow, known: KnownNames, settings: CrmSettings) -> bool:
    """Whether the contacts are in the file, or a part of it cannot be read. What is staged is not read again."""
    settings = attrs.evolve(settings, import_rows=0)
    options = ImportOptions() if import_.options is None else options_of(import_.options)
    try:
        for reading in _tables(path, options, settings, without_imported=import_.generation is not None):
            with open_file(path, attrs.evolve(options, reading=reading), settings) as table:
                if _is_in(table, options, settings.phone_region or None, known, import_.created_at):
                    return True
    except FileNotFoundError:
        return False
    except UnreadableFile:
        return True
    return False


def _tables(
    path: Path, options: ImportOptions, settings: CrmSettings, *, without_imported: bool
) -> Iterator[FileReading]:
    """How each table in the file is read: those in other files of an archive by their content alone."""
    wanted = options.reading
    members = _members(path)
    for member in members:
        is_imported = len(members) == 1 or member == wanted.member
        reading = attrs.evolve(wanted, member=member) if is_imported else FileReading(member=member)
        with open_file(path, attrs.evolve(options, reading=reading), settings) as table:
            imported, sheets = table.sheet, table.sheets or (None,)
        for sheet in sheets:
            if not (without_imported and is_imported and sheet == imported):
                yield attrs.evolve(reading, sheet=sheet)


def _members(path: Path) -> Sequence[str | None]:
    """The files in an archive that can be imported; for any other file, None alone. Raises `UnreadableFile`."""
    names = _names_in_archive(path)
    if names is None:
        return [None]
    if len(names) > MOST_MEMBERS:
        raise UnreadableFile("too_large", f"more than {MOST_MEMBERS} files in the archive")
    return [name for name in names if _can_be_chosen(names, name)]


def _names_in_archive(path: Path) -> list[str] | None:
    """None if it is none, as a workbook is."""
    if not is_archive(path):
        return None
    with open_archive(path, ReadLimits()) as archive:
        return archive.names if archive_kind(archive.names) is None else None


def _can_be_chosen(names: list[str], name: str) -> bool:
    try:
        choose_member(names, name)
    except UnreadableFile:
        return False
    return True


def _is_in(table: FileTable, options: ImportOptions, region: str | None, known: KnownNames, since: int) -> bool:
    """The mapping is that of the table that is imported, which may be another one."""
    targets = {tuple(options.mapping.columns), tuple(each.target for each in suggest(table.columns))}
    width, region = len(table.columns), options.mapping.default_region or region
    mappers = [RowMapper(ColumnMapping(columns=each), table.columns) for each in targets if len(each) == width]
    return known.are_in(table.columns, since) or any(
        any(_has_name(mapper.map(row).values, region, known, since) for mapper in mappers)
        or known.are_in((*row.values, *row.surplus), since)
        for row in table.rows()
    )


def _has_name(values: Mapping[str, str], region: str | None, known: KnownNames, since: int) -> bool:
    """By a cell that is mapped; addresses are looked for in all cells."""
    email, external_id, phone = (values.get(field, "").strip() for field in ("email", "external_id", "phone"))
    number = phone_key(phone, region) if known.numbers and phone else None
    found = {"email_key": email and email_key(email), "external_id": external_id, PHONE: number}
    return known.has_name({**values, **found}, since)
