"""A small node in which every field of every collection has several values, and some have none."""

from __future__ import annotations

from typing import Any

import attrs

from chatnode.model.times import DAY_MS
from chatnode.node import Node
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import people
from chatnode.testing import User
from tests.plugins.attachments.messages.uploaded import Uploads
from tests.works import stored_work

SECRET = "zebrafinch"
"""Only in what ann may not see."""


@attrs.frozen
class Neighbourhood:
    """Ann, who asks, is in `talk` with bob, `plans` (hers), `late` (joined late) and not in `hidden`."""

    node: Node
    ann: User
    bob: User
    cay: User
    root: User
    talk: str
    plans: str
    late: str
    hidden: str

    async def rows(self, who: User, collection: str, **fields: Any) -> list[dict[str, Any]]:
        return (await who.call("items.query", collection=collection, **{"limit": 500} | fields))["data"]

    async def column(self, who: User, collection: str, name: str, **fields: Any) -> list[Any]:
        return [row[name] for row in await self.rows(who, collection, fields=name, **fields)]


async def settle(node: Node) -> Neighbourhood:
    """Make the neighbourhood."""
    ann, bob, cay = [await User.new(node, handle) for handle in ("ann", "bob", "cay")]
    root = await User.new(node, "root", admin=True)
    talk = await bob.direct(ann)
    plans = await ann.group(bob, cay, title="Plans")
    late = await bob.group(cay, title="Ünder the bridge", description="50% of 'it'; DROP TABLE messages --")
    hidden = await bob.group(cay, title=SECRET, visibility="private")
    await cay.group(ann, title="Hall", visibility="public")
    yard = await cay.group(
        title="Yard", description="No dogs", visibility="public", history="since_joining",
        idle_days=30, retention_days=90,
    )  # fmt: skip
    await cay.says(yard, SECRET)
    for number in range(7):
        await (bob, ann)[number % 3 == 0].says(talk, f"talk {number}")
        await (ann, bob, cay)[number % 3].says(plans, f"Plan {number} straße %_'\"\\ @cay" if number % 2 else "ok")
        await cay.says(late, f"before {SECRET}" if number < 4 else f"late {number}")
        if number == 3:
            await bob.call("conversations.members.add", conversation=late, member="ann")
        await bob.says(hidden, f"{SECRET} {number}")
    await bob.says(plans, "what @ann said", reply_to=await cay.says(plans, "last"))
    for place in (plans, late, hidden):
        for message in (await bob.call("messages.list", conversation=place))["messages"][:5]:
            await bob.call("reactions.add", message=message["message"], emoji="🎉")
    await bob.call("contacts.add", person="ann", nickname=SECRET, note=SECRET, groups=[SECRET])
    await ann.call("contacts.add", person="cay", nickname="Kay", groups=["Work", "Ünder"], tags=["vip"], favourite=True)
    dora, eli = [await User.new(node, handle) for handle in ("dora", "eli")]
    await ann.call("contacts.add", person="dora", nickname="Ünal", number="+49 170", groups=["work"], tags=["vip"])
    await eli.call("contacts.add", person="ann", note=SECRET)
    await dora.call("contacts.request", person="eli", note=SECRET)
    await ann.call("contacts.request", person="dora", note="let us talk")
    for asker in (eli, bob, cay):
        await asker.call("contacts.request", person="ann")
    await bob.call("receipts.read", conversation=plans, seq=4)
    await cay.call("receipts.delivered", conversation=plans, seq=6)
    await ann.call("receipts.read", conversation=talk, seq=2)
    await ann.call("people.update", name="Ann of Green Gables")
    await node.core.db.write(lambda tx: people.set_avatar(tx, people.find(tx, "ann"), "/pictures/1"))
    await ann.call("tokens.create", label="robot", scopes=["chat:read"])
    await ann.call("tokens.create", label="probe")
    await bob.call("tokens.create", label=SECRET)
    await root.call("invites.create", uses=3, days=2)
    await node.call("invites.create")
    for place, uploader, name in ((plans, bob, "cat.png"), (hidden, bob, f"{SECRET}.png"), (None, cay, SECRET)):
        await _file(Uploads(node), place, uploader, name)
    for owner, title in ((ann, "Import of friends"), (ann, "Import of enemies"), (bob, SECRET), (None, SECRET)):
        await stored_work(node, owner, title)
    await node.core.db.write(_what_other_commands_set)
    await node.core.db.write(_what_was_notified)
    return Neighbourhood(node, ann, bob, cay, root, talk, plans, late, hidden)


