"""Work of users who have lost the permission for it: it was paused meanwhile, scheduled, or had failed."""

from __future__ import annotations

from typing import Any

import pytest

from chatnode.node import Node
from chatnode.testing import User, refused, run_work
from tests.plugins.crm.contacts.keeping import ADA, created
from tests.plugins.crm.imports.importing import begun
from tests.plugins.crm.people.making import count, of_account
from tests.plugins.sql import rows

FILE = "email,first_name,last_name\nann@example.org,Ann,Lee\n"


async def an_import(node: Node, mara: User) -> str:
    id = await begun(mara, FILE)
    return (await mara.call("crm.imports.start", **{"import": id}))["import"]["work"]


async def a_bulk_change(node: Node, mara: User) -> str:
    await mara.call("crm.lists.create", name="Friends")
    return (await mara.call("crm.lists.add", list="Friends", select={"all": True}))["work"]


async def an_export(node: Node, mara: User) -> str:
    return (await mara.call("crm.exports.create", format="csv", contacts={"all": True}))["export"]["work"]


async def a_broadcast(node: Node, mara: User) -> str:
    await of_account(node, await User.new(node, "kay"), mara)
    asked = {"title": "News", "text": "hello", "contacts": {"all": True}}
    return (await mara.call("crm.broadcasts.create", **asked))["broadcast"]["work"]


@pytest.mark.parametrize("starts", [an_import, a_bulk_change, an_export, a_broadcast])
async def test_the_work_fails_and_changes_nothing(node: Node, mara: User, starts: Any) -> None:
    await created(mara, **ADA)
    work = await starts(node, mara)
    await mara.call("work.pause", work=work)
    await node.call("people.role", person="mara", role="member")
    contacts = await count(node, "SELECT count(*) FROM crm_contacts")
    await mara.call("work.resume", work=work)
    ended = await run_work(node, work)
    assert (ended["status"], "may no longer" in ended["error"]) == ("failed", True)
    assert await count(node, "SELECT count(*) FROM crm_contacts") == contacts
    assert await rows(node, "SELECT 1 FROM crm_members UNION ALL SELECT 1 FROM crm_deliveries") == []
    assert await rows(node, "SELECT 1 FROM crm_exports WHERE status = 'done'") == []


@pytest.mark.parametrize("options", [{"list": "Friends"}, {"tags": ["vip"]}, {"tags": ["new"]}])
async def test_an_import_gives_lists_and_tags_only_for_who_may(node: Node, mara: User, options: dict[str, Any]) -> None:
    await mara.call("crm.lists.create", name="Friends")
    await mara.call("crm.tags.create", name="vip")
    few = ["chat", "crm.contacts.view", "crm.contacts.import"]
    await node.call("roles.set", role="importer", permissions=few)
    ivo = await User.new(node, "ivo", role="importer")
    with refused("forbidden"):
        await begun(ivo, FILE, **options)
    id = await begun(mara, FILE, **options)
    await node.call("people.role", person="mara", role="importer")
    with refused("forbidden"):
        await mara.call("crm.imports.start", **{"import": id})


async def test_the_audit_log_says_who_imported(node: Node, mara: User) -> None:
    id = await begun(mara, FILE)
    work = (await mara.call("crm.imports.start", **{"import": id}))["import"]["work"]
    await run_work(node, work)
    await mara.call("crm.imports.undo", **{"import": id})
    await mara.call("crm.imports.delete", **{"import": id})
    found = [each for each in (await node.call("audit.list"))["entries"] if "imports." in each["action"]]
    assert [each["action"] for each in found] == ["crm.imports.delete", "crm.imports.undo", "crm.imports.start"]
    assert {each["actor"]["handle"] for each in found} == {"mara"}
