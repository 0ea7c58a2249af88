"""A book of contacts to choose from, written with the functions of the plugin."""

from __future__ import annotations

from typing import Any

import attrs
from chatnode_crm.contacts import fields, finding, writing
from chatnode_crm.contacts.deleting import delete_many
from chatnode_crm.contacts.subjects import unpack
from chatnode_crm.lists.changing import make_list
from chatnode_crm.lists.finding import find_list
from chatnode_crm.lists.membership import add_many, remove_many
from chatnode_crm.tags.tagging import tag_many, untag_many

from chatnode.model.ids import new_id
from chatnode.node import Node
from chatnode.storage.engine.transaction import Transaction
from chatnode.testing import User, run_work
from tests.plugins.crm.making import tag_called


@attrs.define
class Book:
    """Contacts are called by their first names."""

    node: Node
    keys: dict[str, int] = attrs.field(factory=dict[str, int])
    ids: dict[str, str] = attrs.field(factory=dict[str, str])
    gone: list[tuple[str, int]] = attrs.field(factory=list[tuple[str, int]])

    async def add(self, name: str, **values: Any) -> int:
        """Add a contact; `tags`, `lists` and `custom` by name."""
        tags, lists = values.pop("tags", ()), values.pop("lists", ())

        def write(tx: Transaction) -> int:
            (key,) = writing.create_many(tx, [{"first_name": name, **values}], source="manual", actor=None)
            for tag in tags:
                tag_many(tx, tag_called(tx, tag), [key], actor=None)
            for each in lists:
                add_many(tx, find_list(tx, each).key, [key], actor=None)
            return key

        key = self.keys[name] = await self.node.core.db.write(write)
        (row,) = await self.node.core.db.read(lambda reader: finding.rows(reader, [key]))
        self.ids[name] = row.id
        return key

    async def tag(self, tag: str, *names: str) -> None:
        keys = [self.keys[name] for name in names]
        await self.node.core.db.write(lambda tx: tag_many(tx, tag_called(tx, tag), keys, actor=None))

    async def untag(self, tag: str, *names: str) -> None:
        keys = [self.keys[name] for name in names]
        await self.node.core.db.write(lambda tx: untag_many(tx, tag_called(tx, tag), keys, actor=None))

    async def list(self, name: str, *names: str) -> None:
        """Make a static list with these contacts on it."""
        keys = [self.keys[each] for each in names]

        def write(tx: Transaction) -> None:
            add_many(tx, make_list(tx, name, kind="static", actor=None).key, keys, actor=None)

        await self.node.core.db.write(write)

    async def put_on(self, list: str, *names: str) -> None:
        keys = [self.keys[each] for each in names]
        await self.node.core.db.write(lambda tx: add_many(tx, find_list(tx, list).key, keys, actor=None))

    async def take_off(self, list: str, *names: str) -> None:
        keys = [self.keys[each] for each in names]
        await self.node.core.db.write(lambda tx: remove_many(tx, find_list(tx, list).key, keys, actor=None))

    async def change(self, name: str, **values: Any) -> None:
        await self.node.core.db.write(lambda tx: writing.update_many(tx, [(self.keys[name], values)], actor=None))

    async def delete(self, name: str) -> None:
        key = self.keys.pop(name)
        self.gone.append((name, key))
        await self.node.core.db.write(lambda tx: delete_many(tx, [key], reason=None, actor=None))

    async def define(self, name: str, kind: fields.FieldKind, *choices: str) -> None:
        """Define a custom field."""
        await self.node.core.db.write(lambda tx: fields.define(tx, name, kind, choices, None, 0))

    async def members(self, list: str) -> set[str]:
        """The names of the contacts that are stored as members."""
        rows = await self.node.core.db.read(
            lambda reader: reader.execute(
                "SELECT c.first_name FROM crm_members m JOIN crm_contacts c ON c.key = m.contact WHERE m.list = ?",
                (find_list(reader, list).key,),
            ).fetchall()
        )
        return {name for (name,) in rows}

    async def events(self, list: str) -> list[tuple[str, str]]:
        """Who has entered and left a dynamic list, in order: what happened, and the contact's name."""
        names = {key: name for name, key in [*self.keys.items(), *self.gone]}
        key = (await self.node.core.db.read(lambda reader: find_list(reader, list))).key
        rows = await self.node.core.db.read(
            lambda reader: reader.execute(
                "SELECT kind, subject FROM log WHERE kind IN ('crm.list.entered', 'crm.list.left') ORDER BY gid"
            ).fetchall()
        )
        found = [(kind.rpartition(".")[2], *unpack(subject)) for kind, subject in rows]
        return [(kind, names[contact]) for kind, of, contact in found if of == key]

    async def connect(self, name: str, user: User, *, verified: bool = True) -> None:
        """Make a user's account the contact's."""
        await self.sql(
            "INSERT INTO crm_identities (id, contact, kind, external_id, person, verified_at, created_at) "
            "VALUES (?, ?, 'chat', ?, ?, ?, 0)",
            new_id(), self.keys[name], user.id, user.account.key, 1 if verified else None,
        )  # fmt: skip

    async def sql(self, statement: str, *values: Any) -> None:
        """Behind the plugin's back."""
        await self.node.core.db.write(lambda tx: tx.execute(statement, values))

    async def finish(self, reply: dict[str, Any]) -> dict[str, Any]:
        """Run the work that a command has started; returns its result."""
        found = await run_work(self.node, reply["work"])
        assert found["status"] == "done", found
        return found["result"]

    async def an_hour_passes(self) -> str | None:
        """The periodic check, and the works that it starts."""
        ran = await self.node.call("jobs.run", job="crm.segments")
        await self.node.works.run_due()
        assert ran["job"]["ok"], ran
        return ran["job"].get("result") or None
