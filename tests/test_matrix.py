"""Who may do what: every command that names a conversation or message, for everybody who could ask.

The rows are checked against the command table: a command without a row fails the test, as does one without
fields to try it with. In the end, canaries: unique words of private conversations are searched for in
everything that others receive.
"""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, suppress
from typing import Any
from urllib.parse import urlencode

import attrs
import pytest
import trio

from chatnode import logs
from chatnode.config import Config, Limits
from chatnode.errors import Refusal
from chatnode.model.ids import direct_id
from chatnode.node import Node
from chatnode.testing import User
from chatnode.transport import openapi
from tests.commands import COMMANDS
from tests.declared import COLLECTIONS
from tests.plugins import rows
from tests.services.dialogue import Visitor, new_cid, outcome
from tests.transport.clients import ChatSocket, EventStream, Http, address_of, bearer, wait_for

NAMES = {each.name for each in COMMANDS}


@attrs.frozen
class Target:
    """What a request is aimed at. `spare` is the handle of somebody who is in, `outside` of somebody who is not."""

    conversation: str
    message: str
    spare: str = "spare"
    outside: str = "outside"


Fields = Callable[[Target], dict[str, Any]]

#: Command → fields with which it does something where it is allowed.
FIELDS: dict[str, Fields] = {
    "node.info": lambda at: {},
    "people.me": lambda at: {},
    "people.get": lambda at: {"person": at.spare},
    "people.list": lambda at: {"limit": 500},
    "people.create": lambda at: {"handle": f"new-{new_cid()}"},
    "people.update": lambda at: {"name": "Somebody"},
    "people.sessions": lambda at: {"person": at.spare},
    "people.sign_out": lambda at: {"person": at.outside},
    "people.deactivate": lambda at: {"person": at.outside},
    "people.reactivate": lambda at: {"person": at.outside},
    "people.reset_link": lambda at: {"person": at.outside},
    "people.reset_password": lambda at: {"code": "guess", "password": "a long password"},
    "people.export": lambda at: {"person": at.outside},
    "people.adopt": lambda at: {"author": at.outside},
    "people.erase": lambda at: {"person": at.outside, "handle": "somebody else"},
    "roles.list": lambda at: {},
    "roles.set": lambda at: {"role": "helper", "permissions": ["chat"]},
    "roles.delete": lambda at: {"role": "helper"},
    "audit.list": lambda at: {},
    "people.role": lambda at: {"person": at.outside, "role": "member"},
    "conversations.direct": lambda at: {"with": at.spare},
    "conversations.create": lambda at: {"title": "another", "members": [at.spare]},
    "conversations.find_or_create": lambda at: {"context": {"type": "order", "id": "7"}, "members": [at.spare]},
    "conversations.get": lambda at: {"conversation": at.conversation},
    "conversations.update": lambda at: {"conversation": at.conversation, "title": "renamed"},
    "conversations.public": lambda at: {},
    "conversations.context": lambda at: {"type": "order", "id": "7"},
    "conversations.members.list": lambda at: {"conversation": at.conversation},
    "conversations.members.add": lambda at: {"conversation": at.conversation, "member": at.outside},
    "conversations.members.remove": lambda at: {"conversation": at.conversation, "member": at.spare},
    "conversations.members.role": lambda at: {"conversation": at.conversation, "member": at.spare, "role": "admin"},
    "messages.post": lambda at: {
        "conversation": at.conversation,
        "cid": new_cid(),
        "text": "x",
        "reply_to": at.message,
    },
    "retention.list": lambda at: {},
    "messages.edit": lambda at: {"message": at.message, "text": "among us"},
    "messages.history": lambda at: {"message": at.message},
    "messages.delete": lambda at: {"message": at.message},
    "messages.pin": lambda at: {"message": at.message},
    "messages.unpin": lambda at: {"message": at.message},
    "messages.pinned": lambda at: {"conversation": at.conversation},
    "messages.thread": lambda at: {"message": at.message},
    "messages.report": lambda at: {"message": at.message, "reason": "other"},
    "reports.list": lambda at: {},
    "reports.resolve": lambda at: {"report": 99_999, "resolution": "none"},
    "people.block": lambda at: {"person": at.outside},
    "people.unblock": lambda at: {"person": at.outside},
    "people.blocked": lambda at: {},
    "conversations.support": lambda at: {"title": "help"},
    "conversations.close": lambda at: {"conversation": at.conversation},
    "conversations.reopen": lambda at: {"conversation": at.conversation},
    "conversations.settings": lambda at: {"conversation": at.conversation, "starred": True},
    "messages.list": lambda at: {"conversation": at.conversation},
    "messages.get": lambda at: {"message": at.message},
    "receipts.read": lambda at: {"conversation": at.conversation, "seq": 1},
    "receipts.delivered": lambda at: {"conversation": at.conversation, "seq": 1},
    "receipts.read_all": lambda at: {"conversations": [at.conversation]},
    "receipts.list": lambda at: {"message": at.message},
    "inbox.list": lambda at: {},
    "items.query": lambda at: {"collection": "messages"},
    "presence.get": lambda at: {"people": [at.spare]},
    "presence.status": lambda at: {"text": "busy"},
    "presence.visible": lambda at: {"visible": True},
    "presence.history": lambda at: {},
    "typing": lambda at: {"conversation": at.conversation},
    "typing.list": lambda at: {"conversation": at.conversation},
    "search.messages": lambda at: {"query": "bluethroat", "conversation": at.conversation},
    "import.conversation": lambda at: {"source": "irc", "key": "#x", "title": "#x"},
    "import.missing": lambda at: {"source": "irc", "key": "#x", "items": []},
    "import.messages": lambda at: {"conversation": at.conversation, "source": "irc", "items": []},
    "conversations.join": lambda at: {"conversation": at.conversation},
    "conversations.leave": lambda at: {"conversation": at.conversation},
    "invites.create": lambda at: {"conversations": [at.conversation]},
    "invites.list": lambda at: {},
    "invites.revoke": lambda at: {"invite": 1},
    "setup.create": lambda at: {},
    "node.address": lambda at: {},
    "node.check": lambda at: {},
    "node.statistics": lambda at: {},
    "node.repair": lambda at: {},
    "backup.create": lambda at: {},
    "certificate.status": lambda at: {},
    "certificate.issue": lambda at: {},
    "certificate.revoke": lambda at: {},
    "jobs.list": lambda at: {},
    "jobs.run": lambda at: {"job": "expired"},
    "plugins.list": lambda at: {},
    "plugins.consumers": lambda at: {},
    "plugins.set_aside": lambda at: {},
    "plugins.replay": lambda at: {"plugin": "nonsense", "consumer": "nonsense", "gid": 0},
    "plugins.retry": lambda at: {"entry": 99_999},
    "plugins.dismiss": lambda at: {"entry": 99_999},
    "plugins.enable": lambda at: {"plugin": "nonsense"},
    "plugins.disable": lambda at: {"plugin": "nonsense"},
    "plugins.drop": lambda at: {"plugin": "nonsense", "confirm": "something else"},
    "plugins.export": lambda at: {"plugin": "nonsense"},
    "sessions.list": lambda at: {},
    "tokens.create": lambda at: {},
    "people.password": lambda at: {"new": "a new password"},
    "sessions.create": lambda at: {"handle": at.spare, "password": "a wrong password"},
    "invites.accept": lambda at: {"code": "guess", "handle": "guest", "password": "a long password"},
    "sessions.rename": lambda at: {"session": 99_999, "label": "phone"},
    "sessions.revoke": lambda at: {"session": 99_999},
    "sessions.revoke_others": lambda at: {},
    "work.list": lambda at: {},
    "work.get": lambda at: {"work": "0" * 32},
    "work.pause": lambda at: {"work": "0" * 32},
    "work.resume": lambda at: {"work": "0" * 32},
    "work.cancel": lambda at: {"work": "0" * 32},
    "bots.create": lambda at: {"handle": f"bot-{new_cid()}"},
    "bots.list": lambda at: {},
    "bots.remove": lambda at: {"bot": at.outside},
    "bots.token": lambda at: {"bot": at.outside},
    "bots.commands.set": lambda at: {"commands": [{"name": "deploy", "about": "deploys"}]},
    "slash.list": lambda at: {"conversation": at.conversation},
    "slash.run": lambda at: {"conversation": at.conversation, "cid": new_cid(), "text": "/deploy"},
    "slash.reply": lambda at: {"invocation": "0" * 32, "text": "done"},
    "actions.invoke": lambda at: {"message": at.message, "cid": new_cid(), "action": "approve"},
    **rows.FIELDS,
}

