"""Creating, changing and deleting one contact."""

from __future__ import annotations

from typing import Any, cast

import attrs

from chatnode.api import Context, Nothing, Reader, Refusal, Transaction, command
from chatnode_crm.contacts import finding, shown, writing
from chatnode_crm.contacts.completing import additions
from chatnode_crm.contacts.consenting import opt_in_accounts
from chatnode_crm.contacts.identified import REASON, has_identity, is_identified
from chatnode_crm.contacts.model import (
    CreateContact,
    CrmContact,
    CrmContactReply,
    DeleteContact,
    OfContact,
    UpdateContact,
)
from chatnode_crm.contacts.preparing import PreparedContact, opted, prepare, rules_of
from chatnode_crm.permissions import CREATE, DELETE, UPDATE, VIEW
from chatnode_crm.requester import actor_of


@command("crm.contacts.create", permission=CREATE, limit="changes")
async def create(ctx: Context, asked: CreateContact) -> CrmContactReply:
    """Create a contact. Email addresses and external ids are unique."""
    prepared = await _prepared(ctx, _given(asked))
    if not is_identified(prepared.values):
        raise Refusal("invalid", REASON, path="email")
    (more,) = await additions(ctx, [prepared.values], rules_of(ctx))
    actor = actor_of(ctx)

    def write(tx: Transaction) -> CrmContact:
        values = more | opted(prepared, None, tx.now)
        (key,) = writing.create_many(tx, [values], source="manual", actor=actor)
        return _shown(tx, key)

    return CrmContactReply(await ctx.write(write, repeatable=True))


@command("crm.contacts.get", permission=VIEW, reads=True)
async def get(ctx: Context, asked: OfContact) -> CrmContactReply:
    """A contact by its id, or the one that it was merged into."""

    def read(reader: Reader) -> CrmContact:
        return cast("CrmContact", shown.plain(reader, [finding.by_id(reader, asked.contact)])[0])

    return CrmContactReply(await ctx.read(read))


@command("crm.contacts.update", permission=UPDATE, limit="changes")
async def update(ctx: Context, asked: UpdateContact) -> CrmContactReply:
    """Change fields of a contact. With `version`, the change is refused if the contact has changed since."""
    prepared = await _prepared(ctx, _given(asked))
    actor = actor_of(ctx)

    def write(tx: Transaction) -> CrmContact:
        row = finding.by_id(tx, asked.contact)
        if asked.version is not None and asked.version != row.version:
            raise Refusal("conflict", "the contact has changed since; get it again", path="version")
        values = opted(prepared, row.opted_out_at, tx.now)
        if not is_identified({**attrs.asdict(row), **values}) and not has_identity(tx, row.key):
            raise Refusal("invalid", REASON, path="email")
        writing.update_many(tx, [(row.key, values)], actor=actor)
        if prepared.opted_out is False:
            opt_in_accounts(tx, row.key)
        return _shown(tx, row.key)

    return CrmContactReply(await ctx.write(write, repeatable=True))


@command("crm.contacts.delete", permission=DELETE, limit="changes")
async def delete(ctx: Context, asked: DeleteContact) -> Nothing:
    """Delete a contact with all that belongs to it. What it was is kept in the journal for some weeks."""
    actor = actor_of(ctx)

    def write(tx: Transaction) -> None:
        row = finding.by_id(tx, asked.contact)
        writing.delete_many(tx, [row.key], reason=asked.reason, actor=actor)
        ctx.audit(tx, "contact.delete", row.id)

    await ctx.write(write)
    return Nothing()


def _given(asked: CreateContact | UpdateContact) -> dict[str, Any]:
    """The fields that the request has."""
    values = attrs.asdict(asked, recurse=False)
    return {name: value for name, value in values.items() if value is not None and name not in ("contact", "version")}


async def _prepared(ctx: Context, given: dict[str, Any]) -> PreparedContact:
    rules = rules_of(ctx)
    (prepared,) = await ctx.read(lambda reader: prepare(reader, [given], rules))
    prepared.refuse()
    return prepared


def _shown(tx: Transaction, key: int) -> CrmContact:
    return cast("CrmContact", shown.plain(tx, finding.rows(tx, [key]))[0])


COMMANDS = (create, get, update, delete)
