"""What the reference says of `Change.subject` and `Row.subject` is so, for every event of the node's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chatnode.api import Change, Consumer, Context, Event, Row, Transaction, Write
from chatnode.config import Config, Plugins
from chatnode.model.events import EVENTS
from chatnode.node import Node
from chatnode.reference.events import SUBJECTS
from chatnode.testing import User
from tests.bots import DEPLOY, invoked, make_bot, with_buttons
from tests.plugins.surface.making import made, node_with
from tests.services.dialogue import token_of
from tests.services.test_adoption import bring_in
from tests.services.test_retention import days_pass
from tests.works import stored_work


class Seen:
    """Every change as a hook and a consumer get it, with what its subject should be by what the event says."""

    def __init__(self) -> None:
        self.changes: dict[int, tuple[str, int]] = {}
        self.rows: dict[int, tuple[str, int]] = {}
        self.kinds: set[str] = set()

    def in_transaction(self, tx: Transaction, change: Change) -> None:
        self.kinds.add(change.event.name)
        self.changes[change.gid] = (change.event.name, change.subject)
        said, meant = SUBJECTS[change.event.name], meaning(tx, change)
        assert change.subject == meant, f"{change.event.name}: {change.subject} is not {said}, {meant}"

    async def consume(self, ctx: Context, rows: list[Row]) -> Write[object] | None:
        self.rows |= {row.gid: (row.kind, row.subject) for row in rows}
        return None


def meaning(tx: Transaction, change: Change) -> int:
    """What the subject of the event is, found in what the event tells."""
    event: Any = change.event
    match SUBJECTS[event.name].split(" ")[:3]:
        case ["the", "seq", "of"]:
            return event.message.seq
        case ["the", "seq", "up"]:
            return next(getattr(event, name) for name in ("seq", "floor", "head") if hasattr(event, name))
        case ["the", "key", "of"]:
            return key(tx, event, change)
        case _:
            return 0


def key(tx: Transaction, event: Any, change: Change) -> int:
    match event.name:
        case "session.revoked":
            return event.session
        case "conversation.updated":
            sql, id = "SELECT key FROM conversations WHERE id = ?", event.conversation
        case "person.adopted":
            sql, id = "SELECT key FROM people WHERE id = ?", event.author.id
        case "role.changed":
            (role,) = tx.execute("SELECT role FROM people WHERE key = ?", (change.subject,)).fetchone()
            assert (role, list(change.people)) == (event.role, [change.subject])
            return change.subject
        case "work.changed":
            sql, id = "SELECT key FROM work WHERE id = ?", event.work.work
        case "slash.invoked" | "action.invoked":
            sql, id = "SELECT key FROM bots_invocations WHERE id = ?", event.invocation
        case "notice.private":
            sql, id = "SELECT key FROM bots_notices WHERE id = ?", event.notice.notice
        case _:
            sql, id = "SELECT key FROM people WHERE id = ?", event.person.id
    return tx.execute(sql, (id,)).fetchone()[0]


async def live(node: Node) -> None:
    """Something of every kind happens. Several accounts and conversations, so that keys and seqs are not alike."""
    for handle in ("one", "two", "three"):
        await User.new(node, handle)
    ann, bob, root = [await User.new(node, name) for name in ("ann", "bob", "root")]
    await node.call("people.role", person="root", role="admin")
    await ann.direct(ann)
    room = await ann.group(bob, retention_days=30)
    posted = [await ann.says(room, text) for text in ("one", "two", "three")]
    await bob.call("receipts.delivered", conversation=room, seq=2)
    await bob.call("receipts.read", conversation=room, seq=3)
    await ann.call("messages.edit", message=posted[0], text="won")
    await ann.call("messages.pin", message=posted[1])
    await ann.call("messages.delete", message=posted[2])
    await ann.call("conversations.members.role", conversation=room, member="bob", role="admin")
    await ann.call("conversations.settings", conversation=room, starred=True)
    await bob.call("conversations.leave", conversation=room)
    await bob.call("people.block", person="ann")
    await ann.call("people.update", name="Ann")
    bot = await make_bot(node, "ci", DEPLOY, room=room, by=ann)
    await bot.call("slash.reply", invocation=await invoked(node, ann, room), text="done")
    message = await with_buttons(bot, room)
    await ann.call("actions.invoke", message=message, action="approve", cid="press")
    device = await token_of(bob)
    await bob.call("sessions.revoke", session=await device.session())
    await node.call("roles.set", role="member", permissions=["chat"])
    await node.consumers.catch_up()  # before rows of what is removed go, too
    await days_pass(node, 31)
    await node.call("jobs.run", job="retention")
    await bring_in(node, 1, 2)
    await root.call("people.adopt", author="grace.hopper", person="bob")
    await node.call("people.erase", person="two", handle="two")
    for owner in (ann, None):
        await stored_work(node, owner)


async def test_the_subject_of_every_event_is_what_the_reference_says(tmp_path: Path) -> None:
    seen = Seen()

    def in_transaction(tx: Transaction, change: Change) -> None:
        seen.in_transaction(tx, change)

    async def consume(ctx: Context, rows: Any) -> Write[object] | None:
        return await seen.consume(ctx, list(rows))

    plugin = made("demo", in_transaction, consumers=(Consumer("all", consume, from_start=True),))
    patient = Config(plugins=Plugins(transaction_seconds=10))  # a busy machine takes its time
    async with node_with(tmp_path, plugin, config=patient) as node:
        await live(node)
        (status,) = node.plugins.statuses()
        assert status.failures == 0, status.last_failure
        await node.consumers.catch_up()
    assert seen.kinds == set(EVENTS)
    assert seen.rows == seen.changes


def test_every_event_has_a_subject() -> None:
    assert set(SUBJECTS) == set(EVENTS)
    assert all(issubclass(event, Event) for event in EVENTS.values())