ASKERS = ("anonymous", "stranger", "ex-member", "moderator", "node admin", "member", "admin", "owner")
#: What each asker gets in a private group, where "owner" wrote the message. The node's moderators and administrators
#: are strangers where they do not take part.
_OUT = ("unauthenticated", "not_found", "not_member", "not_found", "not_found")
READ = (*_OUT, "ok", "ok", "ok")
MANAGE = (*_OUT, "forbidden", "ok", "ok")
OF_MESSAGE = (*_OUT, "ok", "ok", "ok")
OF_SENDER = (*_OUT, "forbidden", "forbidden", "ok")
MANAGE_MESSAGE = (*_OUT, "forbidden", "ok", "ok")
#: There is no such command or button in these rooms: who may use one is tried in tests/services/test_buttons.py.
NOT_THERE = (*_OUT, "not_found", "not_found", "not_found")
ONLY_NODE_ADMIN = ("unauthenticated", "forbidden", "forbidden", "forbidden", "not_found", *["forbidden"] * 3)
PRIVATE: dict[str, tuple[str, ...]] = {
    "conversations.get": READ,
    "conversations.update": MANAGE,
    "conversations.join": READ,
    "conversations.leave": READ,
    "conversations.members.list": READ,
    "conversations.members.add": MANAGE,
    "conversations.members.remove": MANAGE,
    "conversations.members.role": (*_OUT, "forbidden", "forbidden", "ok"),
    "conversations.close": MANAGE,
    "conversations.reopen": MANAGE,
    "conversations.settings": READ,
    "messages.post": READ,
    "messages.list": READ,
    "messages.get": OF_MESSAGE,
    "messages.edit": OF_SENDER,
    "messages.history": OF_MESSAGE,
    "messages.delete": OF_SENDER,
    "messages.pin": MANAGE_MESSAGE,
    "messages.unpin": MANAGE_MESSAGE,
    "messages.pinned": READ,
    "messages.thread": OF_MESSAGE,
    "messages.report": (*_OUT, "ok", "ok", "invalid"),  # one's own
    "receipts.read": READ,
    "receipts.delivered": READ,
    "receipts.read_all": READ,
    "receipts.list": OF_MESSAGE,
    "typing": READ,
    "typing.list": READ,
    "slash.list": READ,
    "slash.run": NOT_THERE,
    "actions.invoke": NOT_THERE,
    "search.messages": READ,
    "invites.create": ONLY_NODE_ADMIN,
    "import.messages": ONLY_NODE_ADMIN,
    **rows.PRIVATE,
}
#: Where a public group differs.
PUBLIC = PRIVATE | {
    "conversations.join": ("unauthenticated", *["ok"] * 7),
    "conversations.members.add": READ,
}
#: Where a direct conversation differs: its two people are equal, nobody was there before, nobody changes it.
_NOT_THERE = ("unauthenticated", "not_found", "not_found", "not_found", "not_found")
_NOBODY = (*_NOT_THERE, "forbidden", "not_found", "forbidden")
_BOTH = (*_NOT_THERE, "ok", "not_found", "ok")
_SENDER = (*_NOT_THERE, "forbidden", "not_found", "ok")
DIRECT = (
    {name: _BOTH if row in (READ, OF_MESSAGE) else row for name, row in PRIVATE.items()}
    | {name: _NOBODY for name, row in PRIVATE.items() if row == MANAGE}
    | {name: _SENDER for name, row in PRIVATE.items() if row == OF_SENDER}
    | {"conversations.leave": _NOBODY, "conversations.members.role": _NOBODY}
    | dict.fromkeys(("conversations.close", "conversations.reopen", "messages.pin", "messages.unpin"), _BOTH)
    | {"messages.report": (*_NOT_THERE, "ok", "not_found", "invalid")}
    | dict.fromkeys(("slash.run", "actions.invoke"), (*_NOT_THERE, "not_found", "not_found", "not_found"))
    | rows.DIRECT
)


