"""Everything that is stored about a contact, for the person it is about; and erasing it."""

from __future__ import annotations

from typing import Any

from chatnode.api import Context, Id, Querying, Reader, Refusal, Transaction, command, now_ms, record, rfc3339
from chatnode_crm.contacts import journal as changes
from chatnode_crm.contacts import shown
from chatnode_crm.contacts.earlier import earlier_names, numbers_of
from chatnode_crm.contacts.finding import ContactRow, by_id
from chatnode_crm.contacts.model import OfContact
from chatnode_crm.imports.known import KnownNames
from chatnode_crm.people import merging
from chatnode_crm.people.erasing import erase, finish
from chatnode_crm.people.imported import images_of, rows_about
from chatnode_crm.people.opting import THERE
from chatnode_crm.permissions import DELETE, EXPORT, VIEW
from chatnode_crm.requester import actor_of

_PARTS = {
    "lists": "SELECT l.id AS list, l.name, m.added_at AS at FROM crm_members m JOIN crm_lists l ON l.key = m.list "
    "WHERE m.contact = :key ORDER BY m.added_at, l.key",
    "tags": "SELECT t.id AS tag, t.name, g.created_at AS at FROM crm_taggings g JOIN crm_tags t ON t.key = g.tag "
    "WHERE g.contact = :key ORDER BY g.created_at, t.key",
    "taken_off": "SELECT r.kind, coalesce(l.name, t.name) AS name, r.added_at, r.at FROM crm_removals r "
    "LEFT JOIN crm_lists l ON r.kind = 'list' AND l.key = r.of LEFT JOIN crm_tags t ON r.kind = 'tag' AND t.key = r.of "
    "WHERE r.contact = :key ORDER BY r.key",
    "notes": "SELECT n.id AS note, n.text, n.at FROM crm_notes n WHERE n.contact = :key ORDER BY n.key",
    "identities": "SELECT i.kind, i.external_id, i.name, i.created_at AS at, i.verified_at FROM crm_identities i "
    "WHERE i.contact = :key ORDER BY i.key",
    "consents": "SELECT c.form, c.version, t.text, c.at FROM crm_consents c LEFT JOIN crm_consent_texts t "
    "ON t.form = c.form AND t.version = c.version WHERE c.contact = :key ORDER BY c.key",
    "opted_out_of": "SELECT l.id AS list, l.name, o.at FROM crm_opt_outs o JOIN crm_lists l ON l.key = o.list "
    "WHERE o.contact = :key ORDER BY o.at, l.key",
    "broadcasts": "SELECT b.id AS broadcast, b.title, b.text, d.state, d.reason, d.at, d.answered_at, d.stopped_at "
    "FROM crm_deliveries d JOIN crm_broadcasts b ON b.key = d.broadcast WHERE d.contact = :key ORDER BY b.key",
    "earlier_ids": "SELECT r.id FROM crm_redirects r WHERE r.contact = :key ORDER BY r.id",
    "duplicates": "SELECT c.id AS contact, p.verdict, p.reason, p.score, p.at FROM crm_pairs p "
    "JOIN crm_contacts c ON c.key = CASE p.one WHEN :key THEN p.other ELSE p.one END "
    "WHERE p.one = :key OR p.other = :key ORDER BY p.at, c.key",
    "accounts_opted_out": "SELECT i.external_id, l.id AS list, o.at "  # noqa: S608 -- constants
    "FROM crm_account_opt_outs o "
    "JOIN crm_identities i ON i.person = o.person AND i.verified_at IS NOT NULL "
    f"LEFT JOIN crm_lists l ON l.key = o.list WHERE i.contact = :key AND {THERE} ORDER BY o.key",
}
_TIMES = frozenset({"at", "added_at", "verified_at", "answered_at", "stopped_at"})
_MOST_CHANGES = 10_000


@record
class ContactReport:
    """`contact` has the fields. `changes` is the journal, newest first, and `taken_off` are the lists and tags that
    it was taken off; both as long as they are kept. `merges` has the contacts that were merged into it, as they were,
    and `replaced` what imports have changed, as it was before, as long as that can be undone. `imported` are the rows
    about it in files that were imported, with all of their columns. `duplicates` are contacts that may be the same
    person, or that a user said are not, and `accounts_opted_out` what its accounts get no broadcasts of: without a
    `list`, of anything."""

    contact: dict[str, Any]
    changes: list[dict[str, Any]]
    lists: list[dict[str, Any]]
    tags: list[dict[str, Any]]
    taken_off: list[dict[str, Any]]
    notes: list[dict[str, Any]]
    identities: list[dict[str, Any]]
    consents: list[dict[str, Any]]
    opted_out_of: list[dict[str, Any]]
    broadcasts: list[dict[str, Any]]
    earlier_ids: list[dict[str, Any]]
    duplicates: list[dict[str, Any]]
    accounts_opted_out: list[dict[str, Any]]
    merges: list[dict[str, Any]]
    replaced: list[dict[str, Any]]
    imported: list[dict[str, Any]]


