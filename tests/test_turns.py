"""Lists that cost more than the page that they give are read in turn, and no longer than limits.query_seconds."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from chatnode.config import Config, Limits
from chatnode.dispatch.limits import Turns
from chatnode.model.folding import folded
from chatnode.node import Node
from chatnode.storage.conversations import conversations
from chatnode.storage.engine import deadlines
from chatnode.storage.engine.transaction import Transaction
from chatnode.testing import User, refused
from tests.commands import COMMANDS
from tests.services.dialogue import outcome
from tests.test_matrix import FIELDS, Target

#: Their cost grows with what there is, and not with the page that they give.
IN_TURN = {
    "items.query", "search.messages", "conversations.public", "conversations.context", "conversations.members.list",
    "receipts.list", "inbox.list", "people.blocked", "people.export", "presence.get", "reports.list", "invites.list",
    "roles.list", "audit.list", "contacts.list", "contacts.labels.list", "reactions.list", "attachments.report",
    "work.list", "crm.contacts.search", "crm.contacts.changes", "crm.contacts.implausible", "crm.contacts.report",
    "crm.lists.list", "crm.lists.members", "crm.lists.overlap", "crm.tags.list", "crm.tags.contacts",
    "crm.segments.preview", "crm.segments.get", "crm.broadcasts.get", "crm.broadcasts.deliveries",
    "crm.statistics.growth", "crm.statistics.lists", "crm.statistics.tags", "crm.statistics.geography",
    "notifications.list", "notifications.stats", "notifications.explain", "notifications.queue",
}  # fmt: skip
#: An index gives just the page, or there are never more than a few; or they are the operator's.
AT_ONCE = {
    "node.info", "node.address", "node.check", "node.statistics", "certificate.status",
    "people.me", "people.get", "people.list", "people.sessions",
    "conversations.get", "messages.list", "messages.get", "messages.history", "messages.pinned", "messages.thread",
    "presence.history", "typing.list", "sessions.list", "retention.list", "jobs.list", "contacts.get",
    "contacts.requests", "reactions.mine", "plugins.list", "plugins.consumers", "plugins.set_aside", "plugins.export",
    "attachments.uploads", "attachments.usage", "attachments.list", "attachments.get", "attachments.link",
    "attachments.stored", "work.get", "bots.list", "slash.list", "crm.contacts.get",
    "crm.contacts.list", "crm.contacts.timeline",
    "crm.contacts.history", "crm.contacts.by_person", "crm.contacts.card", "crm.notes.list", "crm.fields.list",
    "crm.lists.get", "crm.lists.of", "crm.tags.get", "crm.tags.of", "crm.identities.list", "crm.duplicates.list",
    "crm.forms.list", "crm.broadcasts.list",
    "crm.imports.list", "crm.imports.get", "crm.imports.rows", "crm.imports.errors",
    "crm.imports.detect", "crm.imports.preview", "crm.mappings.list", "crm.exports.list", "crm.exports.get",
    "crm.exports.link", "notifications.settings.get", "notifications.devices", "notifications.vapid",
    "notifications.mailbox.get", "previews.settings", "webhooks.endpoints.list", "webhooks.endpoints.get",
    "webhooks.deliveries", "webhooks.attempts", "webhooks.incoming.list",
}  # fmt: skip


class CountedTurns(Turns):
    """Turns, and who took one."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.taken: list[object] = []

    @asynccontextmanager
    async def turn(self, key: object) -> AsyncGenerator[None]:
        self.taken.append(key)
        async with super().turn(key):
            yield


def test_of_every_command_that_reads_it_is_said_what_it_costs() -> None:
    assert {each.name for each in COMMANDS if each.reads} == IN_TURN | AT_ONCE


