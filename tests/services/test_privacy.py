"""Taking everything away that is held about oneself, and having it erased."""

from __future__ import annotations

import json
import random
import sqlite3
from typing import Any

import pytest
import trio

from chatnode.config import Config, PresenceSettings
from chatnode.node import Node
from chatnode.services import forgetting, privacy
from chatnode.storage.engine import gaps
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import people
from chatnode.storage.privacy import erasure, retention
from chatnode.storage.privacy import export as personal_export
from chatnode.testing import LiveSession, User, refused
from tests.ageing import on_disk
from tests.bots import DEPLOY, invoked, make_bot
from tests.storage import whole_index
from tests.works import stored_work

from .dialogue import PASSWORD, Visitor, assert_sound, token_of, with_limits, with_password

CANARY = "the waxwing sings at dusk"
GONE = {"left": 0, "rewritten": True, "flushed": True}
"""What a proof says when all went well."""


@pytest.fixture
async def root(node: Node) -> User:
    return await User.new(node, "root", admin=True)


@pytest.fixture
async def cay(node: Node) -> User:
    """A user who is not connected."""
    return await User.new(node, "cay")


async def export_of(asker: User | Node, limit: int = 200, **fields: Any) -> list[dict[str, Any]]:
    entries, after = [], {}
    while True:
        page = await asker.call("people.export", limit=limit, **fields, **after)
        entries += page["entries"]
        if "next" not in page:
            return entries
        after = {"after": page["next"]}


