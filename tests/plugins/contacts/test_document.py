"""What programs read about the commands is what the commands give."""

from __future__ import annotations

import jsonschema
from chatnode_contacts.commands import COMMANDS

from chatnode.node import Node
from chatnode.testing import LiveSession, User
from chatnode.transport import openapi


async def test_the_document_describes_what_is_given(node: Node, ann: User, bob: User) -> None:
    document = openapi.document(node.table)
    asked = set[str]()

    async def call(who: User, name: str, /, **fields: object) -> None:
        given = await who.call(name, **fields)
        operation = document["paths"][f"/v1/{name}"]["post"]
        for content, value in ((operation["requestBody"], fields), (operation["responses"]["200"], given)):
            schema = content["content"]["application/json"]["schema"] | {"components": document["components"]}
            jsonschema.Draft202012Validator(schema).validate(value)
        asked.add(name)

    await LiveSession.of(node, bob)
    await bob.call("presence.status", text="busy", emoji="🔧", seconds=60)
    await call(ann, "contacts.request", person="bob", note="hello")
    await call(ann, "contacts.cancel", person="bob")
    await call(bob, "contacts.request", person="ann")
    await call(ann, "contacts.requests", direction="incoming", limit=1)
    await call(ann, "contacts.decline", person="bob")
    await call(ann, "contacts.request", person="bob")
    await call(bob, "contacts.accept", person="ann")
    await ann.says((await ann.call("inbox.list"))["conversations"][0]["conversation"], "hello")
    await call(ann, "contacts.add", person="bob", nickname="B", number="1", note="n", favourite=True)
    await call(ann, "contacts.update", person="bob", groups=["Work"], tags=["vip"])
    await call(ann, "contacts.get", person="bob")
    await call(ann, "contacts.list", sort="name", query="b", favourite=True, limit=1)
    await call(ann, "contacts.labels.list", kind="tag")
    await call(ann, "contacts.labels.rename", kind="tag", name="vip", to="VIP")
    await call(ann, "contacts.labels.delete", kind="group", name="work")
    await call(ann, "contacts.remove", person="bob")
    assert asked == {command.name for command in COMMANDS}


async def test_a_contact_is_described_field_by_field(node: Node) -> None:
    shape = openapi.document(node.table)["components"]["schemas"]["chatnode_contacts.Contact"]
    assert shape["required"] == ["person", "added_at"]
    assert shape["properties"].keys() > {"nickname", "groups", "presence", "weight"}
    assert shape["additionalProperties"] is False