async def test_a_costly_list_takes_a_turn_of_who_asks(node: Node) -> None:
    """All on one node: they change nothing."""
    root = await User.new(node, "root", admin=True)
    room = await root.group(await User.new(node, "spare"))
    target = Target(room, await root.says(room, "hello"), outside="spare")
    taken: dict[str, list[object]] = {}
    for name in sorted(IN_TURN | AT_ONCE):
        node.core.queries = turns = CountedTurns(1)
        who = node if name.startswith(("plugins.", "node.", "attachments.stored")) else root
        await outcome(who.call(name, **FIELDS[name](target)))
        taken[name] = turns.taken
        assert len(turns) == 0, name
    assert taken == {name: [root.key] if name in IN_TURN else [] for name in taken}


# ---- public groups


async def fill(node: Node, owner: User, number: int) -> None:
    """As many public groups, which nobody made by a command."""

    def write(tx: Transaction) -> None:
        tx.executemany(
            "INSERT INTO conversations (id, kind, title, description, found_by, visibility, history, created_at, "
            "created_by) VALUES (?, 'group', ?, '', ?, 'public', 'all', 0, ?)",
            [(f"{each:032x}", f"Tea {each}", f"tea {each}\n", owner.key) for each in range(number)],
        )

    await node.core.db.write(write)


@pytest.mark.parametrize("config", [Config(limits=Limits(query_seconds=0.000_001))])
async def test_looking_for_groups_ends_at_the_deadline_and_keeps_nobody_from_reading(
    node: Node, ann: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines, "_STEPS_BETWEEN_LOOKS", 1_000)
    await fill(node, ann, 2_000)
    talk = await ann.direct(bob)
    await ann.says(talk, "hello")
    for _ in range(2):
        with refused("too_large") as caught:
            await ann.call("conversations.public", query="no such group")
        assert "limits.query_seconds" in caught.value.message
        assert await outcome(ann.call("messages.list", conversation=talk)) == "ok"


async def test_looking_for_groups_folds_no_title(node: Node, ann: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python is called for the question, and for none of the rows."""
    await fill(node, ann, 50)
    asked: list[str] = []
    monkeypatch.setattr(conversations, "folded", lambda text: asked.append(text) or folded(text))

    def no_python(reader: object) -> None:
        reader.create_function("folded", 1, lambda text: 1 / 0)  # type: ignore[attr-defined]

    for _ in range(4):
        await node.core.db.read(no_python)
    found = (await ann.call("conversations.public", query="TEA 4", limit=100))["conversations"]
    assert asked == ["TEA 4"]
    assert [each["title"] for each in found] == ["Tea 4", *(f"Tea {each}" for each in range(40, 50))]


async def test_groups_are_found_by_what_they_are_called_now(node: Node, ann: User) -> None:
    room = await ann.group(title="STRASSE", description="Nur für Ännchen", visibility="public")
    await node.call("import.conversation", source="irc", key="#x", title="Ærø", description="an island")

    async def found(query: str) -> list[str]:
        return [each["title"] for each in (await ann.call("conversations.public", query=query))["conversations"]]

    assert await found("straße") == await found("FÜR ä") == ["STRASSE"]
    assert await found("ærØ") == await found("ISLAND") == ["Ærø"]
    await ann.call("conversations.update", conversation=room, title="Gasse")
    assert await found("straße") == []
    assert await found("gasse") == await found("für") == ["Gasse"]
    await ann.call("conversations.update", conversation=room, description="Für alle")
    assert await found("ännchen") == []
    assert await found("GASSE") == await found("alle") == ["Gasse"]
    assert (await node.call("node.check"))["clean"]


async def test_check_finds_a_group_that_is_found_by_other_words_and_repair_mends_it(node: Node, ann: User) -> None:
    room = await ann.group(title="Größe", visibility="public")
    await node.core.db.write(lambda tx: tx.execute("UPDATE conversations SET found_by = 'x'").rowcount)
    problems = {
        each["name"]: each["problems"] for each in (await node.call("node.check"))["checks"] if each["problems"]
    }
    assert problems == {"titles": [f"the search words of conversation {room} differ from its title and description"]}
    assert (await node.call("node.repair"))["clean"]
    assert len((await ann.call("conversations.public", query="GRÖSSE"))["conversations"]) == 1
