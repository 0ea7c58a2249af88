"""The quart application: the socket, and the same commands over HTTP."""

import json
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import Factory, define, frozen
from quart import Response, request, websocket
from quart_trio import QuartTrio

from benchmarks.straightforward.store import Refused, Store

REPLAY_PAGE = 200


@frozen(eq=False)
class Person:
    """Who asks."""

    id: str
    handle: str


Send = Callable[[str], Awaitable[None]]
Arguments = dict[str, Any]


@define
class Chat:
    """The store, and how to reach every open session by its person's id."""

    store: Store
    epoch: str = Factory(lambda: uuid.uuid4().hex)
    sessions: dict[str, set[Send]] = Factory(lambda: defaultdict(set))

    async def person(self, token: str) -> Person:
        """The owner of a token, which is the owner's handle."""
        return Person(**dict(await self.store.find_person(token)))

    async def call(self, person: Person, command: str, arguments: Arguments) -> Arguments:
        """Do one command and give its answer."""
        handler = COMMANDS.get(command)
        if handler is None:
            raise Refused("unknown_command")
        try:
            return await handler(self, person, arguments)
        except KeyError as missing:
            raise Refused("bad_request") from missing

    async def push(self, message: Arguments) -> None:
        """Send a message's event to every session of every member, one after the other."""
        frame = event_of(message)
        for member in await self.store.members(message["conversation"]):
            for send in tuple(self.sessions[member]):
                await send(frame)


async def create_person(chat: Chat, person: Person, arguments: Arguments) -> Arguments:
    handle = arguments["handle"]
    return {"person": {"id": await chat.store.add_person(handle), "handle": handle}}


async def create_token(chat: Chat, person: Person, arguments: Arguments) -> Arguments:
    return {"token": (await chat.person(arguments["person"])).handle}


async def open_direct(chat: Chat, person: Person, arguments: Arguments) -> Arguments:
    other = await chat.person(arguments["with"])
    conversation = await chat.store.find_direct(person.id, other.id)
    return {"conversation": conversation or await chat.store.add_conversation(None, [person.id, other.id])}


async def create_conversation(chat: Chat, person: Person, arguments: Arguments) -> Arguments:
    members = {person.id} | {(await chat.person(name)).id for name in arguments["members"]}
    return {"conversation": await chat.store.add_conversation(arguments["title"], list(members))}


async def post_message(chat: Chat, person: Person, arguments: Arguments) -> Arguments:
    message, repeated = await chat.store.add_message(
        person.id, person.handle, arguments["conversation"], arguments["cid"], arguments["text"]
    )
    if not repeated:
        await chat.push(message)
    return {"gid": message["gid"], "seq": message["seq"], "message": message["message"], "dup": repeated}


async def list_messages(chat: Chat, person: Person, arguments: Arguments) -> Arguments:
    return {
        "messages": await chat.store.list_messages(
            person.id,
            arguments["conversation"],
            arguments.get("before"),
            arguments.get("after"),
            arguments.get("limit", 50),
        )
    }


COMMANDS: dict[str, Callable[[Chat, Person, Arguments], Awaitable[Arguments]]] = {
    "people.create": create_person,
    "tokens.create": create_token,
    "conversations.direct": open_direct,
    "conversations.create": create_conversation,
    "messages.post": post_message,
    "messages.list": list_messages,
}


def event_of(message: Arguments) -> str:
    """The frame that tells of a message."""
    return json.dumps(
        {
            "gid": message["gid"],
            "event": "message.posted",
            "conversation": message["conversation"],
            "message": message,
        }
    )


async def replay(chat: Chat, person: Person, gid: int, send: Send) -> None:
    """Send what was missed since ``gid``, join the live sessions, and say so.

    The last look comes after joining, so that nothing falls between; an event may then come twice, and
    the client drops what is not above its cursor.
    """
    while missed := await chat.store.missed(person.id, gid, REPLAY_PAGE):
        for message in missed:
            await send(event_of(message))
        gid = missed[-1]["gid"]
    chat.sessions[person.id].add(send)
    for message in await chat.store.missed(person.id, gid, REPLAY_PAGE):
        await send(event_of(message))
    await send(json.dumps({"event": "live"}))


async def greet(chat: Chat, hello: Arguments, send: Send) -> Person:
    """Answer the first frame and make the session live."""
    person = await chat.person(hello["token"])
    cursor = hello.get("cursor")
    welcome = {
        "epoch": chat.epoch,
        "head": await chat.store.head(),
        "mode": "replay" if cursor else "reset",
        "me": {"id": person.id, "handle": person.handle},
    }
    await send(json.dumps({"id": hello["id"], "ok": {"welcome": welcome}}))
    if cursor:
        await replay(chat, person, cursor["gid"], send)
    else:
        chat.sessions[person.id].add(send)
    return person


async def serve_session(chat: Chat) -> None:
    """One socket: hello, then one request after the other."""
    session = websocket._get_current_object()  # pyright: ignore[reportAttributeAccessIssue]
    send: Send = session.send
    person = await greet(chat, json.loads(await session.receive()), send)
    try:
        while True:
            arguments = json.loads(await session.receive())
            reply = {"id": arguments.pop("id")}
            try:
                reply["ok"] = await chat.call(person, arguments.pop("op"), arguments)
            except Refused as refused:
                reply["error"] = {"code": str(refused), "message": "refused"}
            await send(json.dumps(reply))
    finally:
        chat.sessions[person.id].discard(send)


def make_app(store: Store) -> QuartTrio:
    """The application over an open store."""
    app = QuartTrio(__name__)
    chat = Chat(store)

    @app.websocket("/v1/socket")
    async def socket() -> None:
        await serve_session(chat)

    @app.post("/v1/<command>")
    async def call(command: str) -> Response | tuple[Arguments, int]:
        try:
            person = await chat.person(request.headers["Authorization"].removeprefix("Bearer "))
            return Response(json.dumps(await chat.call(person, command, await request.get_json())))
        except Refused as refused:
            return {"error": {"code": str(refused), "message": "refused"}}, 400

    @app.get("/health")
    async def health() -> Arguments:
        return {"status": "ok"}

    return app