async def _file(uploads: Uploads, conversation: str | None, uploader: User, name: str) -> None:
    """A file of the conversation's sixth message; without a conversation, one that was not posted."""
    id = await uploads.picture(uploader, name)
    found = await uploads.rows(
        "SELECT m.key, m.conversation FROM messages m JOIN conversations c ON c.key = m.conversation "
        "WHERE c.id = ? AND m.seq = 6",
        conversation,
    )
    for message, place in found:
        await uploads.set(id, message=message, conversation=place, position=0)


def _what_other_commands_set(tx: Transaction) -> None:
    """Columns in the states that edits, deletions, settings, closing, blocks, reports and the audit leave."""
    key = dict(tx.execute("SELECT handle, key FROM people").fetchall())
    places = dict(tx.execute("SELECT title, key FROM conversations").fetchall())
    talk, plans, late, hidden = places[""], places["Plans"], places["Ünder the bridge"], places[SECRET]
    tx.execute(
        "INSERT INTO people (id, handle, name, role, created_at, source) "
        "VALUES (?, 'ada', 'Ada L', 'member', 7, 'irc')",
        ("ad" + "a0" * 15,),
    )
    # A machine may be so fast that all of this was made within one millisecond.
    tx.execute("UPDATE messages SET at = at + seq")
    tx.execute("UPDATE members SET joined_at = joined_at + conversation")
    for table in ("conversations", "people", "sessions", "invites"):
        tx.execute(f"UPDATE {table} SET created_at = created_at + key")
    update = "UPDATE messages SET {} WHERE conversation = ? AND seq = ?".format
    tx.execute(update("edits = 2, edited_at = at + 5000, text = 'Plan anew'"), (plans, 2))
    tx.execute(update("edits = 1, edited_at = at + 60000"), (talk, 2))
    tx.execute(
        update(f"text = '{SECRET}', deleted_at = at + 9000, deleted_by = sender, deleted_reason = 'spam'"), (plans, 3)
    )
    tx.execute(update("kind = 'location', content = '{\"latitude\":1.5}', metadata = '{\"a\":\"b\"}'"), (plans, 5))
    tx.execute(update("kind = 'system', content = '{\"type\":\"order.shipped\"}', text = 'On its way'"), (plans, 7))
    files = '{"files":[{"file":"a","name":"a","type":"image/png","bytes":1}]}'
    tx.execute(update(f"kind = 'image', content = '{files}'"), (plans, 6))
    tx.execute(update("thread = 2, pinned_at = at + 1, pinned_by = sender"), (plans, 4))
    tx.execute(update("replies = 1"), (plans, 2))
    for place, person, columns in (
        (plans, "ann", "'blue', 'our plans', 1, 0, 'mentions', 253402300799999, 0, 1, 1"),
        (talk, "ann", "NULL, NULL, 0, 1, 'none', NULL, 1, 0, 0"),
        (plans, "bob", f"'red', '{SECRET}', 1, 1, 'all', 253402300799999, 1, 1, 1"),
    ):
        tx.execute(
            "INSERT INTO conversation_settings (conversation, person, colour, label, starred, archived, notify, "
            f"muted_until, desktop, mobile, sounds) VALUES (?, ?, {columns})",
            (place, key[person]),
        )
    tx.execute(
        "UPDATE conversations SET closed_at = ?, closed_reason = 'inactive', purpose = 'support', "
        "context_type = 'order', context_id = '17' WHERE key = ?",
        (tx.now - 400 * DAY_MS, late),
    )
    tx.execute("UPDATE conversations SET created_by = ? WHERE key = ?", (key["bob"], talk))
    tx.execute("UPDATE conversations SET created_by = ? WHERE key = ?", (key["ann"], plans))
    tx.execute("UPDATE conversations SET messages = head")
    tx.execute("UPDATE conversations SET idle_days = 30 WHERE key = ?", (late,))
    tx.execute("UPDATE conversations SET retention_days = 90 WHERE key = ?", (talk,))
    hall = places["Hall"]
    tx.execute(
        "UPDATE conversations SET closed_at = ?, closed_reason = 'manual', inactive_at = ?, idle_days = 7, "
        "retention_days = 9, purpose = 'support', context_type = 'order', context_id = '18' WHERE key = ?",
        (tx.now, tx.now, hall),
    )
    for place, seq, version, text in (
        (plans, 2, 1, "Plan 1 at first"), (plans, 2, 2, "Plan 1 once more"), (plans, 3, 1, SECRET),
        (talk, 1, 1, "talk 0 at first"), (late, 2, 1, SECRET), (hidden, 1, 1, SECRET),
    ):  # fmt: skip
        tx.execute(
            "INSERT INTO message_edits SELECT conversation, seq, ?, ?, at + ? FROM messages "
            "WHERE conversation = ? AND seq = ?",
            (version, text, version, place, seq),
        )
    # Bob hides how far he has read since the third message of the talk; everybody else shows it.
    tx.execute("UPDATE members SET shown_seq = read_seq")
    tx.execute(
        "UPDATE members SET hides_receipts = 1, shown_seq = 3 WHERE conversation = ? AND person = ?", (talk, key["bob"])
    )
    tx.execute("UPDATE members SET hides_receipts = 1 WHERE conversation = ? AND person = ?", (plans, key["ann"]))
    for person, blocked, at in (("ann", "cay", 0), ("ann", "root", 1), ("bob", "ann", 2)):
        tx.execute("INSERT INTO blocks VALUES (?, ?, ?)", (key[person], key[blocked], tx.now - at))
        tx.execute(
            "INSERT INTO block_marks SELECT m.person, o.person, m.conversation, m.delivered_seq, m.shown_seq "
            "FROM members m JOIN members o ON o.conversation = m.conversation AND o.person = ? WHERE m.person = ?",
            (key[blocked], key[person]),
        )
    tx.execute("UPDATE sessions SET created_at = created_at - 60000")
    tx.execute(
        "UPDATE sessions SET kind = 'device', expires_at = ?, last_used_at = ? WHERE label = 'probe'",
        (tx.now + DAY_MS, tx.now),
    )
    for place, reporter, reason, resolved in (
        (hidden, "bob", "spam", None),
        (hidden, "cay", "abuse", tx.now),
        (plans, "ann", "spam", None),
    ):
        tx.execute(
            "INSERT INTO reports (message, reporter, reason, note, at, resolved_at, resolved_by, resolution) "
            "SELECT key, ?, ?, ?, at - ?, ?, ?, ? FROM messages WHERE conversation = ? AND seq = 1",
            (
                key[reporter], reason, f"by {reporter}", key[reporter], resolved, resolved and key["root"],
                resolved and "warned", place,
            ),
        )  # fmt: skip
    # Tomorrow, because what is older than the node keeps it, not at all as it is, goes when the node ends.
    for person, change, text, emoji in (
        ("ann", "online", None, None), ("ann", "status", "baking", "\N{BREAD}"), ("ann", "status", "home", None),
        ("ann", "offline", None, None), ("bob", "status", SECRET, None),
    ):  # fmt: skip
        tx.execute(
            "INSERT INTO presence_history (person, at, change, text, emoji) VALUES (?, ?, ?, ?, ?)",
            (key[person], tx.now + DAY_MS - len(change), change, text, emoji),
        )
    for rule, days, proof in (
        ("messages", 90, (3, 0, tx.now)),
        ("closed", 365, (None,) * 3),
        ("messages", 9, (5, 1, 7)),
    ):
        tx.execute(
            "INSERT INTO removals (at, rule, conversation, days, upto, counts, probes, traces, proved_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (tx.now - days, rule, f"{days:032x}", days, days // 2, f'{{"messages": {days}}}', *proof),
        )
    for name, seconds, ok, failures in (("retention", 0.25, 1, 0), ("backup", 3.5, 0, 2)):
        tx.execute(
            "INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?)",
            (name, tx.now - failures, seconds, ok, f"{name} done", failures + 3, failures),
        )
    for number, (owner, status, done, error) in enumerate(
        (
            ("ann", "waiting", 0, None), ("ann", "paused", 7, None), ("ann", "failed", 3, "no such list"),
            ("ann", "done", 9, None), ("bob", "paused", 5, SECRET), (None, "cancelled", 1, None),
        ),
        1,
    ):  # fmt: skip
        ended = tx.now + number if status in ("failed", "done", "cancelled") else None
        tx.execute(
            "INSERT INTO work (id, kind, title, owner, arguments, status, done, total, failures, not_before, "
            "created_at, started_at, ended_at, result, error) VALUES (?, ?, ?, ?, '{}', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                f"{number:032x}", f"counting.{'up' if number % 2 else 'down'}",
                SECRET if owner == "bob" else f"Count {number}", owner and key[owner], status, done,
                done + 5 if number % 2 else None, number % 3, tx.now + DAY_MS + number, tx.now + number,
                tx.now + number if done else None, ended, '{"counted": 9}' if status == "done" else None, error,
            ),
        )  # fmt: skip
    for action, actor in (("people.role", key["root"]), ("people.role", None), ("retention", None)):
        details = f'{{"by": "{actor}"}}'
        tx.execute(
            "INSERT INTO audit (at, actor, action, target, details) VALUES (?, ?, ?, ?, ?)",
            (tx.now - len(action), actor, action, action.upper(), details),
        )
    tx.execute("UPDATE people SET password = ? WHERE handle = 'bob'", (SECRET,))
    tx.execute("UPDATE people SET bot = 1, deactivated_at = 1, erased_at = 1, source = 'irc' WHERE handle = 'cay'")


