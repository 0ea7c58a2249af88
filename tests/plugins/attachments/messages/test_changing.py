"""Files that were posted: removed, copied, listed."""

from __future__ import annotations

from typing import Any

import pytest

from chatnode.errors import Refusal
from chatnode.node import Node
from chatnode.testing import LiveSession, User, configured, refused
from tests.plugins.attachments.messages.uploaded import Sender, Uploads
from tests.services.dialogue import assert_sound

LEFT = "SELECT id, name, removed_at IS NOT NULL FROM attachments_files ORDER BY key"
USED = "SELECT person, bytes FROM attachments_usage"


# ---- removing


async def test_a_file_is_removed_from_its_message(node: Node, uploads: Uploads, ann: Sender, bob: Sender) -> None:
    """Its name goes with it, and what it used of the quota."""
    talk = await ann.direct(bob)
    cat, plan = await uploads.picture(ann, content="cat"), await uploads.add(ann, content="plan")
    sent = await ann.sends(talk, cat, plan)
    live = await LiveSession.of(node, bob)
    for _ in range(2):
        now = (await ann.call("attachments.remove", message=sent["message"], file=cat))["message"]
        assert [each["file"] for each in now["files"]] == [plan]
    [edited] = live.heard("message.edited")
    assert await bob.sees(talk) == [edited["message"]]
    assert [*edited["message"]["extra"]["attachments"]] == [plan]
    assert await uploads.rows(LEFT) == [(cat, "", 1), (plan, "plan.pdf", 0)]
    assert await uploads.rows(USED) == [(ann.key, len("plan"))]
    with refused("gone", "file"):
        await bob.call("attachments.get", file=cat)
    for of in ({"message": sent["message"]}, {"conversation": talk}):
        assert [each["file"] for each in (await bob.call("attachments.list", **of))["files"]] == [plan]
    await assert_sound(node)


async def test_the_last_file_is_removed_only_if_there_is_a_text(
    node: Node, uploads: Uploads, ann: Sender, bob: Sender
) -> None:
    talk = await ann.direct(bob)
    bare, captioned = await uploads.add(ann), await uploads.add(ann)
    alone = await ann.sends(talk, bare)
    with refused("invalid", "message"):
        await ann.call("attachments.remove", message=alone["message"], file=bare)
    assert (await bob.call("attachments.get", file=bare))["file"]["message"] == alone["message"]
    said = await ann.sends(talk, captioned, text="see")
    now = (await ann.call("attachments.remove", message=said["message"], file=captioned))["message"]
    assert (now["kind"], now["text"], now.get("files"), now.get("media")) == ("text", "see", None, None)
    assert (await bob.sees(talk))[1]["kind"] == "text"
    await assert_sound(node)


async def test_who_may_delete_a_message_may_remove_its_files(
    node: Node, uploads: Uploads, ann: Sender, bob: Sender, eve: Sender
) -> None:
    """It is in the audit log if it was somebody else's."""
    root = await User.new(node, "root", admin=True)
    room = await ann.group(bob)
    ids = [await uploads.add(bob) for _ in range(4)]
    sent = await bob.sends(room, *ids)
    of = {"message": sent["message"], "file": ids[0]}
    with refused("not_found", "message"):
        await eve.call("attachments.remove", **of)
    anns = await ann.sends(room, await uploads.add(ann), await uploads.add(ann))
    with refused("forbidden", "message"):
        await bob.call("attachments.remove", message=anns["message"], file=anns["files"][0]["file"])
    for who, id in ((bob, ids[0]), (ann, ids[1])):
        await who.call("attachments.remove", message=sent["message"], file=id)
    with refused("not_found", "message"):
        await root.call("attachments.remove", message=sent["message"], file=ids[2])
    await ann.call("messages.report", message=sent["message"], reason="abuse")
    await root.call("attachments.remove", message=sent["message"], file=ids[2])
    entries = (await root.call("audit.list"))["entries"]
    removed = [(each["actor"]["handle"], each["target"]) for each in entries if each["action"] == "attachments.remove"]
    assert removed == [("root", ids[2]), ("ann", ids[1])]
    with refused("not_found", "file"):
        await bob.call("attachments.remove", message=sent["message"], file=anns["files"][0]["file"])
    await bob.call("messages.delete", message=sent["message"])
    with refused("gone", "message"):
        await bob.call("attachments.remove", message=sent["message"], file=ids[3])
    assert [id for id, *_ in await uploads.rows(LEFT)] == [each["file"] for each in anns["files"]]


# ---- copying


async def test_a_file_that_one_may_see_is_copied_and_posted_again(
    node: Node, uploads: Uploads, ann: Sender, bob: Sender, eve: Sender
) -> None:
    """The copy is the user's own, and stays if the original goes."""
    talk, other = await ann.direct(bob), await bob.direct(eve)
    cat = await uploads.picture(ann, content="cat")
    sent = await ann.sends(talk, cat, kind="image")
    copy = (await bob.call("attachments.copy", file=cat))["file"]
    original = (await bob.call("attachments.get", file=cat))["file"]
    own = {"file", "uploader", "at", "message", "conversation"}
    assert {key: copy[key] for key in copy.keys() - own} == {key: original[key] for key in original.keys() - own}
    assert (copy["uploader"]["handle"], copy.get("message")) == ("bob", None)
    again = await bob.sends(other, copy["file"], kind="image")
    await ann.call("messages.delete", message=sent["message"])
    assert (await eve.call("attachments.get", file=copy["file"]))["file"]["message"] == again["message"]
    assert sorted(await uploads.rows(USED)) == sorted([(ann.key, 0), (bob.key, len("cat"))])
    await assert_sound(node)


