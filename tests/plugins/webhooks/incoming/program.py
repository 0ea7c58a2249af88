"""A program that posts to a webhook, as programs post to Slack."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from chatnode.testing import Answer, User, fetch

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


class Program:
    """Posts to the address of a webhook that was added to a group."""

    def __init__(self, url: str, added: Mapping[str, Any]) -> None:
        self.added = added
        self.webhook: str = added["webhook"]["webhook"]
        self.secret: str | None = added.get("secret")
        self.address = url + urlsplit(added["url"]).path

    @classmethod
    async def of(cls, url: str, owner: User, conversation: str, name: str = "CI", **fields: Any) -> Program:
        """Have `owner` add a webhook."""
        return cls(url, await owner.call("webhooks.incoming.add", conversation=conversation, name=name, **fields))

    async def posts(self, text: str, headers: Mapping[str, str] | None = None, **fields: Any) -> Answer:
        return await self.sends(json.dumps({"text": text, **fields}).encode(), headers)

    async def posts_form(self, text: str, **fields: Any) -> Answer:
        body = urlencode({"payload": json.dumps({"text": text, **fields})}).encode()
        return await self.sends(body, {"Content-Type": FORM})

    async def sends(self, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        return await fetch(self.address, method="POST", body=body, headers={"Content-Type": JSON, **(headers or {})})


def said(answer: Answer) -> tuple[int, str]:
    """The status, and the word for programs."""
    return answer.status, answer.text.partition(":")[0]
