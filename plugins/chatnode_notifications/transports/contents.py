"""What an alert says, at each level of content. The fields are described in docs/plugins/notifications.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import attrs
import orjson

from chatnode_notifications.transports.transport import Alert, Content

VERSION = 1
LEVELS: tuple[Content, ...] = ("nothing", "sender", "full")
"""From the least to the most."""
_SHORTEST_BODY = 40
"""Characters. A body is cut to make an alert fit, but not to a few words."""


def least_of(*levels: Content | None) -> Content:
    """The least of several levels; None has no say."""
    found: list[Content] = [each for each in levels if each is not None]
    return min(found, key=LEVELS.index)


def less_and_less(alert: Alert) -> Iterator[Alert]:
    """The alert, and then with less content each time, for receivers that find it too large."""
    for level in reversed(LEVELS[: LEVELS.index(alert.content) + 1]):
        yield attrs.evolve(alert, content=level)


def payload(alert: Alert) -> dict[str, Any]:
    """The fields. What is None is left out."""
    note = alert.note
    found: dict[str, Any] = {"v": VERSION, "id": note.id, "badge": alert.badge}
    if alert.content == "nothing":
        return found
    found |= {
        "kind": note.kind, "conversation": note.conversation, "message": note.message, "seq": note.seq,
        "count": note.count, "title": note.title, "body": note.body if alert.content == "full" else None,
        "sender": None if note.sender is None else {"id": note.sender.id, "handle": note.sender.handle},
        "personal": note.personal, "silent": note.silent, "url": note.url, "read": dict(alert.read) or None,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def fitting(alert: Alert, most: int) -> bytes:
    """The fields as JSON of up to `most` bytes, which leaves out what is least missed until it fits."""
    for fields in _shorter_and_shorter(payload(alert)):
        if len(text := orjson.dumps(fields)) <= most:
            return text
    return orjson.dumps(payload(attrs.evolve(alert, content="nothing")))


def _shorter_and_shorter(fields: dict[str, Any]) -> Iterable[dict[str, Any]]:
    yield fields
    fields = {name: value for name, value in fields.items() if name != "read"}
    yield fields
    body = fields.get("body", "")
    while len(body) > _SHORTEST_BODY:
        body = body[: len(body) // 2]
        yield fields | {"body": f"{body}…"}
    yield {name: value for name, value in fields.items() if name != "body"}


def padded(text: bytes, step: int, most: int) -> bytes:
    """JSON with spaces up to the next multiple of `step` bytes, so that its length says little about it."""
    return text.ljust(min(-(-len(text) // step) * step, most))
