"""What an attached process and the owner of the node say to each other, a JSON object a line.

A connection begins with `{"id", "op": "attach", "version", "for": …}`, answered by `{"id", "ok"}` or
`{"id", "error"}`. Then:

- for `calls`: `{"id", "as", "op", "fields"}`, answered in any order by `{"id", "ok"}` or `{"id", "error"}`, and
  `{"cancel": id}`, which is not answered. A stopping owner ends with `{"stopping": id}`: it has begun no call after
  that one.
- for `events`, with `as`, `after`, `kinds`, `conversations`: the owner sends `{"ready"}` when the session is there,
  then `{"name", "gid", "fields"}`, `{"reset"}` and `{"live"}`, each with `at`, its cursor, and at last `{"over"}`.
- for `consumer`, with `name`, `kinds`, `from_start`: the owner sends `{"ready"}` when it has the name. `{"next"}` is
  answered by `{"batch", "upto"}`, and `{"done": upto}` by the same when that is stored.
- for `exchange`, with the `scope` of a request or client socket: both send the messages of ASGI, and the owner at last
  `{"over"}` (`exchanges.py`).

Backpressure is the kernel's: who does not read makes the other end wait. That is why readers of events and consumers
have connections of their own.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import attrs

from chatnode.client.feed import Live, Pushed, Reset, pushed
from chatnode.embed.events import LocalItem
from chatnode.model.commands.messages import InboxPage
from chatnode.model.commands.resume import Cursor
from chatnode.protocol import codec

VERSION = 2
"""Of all this. Processes of two versions of chatnode may meet while a program is being upgraded."""

Who: TypeAlias = list[Any]
"""Who calls: `["operator"]`, `["person", who, limits]`, `["bot", handle, create]`, or `["node"]`, the node itself."""

OPERATOR: Who = ["operator"]
NODE: Who = ["node"]


def person(who: str, limits: bool) -> Who:
    return ["person", who, limits]


def bot(handle: str, create: bool) -> Who:
    return ["bot", handle, create]


@attrs.frozen
class EventsWanted:
    """Whose events, from where on, and which."""

    who: Who
    after: Cursor | None
    kinds: list[str] | None
    conversations: list[str] | None

    def as_fields(self) -> dict[str, Any]:
        return {
            "as": self.who,
            "after": _place(self.after),
            "kinds": self.kinds,
            "conversations": self.conversations,
        }

    @classmethod
    def of_fields(cls, fields: dict[str, Any]) -> EventsWanted:
        return cls(fields["as"], _cursor(fields["after"]), fields["kinds"], fields["conversations"])


@attrs.frozen
class ConsumerWanted:
    """Which consumer."""

    name: str
    kinds: list[str] | None
    from_start: bool


def item_frame(item: LocalItem) -> bytes:
    """An item of a user's events."""
    at = _place(item.cursor)
    if isinstance(item, Pushed):
        return codec.encode({"name": item.name, "gid": item.gid, "fields": item.fields, "at": at})
    if isinstance(item, Reset):
        return codec.encode({"reset": codec.to_plain(item.inbox), "at": at})
    return codec.encode({"live": item.gid, "at": at})


def item_of(frame: dict[str, Any]) -> LocalItem:
    """The item that `item_frame` wrote."""
    at = _cursor(frame["at"])
    if "name" in frame:
        return pushed(frame["gid"], frame["name"], frame["fields"], at)
    if "reset" in frame:
        return Reset(codec.read(frame["reset"], InboxPage), cursor=at)
    return Live(frame["live"], cursor=at)


def _place(cursor: Cursor | None) -> list[Any] | None:
    return None if cursor is None else [cursor.epoch, cursor.gid]


def _cursor(place: list[Any] | None) -> Cursor | None:
    return None if place is None else Cursor(*place)


def batch_frame(events: list[Pushed], upto: int) -> bytes:
    """Events for a consumer."""
    batch = [{"name": each.name, "gid": each.gid, "fields": each.fields, "at": _place(each.cursor)} for each in events]
    return codec.encode({"batch": batch, "upto": upto})


def batch_of(frame: dict[str, Any]) -> tuple[list[Pushed], int]:
    """What `batch_frame` wrote."""
    events = [pushed(each["gid"], each["name"], each["fields"], _cursor(each["at"])) for each in frame["batch"]]
    return events, frame["upto"]
