"""What people ask of the files of messages."""

from __future__ import annotations

from typing import Any

import pytest

from chatnode.node import Node
from tests.plugins.attachments.messages.uploaded import Sender, Uploads


async def query(who: Sender, fields: str = "file_name", **asked: Any) -> list[Any]:
    found = (await who.call("items.query", collection="message_attachments", fields=fields, **asked))["data"]
    return [each[fields] for each in found] if "," not in fields else found


@pytest.fixture
async def talk(uploads: Uploads, ann: Sender, bob: Sender) -> str:
    """Two messages of Ann's and one of Bob's."""
    talk = await ann.direct(bob)
    cat, plan = await uploads.picture(ann), await uploads.add(ann, "Plan.of.it.PDF", scan="safe")
    await ann.sends(talk, cat, plan)
    await bob.sends(talk, await uploads.add(bob, "README", type="text/plain", category="other"))
    await uploads.rows("SELECT 1")
    await uploads.node.core.db.write(
        lambda tx: tx.execute("UPDATE attachments_files SET downloads = 3 WHERE id = ?", (plan,))
    )
    return talk


async def test_everything_about_a_file(node: Node, uploads: Uploads, ann: Sender, bob: Sender, talk: str) -> None:
    [first, second] = await query(
        bob, "id,message_id,conversation_id,position,file_name,file_url,file_size,file_type,file_extension,"
        "thumbnail_url,category,uploaded_by_id,scanned_for_virus,is_safe,download_count,created_at",
        filter={"uploaded_by_id": {"_eq": "ann"}}, sort="position",
    )  # fmt: skip
    message = (await bob.sees(talk))[0]
    at = (await bob.call("attachments.get", file=first["id"]))["file"]["at"]
    address = f"/plugins/attachments/files/{first['id']}"
    assert first == {
        "id": message["files"][0]["file"], "message_id": message["message"], "conversation_id": talk, "position": 0,
        "file_name": "cat.png", "file_url": address, "file_size": 9, "file_type": "image/png", "file_extension": "png",
        "thumbnail_url": f"{address}/thumb320", "category": "IMAGE", "uploaded_by_id": ann.id,
        "scanned_for_virus": False, "is_safe": None, "download_count": 0, "created_at": at,
    }  # fmt: skip
    assert (second["file_extension"], second["thumbnail_url"], second["category"]) == ("pdf", None, "DOCUMENT")
    assert (second["scanned_for_virus"], second["is_safe"], second["download_count"]) == (True, True, 3)


async def test_get_message_attachments(bob: Sender, talk: str) -> None:
    message = (await bob.sees(talk))[0]["message"]
    assert await query(bob, filter={"message_id": {"_eq": message}}, sort="position") == ["cat.png", "Plan.of.it.PDF"]


async def test_get_the_uploads_of_a_user(bob: Sender, talk: str) -> None:
    assert await query(bob, filter={"uploaded_by_id": {"_eq": "$CURRENT_USER"}}, sort="-created_at") == ["README"]


async def test_get_the_downloads_report(ann: Sender, talk: str) -> None:
    since = {"created_at": {"_gte": "2026-01-01T00:00:00Z"}}
    assert (await query(ann, filter=since, sort="-download_count", limit=1)) == ["Plan.of.it.PDF"]


async def test_what_was_not_scanned_is_neither_safe_nor_unsafe(uploads: Uploads, ann: Sender, talk: str) -> None:
    assert await query(ann, filter={"is_safe": {"_eq": True}}) == ["Plan.of.it.PDF"]
    assert await query(ann, filter={"is_safe": {"_eq": False}}) == []
    assert sorted(await query(ann, filter={"is_safe": {"_null": True}})) == ["README", "cat.png"]


async def test_a_name_without_a_dot_has_no_extension(ann: Sender, talk: str) -> None:
    assert await query(ann, filter={"file_extension": {"_null": True}}) == ["README"]


async def test_messages_say_how_many_files_they_have(ann: Sender, talk: str) -> None:
    rows = await ann.call("items.query", collection="messages", fields="attachment_count", sort="seq")
    assert [each["attachment_count"] for each in rows["data"]] == [2, 1]