def concerns(takes: type[Any]) -> bool:
    """Whether a command names a conversation or a message."""
    return bool({"conversation", "conversations", "message"} & {field.name for field in attrs.fields(takes)})


def test_every_command_has_a_row() -> None:
    assert set(FIELDS) == NAMES
    assert set(PRIVATE) == {each.name for each in COMMANDS if concerns(each.takes)}


def test_whoever_needs_not_sign_in_gets_at_no_conversation() -> None:
    open_to_all = {each.name for each in COMMANDS if each.permission is None}
    assert open_to_all == {"sessions.create", "invites.accept", "people.reset_password", "node.info"}
    assert not open_to_all & set(PRIVATE)


# ---- the matrix


class Neighbourhood:
    """One person for each way to ask, and rooms for them to ask about."""

    def __init__(self, node: Node, people: dict[str, User]) -> None:
        self.node = node
        self.people = people

    @classmethod
    async def of(cls, node: Node) -> Neighbourhood:
        handles = ("owner", "admin", "member", "ex-member", "stranger", "spare", "outside")
        people = {handle: await User.new(node, handle) for handle in handles}
        people["node admin"] = await User.new(node, "node-admin", admin=True)
        moderator = await User.new(node, "moderator")
        await node.call("people.role", person="moderator", role="moderator")
        people["moderator"] = User(node, attrs.evolve(moderator.account, role="moderator"))
        return cls(node, people)

    def asker(self, name: str) -> User | Visitor:
        return Visitor(self.node) if name == "anonymous" else self.people[name]

    async def room(self, visibility: str) -> Target:
        """A group with one message in it, for one attempt."""
        people = self.people
        inside = [people[handle] for handle in ("member", "admin", "ex-member", "spare")]
        room = await people["owner"].group(*inside, visibility=visibility)
        message = await people["owner"].says(room, "between us")
        await people["owner"].call("conversations.members.remove", conversation=room, member="ex-member")
        await people["owner"].call("conversations.members.role", conversation=room, member="admin", role="admin")
        return Target(room, message)

    async def talk(self) -> Target:
        """The direct conversation of owner and member."""
        talk = await self.people["owner"].direct(self.people["member"])
        await self.people["owner"].call("conversations.reopen", conversation=talk)  # after the attempt to close it
        return Target(talk, await self.people["owner"].says(talk, "between us"), spare="member")


