"""What people ask of the files of messages."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from chatnode.api import DAY_MS, now_ms, rfc3339
from chatnode.node import Node
from tests.filters.test_plans import steps
from tests.plugins.attachments.messages.uploaded import Sender, Uploads
from tests.transport.clients import Http, bearer, serving


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
    await uploads.set(plan, downloads=3)
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


async def test_get_message_attachments(uploads: Uploads, bob: Sender, talk: str) -> None:
    message = (await bob.sees(talk))[0]["message"]
    asked = {"filter": {"message_id": {"_eq": message}}}
    assert await query(bob, **asked, sort="position") == ["cat.png", "Plan.of.it.PDF"]
    cat = (await query(bob, "id", **asked, sort="position"))[0]
    await uploads.set(cat, created_at=4_102_444_800_000)
    assert await query(bob, **asked, sort="-created_at") == ["cat.png", "Plan.of.it.PDF"]
    await uploads.set(cat, created_at=0)
    assert await query(bob, **asked, sort="-created_at") == ["Plan.of.it.PDF", "cat.png"]


async def test_get_the_uploads_of_a_user(ann: Sender, bob: Sender, eve: Sender, talk: str) -> None:
    mine = {"uploaded_by_id": {"_eq": "$CURRENT_USER"}}
    assert await query(bob, filter=mine, sort="-created_at") == ["README"]
    of_ann = {"uploaded_by_id": {"_eq": ann.id}}
    assert sorted(await query(bob, filter=of_ann, sort="-created_at")) == ["Plan.of.it.PDF", "cat.png"]
    assert await query(eve, filter=of_ann) == []


async def test_get_the_downloads_report(uploads: Uploads, ann: Sender, talk: str) -> None:
    """Over HTTP, with the seed's words: file_name and download_count of 30 days, most downloaded first."""
    old = await uploads.add(ann, "last year.pdf", created_at=1)
    await uploads.set(old, downloads=9)
    since = rfc3339(now_ms() - 30 * DAY_MS)
    asked = {
        "filter": json.dumps({"created_at": {"_gt": since}}), "sort": "-download_count",
        "fields": "file_name,download_count", "limit": "2",
    }  # fmt: skip
    async with serving(uploads.node) as address, await Http.open(address) as http:
        answer = await http.request(
            "GET", f"/items/message_attachments?{urlencode(asked)}", headers=bearer(await ann.token())
        )
    first, second = answer.json["data"]
    assert first == {"file_name": "Plan.of.it.PDF", "download_count": 3}
    assert second["download_count"] == 0


async def test_files_are_counted_by_category(ann: Sender, talk: str) -> None:
    groups = await ann.call("items.query", collection="message_attachments", group_by="category")
    counts = {each["category"]: each["count"] for each in groups["data"]}
    assert counts == {"IMAGE": 1, "DOCUMENT": 1, "OTHER": 1}


@pytest.mark.parametrize(
    "asked",
    [
        {"filter": {"message_id": {"_eq": "0" * 32}}, "sort": "-created_at"},
        {"filter": {"uploaded_by_id": {"_eq": "$CURRENT_USER"}}, "sort": "-created_at"},
        {"filter": {"conversation_id": {"_eq": "0" * 32}}},
    ],
)
async def test_it_goes_by_an_index(node: Node, ann: Sender, asked: dict[str, Any]) -> None:
    planned = await steps(node, ann, "message_attachments", asked)
    assert [step for step in planned if step.startswith("SCAN") and "subquery" not in step] == []
    [found_by] = [step for step in planned if step.startswith("SEARCH file ")]
    assert "USING INDEX attachments_files_by_" in found_by


async def test_what_was_not_scanned_is_neither_safe_nor_unsafe(uploads: Uploads, ann: Sender, talk: str) -> None:
    assert await query(ann, filter={"is_safe": {"_eq": True}}) == ["Plan.of.it.PDF"]
    assert await query(ann, filter={"is_safe": {"_eq": False}}) == []
    assert sorted(await query(ann, filter={"is_safe": {"_null": True}})) == ["README", "cat.png"]


async def test_a_name_without_a_dot_has_no_extension(ann: Sender, talk: str) -> None:
    assert await query(ann, filter={"file_extension": {"_null": True}}) == ["README"]


async def test_messages_say_how_many_files_they_have(ann: Sender, talk: str) -> None:
    rows = await ann.call("items.query", collection="messages", fields="attachment_count", sort="seq")
    assert [each["attachment_count"] for each in rows["data"]] == [2, 1]
