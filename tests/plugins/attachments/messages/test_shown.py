"""What is shown of files beside their messages."""

from __future__ import annotations

from typing import Any

from chatnode_attachments.messages.shown import enrich_messages

from chatnode.node import Node
from chatnode.testing import User
from tests.plugins.attachments.messages.uploaded import Sender, Uploads


class Counting:
    """A reader that counts its queries."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self.queries = 0

    def execute(self, sql: str, values: Any = ()) -> Any:
        self.queries += 1
        return self._reader.execute(sql, values)


async def test_a_page_of_pictures_takes_one_query(node: Node, uploads: Uploads, ann: Sender, bob: User) -> None:
    talk = await ann.direct(bob)
    pictures = [[await uploads.picture(ann) for _ in range(3)] for _ in range(4)]
    messages = [(await ann.sends(talk, *each, kind="image"))["message"] for each in pictures]

    def enrich(reader: Any) -> tuple[dict[str, Any], int]:
        counting = Counting(reader)
        return enrich_messages(counting, messages), counting.queries

    shown, queries = await node.core.db.read(enrich)
    assert queries == 1
    assert [[*shown[message]] for message in messages] == pictures
    thumbs = [{"kind": "thumb320", "width": 32, "height": 24}]
    assert all(file["thumbs"] == thumbs for message in messages for file in shown[message].values())
