"""Who may post which files, what a message then says of them, and that a file is in one message only."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import chatnode_attachments
import pytest
import trio

from chatnode.api import Draft, Message, MessagePosted, PersonRef, new_id
from chatnode.dispatch.hooks import RequestHooks
from chatnode.node import Node, open_node
from chatnode.services import messages as service
from chatnode.testing import LiveSession, configured, refused
from tests.plugins.attachments.messages.uploaded import FILM, SOUND, Sender, Uploads
from tests.services.dialogue import outcome

BOUND = (
    "SELECT f.id, m.id, f.conversation = m.conversation, f.position FROM attachments_files f JOIN messages m "
    "ON m.key = f.message ORDER BY f.position"
)


async def test_files_are_posted_by_their_ids(node: Node, uploads: Uploads, ann: Sender, bob: Sender) -> None:
    """The node says what they are, whatever the client says."""
    talk = await ann.direct(bob)
    cat, plan = await uploads.picture(ann, placeholder="data:x"), await uploads.add(ann, content="plan")
    live = await LiveSession.of(node, bob)
    lies = [{"file": cat, "name": "virus.exe", "bytes": 7, "width": 1}, {"file": plan, "type": "image/png"}]
    shown = await ann.sends(talk, files=lies, text="see")
    [push] = live.heard("message.posted")
    assert {**push["message"], "extra": shown["extra"]} == shown
    first, second = shown["files"]
    assert first == {
        "file": cat, "name": "cat.png", "type": "image/png", "bytes": 9, "width": 40, "height": 30, "category": "image",
        "sha256": first["sha256"], "placeholder": "data:x", "thumbs": [{"kind": "thumb320", "width": 32, "height": 24}],
    }  # fmt: skip
    assert second == {
        "file": plan, "name": "plan.pdf", "type": "application/pdf", "bytes": 4, "category": "document",
        "sha256": hashlib.sha256(b"plan").hexdigest(),
    }  # fmt: skip
    assert await uploads.rows(BOUND) == [(cat, shown["message"], 1, 0), (plan, shown["message"], 1, 1)]


async def test_pictures_are_posted_as_such_only_if_they_can_be_shown(uploads: Uploads, ann: Sender) -> None:
    notes = await ann.direct(ann)
    cat, plan = await uploads.picture(ann), await uploads.add(ann)
    broken = await uploads.picture(ann, width=None, height=None, derive="failed")
    for other in (plan, broken):
        with refused("invalid", "files.1"):
            await ann.sends(notes, cat, other, kind="image")
    assert (await ann.sends(notes, cat, kind="image"))["media"]["category"] == "image"
    assert (await ann.sends(notes, broken, plan))["kind"] == "file"


async def test_only_files_of_ones_own_that_are_still_there_are_posted(
    uploads: Uploads, ann: Sender, bob: Sender
) -> None:
    """What is somebody else's is refused as what does not exist is."""
    talk = await ann.direct(bob)
    mine = await uploads.add(ann)
    posted = await uploads.add(ann)
    await ann.sends(talk, posted)
    wrong: dict[str, str] = {
        "nobody's": new_id(),
        "another's": await uploads.add(bob),
        "removed": await uploads.add(ann, removed_at=1),
        "an avatar": await uploads.picture(ann, used_by="avatar"),
    }
    said: set[str] = set()
    for what, id in wrong.items():
        with refused("invalid", "files.1") as caught:
            await ann.sends(talk, mine, id)
        said.add(caught.value.message)
        assert (what, len(said)) == (what, 1)
    with refused("invalid", "files.1") as caught:
        await ann.sends(talk, mine, posted)
    assert "attachments.copy" in caught.value.message
    for columns in ({"scan": "unsafe"}, {"quarantined": 1}, {"place": "missing"}):
        with refused("gone", "files.1"):
            await ann.sends(talk, mine, await uploads.add(ann, **columns))
    assert len(await bob.sees(talk)) == 1
    assert (await ann.sends(talk, mine))["files"][0]["file"] == mine


async def test_addresses_are_accepted_only_where_the_operator_wants_them(
    tmp_path: Path, uploads: Uploads, ann: Sender
) -> None:
    notes = await ann.direct(ann)
    address = {"file": "https://files.example/cat.png", "name": "cat.png", "type": "image/png", "bytes": 9}
    for fields in ({"files": [address]}, {"files": None, "media": address}):
        given: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
        with refused("invalid", "files.0"):
            await ann.call("messages.post", conversation=notes, cid=new_id(), kind="file", **given)
    config = configured(plugins={"attachments": {"external_files": True}})
    async with open_node(tmp_path / "other", config, only=[chatnode_attachments]) as node:
        bob = await Sender.new(node, "bob")
        talk, plan = await bob.direct(bob), await Uploads(node).add(bob)
        shown = await bob.sends(talk, files=[address, {"file": plan}])
        assert [each["file"] for each in shown["files"]] == [address["file"], plan]
        assert await Uploads(node).rows(BOUND) == [(plan, shown["message"], 1, 1)]
        with refused("invalid", "files.0"):
            await bob.sends(talk, files=[address | {"file": new_id()}])