@pytest.mark.parametrize("config", [configured(plugins={"attachments": {"person_mib": 1}})])
async def test_a_copy_counts_for_the_quota(uploads: Uploads, ann: Sender, bob: Sender) -> None:
    talk = await ann.direct(bob)
    large = await uploads.add(ann, bytes=600_000)
    await ann.sends(talk, large)
    await bob.call("attachments.copy", file=large)
    with refused("too_large", "file"):
        await bob.call("attachments.copy", file=large)


# ---- who sees what


async def states(uploads: Uploads, ann: Sender, bob: Sender) -> dict[str, str]:
    """A file of Ann's for each state that one can be in with Bob."""
    talk, room = await ann.direct(bob), await ann.group(bob, history="since_joining")
    found: dict[str, str] = {"unposted": await uploads.add(ann), "avatar": await uploads.add(ann, used_by="avatar")}

    async def posted(conversation: str, **columns: Any) -> tuple[str, str]:
        id = await uploads.add(ann)
        message = (await ann.sends(conversation, id, text="see"))["message"]
        await uploads.set(id, **columns)
        return id, message

    for state, columns in {
        "posted": {}, "pending": {"scan": "pending"}, "unsafe": {"scan": "unsafe", "place": "removed"},
        "withdrawn": {"quarantined": 1}, "missing": {"place": "missing"},
    }.items():  # fmt: skip
        found[state], _ = await posted(talk, **columns)
    found["deleted"], message = await posted(talk)
    await ann.call("messages.delete", message=message)
    found["removed"], message = await posted(talk)
    await ann.call("attachments.remove", message=message, file=found["removed"])
    found["left"], _ = await posted(room)
    await bob.call("conversations.leave", conversation=room)
    found["before"], _ = await posted(room)
    await ann.call("conversations.members.add", conversation=room, member="bob")
    later = await ann.group(bob)
    found["put out"], _ = await posted(later)
    await ann.call("conversations.members.remove", conversation=later, member="bob")
    return found


GET = {
    "unposted": ("ok", "not_found"), "avatar": ("not_found", "not_found"), "posted": ("ok", "ok"),
    "pending": ("ok", "ok"), "unsafe": ("ok", "ok"), "withdrawn": ("ok", "ok"), "missing": ("ok", "ok"),
    "deleted": ("not_found", "not_found"), "removed": ("gone", "gone"), "left": ("ok", "not_found"),
    "before": ("ok", "not_found"), "put out": ("ok", "not_found"),
}  # fmt: skip
"""What `attachments.get` answers to Ann and Bob."""
COPY = GET | {
    "pending": ("unavailable", "unavailable"), "unsafe": ("gone", "gone"), "withdrawn": ("gone", "gone"),
    "missing": ("gone", "gone"),
}  # fmt: skip
"""Only what could be fetched is copied."""


async def test_each_state_of_a_file_for_who_posted_it_and_for_another(
    uploads: Uploads, ann: Sender, bob: Sender
) -> None:
    files = await states(uploads, ann, bob)
    for command, answers in (("attachments.get", GET), ("attachments.copy", COPY)):
        got = {state: tuple([await answer(who, command, id) for who in (ann, bob)]) for state, id in files.items()}
        assert got == answers, command
    shown = {state for state, (_, bobs) in GET.items() if bobs == "ok"}
    assert await listed(bob, files) == shown
    mine = {state for state, (anns, _) in GET.items() if anns == "ok"}
    assert await listed(ann, files) == mine
    assert {each["file"] for each in (await ann.call("attachments.list"))["files"]} >= {files[each] for each in mine}


async def answer(who: Sender, command: str, file: str) -> str:
    try:
        await who.call(command, file=file)
    except Refusal as refusal:
        return refusal.code
    return "ok"


async def listed(who: Sender, files: dict[str, str]) -> set[str]:
    """The states of those that the collection has; copies are left out."""
    rows = (await who.call("items.query", collection="message_attachments", fields="id", limit=100))["data"]
    return {state for state, id in files.items() if {"id": id} in rows}


async def test_lists_are_read_page_by_page(uploads: Uploads, ann: Sender, bob: Sender, eve: Sender) -> None:
    room, talk = await ann.group(bob), await ann.direct(bob)
    ids = [await uploads.add(ann) for _ in range(5)]
    cat = await uploads.picture(bob)
    sent = await ann.sends(room, *ids[:3])
    await bob.sends(room, cat)
    await ann.sends(talk, ids[3])

    async def pages(who: Sender, **of: Any) -> list[str]:
        found: list[str] = []
        after: dict[str, Any] = {}
        while True:
            page = await who.call("attachments.list", limit=2, **of, **after)
            found += [each["file"] for each in page["files"]]
            if "next" not in page:
                return found
            after = {"after": page["next"]}

    assert await pages(bob, conversation=room) == [cat, *reversed(ids[:3])]
    assert await pages(bob, conversation=room, category="image") == [cat]
    assert await pages(bob, message=sent["message"]) == [*reversed(ids[:3])]
    assert await pages(ann) == [*reversed(ids)]
    assert await pages(bob) == [cat]
    for of, path in (({"conversation": room}, "conversation"), ({"message": sent["message"]}, "message")):
        with refused("not_found", path):
            await eve.call("attachments.list", **of)
    with refused("invalid", "conversation"):
        await ann.call("attachments.list", conversation=room, message=sent["message"])
