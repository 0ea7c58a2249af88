"""An old snapshot and the events are a fresh snapshot: live, and after an absence, whatever became of files."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import chatnode_attachments
import pytest
import trio
from chatnode_attachments.scanning.contents import DueContent
from chatnode_attachments.scanning.scans import apply_verdict
from chatnode_attachments.scanning.verdicts import Clean, Infected, ScanVerdict

from chatnode.node import Node, open_node
from chatnode.testing import configured, refused
from tests.plugins.attachments import pictures
from tests.plugins.attachments.client import FilesClient, fresh
from tests.plugins.attachments.store.storing import Uploader, context, rows, store_of
from tests.plugins.watched import Watched
from tests.properties.world import SignedIn, apply, head, replayed
from tests.transport.clients import serving

REPLAYED = {
    f"attachments.{name}"
    for name in ("copy", "remove", "avatar.set", "check", "collect", "quarantine", "release", "rescan")
}
"""Of these commands it is tried here (`tests/plugins/test_replay.py`)."""
HANDLES = ("ann", "bob", "eve", "fay")
PICTURE = pictures.encoded(pictures.drawing(400, 300), "PNG")
OTHER = pictures.encoded(pictures.drawing(300, 400), "PNG")


class Room:
    """Ann, who may do everything, Bob and Eve in a group, and Fay, who sees nothing of it."""

    node: Node
    people: dict[str, SignedIn]
    group: str
    watched: dict[str, Watched[FilesClient]]

    @classmethod
    async def of(cls, node: Node) -> Room:
        room = cls()
        room.node = node
        room.people = {handle: await SignedIn.new(node, handle, admin=handle == "ann") for handle in HANDLES}
        fields = {"title": "room", "members": ["bob", "eve"]}
        room.group = (await room.ann.call("conversations.create", **fields))["conversation"]
        return room

    @property
    def ann(self) -> SignedIn:
        return self.people["ann"]

    @property
    def bob(self) -> SignedIn:
        return self.people["bob"]

    async def begins(self) -> None:
        """From now on everybody is watched."""
        self.watched = {handle: await Watched.of(FilesClient, who) for handle, who in self.people.items()}

    async def compare(self) -> list[str]:
        """Everybody is right. Gives the names of what Eve missed, who does nothing; Fay misses nothing."""
        missed = {handle: await each.compare() for handle, each in self.watched.items()}
        assert missed["fay"] == []
        return [each["event"] for each in missed["eve"]]

    async def uploads(self, who: SignedIn, content: bytes, name: str = "a.png") -> str:
        return (await Uploader(self.node, who).uploads(content, name)).id

    async def posts(self, who: SignedIn, *files: str, text: str = "see") -> str:
        fields = {"conversation": self.group, "kind": "file", "text": text, "cid": f"{who.handle}-{files[0]}"}
        return (await who.call("messages.post", files=[{"file": each} for each in files], **fields))["message"]

    async def settles(self, file: str, verdict: ScanVerdict) -> None:
        """The scanner ends a scan of its content."""
        sql = "SELECT b.key, b.name, b.bytes FROM attachments_blobs b JOIN attachments_files f ON f.blob = b.key"
        [row] = await rows(self.node, f"{sql} WHERE f.id = ?", (file,))
        await apply_verdict(context(self.node), DueContent(*row), verdict)

    async def shown(self, message: str, file: str) -> dict[str, Any]:
        found = await self.bob.call("messages.get", message=message)
        return found["message"]["extra"]["attachments"][file]


@pytest.fixture
def only_plugins() -> tuple[object, ...]:
    return (chatnode_attachments,)


@pytest.fixture
async def room(node: Node) -> Room:
    return await Room.of(node)


# ---- messages


async def test_messages_with_files(room: Room) -> None:
    await room.begins()
    cat, plan = await room.uploads(room.bob, PICTURE), await room.uploads(room.bob, b"plan", "plan.txt")
    message = await room.posts(room.bob, cat, plan)
    await room.bob.call("messages.edit", message=message, text="rather")
    assert await room.compare() == ["message.posted", "message.edited"]
    assert (await room.shown(message, cat))["thumbs"]


async def test_a_file_is_withdrawn_and_released(room: Room) -> None:
    cat, plan = await room.uploads(room.bob, PICTURE), await room.uploads(room.bob, b"plan", "plan.txt")
    await room.posts(room.bob, cat, plan)
    await room.begins()
    await room.ann.call("attachments.quarantine", file=cat)
    assert await room.compare() == ["attachments.changed"]
    await room.ann.call("attachments.release", file=cat)
    await room.ann.call("attachments.quarantine", file=plan)
    assert await room.compare() == ["attachments.changed"] * 2
    for command in ("release", "quarantine", "release"):
        await room.ann.call(f"attachments.{command}", file=plan)
    assert await room.compare() == ["attachments.changed"] * 3


async def test_what_is_withdrawn_before_it_is_posted(room: Room) -> None:
    await room.begins()
    cat, plan = await room.uploads(room.bob, PICTURE), await room.uploads(room.bob, b"plan", "plan.txt")
    await room.ann.call("attachments.quarantine", file=cat)
    await room.ann.call("attachments.release", file=cat)
    assert await room.compare() == []
    await room.posts(room.bob, cat, plan)
    assert await room.compare() == ["message.posted"]


async def test_files_are_removed_from_their_message(room: Room) -> None:
    cat, plan = await room.uploads(room.bob, PICTURE), await room.uploads(room.bob, b"plan", "plan.txt")
    message = await room.posts(room.bob, cat, plan)
    await room.begins()
    await room.ann.call("attachments.quarantine", file=plan)
    await room.bob.call("attachments.remove", message=message, file=cat)
    assert await room.compare() == ["attachments.changed", "message.edited"]
    await room.ann.call("attachments.release", file=plan)
    await room.bob.call("attachments.remove", message=message, file=plan)
    assert await room.compare() == ["message.edited"]  # nothing is left to tell of


async def test_a_message_that_is_deleted_takes_its_events_along(room: Room) -> None:
    cat = await room.uploads(room.bob, PICTURE)
    message = await room.posts(room.bob, cat)
    await room.begins()
    await room.ann.call("attachments.quarantine", file=cat)
    await room.bob.call("messages.delete", message=message)
    await room.ann.call("attachments.collect")
    assert await room.compare() == ["message.deleted"]


async def test_a_copy_is_told_of_when_it_is_posted(room: Room) -> None:
    cat = await room.uploads(room.bob, PICTURE)
    message = await room.posts(room.bob, cat)
    await room.begins()
    before = await head(room.node)
    copy = (await room.ann.call("attachments.copy", file=cat))["file"]["file"]
    assert await head(room.node) == before
    await room.posts(room.ann, copy)
    await room.bob.call("messages.delete", message=message)
    await room.ann.call("attachments.collect")
    assert await room.compare() == ["message.posted", "message.deleted"]


async def test_a_user_is_erased_with_their_files_and_pictures(room: Room) -> None:
    cat, dog = await room.uploads(room.bob, PICTURE), await room.uploads(room.ann, OTHER)
    await room.posts(room.bob, cat)
    await room.posts(room.ann, dog)
    await room.bob.call("attachments.avatar.set", file=cat)
    await room.begins()
    bob = room.watched.pop("bob")
    await room.ann.call("attachments.quarantine", file=cat)
    await room.ann.call("people.erase", person="bob", handle="bob")
    assert "attachments.changed" not in await room.compare()
    assert room.watched["eve"].away.pictures[bob.somebody.id] is None


# ---- pictures of people and groups


async def test_people_have_pictures(room: Room) -> None:
    cat, dog = await room.uploads(room.bob, PICTURE), await room.uploads(room.bob, OTHER)
    await room.begins()
    for file in (cat, dog):
        await room.bob.call("attachments.avatar.set", file=file)
        assert await room.compare() == ["person.updated"]
        assert room.watched["eve"].away.pictures[room.bob.id] is not None
    await room.bob.call("attachments.avatar.set", file=cat)
    await room.bob.call("people.update", avatar="")
    assert await room.compare() == ["person.updated"] * 2


async def test_groups_have_pictures(room: Room) -> None:
    cat = await room.uploads(room.ann, PICTURE)
    await room.begins()
    await room.ann.call("attachments.avatar.set", file=cat, conversation=room.group)
    assert await room.compare() == ["conversation.updated"]
    talk = room.watched["eve"].away.talks[room.group]
    assert talk.details["avatar"] == talk.you["avatar"]
    await room.ann.call("attachments.avatar.set", file=cat, conversation=room.group)
    await room.ann.call("conversations.update", conversation=room.group, avatar="")
    assert await room.compare() == ["conversation.updated"] * 2


# ---- what operators do


@pytest.mark.parametrize(
    ("command", "fields"),
    [("check", {}), ("check", {"deep": True, "repair": True}), ("collect", {}), ("collect", {"sweep": True})],
)
async def test_nothing_is_told_where_nothing_is_wrong(room: Room, command: str, fields: dict[str, Any]) -> None:
    cat = await room.uploads(room.bob, PICTURE)
    await room.posts(room.bob, cat)
    await room.uploads(room.bob, b"not posted")
    before = await head(room.node)
    await room.ann.call(f"attachments.{command}", **fields)
    assert await head(room.node) == before


async def test_thumbnails_that_are_lost_are_told_of(room: Room) -> None:
    """When they are found to be, and when the same picture is uploaded again."""
    cat = await room.uploads(room.bob, PICTURE)
    message = await room.posts(room.bob, cat)
    await room.begins()
    [(blob, thumbnail)] = await rows(
        room.node,
        "SELECT b.name, d.name FROM attachments_blobs b JOIN attachments_derived d ON d.blob = b.key "
        "WHERE d.kind = 'thumb320'",
    )
    layout = store_of(room.node).layout
    layout.derived(thumbnail).unlink()
    layout.blob(blob).unlink()
    assert (await room.ann.call("attachments.check", repair=True))["repaired"] == 2
    assert "thumb320" not in [each["kind"] for each in (await room.shown(message, cat))["thumbs"]]
    assert await room.compare() == ["attachments.changed"]
    await room.uploads(room.ann, PICTURE)
    assert "thumb320" in [each["kind"] for each in (await room.shown(message, cat))["thumbs"]]
    assert await room.compare() == ["attachments.changed"]


# ---- scans


@asynccontextmanager
async def opened(data: Path, clamd: str) -> AsyncGenerator[Node]:
    async with open_node(
        data, configured(plugins={"attachments": {"clamd": clamd}}), only=[chatnode_attachments]
    ) as node:
        yield node


async def test_a_false_alarm(tmp_path: Path) -> None:
    """What was found unsafe is so until it is uploaded again, though a moderator has it scanned again."""
    async with opened(tmp_path, "unix:/nowhere/clamd.ctl") as node:
        room = await Room.of(node)
        cat = await room.uploads(room.bob, PICTURE)
        message = await room.posts(room.bob, cat)
        await room.begins()
        await room.settles(cat, Infected("Worm"))
        assert await room.compare() == ["attachments.changed"]
        before = await head(node)
        await room.ann.call("attachments.rescan", file=cat)
        await room.ann.call("attachments.rescan")
        assert await head(node) == before
        assert (await room.compare(), (await room.shown(message, cat))["scan"]) == ([], "unsafe")
        await room.uploads(room.ann, PICTURE)
        assert (await room.compare(), (await room.shown(message, cat))["scan"]) == (["attachments.changed"], "pending")
        await room.settles(cat, Clean())
        assert (await room.compare(), (await room.shown(message, cat))["scan"]) == (["attachments.changed"], "safe")
        assert (await room.shown(message, cat))["thumbs"]
        await room.ann.call("attachments.rescan", file=cat)
        assert await room.compare() == []


async def test_nothing_is_scanned_again_without_a_scanner(room: Room) -> None:
    cat = await room.uploads(room.bob, PICTURE)
    before = await head(room.node)
    with refused("conflict"):
        await room.ann.call("attachments.rescan", file=cat)
    assert await head(room.node) == before


async def test_files_that_waited_for_a_scanner_that_is_off_now(tmp_path: Path) -> None:
    async with opened(tmp_path, "unix:/nowhere/clamd.ctl") as node:
        room = await Room.of(node)
        cat = await room.uploads(room.bob, PICTURE)
        message = await room.posts(room.bob, cat)
        away = await fresh(room.bob)
        away.gid = await head(node)
        assert (await room.shown(message, cat))["scan"] == "pending"
    async with opened(tmp_path, "") as node, serving(node):
        away.who = bob = await SignedIn.of(node, "bob")
        with trio.fail_after(10):
            while await rows(node, "SELECT 1 FROM attachments_blobs WHERE scan_due IS NOT NULL"):  # noqa: ASYNC110
                await trio.sleep(0.005)
        apply(away, await replayed(bob, away.gid))
        await away.settle()
        assert away.state() == (await fresh(bob)).state()
        assert away.talks[room.group].messages[-1]["extra"]["attachments"][cat]["scan"] == "off"
