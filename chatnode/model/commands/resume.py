"""How a session begins: hello, its cursor, the welcome."""

from __future__ import annotations

from typing import Literal

import attrs

from chatnode.model.commands.messages import InboxPage
from chatnode.model.fields import Device, Gid, Id, Secret
from chatnode.model.people import PersonRef
from chatnode.model.records import record


@record
class Cursor:
    """A reader's position in the log. `epoch` changes when a backup is restored."""

    epoch: Id
    gid: Gid


@record
class Hello:
    """The first frame on a client socket. `presence` false: do not push presence and typing."""

    token: Secret | None = None
    device: Device | None = None
    cursor: Cursor | None = None
    presence: bool = True


@record
class Welcome:
    """`replay`: missed events follow as pushes, then `live`. `reset`: start from the state in `inbox`; `inbox.list`
    has the rest, from `inbox.next` on."""

    epoch: str
    head: int
    mode: Literal["replay", "reset"]
    me: PersonRef
    session: int
    inbox: InboxPage | None = None


@record
class Welcomed:
    """`repeatable`: the commands of plugins that may be sent again when their reply was lost, as those of the node in
    docs/protocol.md."""

    welcome: Welcome
    repeatable: list[str] = attrs.field(factory=list[str])