def of_kind(entries: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [each["data"] for each in entries if each["kind"] == kind]


async def indexed(node: Node, *words: str) -> list[int]:
    """Of how many messages each word is in the tables of the index."""
    return await node.core.db.read(lambda reader: [whole_index.occurrences(reader, word) for word in words])


async def rows(node: Node, table: str, person: User) -> int:
    sql = f"SELECT count(*) FROM {table} WHERE person = ?"
    (count,) = await node.core.db.read(lambda reader: reader.execute(sql, (person.account.key,)).fetchone())
    return count


async def imported(node: Node, author: str) -> None:
    """A message from elsewhere."""
    given = await node.call("import.conversation", source="irc", key="#x", title="#x")
    items = [{"cid": "1", "author": author, "at": 0, "text": "hello"}]
    await node.call("import.messages", **given, items=items)


ROWS = {
    "sessions.person": "session",
    "conversation_settings.person": "settings",
    "blocks.person": "block",
    "blocks.blocked": None,  # whom others have blocked is theirs to know
    "block_marks.person": None,  # how far they had read then
    "block_marks.blocked": None,
    "presence.person": "presence",
    "presence_history.person": "presence_history",
    "invites.created_by": "invite",
    "receipts.person": "receipt",
    "mentions.person": "mention",
    "password_resets.person": None,  # a hash
    "reactions_given.person": "reactions_given",
    "contacts_entries.owner": "contacts_entries",
    "contacts_entries.contact": None,  # what others keep is theirs
    "contacts_labels.owner": None,  # in the entries
    "contacts_labels.contact": None,
    "contacts_requests.sender": "contacts_requests",
    "contacts_requests.receiver": "contacts_requests",
    "identities.person": "identity",
    "import_authors.person": "author",
    "bots.person": None,  # only bots have a row
    "work.owner": "work",
    "bots_owned.owner": "bot",
    "bots_owned.bot": None,  # only bots have a row
    "bots_commands.bot": "bot_command",
    "bots_invocations.person": "invocation",
    "bots_invocations.bot": None,  # what others asked is theirs
    "bots_notices.person": "notice",
    "bots_notices.bot": None,
}
"""Where rows are somebody's own: as what they are exported. All of them go with the person."""
KEPT = {
    "members.person", "messages.sender", "reports.reporter", "reports.resolved_by", "audit.actor", "log.person",
    "log.actor", "log_audience.person", "erasures.person", "erasure_conversations.person",
    "import_erased_authors.person", "adoptions.author", "adoptions.person", "adoption_conversations.author",
}  # fmt: skip
"""Where a number of nobody's stays, for the places of others to hold."""


# ---- export


async def test_everything_of_mine_is_in_it_and_nothing_that_others_said(
    node: Node, root: User, ann: User, bob: User
) -> None:
    talk, room = await ann.direct(bob), await ann.group(bob, title="garden")
    mine = await ann.posts(room, "first")
    await ann.call("messages.edit", message=mine["message"], text="second")
    theirs = await bob.posts(room, f"{CANARY} @ann")
    await ann.call("receipts.read", conversation=room, seq=2)
    await ann.call("messages.report", message=theirs["message"], reason="spam", note="my note")
    await ann.call("people.block", person="bob")
    await token_of(ann, label="my phone", scopes=["chat:read"])
    await root.call("people.role", person="ann", role="moderator")

    entries = await export_of(ann)
    (profile,) = of_kind(entries, "profile")
    assert (profile["handle"], profile["role"], profile["has_password"]) == ("ann", "moderator", False)
    (session,) = of_kind(entries, "session")
    assert (session["label"], session["scopes"]) == ("my phone", ["chat:read"])
    assert {each["conversation"]: each["has_left"] for each in of_kind(entries, "membership")} == {
        talk: False, room: False,
    }  # fmt: skip
    (message,) = of_kind(entries, "message")
    assert (message["text"], [each["text"] for each in message["history"]]) == ("second", ["first"])
    assert [each["handle"] for each in of_kind(entries, "block")] == ["bob"]
    assert [(each["message"], each["note"]) for each in of_kind(entries, "report")] == [(theirs["message"], "my note")]
    assert of_kind(entries, "mention") == [{"conversation": room, "seqs": [2]}]
    (receipt,) = of_kind(entries, "receipt")
    assert receipt["conversation"] == room
    assert [mark[:2] for mark in receipt["marks"] if mark[0] == "read"] == [["read", 2]]
    assert [(each["action"], each["by_them"]) for each in of_kind(entries, "audit")] == [
        ("people.create", False), ("people.role", False),
    ]  # fmt: skip
    text = json.dumps(entries)
    assert CANARY not in text
    assert "token_hash" not in text
    assert "$argon2" not in text


async def test_pages_of_any_size_are_the_same_together(ann: User, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = [await ann.group(bob) for _ in range(3)]
    for number in range(7):
        await ann.says(rooms[number % 3], f"m{number}")
        await bob.says(rooms[number % 3], f"m{number} @ann")
    whole = await export_of(ann)
    assert [each["text"] for each in of_kind(whole, "message")] == [f"m{number}" for number in range(7)]
    monkeypatch.setattr(personal_export, "SPAN", 2)
    for limit in (1, 2, 3):
        assert await export_of(ann, limit) == whole


async def test_others_are_exported_by_who_manages_people_and_it_is_noted(root: User, ann: User, bob: User) -> None:
    with refused("forbidden"):
        await ann.call("people.export", person="bob")
    with refused("forbidden"):
        await (await token_of(root, scopes=["people.manage", "chat"])).call("people.export", person="bob")
    entries = await export_of(root, 1, person="bob")
    assert of_kind(entries, "profile")[0]["handle"] == "bob"
    noted = (await root.call("audit.list", action="people.export"))["entries"]
    assert [each["target"] for each in noted] == [bob.id]
    with refused("invalid", "after"):
        await ann.call("people.export", after="nonsense")


async def test_what_came_after_somebody_left_is_not_theirs(node: Node, ann: User, bob: User) -> None:
    room = await ann.group(bob, title="garden")
    mine = [await bob.says(room, f"message {n}") for n in range(3)]
    await ann.call("messages.delete", message=mine[0], reason="spam")
    await bob.call("conversations.leave", conversation=room)
    await trio.sleep(0.01)  # a later millisecond
    await ann.call("messages.delete", message=mine[1], reason="abuse")
    await ann.call("conversations.update", conversation=room, title="the garden without bob")
    for text in ("one", "two"):
        await ann.says(room, text)

    def trim_all(tx: Transaction) -> None:
        key, upto = tx.execute("SELECT key, head FROM conversations WHERE id = ?", (room,)).fetchone()
        before = tx.now + 1
        assert retention.trim(tx, retention.Due(key, room, "messages", 1, before), upto - 1) is not None

    entries = await export_of(bob)
    (membership,) = of_kind(entries, "membership")
    assert (membership["has_left"], membership["read_seq"], "title" in membership) == (True, 3, False)
    reasons = [each.get("deleted_reason") for each in of_kind(entries, "message")]
    assert reasons == ["spam", None, None]
    await node.core.db.write(trim_all)
    (membership,) = of_kind(await export_of(bob), "membership")
    assert membership["read_seq"] == 3
    (membership,) = of_kind(await export_of(ann), "membership")
    assert membership["title"] == "the garden without bob"


# ---- erasing


def naming_people(reader: Reader) -> set[str]:
    """Columns that refer to people."""
    tables = [name for (name,) in reader.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return {
        f"{table}.{column}"
        for table in tables
        if not table.startswith("search_words")
        for column in [
            *(row[1] for row in reader.execute(f"PRAGMA table_info({table})") if row[1] in ("person", "actor")),
            *(row[3] for row in reader.execute(f"PRAGMA foreign_key_list({table})") if row[2] == "people"),
        ]
    }


async def as_owner_and_as_bot(node: Node, root: User, cay: User, room: str) -> None:
    """Cay has a bot, asks it something, and stands where a bot would, too."""
    await cay.call("bots.create", handle="helper")
    helper = await make_bot(node, "ci", DEPLOY, room=room, by=cay)
    await helper.call("slash.reply", invocation=await invoked(node, cay, room), text="done")

    def write(tx: Transaction) -> None:
        tx.execute("INSERT INTO bots_owned VALUES (?, ?, 0, 0)", (cay.key, root.key))
        tx.execute("INSERT INTO bots_commands (bot, name, about, usage) VALUES (?, 'x', 'x', '')", (cay.key,))
        for table in ("bots_invocations", "bots_notices"):
            tx.execute(f"UPDATE {table} SET bot = ?", (cay.key,))

    await node.core.db.write(write)


@pytest.mark.parametrize("config", [Config(presence=PresenceSettings(history_days=30))], ids=["history_days=30"])
async def test_no_table_that_names_people_is_forgotten(node: Node, root: User, cay: User, bob: User) -> None:
    assert await node.core.db.read(naming_people) == set(ROWS) | KEPT

    await root.call(
        "roles.set", role="host", permissions=["chat", "groups.create", "invites.manage", "contacts.use", "bots.make"]
    )
    await root.call("people.role", person="cay", role="host")
    cay = User(node, await node.core.db.read(lambda reader: people.find(reader, "cay")))
    room = await cay.group(bob)
    await cay.call("reactions.add", message=await bob.says(room, "good morning @cay"), type="like")
    await cay.call("receipts.read", conversation=room, seq=1)
    await cay.call("conversations.settings", conversation=room, starred=True)
    await cay.call("presence.status", text="busy")
    dan, _ = [await User.new(node, handle) for handle in ("dan", "eve")]
    await cay.call("contacts.add", person="dan", groups=["work"])
    await dan.call("contacts.add", person="cay", groups=["work"])
    await cay.call("contacts.request", person="eve")
    await bob.call("contacts.request", person="cay")
    await cay.call("contacts.decline", person="bob")
    await cay.call("people.block", person="bob")
    await bob.call("people.block", person="cay")
    await cay.call("invites.create")
    await imported(node, "Cay at work")
    await root.call("people.adopt", author="cay.at.work", person="cay")
    await token_of(cay)
    await root.call("people.reset_link", person="cay")
    await node.core.db.write(lambda tx: tx.execute("INSERT INTO bots VALUES ('demo', 'cay', ?, 0)", (cay.account.key,)))
    await node.core.db.write(
        lambda tx: tx.execute(
            "INSERT INTO identities (source, name, person) VALUES ('app', '1', ?)", (cay.account.key,)
        )
    )
    await stored_work(node, cay)
    await as_owner_and_as_bot(node, root, cay, room)

    def counts(reader: Reader) -> dict[str, int]:
        key = (cay.account.key,)
        places = [place.split(".") for place in ROWS]
        return {
            f"{table}.{column}": reader.execute(f"SELECT count(*) FROM {table} WHERE {column} = ?", key).fetchone()[0]
            for table, column in places
        }

    there = await node.core.db.read(counts)
    assert all(there.values()), there
    exported = {each["kind"] for each in await export_of(cay)}
    assert exported >= {kind for kind in ROWS.values() if kind is not None}
    await root.call("people.erase", person="cay", handle="cay")
    assert not any((await node.core.db.read(counts)).values())


async def test_who_is_erased_is_gone_from_every_place(node: Node, root: User, cay: User, bob: User) -> None:
    await cay.call("people.update", name=CANARY)
    await node.core.db.write(
        lambda tx: people.set_avatar(tx, people.find(tx, "cay"), f"/pictures/{CANARY.replace(' ', '-')}")
    )
    talk, room = await cay.direct(bob), await cay.group(bob, title="garden")
    for place in (talk, room):
        await bob.says(place, "what is it?")
        posted = await cay.posts(place, f"{CANARY}, version one")
        await cay.call("messages.edit", message=posted["message"], text=f"{CANARY}, version two")
        await cay.says(place, "with metadata", metadata={"note": CANARY})
    phone = await token_of(cay, label=CANARY)
    bad = await bob.posts(room, "bad")
    await cay.call("messages.report", message=bad["message"], reason="spam", note=CANARY)
    live = await LiveSession.of(node, bob)
    assert CANARY.encode() in on_disk(node)

    receipt = await root.call("people.erase", person="cay", handle="cay")
    assert receipt["removed"]["messages"] == 4
    assert receipt["removed"]["members"] == 1
    assert receipt["removed"]["sessions"] == 1
    assert receipt["proof"] == GONE | {"looked_for": 4, "said_by_others": 0}
    assert CANARY.encode() not in on_disk(node)
    assert CANARY.replace(" ", "-").encode() not in on_disk(node)

    with refused("unauthenticated"):
        await phone.call("people.me")
    (told,) = live.heard("person.erased")
    handle = told["person"]["handle"]
    assert handle.startswith("erased-")
    assert told["person"] == {"id": cay.id, "handle": handle, "name": handle, "deactivated": True, "erased": True}
    assert await bob.members(room) == {"bob": "owner"}
    assert (await bob.entry(talk))["peer"]["handle"] == handle
    page = (await bob.call("messages.list", conversation=talk))["messages"]
    assert [(each["seq"], each["text"], each.get("deleted_reason")) for each in page] == [
        (1, "what is it?", None), (2, "", "erased"), (3, "", "erased"),
    ]  # fmt: skip
    assert {each["sender"]["handle"] for each in page} == {"bob", handle}
    await assert_sound(node)
    await node.call("people.create", handle="cay")  # the handle is free again
    for command in ("people.reactivate", "people.erase"):
        with refused("gone", "person"):
            await root.call(command, person=cay.id, **({"handle": handle} if command == "people.erase" else {}))


async def test_ids_that_their_client_chose_go_too(node: Node, root: User, bob: User) -> None:
    """They may say anything; those of an import say which message it was at its source."""
    canary = CANARY.replace(" ", "-")
    cay = await User.new(node, "cay")
    talk = await cay.direct(bob)
    for number in range(2):
        await cay.call("messages.post", conversation=talk, text="hi", cid=f"{canary}-{number}")
    first, second = (await bob.call("messages.list", conversation=talk))["messages"]
    await cay.call("messages.delete", message=second["message"])
    assert canary.encode() in on_disk(node)
    await root.call("people.erase", person="cay", handle="cay")
    assert canary.encode() not in on_disk(node)
    page = (await bob.call("messages.list", conversation=talk))["messages"]
    assert [(each["message"], each["cid"]) for each in page] == [(first["message"], ""), (second["message"], "")]
    await assert_sound(node)


@pytest.mark.parametrize("config", [Config(presence=PresenceSettings(history_days=30))], ids=["history_days=30"])
async def test_their_presence_is_exported_and_goes_with_them(node: Node, root: User, bob: User) -> None:
    cay = await User.new(node, "cay")  # who is not connected: nothing but the status is stored
    await cay.direct(bob)
    await cay.call("presence.status", text=CANARY, seconds=3_600)
    await node.presence.write()
    (now,) = of_kind(await export_of(cay), "presence")
    assert (now["text"], now["hidden"], now["until"] > now["active_at"]) == (CANARY, False, True)
    assert [each["text"] for each in of_kind(await export_of(cay), "presence_history")] == [CANARY]

    receipt = await root.call("people.erase", person="cay", handle="cay")
    assert receipt["removed"]["presence"] == 2
    assert CANARY.encode() not in on_disk(node)
    assert (await bob.call("presence.get", people=[cay.id]))["people"] == []
    await node.presence.write()
    assert await rows(node, "presence", cay) == await rows(node, "presence_history", cay) == 0


async def test_their_words_are_in_no_index(node: Node, root: User, ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    await ann.says(talk, CANARY)
    await bob.says(talk, "it sings, does it?")
    await node.core.db.write(whole_index.rebuild)
    assert await indexed(node, "waxwing", "sings") == [1, 2]
    receipt = await root.call("people.erase", person="ann", handle="ann")
    assert receipt["proof"] == GONE | {"looked_for": 1, "said_by_others": 0}
    assert await indexed(node, "waxwing", "sings") == [0, 1]
    assert (await bob.call("search.messages", query="waxwing"))["results"] == []
    assert b"waxwing" not in on_disk(node)
    await assert_sound(node)


async def test_what_a_long_read_keeps_in_the_files_is_said_and_removed_later(
    node: Node, ann: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "PATIENCE_SECONDS", 0.2)
    talk = await ann.direct(bob)
    await ann.says(talk, CANARY)
    reading = sqlite3.connect(node.core.db.path, isolation_level=None)
    reading.execute("BEGIN")
    reading.execute("SELECT text FROM messages").fetchone()
    receipt = await node.call("people.erase", person="ann", handle="ann")
    assert not receipt["proof"]["flushed"]
    assert "jobs.run" in receipt["proof"]["advice"]
    job = (await node.call("jobs.run", job="erasures"))["job"]
    assert (job["ok"], CANARY.encode() in on_disk(node)) == (False, True)
    reading.close()
    await node.call("jobs.run", job="erasures")
    assert CANARY.encode() not in on_disk(node)


async def test_a_database_that_cannot_be_swept_is_vacuumed_by_the_operator(
    node: Node, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gaps, "_MOST_PAGES", 1)
    receipt = await node.call("people.erase", person="ann", handle="ann")
    assert (receipt["proof"]["rewritten"], receipt["proof"]["flushed"]) == (False, True)
    assert "VACUUM" in receipt["proof"]["advice"]


async def test_what_others_said_too_is_told_apart(root: User, ann: User, bob: User) -> None:
    talk = await ann.direct(bob)
    await ann.says(talk, CANARY)
    await bob.says(talk, f"you wrote: {CANARY}")
    receipt = await root.call("people.erase", person="ann", handle="ann")
    assert receipt["proof"] == GONE | {"looked_for": 1, "said_by_others": 1}


async def test_one_erases_oneself_with_handle_and_password(node: Node, bob: User) -> None:
    ann = await with_password(node, "ann")
    talk = await ann.direct(bob)
    await ann.says(talk, CANARY)
    for fields, code in (
        ({"handle": "bob", "password": PASSWORD}, "invalid"),
        ({"handle": "ann"}, "wrong_password"),
        ({"handle": "ann", "password": "wrong horse battery"}, "wrong_password"),
        ({"handle": "bob", "person": "bob"}, "forbidden"),
    ):
        with refused(code):
            await ann.call("people.erase", **fields)
    phone = await Visitor(node).sign_in("ann")
    receipt = await phone.call("people.erase", handle="ann", password=PASSWORD)
    assert receipt["removed"]["messages"] == 1
    with refused("wrong_password"):
        await Visitor(node).sign_in("ann")
    assert await bob.reads(talk) == [""]


async def test_the_only_administrator_is_not_erased(node: Node, root: User) -> None:
    with refused("conflict", "person"):
        await root.call("people.erase", handle="root")
    assert (await root.call("people.me"))["person"]["handle"] == "root"


@with_limits(posts_per_minute=0, requests_per_minute=0)
async def test_texts_of_every_size_leave_no_bytes(node: Node, ann: User, bob: User) -> None:
    """Pages split and are filled again while many write, so that old bytes could stay in their gaps."""
    chance = random.Random(7)
    room = await ann.group(bob)

    async def talk(who: User, number: int) -> None:
        size = chance.choice((0, 30, 300, 3_000, 9_000))
        posted = await who.posts(room, f"{who.handle}-canary-{number:04} " + "x" * chance.randint(0, size))
        if number % 3 == 0:
            text = f"{who.handle}-canary-{number:04} again " + "y" * chance.randint(0, size)
            await who.call("messages.edit", message=posted["message"], text=text)

    for start in range(0, 600, 50):
        async with trio.open_nursery() as nursery:
            for number in range(start, start + 50):
                nursery.start_soon(talk, ann if chance.random() < 0.5 else bob, number)
    receipt = await node.call("people.erase", person="ann", handle="ann")
    assert receipt["proof"]["looked_for"] == 16
    assert receipt["proof"]["left"] == 0
    left = on_disk(node)
    assert left.count(b"ann-canary-") == 0
    assert left.count(b"bob-canary-") > 200
    await assert_sound(node)


async def test_an_erasure_that_was_broken_off_is_finished(
    node: Node, root: User, ann: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    rooms = [await ann.group(bob) for _ in range(5)]
    for number in range(20):
        await ann.says(rooms[number % 5], f"{CANARY} {number}")
    monkeypatch.setattr(erasure, "MOST", 3)
    monkeypatch.setattr(erasure, "SPAN", 7)
    finding = erasure.find_messages

    def find_twice(*args: Any, **named: Any) -> erasure.ErasureBatch:
        if named["after"] is not None and named["after"] > 8:
            raise RuntimeError("the node is stopped here")
        return finding(*args, **named)

    monkeypatch.setattr(privacy.erasure, "find_messages", find_twice)
    with pytest.raises(RuntimeError):
        await root.call("people.erase", person="ann", handle="ann")
    monkeypatch.setattr(privacy.erasure, "find_messages", finding)
    live = await LiveSession.of(node, bob)
    assert CANARY.encode() in on_disk(node)
    assert live.heard("person.erased") == []

    await node.call("jobs.run", job="erasures")
    assert CANARY.encode() not in on_disk(node)
    assert len(live.heard("person.erased")) == 1
    finished = (await root.call("audit.list", action="people.erased"))["entries"]
    assert [(each["target"], each["details"]["messages"]) for each in finished] == [(ann.id, "20")]
    await node.call("jobs.run", job="erasures")
    assert len(live.heard("person.erased")) == 1
    await assert_sound(node)