def _what_was_notified(tx: Transaction) -> None:
    """Of messages that ann sees or may not see any more, of others' messages, and of something else."""
    items = (
        # who, title of the conversation, seq, kind, whether it was read
        ("ann", "Plans", 9, "mention", True), ("ann", "Plans", 2, "message", False),
        ("ann", "Plans", 3, "reply", False),
        ("ann", "", 3, "message", True), ("ann", "Ünder the bridge", 6, "thread", False),
        ("ann", "Ünder the bridge", 2, "mention", False), ("ann", SECRET, 1, "mention", True),
        ("bob", SECRET, 2, "message", False),
    )  # fmt: skip
    for number, (person, place, seq, kind, read) in enumerate(items, 1):
        tx.execute(
            "INSERT INTO notifications_items (id, person, conversation, message, sender, kind, first_seq, last_seq, "
            "count, personal, reason, created_at, read_at) "
            "SELECT ?, p.key, c.key, m.key, m.sender, ?, m.seq, m.seq, ?, 0, ?, ?, ? "
            "FROM people p, conversations c JOIN messages m ON m.conversation = c.key "
            "WHERE p.handle = ? AND c.title = ? AND m.seq = ?",
            (
                f"{number:032x}", kind, number, "ordinary" if kind == "message" else kind, tx.now + number,
                tx.now + 99 if read else None, person, place, seq,
            ),
        )  # fmt: skip
    for number, (person, text) in enumerate((("ann", "Backup done"), ("bob", SECRET)), len(items) + 1):
        tx.execute(
            "INSERT INTO notifications_items (id, person, kind, count, personal, reason, title, body, created_at) "
            "SELECT ?, key, 'system', 1, 1, 'system', ?, ?, ? FROM people WHERE handle = ?",
            (f"{number:032x}", text, f"{text}.", tx.now + number, person),
        )
    for person, label in (("ann", "her phone"), ("bob", SECRET)):
        tx.execute(
            "INSERT INTO notifications_registrations (id, person, transport, address, label, created_at) "
            "SELECT ?, key, 'ntfy', ?, ?, ? FROM people WHERE handle = ?",
            (f"{label.encode().hex():0>32}"[:32], f"https://ntfy.example.org/{SECRET}-{person}", label, tx.now, person),
        )
    for key, (state, error) in enumerate((("sent", None), ("failed", "no answer"), ("bounced", "404")), 1):
        for whose in ("ann", "bob"):
            tx.execute(
                "INSERT INTO notifications_deliveries (item, registration, state, due_at, sent_at, error) "
                "SELECT i.key, r.key, ?, ?, ?, ? FROM notifications_items i JOIN people p ON p.key = i.person "
                "JOIN notifications_registrations r ON r.person = p.key WHERE p.handle = ? "
                "ORDER BY i.key LIMIT 1 OFFSET ?",
                (state, tx.now, tx.now + key if state == "sent" else None, error, whose, key - 1),
            )
