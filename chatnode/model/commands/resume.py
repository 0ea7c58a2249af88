"""How a client begins: hello, its cursor, the welcome."""

from __future__ import annotations

from typing import Literal

import attrs

from chatnode.model.commands.messages import InboxGiven
from chatnode.model.fields import Device, Gid, Id, Secret
from chatnode.model.people import PersonRef


@attrs.define
class Cursor:
    """How far a reader has got in the log. `epoch` changes when a backup is restored."""

    epoch: Id
    gid: Gid


@attrs.define
class Hello:
    """The first frame on a client socket. `presence` false: no pushes of presence and typing are wanted."""

    token: Secret | None = None
    device: Device | None = None
    cursor: Cursor | None = None
    presence: bool = True


@attrs.define
class Welcome:
    """`replay`: what was missed follows as pushes, then `live`. `reset`: `inbox` is the state to begin from,
    and more of it is at `inbox.list` from `inbox.next` on."""

    epoch: str
    head: int
    mode: Literal["replay", "reset"]
    me: PersonRef
    session: int
    inbox: InboxGiven | None = None


@attrs.define
class Welcomed:
    """`repeatable`: the commands of plugins that may be sent again when their reply was lost, as those of the node in
    docs/protocol.md."""

    welcome: Welcome
    repeatable: list[str] = attrs.field(factory=list[str])