async def test_a_recording_has_a_length(uploads: Uploads, ann: Sender) -> None:
    """Only the client knows that of sound; for a picture the node does not believe it."""
    notes = await ann.direct(ann)
    said = {"duration_ms": 4_000, "voice": True, "waveform": [0, 31]}
    sound = await uploads.add(ann, "note.ogg", **SOUND)
    for fields, path in (
        ({"voice": True}, "files.0.duration_ms"),
        (said | {"duration_ms": 3_600_001}, "files.0.duration_ms"),
    ):
        with refused("invalid", path):
            await ann.sends(notes, files=[{"file": sound} | fields])
    [shown] = (await ann.sends(notes, files=[{"file": sound} | said]))["files"]
    assert said.items() <= shown.items()
    assert await uploads.rows("SELECT voice FROM attachments_files") == [(1,)]
    with refused("invalid", "files.0.voice"):
        await ann.sends(notes, files=[{"file": await uploads.add(ann)} | said])
    film, size = await uploads.add(ann, "cat.mp4", **FILM), {"width": 640, "height": 480, "duration_ms": 9}
    assert size.items() <= (await ann.sends(notes, files=[{"file": film} | size]))["files"][0].items()
    cat = await uploads.picture(ann)
    [shown] = (await ann.sends(notes, files=[{"file": cat} | size]))["files"]
    assert (shown["width"], shown.get("duration_ms")) == (40, None)


async def test_a_repeat_gets_the_first_reply(uploads: Uploads, ann: Sender, bob: Sender) -> None:
    """Also while the file is bound to the message that it repeats, and after it was removed from it."""
    talk = await ann.direct(bob)
    cat, plan = await uploads.picture(ann), await uploads.add(ann)
    sent = {"conversation": talk, "cid": "one", "kind": "file", "files": [{"file": cat}, {"file": plan}]}
    first = await ann.call("messages.post", **sent)
    again = await ann.call("messages.post", **sent)
    assert again == first | {"dup": True}
    with refused("conflict", "cid"):
        await ann.call("messages.post", **sent | {"files": [{"file": cat}]})
    await ann.call("attachments.remove", message=first["message"], file=cat)
    assert (await ann.call("messages.post", **sent))["dup"]
    await ann.call("messages.delete", message=first["message"])
    assert (await ann.call("messages.post", **sent))["dup"]


async def test_of_two_posts_that_race_for_a_file_one_is_refused_whole(
    uploads: Uploads, ann: Sender, bob: Sender
) -> None:
    talk = await ann.direct(bob)
    mine, both = await uploads.add(ann), await uploads.add(ann)
    outcomes: list[str] = []

    async def send(*ids: str) -> None:
        outcomes.append(await outcome(ann.sends(talk, *ids)))

    async with trio.open_nursery() as nursery:
        for ids in ((both,), (mine, both)):
            nursery.start_soon(send, *ids)
    refusals = [each for each in outcomes if each in ("conflict", "invalid")]
    assert (len(outcomes), len(refusals)) == (2, 1)
    [message] = await bob.sees(talk)
    bound = [id for id, of, *_ in await uploads.rows(BOUND) if of == message["message"]]
    assert bound == [each["file"] for each in message["files"]]
    assert len(await uploads.rows(BOUND)) == len(bound)


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM attachments_files WHERE id = ?",
        "UPDATE attachments_files SET removed_at = 1 WHERE id = ?",
        "UPDATE attachments_files SET used_by = 'avatar' WHERE id = ?",
        "UPDATE attachments_files SET uploader = (SELECT key FROM people WHERE handle = 'bob') WHERE id = ?",
    ],
)
async def test_what_changes_after_a_draft_was_prepared_undoes_the_post(
    uploads: Uploads, ann: Sender, bob: Sender, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """As when the collector comes in between."""
    talk, mine, lost = await ann.direct(bob), await uploads.add(ann), await uploads.add(ann)
    prepare = service._prepare

    async def interrupted(ctx: Any, draft: Any) -> None:
        await prepare(ctx, draft)
        await uploads.node.core.db.write(lambda tx: tx.execute(change, (lost,)))

    monkeypatch.setattr(service, "_prepare", interrupted)
    with refused("conflict", "files.1"):
        await ann.sends(talk, mine, lost)
    assert await bob.sees(talk) == []
    assert await uploads.rows(BOUND) == []


async def test_messages_without_files_pass_the_plugin(node: Node, ann: Sender) -> None:
    """So they keep the fast path: nothing prepares them, and nothing follows them."""
    assert not node.core.part(RequestHooks).wants_draft(Draft("", "", "hello"))
    follower = node.core.db.additions.followers["message.posted"]
    message = Message("", "", 1, 1, PersonRef("", ""), "", "hello", "")
    assert follower.select is not None
    assert follower.select(MessagePosted("", message)) is None


# ---- scans


async def test_a_file_may_be_posted_before_it_was_scanned(
    node: Node, uploads: Uploads, ann: Sender, bob: Sender
) -> None:
    talk, plan = await ann.direct(bob), await uploads.add(ann, scan="pending")
    live = await LiveSession.of(node, bob)
    shown = await ann.sends(talk, plan)
    assert shown["files"][0]["scan"] == "pending"
    assert shown["extra"]["attachments"] == {plan: {"scan": "pending", "quarantined": False, "thumbs": []}}
    assert live.heard("attachments.changed") == []
    await uploads.set(plan, scan="safe")
    assert (await bob.sees(talk))[0]["extra"]["attachments"][plan]["scan"] == "safe"


async def test_a_scan_that_ends_while_a_message_is_posted_is_told(
    node: Node, uploads: Uploads, ann: Sender, bob: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk, plan = await ann.direct(bob), await uploads.add(ann, scan="pending")
    prepare = service._prepare

    async def scanned(ctx: Any, draft: Any) -> None:
        await prepare(ctx, draft)
        await uploads.set(plan, scan="safe")

    monkeypatch.setattr(service, "_prepare", scanned)
    live = await LiveSession.of(node, bob)
    shown = await ann.sends(talk, plan)
    assert shown["files"][0]["scan"] == "pending"
    assert [push["event"] for push in live.heard() if "gid" in push] == ["message.posted", "attachments.changed"]
    [push] = live.heard("attachments.changed")
    assert [(each["file"], each["scan"]) for each in push["files"]] == [(plan, "safe")]