@pytest.fixture
async def neighbourhood(node: Node) -> Neighbourhood:
    return await Neighbourhood.of(node)


@pytest.fixture
def config() -> Config:
    return Config(limits=Limits(requests_per_minute=0, posts_per_minute=0, changes_per_minute=0, logins_per_minute=0))


@pytest.mark.parametrize("kind", ["private", "public", "direct"])
async def test_who_gets_what(neighbourhood: Neighbourhood, kind: str) -> None:
    expected = {"private": PRIVATE, "public": PUBLIC, "direct": DIRECT}[kind]
    found: dict[str, tuple[str, ...]] = {}
    for command in expected:
        row: list[str] = []
        for name in ASKERS:
            target = await (neighbourhood.talk() if kind == "direct" else neighbourhood.room(kind))
            row.append(await outcome(neighbourhood.asker(name).call(command, **FIELDS[command](target))))
        found[command] = tuple(row)
    assert found == expected


@pytest.mark.parametrize("kind", ["private", "direct"])
async def test_strangers_learn_not_even_that_it_exists(neighbourhood: Neighbourhood, kind: str) -> None:
    """Word for word the answer is that for an id that was never given out."""
    real = await (neighbourhood.talk() if kind == "direct" else neighbourhood.room(kind))
    made_up = Target("0" * 32, "0" * 32)

    async def answers(name: str, target: Target) -> dict[str, Any]:
        who, found = neighbourhood.people[name], dict[str, Any]()
        for command, row in (DIRECT if kind == "direct" else PRIVATE).items():
            if row[ASKERS.index(name)] == "ok":  # a permission of theirs is for all groups
                continue
            with pytest.raises(Refusal) as caught:
                await who.call(command, **FIELDS[command](target))
            found[command] = caught.value.as_json()
        return found

    for name in ("stranger", "node admin"):
        assert await answers(name, real) == await answers(name, made_up)


