"""Settings at their ends: a node whose numbers are all as small, or all as large, as the settings take them works."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from chatnode.config import Config
from chatnode.errors import StartError
from chatnode.hooks.discovery import installed
from chatnode.node import Node, open_node
from chatnode.settings import class_of_table, maximum_of
from tests.plugins.attachments.uploading.tus_client import FILES, TusClient
from tests.transport.clients import Address, ChatSocket, EventStream, serving


def fields_of(kind: type[Any]) -> Iterator[attrs.Attribute[Any]]:
    """The numbers of a section."""
    yield from (each for each in attrs.fields(kind) if type(each.default) in (int, float))


def sections() -> dict[str, type[Any]]:
    """All sections with settings, those of plugins too."""
    own = {each.name: each.default.factory for each in attrs.fields(Config) if attrs.has(each.default.factory)}
    plugins = [each.load().chatnode_plugin() for each in installed()]
    return own | {f"plugins.{each.name}": each.settings for each in plugins if each.settings is not None}


def smallest(field: attrs.Attribute[Any]) -> float:
    return field.metadata["minimum"]


def largest(field: attrs.Attribute[Any]) -> float:
    return type(field.default)(maximum_of(field))


SPARED = {
    # No plugin can do anything in a millisecond.
    smallest: ("plugins.hook_seconds", "plugins.transaction_seconds", "plugins.start_seconds"),
    largest: ("storage.least_free_mib",),  # no disk has that
}
"""With these, little works, and the node says why."""


def written(end: Any) -> str:
    lines: list[str] = []
    for name, kind in sections().items():
        lines.append(f"[{name}]")
        lines += [f"{each.name} = {end(each)}" for each in fields_of(kind) if f"{name}.{each.name}" not in SPARED[end]]
    return "\n".join(lines)


async def used(node: Node, address: Address) -> None:
    """What users and the node itself do with it."""
    root = await TusClient.signed_in(node, address, "root")
    await node.call("people.role", person="root", role="admin")
    async with await TusClient.signed_in(node, address, "ann") as ann, root:
        await ann.user.call("presence.status", text="x")
        talk = await ann.user.direct(root.user)
        async with await ChatSocket.signed_in(address, ann.token) as chat, await EventStream.open(address, root.token):
            await chat.call("messages.post", conversation=talk, cid="1", text="hello world")
            await chat.call("typing", conversation=talk)
        assert (await ann.creates(5)).status == 201
        assert (await ann.creates()).status in (201, 507)  # what a file may have at most is more than the disk has
        file = await ann.asks("POST", f"{FILES}?name=x.txt", b"hello", {"Content-Type": "text/plain"})
        assert file.status == 201, file.body
        await ann.user.call(
            "messages.post", conversation=talk, cid="2", kind="file", files=[{"file": file.json["file"]["id"]}]
        )
        for name, fields in READING.items():
            await root.user.call(name, **{key: talk if value is TALK else value for key, value in fields.items()})
        for name in ("attachments.uploads", "attachments.usage"):
            await ann.user.call(name)
        await root.user.call("people.reset_link", person="ann")
    for job in node.jobs:
        assert (await node.call("jobs.run", job=job.name))["job"]["ok"], job.name


TALK = object()
READING: dict[str, dict[str, Any]] = {
    "search.messages": {"query": "hello"}, "messages.list": {"conversation": TALK}, "inbox.list": {},
    "items.query": {"collection": "messages"}, "invites.create": {}, "tokens.create": {"person": "root"},
    "people.list": {}, "presence.get": {"people": ["ann"]}, "audit.list": {}, "notifications.list": {},
    "contacts.list": {}, "attachments.report": {}, "crm.contacts.list": {}, "webhooks.endpoints.list": {},
}  # fmt: skip


@pytest.mark.parametrize("end", [smallest, largest])
async def test_a_node_works_with_every_number_at_an_end(
    tmp_path: Path, end: Any, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "config.toml").write_text(written(end))
    async with open_node(tmp_path) as node:
        assert {each.state for each in node.plugins.statuses()} == {"running"}
        async with serving(node) as address:
            await used(node, address)
            parts = (await node.health())[1]
            assert {name: part for name, part in parts.items() if part["status"] != "ok"} == {}
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize(("section", "kind"), [pytest.param(name, kind, id=name) for name, kind in sections().items()])
def test_every_number_has_ends(section: str, kind: type[Any]) -> None:
    from chatnode.settings import read_section

    for field in fields_of(kind):
        assert class_of_table(field) is None
        assert smallest(field) is not None, f"{section}.{field.name} has no minimum"
        for beyond, word in ((smallest(field) - 1, "minimum"), (largest(field) * 2 + 1, "maximum")):
            with pytest.raises(StartError, match=f"{section}.{field.name} is .*; the {word} is"):
                read_section(kind(), {field.name: type(field.default)(beyond)}, section, "here")
