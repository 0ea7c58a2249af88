"""Messages and receipts."""

from __future__ import annotations

import re
from typing import Literal

import attrs

from chatnode.model.fields import HANDLE_FORM
from chatnode.model.people import PersonRef

ReceiptKind = Literal["read", "delivered"]


@attrs.define
class Message:
    """A message on the wire; the same object in pushes, pages and the inbox.

    `seq` is dense per conversation, `gid` the place of its posting in the node's log. Not frozen only
    because frozen classes cost a microsecond each where thousands are made a second; nobody changes one.
    """

    message: str
    conversation: str
    seq: int
    gid: int
    sender: PersonRef
    cid: str
    text: str
    at: str
    mentions: list[str] | None = None
    reply_to: str | None = None
    metadata: dict[str, str] | None = None
    edited_at: str | None = None
    deleted_at: str | None = None


@attrs.frozen
class Receipt:
    """When a person got (`delivered`) or read a message."""

    person: PersonRef
    delivered_at: str | None = None
    read_at: str | None = None


# "Thanks @ann." names ann; an address such as @ann@example.org names nobody here.
_MENTION = re.compile(r"(?<![\w@.-])@(" + HANDLE_FORM + r")(?![A-Z0-9@])", re.IGNORECASE | re.ASCII)


def mentioned_handles(text: str) -> list[str]:
    """The handles that `text` names with an @, lower-cased, each once, in order.

    Whether such a person exists and takes part is not known here.
    """
    if "@" not in text:
        return []
    return list(dict.fromkeys(match.lower() for match in _MENTION.findall(text)))