@record
class EraseContact:
    """`confirm` is the contact's id again: erasing cannot be undone."""

    contact: Id
    confirm: Id


@record
class ContactErased:
    """How many contacts were erased: 1, or 0 if the contact was erased in the meantime."""

    erased: int


@command("crm.contacts.report", permission=EXPORT, reads=True)
async def report_contact(ctx: Context, asked: OfContact) -> ContactReport:
    """Everything that is stored about a contact, for the person it is about. It is recorded in the audit log."""
    ctx.check(VIEW, reads=True)

    def read(reader: Reader) -> tuple[ContactReport, KnownNames]:
        contact = by_id(reader, asked.contact)
        [fields] = shown.plain(reader, [contact])
        parts = {name: _rows(reader, sql, contact.key) for name, sql in _PARTS.items()}
        report = ContactReport(
            contact=fields, changes=_changes(reader, contact.key), merges=_merges(reader, contact.key),
            replaced=images_of(reader, contact.key), imported=[], **parts,
        )  # fmt: skip
        return report, _names(reader, contact)

    report, known = await ctx.query(read)
    report.imported = await rows_about(ctx, known)
    await ctx.write(lambda tx: ctx.audit(tx, "contacts.report", report.contact["id"]))
    return report


@command("crm.contacts.erase", permission=DELETE)
async def erase_contact(ctx: Context, asked: EraseContact) -> ContactErased:
    """Erase a contact for good: fields, notes, identities, the journal, and copies of it in merges and deliveries.

    Of the email a keyed hash stays, so that no import, form or upsert brings the contact back; a user can create it
    again. Its accounts keep what it has opted out of.
    Events about it say its id only. After a restore it is erased again.
    """

    def write(tx: Transaction) -> int:
        contact = by_id(tx, asked.contact)
        if asked.confirm not in (asked.contact, contact.id):
            raise Refusal("invalid", "must be the contact's id, to confirm that it is erased for good", path="confirm")
        ctx.audit(tx, "contacts.erase", contact.id)
        return erase(tx, [contact.key], actor=actor_of(ctx))

    erased = await ctx.write(write)
    await finish(ctx)
    return ContactErased(erased)


def _rows(reader: Querying, sql: str, key: int) -> list[dict[str, Any]]:
    cursor = reader.execute(sql, {"key": key})
    names = [column[0] for column in cursor.description]
    return [_shown(dict(zip(names, row, strict=True))) for row in cursor]


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {name: rfc3339(value) if name in _TIMES else value for name, value in row.items() if value is not None}


def _changes(reader: Reader, contact: int) -> list[dict[str, Any]]:
    return [
        {
            "at": rfc3339(each.at),
            "before": shown.fields_of(reader, each.before),
            "after": shown.fields_of(reader, each.after or {}),
        }
        for each in changes.entries_of(reader, contact, 2**62, _MOST_CHANGES)
    ]


def _merges(reader: Reader, contact: int) -> list[dict[str, Any]]:
    """The contacts that were merged into a contact, newest first."""
    rows = reader.execute("SELECT before, at FROM crm_merges WHERE contact = ? ORDER BY key DESC", (contact,))
    merged = [(merging.gone_contact(before), at) for before, at in rows.fetchall()]
    return [{"at": rfc3339(at), "contact": row.id, **shown.all_fields(reader, row)} for row, at in merged]


def _names(reader: Reader, contact: ContactRow) -> KnownNames:
    """The names that a contact has or had."""
    earlier, merged = earlier_names(reader, [contact.key]), merging.earlier_contacts(reader, [contact.key])
    emails = {contact.email_key, *(email for _, email in earlier.emails), *(email for _, email in merged)}
    before = merging.merged_names(reader, [contact.key])
    external_ids = {
        contact.external_id,
        *(external_id for _, external_id in earlier.external_ids),
        *(external_id for external_id, _ in before),
    }
    numbers = {*(number for _, number in numbers_of(reader, [contact.key])), *(number for _, number in before)}
    now = now_ms()
    return KnownNames(*({each: now for each in names if each} for names in (emails, external_ids, numbers)))


COMMANDS = (report_contact, erase_contact)
