"""Users of a node: what they do, which events they receive, and what they are refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from itertools import count
from typing import Any, Self

import orjson
import pytest
import trio

from chatnode import config_file
from chatnode.concurrency import Signal
from chatnode.config import Config
from chatnode.dispatch.caller import Caller
from chatnode.errors import Refusal
from chatnode.model.people import Account
from chatnode.node import Node
from chatnode.protocol import codec
from chatnode.protocol.envelopes import Push
from chatnode.routing.sessions import OpenSession
from chatnode.storage.log import log
from chatnode.storage.people import people

PATIENCE = 30.0
"""Seconds to wait for an expected event. Only a failing test waits that long."""

_cids = count(1)


class User:
    """A user who runs commands as a client would, but is not connected and receives no events."""

    def __init__(self, node: Node, account: Account) -> None:
        self.node = node
        self.account = account
        self.handle = account.handle
        self.id = account.id

    @property
    def key(self) -> int:
        """The user's key in the tables."""
        return self.account.key

    async def call(self, name: str, /, **fields: Any) -> Any:
        """Run a command with the role that the user has now; returns its result as plain values. Raises `Refusal`."""
        account = await self.node.core.db.read(lambda reader: people.by_key(reader, self.key))
        context = Caller(self.node.core, account, address="test")
        return codec.to_plain(await self.node.table.run(context, name, fields))

    @classmethod
    async def of(cls, node: Node, handle: str) -> Self:
        """The existing user with this handle. Raises `Refusal`."""
        return cls(node, await node.core.db.read(lambda reader: people.find(reader, handle)))

    @classmethod
    async def new(cls, node: Node, handle: str, *, admin: bool = False, role: str | None = None) -> Self:
        """Create an account without a password; `role` must exist on the node, for example a plugin's role."""
        await node.call("people.create", handle=handle, admin=admin)
        if role is not None:
            await node.call("people.role", person=handle, role=role)
        return await cls.of(node, handle)

    # ---- doing

    async def does(self, command: str, /, **fields: Any) -> Any:
        """Run a command; returns its result as plain values. Raises `Refusal`."""
        return await self.call(command, **fields)

    async def direct(self, other: User) -> str:
        """Open the direct conversation with a user; returns its id."""
        return (await self.call("conversations.direct", **{"with": other.handle}))["conversation"]

    async def group(self, *others: User, title: str = "a group", **fields: Any) -> str:
        """Open a group, private by default; returns its id."""
        members = [each.handle for each in others]
        return (await self.call("conversations.create", title=title, members=members, **fields))["conversation"]

    async def says(self, conversation: str, text: str, **fields: Any) -> str:
        """Post a message; returns its id."""
        return (await self.posts(conversation, text, **fields))["message"]

    async def posts(self, conversation: str, text: str, **fields: Any) -> dict[str, Any]:
        """Post a message; returns what `messages.post` returns, `seq` and `gid` among it."""
        cid = f"test-{next(_cids)}"
        return await self.call("messages.post", conversation=conversation, cid=cid, text=text, **fields)

    # ---- looking

    async def sees(self, conversation: str, **fields: Any) -> list[dict[str, Any]]:
        """The newest messages, or the page that `fields` select, as `messages.list` returns them."""
        return (await self.call("messages.list", conversation=conversation, **fields))["messages"]

    async def reads(self, conversation: str, **fields: Any) -> list[str]:
        """The texts of the messages that `sees` returns."""
        return [message["text"] for message in await self.sees(conversation, **fields)]

    async def entry(self, conversation: str) -> dict[str, Any]:
        """The conversation in the user's inbox. Raises `LookupError` if it is not on the first page."""
        for entry in (await self.call("inbox.list"))["conversations"]:
            if entry["conversation"] == conversation:
                return entry
        raise LookupError(f"{self.handle} does not have {conversation} in the inbox")

    async def members(self, conversation: str) -> dict[str, str]:
        """Handle → role, of the first page of members."""
        page = await self.call("conversations.members.list", conversation=conversation)
        return {member["person"]["handle"]: member["role"] for member in page["members"]}

    async def token(self) -> str:
        """A token, for `chatnode.client.connect(url, token)` or HTTP."""
        return (await self.call("tokens.create"))["token"]


class LiveSession(OpenSession):
    """Collects pushes in order, in `pushes`. `ended` is None, or after the session's end whether it should resume."""

    def __init__(self, person: User, key: int) -> None:
        super().__init__(person.account, key)
        self.pushes: list[dict[str, Any]] = []
        self.ended: bool | None = None
        self._taken: dict[str, int] = {}
        self._more = Signal()

    @classmethod
    async def of(cls, node: Node, person: User, key: int = 0) -> Self:
        """Start a live session."""
        session = cls(person, key)
        await node.sessions.attach(session)
        session.gid = await node.core.db.read(log.head)
        session.go_live()
        return session

    def send(self, push: Push) -> None:
        self.pushes.append(orjson.loads(push.json))
        self._more.notify()

    def flush(self) -> None:
        """Nothing is queued."""

    def end(self, *, resume: bool, reason: str) -> None:
        if self.ended is None:
            self.ended = resume

    def heard(self, event: str | None = None) -> list[dict[str, Any]]:
        """The pushes so far, only those of `event` if it is given."""
        return [push for push in self.pushes if event in (None, push["event"])]

    async def next(self, event: str) -> dict[str, Any]:
        """Wait for the next push of this event that was not returned yet. Raises `AssertionError`."""
        taken = self._taken.get(event, 0)
        with trio.move_on_after(PATIENCE):
            while len(found := self.heard(event)) <= taken:
                await self._more.wait()
            self._taken[event] = taken + 1
            return found[taken]
        others = ", ".join(push["event"] for push in self.pushes) or "nothing"
        raise AssertionError(f"{self.account.handle} does not hear {event}, but {others}")


class LiveUser(User):
    """A connected user: runs commands, and receives events from the time they connect."""

    def __init__(self, node: Node, account: Account) -> None:
        super().__init__(node, account)
        self.session: LiveSession

    @classmethod
    async def of(cls, node: Node, handle: str) -> Self:
        """Connect the existing user with this handle."""
        client = await super().of(node, handle)
        client.session = await LiveSession.of(node, client)
        return client

    # ---- hearing

    async def hears(self, event: str, /, **fields: Any) -> dict[str, Any]:
        """Wait for the next push of this event; each is returned once. With `fields`, its fields must have these
        values.
        """
        push = await self.session.next(event)
        said = {name: push.get(name) for name in fields}
        if said != fields:
            raise AssertionError(f"{self.handle} hears {event} with {said}, not with {fields}")
        return push

    def heard(self, event: str | None = None) -> list[dict[str, Any]]:
        """All pushes since the user connected, only those of `event` if it is given."""
        return self.session.heard(event)


MakePerson = Callable[..., Awaitable[LiveUser]]
"""`await person("carol")`, `await person("root", admin=True)`, `await person("agent", role="crm-agent")`."""


@contextmanager
def refused(code: str, path: str | None = None) -> Generator[pytest.ExceptionInfo[Refusal]]:
    """The block must end in a refusal with this code and, if given, at this field."""
    with pytest.raises(Refusal) as caught:
        yield caught
    said = (caught.value.code, path and caught.value.path)
    assert said == (code, path), f"refused with {said}, not with {(code, path)}: {caught.value.message}"


def configured(**sections: Any) -> Config:
    """Settings as `config.toml` has them: `configured(limits={"posts_per_minute": 0}, plugins={"polls": {…}})`.

    Raises `StartError` for invalid settings.
    """
    return config_file.of_values(sections)
