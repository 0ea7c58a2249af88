"""Handing an imported author over to the user that they are (`chatnode user adopt`)."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from chatnode.model.events import Event, PersonAdopted
from chatnode.node import Node
from chatnode.services.adoption import finish_adoptions
from chatnode.storage.conversations import members
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.log import log
from chatnode.storage.messages import adoption
from chatnode.storage.people import people
from chatnode.testing import LiveSession, User, refused

from .dialogue import assert_sound

AUTHOR = "Grace Hopper"


async def bring_in(node: Node, *numbers: int, author: str = AUTHOR) -> str:
    """Messages of an author of `#garden`; returns the conversation."""
    given = await node.call("import.conversation", source="irc", key="#garden", title="#garden")
    items = [{"cid": f"irc:{n}", "author": author, "at": n, "text": f"message {n}"} for n in numbers]
    await node.call("import.messages", **given, items=items)
    return given["conversation"]


async def senders(who: User, room: str) -> list[str]:
    shown = (await who.call("messages.list", conversation=room))["messages"]
    return [each["sender"]["handle"] for each in shown]


async def as_earlier_versions_did(node: Node, room: str, handle: str, role: str = "member") -> None:
    """Make an imported author a participant."""

    def write(tx: Transaction) -> None:
        account = people.find(tx, handle)
        key, head = tx.execute("SELECT key, head FROM conversations WHERE id = ?", (room,)).fetchone()
        members.enter(tx, key, room, account, role=role, head=head, first=1, by=None)  # type: ignore[arg-type]

    await node.core.db.write(write)


@pytest.fixture
async def root(node: Node) -> User:
    return await User.new(node, "root", admin=True)


async def test_what_the_author_wrote_is_the_users(node: Node, root: User, ann: User, bob: User) -> None:
    garden = await bring_in(node, 1, 2)
    await bring_in(node, 3, author="Ada")
    first = (await ann.call("messages.list", conversation=garden))["messages"][0]["message"]
    await ann.call("reactions.add", message=first, type="like")
    live = await LiveSession.of(node, ann)
    done = await root.call("people.adopt", author="grace.hopper", person="bob")
    assert (done["person"]["handle"], done["moved"], done["dry_run"]) == (
        "bob", {"messages": 2, "mentions": 0, "groups": 0}, False,
    )  # fmt: skip
    assert await senders(ann, garden) == ["bob", "bob", "ada"]
    (told,) = live.heard("person.adopted")
    assert (told["person"]["handle"], told["author"]["erased"]) == ("bob", True)
    found = (await ann.call("search.messages", query="from:bob message"))["results"]
    assert len(found) == 2
    assert (await bob.call("messages.get", message=first))["message"]["extra"]["reactions"]
    with refused("not_found"):
        await ann.call("people.get", person="grace.hopper")
    assert [each["action"] for each in (await root.call("audit.list"))["entries"]][:2] == [
        "people.adopted", "people.adopt",
    ]  # fmt: skip
    await assert_sound(node)


async def test_what_is_imported_later_is_the_users_too(node: Node, root: User, ann: User, bob: User) -> None:
    await bring_in(node, 1)
    await root.call("people.adopt", author="grace.hopper", person="bob")
    garden = await bring_in(node, 1, 2)
    assert await senders(ann, garden) == ["bob", "bob"]
    await root.call("people.erase", person="bob", handle="bob")
    await bring_in(node, 1, 2, 3)  # and what is erased is erased
    assert await ann.reads(garden) == ["", ""]


async def test_a_dry_run_changes_nothing(node: Node, root: User, ann: User, bob: User) -> None:
    garden = await bring_in(node, 1, 2)
    before = len((await root.call("audit.list"))["entries"])
    done = await root.call("people.adopt", author="grace.hopper", person="bob", dry_run=True)
    assert (done["moved"]["messages"], done["dry_run"]) == (2, True)
    assert await senders(ann, garden) == ["grace.hopper"] * 2
    assert len((await root.call("audit.list"))["entries"]) == before


async def test_without_a_user_the_author_becomes_an_account(node: Node, root: User, ann: User) -> None:
    garden = await bring_in(node, 1)
    done = await root.call("people.adopt", author="grace.hopper")
    assert "imported" not in done["person"]
    grace = User(node, await node.core.db.read(lambda reader: people.find(reader, "grace.hopper")))
    assert await grace.reads(garden) == ["message 1"]  # who takes part in what everybody does
    assert (await root.call("people.reset_link", person="grace.hopper"))["link"]
    assert await senders(ann, await bring_in(node, 2)) == ["grace.hopper"] * 2
    with refused("invalid", "author"):
        await root.call("people.adopt", author="grace.hopper", person="ann")
    await assert_sound(node)


async def test_mentions_and_places_in_groups_follow(node: Node, root: User, ann: User, bob: User) -> None:
    await bring_in(node, 1)
    alone, both, owned = [await ann.group(*others) for others in ((), (bob,), (bob,))]
    for room, role in ((alone, "member"), (both, "admin"), (owned, "member")):
        await as_earlier_versions_did(node, room, "grace.hopper", role)
    both_named = await ann.posts(both, "@grace.hopper and @bob")
    named = await ann.posts(alone, "@grace.hopper?")
    done = await root.call("people.adopt", author="grace.hopper", person="bob")
    assert done["moved"] == {"messages": 1, "mentions": 2, "groups": 3}
    for message in (both_named, named):
        assert (await bob.call("messages.get", message=message["message"]))["message"]["mentions"] == [bob.id]
    roles = {
        room: (await bob.call("conversations.get", conversation=room))["you"]["role"] for room in (alone, both, owned)
    }
    assert roles == {alone: "member", both: "admin", owned: "member"}
    for room in (alone, both, owned):
        assert set(await ann.members(room)) == {"ann", "bob"}
    await assert_sound(node)


async def test_what_plugins_keep_of_the_author_follows(node: Node, root: User, ann: User, bob: User) -> None:
    await bring_in(node, 1)

    def set_source(tx: Transaction, source: str | None) -> None:
        tx.execute("UPDATE people SET source = ? WHERE handle = 'grace.hopper'", (source,))

    await node.core.db.write(partial(set_source, source=None))  # as when one could still keep imported authors
    for who in (ann, root, bob):  # who would be bob's own contact
        await who.call("contacts.add", person="grace.hopper")
    await root.call("contacts.add", person="bob", nickname="Robert")
    await node.core.db.write(partial(set_source, source="irc"))
    await root.call("people.adopt", author="grace.hopper", person="bob")

    def read(reader: Reader) -> list[Any]:
        return reader.execute(
            "SELECT o.handle, c.handle, e.nickname FROM contacts_entries e JOIN people o ON o.key = e.owner "
            "JOIN people c ON c.key = e.contact ORDER BY o.handle"
        ).fetchall()

    assert await node.core.db.read(read) == [("ann", "bob", None), ("root", "bob", "Robert")]


async def test_all_of_much_follows_in_small_steps(
    node: Node, root: User, ann: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adoption, "SPAN", 3)
    monkeypatch.setattr(adoption, "MOST", 2)
    garden = await bring_in(node, 1, 2, 3, 4, 5)
    await bring_in(node, *range(6, 16), author="Ada")
    await bring_in(node, 16, 17)
    await as_earlier_versions_did(node, garden, "grace.hopper")
    for _ in range(5):
        await ann.says(garden, "@grace.hopper?")
    done = await root.call("people.adopt", author="grace.hopper", person="bob")
    assert done["moved"] == {"messages": 7, "mentions": 5, "groups": 1}
    assert await senders(ann, garden) == ["bob"] * 5 + ["ada"] * 10 + ["bob"] * 2 + ["ann"] * 5
    await assert_sound(node)


async def test_a_new_name_of_the_author_is_not_taken_for_the_user(node: Node, root: User, ann: User, bob: User) -> None:
    """What an archive calls others cannot put words into the mouth of somebody who is here."""
    garden = await bring_in(node, 1)
    await root.call("people.adopt", author="grace.hopper", person="bob")
    await bring_in(node, 1, 2, author="Deleted user")
    assert await senders(ann, garden) == ["bob", "deleted.user"]


async def test_blocks_of_the_author_end(node: Node, root: User, ann: User, bob: User) -> None:
    await bring_in(node, 1)
    await ann.call("people.block", person="grace.hopper")
    await root.call("people.adopt", author="grace.hopper", person="bob")
    assert (await ann.call("people.blocked"))["people"] == []


async def test_one_that_was_interrupted_goes_on(node: Node, root: User, ann: User, bob: User) -> None:
    garden = await bring_in(node, 1)
    author = await node.core.db.read(lambda reader: people.find(reader, "grace.hopper"))
    await node.core.db.write(partial(adoption.begin, author=author, person=bob.account))
    assert await senders(ann, await bring_in(node, 2)) == ["grace.hopper", "bob"]
    with refused("conflict"):
        await root.call("people.erase", person="bob", handle="bob")
    with refused("conflict", "author"):
        await root.call("people.adopt", author="grace.hopper", person="ann")
    assert await finish_adoptions(node.core) == "handed over 1 author"
    assert await senders(ann, garden) == ["bob", "bob"]
    assert await finish_adoptions(node.core) == "handed over 0 authors"
    await assert_sound(node)


async def test_who_was_away_hears_of_it(node: Node, root: User, ann: User, bob: User) -> None:
    await bring_in(node, 1)
    before = await node.core.db.read(log.head)
    await root.call("people.adopt", author="grace.hopper", person="bob")

    def missed(reader: Reader) -> list[Event]:
        gids = log.gids_since(reader, ann.account, before, 100)
        return [event for _, event in log.events_of(reader, ann.account, gids or [])]

    (told,) = await node.core.db.read(missed)
    assert isinstance(told, PersonAdopted)
    assert (told.author.erased, told.person.handle) == (True, "bob")


async def test_who_may_not_and_what_cannot(node: Node, root: User, ann: User, bob: User) -> None:
    await bring_in(node, 1)
    await bring_in(node, 2, author="Ada")
    with refused("forbidden"):
        await ann.call("people.adopt", author="grace.hopper", person="ann")
    for author, person, code, path in (
        ("ann", "bob", "invalid", "author"),
        ("grace.hopper", "ada", "invalid", "person"),
        ("grace.hopper", "grace.hopper", "invalid", "person"),
        ("nobody", "bob", "not_found", "author"),
        ("grace.hopper", "nobody", "not_found", "person"),
    ):
        with refused(code, path):
            await root.call("people.adopt", author=author, person=person)
    await root.call("people.deactivate", person="bob")
    with refused("forbidden"):
        await root.call("people.adopt", author="grace.hopper", person="bob")