async def test_every_command_refuses_a_field_that_it_does_not_know(neighbourhood: Neighbourhood) -> None:
    target = await neighbourhood.room("private")
    for command in COMMANDS:
        fields = FIELDS[command.name](target) | {"surprise": 1}
        with pytest.raises(Refusal) as caught:
            await neighbourhood.node.call(command.name, **fields)
        assert (caught.value.code, caught.value.path) == ("invalid", "surprise"), command.name


async def test_nothing_runs_for_whoever_is_not_signed_in(neighbourhood: Neighbourhood) -> None:
    target = await neighbourhood.room("private")
    for command in COMMANDS:
        if command.permission is not None:
            asked = Visitor(neighbourhood.node).call(command.name, **FIELDS[command.name](target))
            assert await outcome(asked) == "unauthenticated", command.name


# ---- canaries

#: Costly; or the end of being late; or of asking at all.
LEFT_OUT = (
    "people.password", "people.reset_password", "invites.accept", "sessions.create", "conversations.leave",
    "people.deactivate",
)  # fmt: skip
CANARIES = (
    "zebrafinch", "goldcrest", "bluethroat", "nightjar", "ptarmigan", "capercaillie", "redpoll", "siskin", "dunnock",
)  # fmt: skip


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What `serve` would log, in all detail."""
    root, ours, theirs = (logging.getLogger(name) for name in (None, "chatnode", "websockets"))
    before = root.handlers[:], root.level, ours.level, theirs.level
    written = io.StringIO()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", written)
        logs.set_up("debug", "json")
    yield written
    root.handlers[:], root.level, ours.level, theirs.level = before


@pytest.mark.slow
async def test_private_words_reach_nobody_else(node: Node, neighbourhood: Neighbourhood, logged: io.StringIO) -> None:
    """Titles, a description and messages: everything that others are sent, and the log."""
    owner, member = neighbourhood.people["owner"], neighbourhood.people["member"]
    outsiders = ("stranger", "ex-member", "node admin", "moderator", "late")
    neighbourhood.people["late"] = await User.new(node, "late")
    hall = await owner.group(member, *(neighbourhood.people[name] for name in outsiders), title="all together")
    received: dict[str, list[bytes]] = {name: [] for name in (*outsiders, "member", "anonymous")}

    async with AsyncExitStack() as stack:
        nursery = await stack.enter_async_context(trio.open_nursery())
        address = address_of(await nursery.start(node.serve, "127.0.0.1:0"))
        tokens = {}
        for name in (*outsiders, "member"):
            token = tokens[name] = (await neighbourhood.people[name].call("tokens.create"))["token"]
            socket = await stack.enter_async_context(await ChatSocket.open(address))
            await socket.hello(token)
            stream = await stack.enter_async_context(await EventStream.open(address, token))
            nursery.start_soon(collect, socket, received[name])
            nursery.start_soon(collect, stream, received[name])

        # What is said while they listen …
        room = await owner.group(member, neighbourhood.people["ex-member"], title="a plain title")
        await owner.call("conversations.members.remove", conversation=room, member="ex-member")
        await owner.call("conversations.update", conversation=room, title="zebrafinch", description="goldcrest")
        first = await owner.posts(room, "bluethroat @stranger @late")
        await member.says(room, "siskin", thread=first["message"])
        changed = await member.says(room, "redpoll")
        await member.call("messages.edit", message=changed, text="dunnock")
        await owner.call("messages.pin", message=changed)
        talk = await owner.direct(member)
        await member.says(talk, "nightjar", reply_to=await owner.says(talk, "ptarmigan"))
        secret = await owner.group(title="capercaillie")
        await owner.call("conversations.update", conversation=room, title="a plain title", description="")
        await owner.call("conversations.members.add", conversation=room, member="late")

        # … and whatever they ask for afterwards.
        targets = [Target(room, first["message"]), Target(talk, first["message"]), Target(secret, "0" * 32)]
        targets.append(Target(direct_id(owner.id, member.id), first["message"], spare="owner"))
        for name in (*outsiders, "anonymous"):
            async with await Http.open(address) as http:
                for command in (*FIELDS, "no.such.command"):
                    for target in targets:
                        fields = FIELDS.get(command, FIELDS["node.info"])(target)
                        if command in LEFT_OUT:
                            continue
                        received[name].append((await http.call(command, tokens.get(name), **fields)).raw)
                for path in addresses(node, targets):
                    method = "HEAD" if path == "/v1/events" else "GET"  # the stream of it has no end
                    received[name].append((await http.request(method, path, headers=bearer(tokens.get(name)))).raw)
        for name in ("late", "member"):
            async with await Http.open(address) as http:
                page = await http.call("messages.list", tokens[name], conversation=room)
                received[name].append(page.raw)
        for name in outsiders:
            async with await Http.open(address) as http:
                for word in CANARIES:
                    for fields in ({"query": f"-nothing {word}"}, {"query": f"{word[:3]}*"}):
                        received[name].append((await http.call("search.messages", tokens[name], **fields)).raw)
        await owner.says(hall, "that is all")
        listeners = (*outsiders, "member")
        await wait_for(lambda: all(b"".join(received[name]).count(b"that is all") == 2 for name in listeners))
        nursery.cancel_scope.cancel()

    everything = {name: b"".join(parts).decode(errors="replace") for name, parts in received.items()}
    leaks = {name: [word for word in CANARIES if word in text] for name, text in everything.items()}
    assert leaks.pop("member") == [word for word in CANARIES if word != "capercaillie"]  # the search does find
    assert leaks == {name: [] for name in (*outsiders, "anonymous")}
    assert "capercaillie" not in json.dumps(everything)
    said = logged.getvalue()
    assert '"command": "messages.post", "outcome": "ok"' in said  # it does say what was asked
    assert [word for word in CANARIES if word in said] == []
    assert not any(token in said for token in tokens.values())


def addresses(node: Node, targets: list[Target]) -> Iterator[str]:
    """Everything that can be read by address, for each target."""
    yield from ("/", "/nowhere", *(f"/{target.conversation}" for target in targets))
    for path, operations in openapi.document(node.table)["paths"].items():
        name = path.removeprefix("/v1/")
        if name in FIELDS and "get" in operations:
            yield from (f"{path}?{urlencode(FIELDS[name](target), doseq=True)}" for target in targets)
        elif path == "/items/{collection}":
            yield from (f"/items/{collection.name}" for collection in COLLECTIONS)
        elif name not in FIELDS:
            yield path


async def collect(source: ChatSocket | EventStream, into: list[bytes]) -> None:
    """Keep everything that comes, until it ends; for long, nothing may."""
    while True:
        with suppress(trio.TooSlowError):
            if not (data := await source.raw()):
                return
            into.append(data)
