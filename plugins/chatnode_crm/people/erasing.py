"""Erasing contacts: all that is stored about them goes, and nothing brings them back.

Contacts are erased on request, and with the account of this node that they were made from. After a restore, what was
erased since the backup is erased again, before the node serves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chatnode.api import Context, Reader, RemovalNote, RestoreNote, Transaction, counted, json_array
from chatnode_crm.contacts.earlier import earlier_names
from chatnode_crm.contacts.finding import keys_by_id, rows
from chatnode_crm.contacts.upkeep import TASK as UPKEEP
from chatnode_crm.contacts.writing import erase_many
from chatnode_crm.imports.cleanup import forget_names
from chatnode_crm.people import journal
from chatnode_crm.people.journal import Erasure
from chatnode_crm.people.merging import earlier_contacts, merged_into, merged_names
from chatnode_crm.people.suppression import add_suppressed, hashes_of
from chatnode_crm.segments.forgetting import forget_addresses
from chatnode_crm.settings import CrmSettings

_MOST = 200
REASON = "erased"


def erase(tx: Transaction, keys: Sequence[int], *, actor: int | None) -> int:
    """Erase contacts, and what is left of those that were merged into them; returns how many there were.

    Their emails are suppressed, and the erasure is noted for the journal: `journal.write_out` follows.
    """
    erased, erasures = _erase(tx, keys, actor)
    journal.record_erasures(tx, erasures)
    return erased


def _erase(tx: Transaction, keys: Sequence[int], actor: int | None) -> tuple[int, list[Erasure]]:
    """Returns how many there were, and what the journal is to say."""
    known = _known(tx, keys)
    emails = {email for _, email in known if email}
    hashes = {email: hash for hash, email in hashes_of(tx, emails).items()}
    add_suppressed(tx, hashes.values(), tx.now)
    forget_addresses(tx, emails)
    forget_names(tx, [(keys[0], email, None, None) for email in emails])
    forget_names(tx, [(keys[0], None, external_id, number) for external_id, number in merged_names(tx, keys)])
    erased = erase_many(tx, [*keys, *merged_into(tx, keys)], reason=REASON, actor=actor)
    return erased, [Erasure(id, hashes.get(email or ""), tx.now) for id, email in known]


def _known(tx: Transaction, keys: Sequence[int]) -> list[tuple[str, str | None]]:
    """The ids of contacts, and of those that were merged into them, each with the normalized emails that it has and
    had."""
    found = rows(tx, keys)
    ids = {row.key: row.id for row in found}
    earlier = [(ids[key], email) for key, email in earlier_names(tx, list(ids)).emails]
    return [(row.id, row.email_key) for row in found] + earlier + earlier_contacts(tx, keys)


async def finish(ctx: Context) -> None:
    """After an erasure: the journal is on disk, and the words are removed from the index, which only marked them."""
    await journal.write_out(ctx)
    ctx.wake(UPKEEP.name)


# ---- with accounts


async def after_removal(ctx: Context, note: RemovalNote) -> Mapping[str, int]:
    """An account was erased: the contact is erased too, or only stays without it, as the setting says."""
    if note.rule != REASON:
        return {}
    return {"contacts": await settle_detached(ctx)}


async def settle_detached(ctx: Context) -> int:
    """Contacts whose account was erased, also while the plugin was disabled; returns how many were erased."""
    delete, erased = ctx.settings(CrmSettings).chat_erased == "delete", 0
    while found := await ctx.read(_detached):
        erased += await ctx.write(lambda tx, found=found: _settle(tx, found, delete))
    if erased:
        await finish(ctx)
    return erased


async def settle_all(ctx: Context) -> str | None:
    """What a crash or a time without the plugin left to do."""
    erased = await settle_detached(ctx)
    await journal.write_out(ctx)
    return f"{counted(erased, 'contact')} of erased accounts" if erased else None


def _detached(reader: Reader) -> list[tuple[int, int]]:
    return reader.execute("SELECT contact, person FROM crm_detached ORDER BY contact LIMIT ?", (_MOST,)).fetchall()


def _settle(tx: Transaction, found: Sequence[tuple[int, int]], delete: bool) -> int:
    gone = [contact for contact, person in found if _is_erased(tx, person)]
    erased = erase(tx, gone, actor=None) if delete else 0
    tx.executemany("DELETE FROM crm_detached WHERE contact = ? AND person = ?", found)
    return erased


def _is_erased(tx: Transaction, person: int) -> bool:
    row = tx.execute("SELECT 1 FROM people WHERE key = ? AND erased_at IS NOT NULL", (person,)).fetchone()
    return row is not None


# ---- after a restore


def after_restore(tx: Transaction, _: RestoreNote) -> None:
    """The journal is beside the database; `apply_again` reads it before the node serves."""
    tx.execute("INSERT INTO crm_people_state (name, value) VALUES ('restored', '1') ON CONFLICT DO NOTHING")


async def apply_again(ctx: Context) -> int:
    """Erase again what the journal says was erased, if a backup was restored; returns how many contacts that were."""
    if not await ctx.read(_was_restored):
        return 0
    erased, part = 0, list[Erasure]()
    for each in journal.read_all(ctx.directory):
        part.append(each)
        if len(part) == _MOST:
            erased += await ctx.write(lambda tx, part=part: _erase_again(tx, part))
            part = []
    erased += await ctx.write(lambda tx: _erase_again(tx, part))
    await ctx.write(lambda tx: tx.execute("DELETE FROM crm_people_state WHERE name = 'restored'"))
    return erased


def _was_restored(reader: Reader) -> bool:
    return reader.execute("SELECT 1 FROM crm_people_state WHERE name = 'restored'").fetchone() is not None


def _erase_again(tx: Transaction, part: Sequence[Erasure]) -> int:
    """By id: a contact that was created by hand after the erasure has another one, also with the same email. In the
    backup the contact may not yet have been merged, or the other way round."""
    add_suppressed(tx, [each.hash for each in part if each.hash is not None], tx.now)
    keys = list(keys_by_id(tx, [each.contact for each in part]).values())
    return _erase(tx, keys, None)[0]


def forget_detached(tx: Transaction, keys: Sequence[int]) -> None:
    """Of contacts that are gone."""
    many = json_array(keys)
    for table in ("crm_identities", "crm_consents", "crm_detached"):
        tx.execute(f"DELETE FROM {table} WHERE contact IN (SELECT value FROM json_each(?))", (many,))  # noqa: S608
