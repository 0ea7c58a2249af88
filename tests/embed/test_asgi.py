"""What is mounted, apart from any server: paths, identities, pipes, and the events of a lifespan."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
from starlette.types import Scope

from chatnode.embed.aio import Node
from chatnode.embed.lifespan import serve_lifespan
from chatnode.errors import Refusal
from chatnode.portal.loops import LoopPortal
from chatnode.portal.pipe import Pipe, PipeBroken, on_loop, on_trio
from chatnode.portal.thread import Portal
from chatnode.protocol.envelopes import text_frame
from chatnode.services.vouching import read_identity
from chatnode.transport.asgi_socket import AsgiWire
from chatnode.transport.mount import Doorman, Vouched, inner_scope

SCOPE: dict[str, Any] = {
    "type": "http", "method": "GET", "http_version": "1.1", "scheme": "http", "query_string": b"", "headers": [],
    "client": ["192.0.2.7", 1234], "server": ("127.0.0.1", 80),
}  # fmt: skip


# ---- scopes


@pytest.mark.parametrize(
    ("path", "root", "base", "found", "prefix"),
    [
        ("/chat/v1/x", "/chat", "", "/v1/x", "/chat"),  # Starlette leaves the mount's path in the path
        ("/v1/x", "/chat", "", "/v1/x", "/chat"),  # others take it away
        ("/chat/v1/x", "", "/chat", "/v1/x", "/chat"),  # wrapped, the server knows nothing of it
        ("/api/chat/v1/x", "/api", "/chat", "/v1/x", "/api/chat"),  # behind a proxy that passes its path on
        ("/chat/v1/x", "/api", "/chat", "/v1/x", "/api/chat"),  # and behind one that strips it
        ("/chat", "/chat", "", "", "/chat"),
        ("/chat/", "/chat/", "", "/", "/chat"),
        ("/chatter", "/chat", "", "/chatter", "/chat"),
        ("/", "", "", "/", ""),
        ("//evil.example", "//evil.example", "", "", "/evil.example"),  # else a redirect would lead to another site
        ("//evil.example/", "//evil.example/", "/chat", "/", "/evil.example/chat"),
    ],
)
def test_the_path_is_that_below_the_mount(path: str, root: str, base: str, found: str, prefix: str) -> None:
    scope = inner_scope({**SCOPE, "path": path, "root_path": root}, None, base)
    assert (scope["path"], scope["state"]["mount"].prefix, scope["root_path"]) == (found, prefix, "")
    assert scope["client"] == ("192.0.2.7", 1234)


def test_a_proxy_that_strips_its_part_does_not_hide_the_mount() -> None:
    scope = inner_scope({**SCOPE, "path": "/chat/x", "root_path": "/api/chat", "app_root_path": "/api"}, None)
    assert (scope["path"], scope["state"]["mount"].prefix) == ("/x", "/api/chat")


def test_a_body_without_a_length_is_a_body() -> None:
    for method, version, wanted in (("POST", "2", True), ("GET", "2", False), ("PUT", "3", True)):
        scope = inner_scope({**SCOPE, "path": "/", "method": method, "http_version": version}, None)
        assert ((b"transfer-encoding", b"chunked") in scope["headers"]) == wanted
    scope = inner_scope({**SCOPE, "path": "/", "method": "POST", "headers": [(b"Content-Length", b"3")]}, None)
    assert scope["headers"] == [(b"content-length", b"3")]


@pytest.mark.parametrize("scheme", ["https", "wss"])
def test_tls_is_what_the_server_says(scheme: str) -> None:
    assert inner_scope({**SCOPE, "path": "/", "scheme": scheme}, None)["state"]["mount"].secure


# ---- who is signed in


def test_an_identity_is_a_word_and_a_name() -> None:
    identity = read_identity("app:42:x")
    assert (identity.source, identity.name, str(identity)) == ("app", "42:x", "app:42:x")
    for text in ("", "42", ":42", "app:", "App:42", "app:4\n2", "app:" + "x" * 201, "a b:42", 5, b"app:42", ["app:42"]):
        with pytest.raises(ValueError, match="such as app:42"):
            read_identity(text)


async def test_a_profile_is_a_dict_of_strings() -> None:
    for said, wrong in (
        ("ann", "a profile"),
        (["ann"], "a profile"),
        ({"handle": 5}, "handle"),
        ({"name": b"A"}, "name"),
    ):
        with pytest.raises(ValueError, match=f"{wrong}.* must be"):
            await Doorman(lambda scope: "app:1", lambda name, said=said: said).who({})  # type: ignore[arg-type, return-value]
    for said in (None, {}, {"handle": None, "name": None}, {"more": 1}):
        await Doorman(lambda scope: "app:1", lambda name, said=said: said).who({})  # type: ignore[arg-type, return-value]


async def test_the_program_is_asked_for_the_profile_of_a_new_user() -> None:
    asked: list[str] = []

    async def profile(name: str) -> Any:
        asked.append(name)
        return {"handle": f"user{name}"}

    def identify(scope: Mapping[str, Any]) -> str | None:
        return scope["said"]

    doorman = Doorman(identify, profile)
    assert await doorman.who({"said": None}) is None
    first = await doorman.who({"said": "app:1"})
    assert first == Vouched(read_identity("app:1"), {"handle": "user1"})
    again = await doorman.who({"said": "app:1"})
    assert (again, asked) == (first, ["1"])  # the first request may have been refused, and made no account
    with pytest.raises(ValueError, match=r"identify returned neither None nor .*; expected PROGRAM:USER"):
        await doorman.who({"said": "42"})
    assert await Doorman(None, None).who({}) is None


async def test_the_functions_of_a_program_have_the_types_of_its_framework() -> None:
    """Pyright checks that they fit."""

    async def identify(scope: Scope) -> str | None:
        return f"app:{scope['user']}"

    def profile(name: str) -> dict[str, str]:
        return {"handle": f"user{name}"}

    def plain(scope: dict[str, Any]) -> str:
        return "app:2"

    assert (await Doorman(identify, profile).who({"user": "1"})) == Vouched(read_identity("app:1"), {"handle": "user1"})
    assert (await Doorman(plain, None).who({})) == Vouched(read_identity("app:2"), {})
    for wrong, named in ((("app:1", None), "identify"), ((None, {"handle": "ann"}), "profile")):
        with pytest.raises(TypeError, match=f"{named} must be a function, not"):
            Doorman(*wrong)  # type: ignore[arg-type]


async def test_a_user_of_the_program_keeps_their_account(tmp_path: Path) -> None:
    from chatnode.node import open_node

    async with open_node(tmp_path / "data", only=()) as node:
        await node.call("people.create", handle="ann")
        first = await node.admit("app:1", {"handle": "ann", "name": "Ann of the app"})
        assert (first.handle, first.name) == ("ann-2", "Ann of the app")
        assert await node.admit("app:1", {"handle": "other"}) == first
        assert (await node.admit("app:Zoë & co")).handle == "app-zo-co"
        assert (await node.admit("app:…")).handle == "app"
        assert (await node.admit("app:2", {"handle": "Ann.Smith@Example.org"})).handle == "ann.smith-example.org"
        with pytest.raises(Refusal, match="name"):
            await node.admit("app:3", {"name": ""})
        with pytest.raises(ValueError, match="handle"):
            await node.admit("app:3", {"handle": 5})  # type: ignore[typeddict-item]
        await node.call("people.deactivate", person="ann-2")
        with pytest.raises(Refusal, match="deactivated"):
            await node.admit("app:1")
        await node.call("people.erase", person="ann-2", handle="ann-2")
        assert (await node.admit("app:1")).id != first.id


async def test_a_user_who_was_never_here_can_sign_out_of_the_program(tmp_path: Path) -> None:
    from chatnode.node import open_node

    async with open_node(tmp_path / "data", only=()) as node:
        await node.sign_out("app:1")
        await node.admit("app:1")
        await node.sign_out("app:1")  # without a session
        with pytest.raises(ValueError, match="such as app:42"):
            await node.sign_out("ann")


# ---- pipes


async def _pipes(side: Any) -> None:
    """Run `side(to_trio, to_loop, portal)` in an asyncio loop of a thread, with pipes to a trio run of another."""
    portal = Portal("test")

    async def main(portal: Portal) -> None:
        async with portal.accepting():
            portal.opened(5)
            await portal.wait_stopping()

    portal.start(main)
    await trio.to_thread.run_sync(portal.ready.result)

    async def run() -> None:
        queue = LoopPortal(portal).queue()
        await side(
            Pipe[bytes](1_000, on_loop(queue), on_trio(portal)),
            Pipe[bytes](1_000, on_trio(portal), on_loop(queue)),
            portal,
        )

    try:
        await trio.to_thread.run_sync(lambda: asyncio.run(run()))
    finally:
        portal.stop()
        await trio.to_thread.run_sync(portal.join, 5)


async def test_what_is_under_way_is_in_order_and_bounded() -> None:
    async def side(to_trio: Pipe[bytes], to_loop: Pipe[bytes], portal: Portal) -> None:
        sent = 0

        async def echo() -> None:
            while (item := await to_trio.receive()) is not None:
                await to_loop.put(item, len(item))
            to_loop.end()

        running = portal.submit(echo)

        async def send() -> None:
            nonlocal sent
            for number in range(500):
                await to_trio.put(b"%d" % number + b"x" * 100, 100)
                sent += 1
            to_trio.end()

        sending = asyncio.create_task(send())
        await asyncio.sleep(0.2)
        assert 5 < sent < 20  # nobody takes: two pipes of 1,000 bytes, and one item in hand
        got = []
        while (item := await to_loop.receive()) is not None:
            got.append(int(item.partition(b"x")[0]))
        assert got == list(range(500))
        await sending
        await asyncio.wrap_future(running)

    await _pipes(side)


async def test_an_item_larger_than_a_pipe_goes_alone() -> None:
    async def side(to_trio: Pipe[bytes], to_loop: Pipe[bytes], portal: Portal) -> None:
        await to_trio.put(b"large", 5_000)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await to_trio.put(b"late", 1)
        assert await asyncio.wrap_future(portal.submit(to_trio.receive)) == b"large"
        next_one = portal.submit(to_trio.receive)
        await to_trio.put(b"next", 1)
        assert await asyncio.wrap_future(next_one) == b"next"

    await _pipes(side)


async def test_a_writer_learns_that_nobody_reads() -> None:
    async def side(to_trio: Pipe[bytes], to_loop: Pipe[bytes], portal: Portal) -> None:
        await to_trio.put(b"x", 900)
        writing = asyncio.create_task(to_trio.put(b"y", 900))
        await asyncio.sleep(0.05)
        threading.Timer(0.05, to_trio.abandon).start()
        with pytest.raises(PipeBroken):
            await writing
        with pytest.raises(PipeBroken):
            await to_trio.put(b"z", 1)

    await _pipes(side)


# ---- frames


async def test_each_frame_becomes_a_message() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    wire = AsgiWire(send)
    texts = ["", "ä" * 10, "b" * 125, "c" * 126, "d" * 65_535, "e" * 65_536, "last"]
    close = bytes((0x88, 4)) + (4100).to_bytes(2, "big") + b"ok"
    data: bytes | memoryview = b"".join(text_frame(text.encode()) for text in texts) + close
    assert wire.send_now(data) == 0
    while data:
        data = memoryview(data)[await wire.send_rest(data) :]
    assert sent == [
        *({"type": "websocket.send", "text": text} for text in texts),
        {"type": "websocket.close", "code": 4100, "reason": "ok"},
    ]
    wire.gone = True
    with pytest.raises(trio.BrokenResourceError):
        await wire.send_rest(text_frame(b"x"))


# ---- lifespan


class _Recorded:
    """A node that only says when it would start and close."""

    def __init__(self, said: list[str], error: Exception | None = None) -> None:
        self._said = said
        self._error = error

    async def start(self) -> None:
        self._said.append("node starts")
        if self._error is not None:
            raise self._error

    async def close(self) -> None:
        self._said.append("node closes")


def lived(app: Any, error: Exception | None = None) -> list[str]:
    """What happens from startup to shutdown, in order."""
    said: list[str] = []

    async def run() -> None:
        events = iter(["lifespan.startup", "lifespan.shutdown"])

        async def receive() -> Any:
            return {"type": next(events)}

        async def send(message: Any) -> None:
            said.append(message["type"].removeprefix("lifespan."))

        await serve_lifespan(_Recorded(said, error), app(said) if app else None, {"type": "lifespan"}, receive, send)

    asyncio.run(run())
    return said


def _telling(said: list[str], fails: str = "") -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for event in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{event}"
            said.append(f"app {event}")
            await send({"type": f"lifespan.{event}.{'failed' if fails == event else 'complete'}", "message": "no"})

    return app


def _knowing_nothing(said: list[str]) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("a scope of http is expected")

    return app


def test_the_program_lives_within_the_node() -> None:
    whole = ["node starts", "app startup", "startup.complete", "app shutdown", "node closes", "shutdown.complete"]
    assert lived(_telling) == whole
    alone = ["node starts", "startup.complete", "node closes", "shutdown.complete"]
    assert lived(None) == alone
    assert lived(_knowing_nothing) == alone


def test_what_does_not_start_is_told_and_the_node_closed() -> None:
    failing = ["node starts", "app startup", "startup.failed", "node closes"]
    assert lived(lambda said: _telling(said, "startup")) == failing
    assert lived(_telling, RuntimeError("no")) == ["node starts", "startup.failed"]
    ends = lived(lambda said: _telling(said, "shutdown"))
    assert ends[-3:] == ["app shutdown", "node closes", "shutdown.failed"]


def test_a_node_is_wrapped_at_a_path(tmp_path: Path) -> None:
    node = Node(tmp_path / "data")
    for prefix in ("", "/", "chat", "/v1"):
        with pytest.raises(ValueError, match="path"):
            node.wrap(_knowing_nothing([]), prefix)


def test_without_a_start_the_answer_says_what_is_missing(tmp_path: Path) -> None:
    sent: list[Any] = []

    async def run() -> None:
        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.disconnect"}

        await Node(tmp_path / "data").asgi()({**SCOPE, "path": "/"}, receive, send)

    asyncio.run(run())
    assert sent[0]["status"] == 503
    assert b"lifespan=chat.lifespan" in sent[1]["body"]


async def test_a_token_in_the_request_goes_before_the_programs_user(tmp_path: Path) -> None:
    from chatnode.node import open_node
    from chatnode.transport.origins import Credentials, Mount

    async with open_node(tmp_path / "data", only=()) as node:
        state = {"mount": Mount("/chat", secure=True, token="of the program")}
        for headers, token in (([], "of the program"), ([(b"authorization", b"Bearer of a bot")], "of a bot")):
            scope = {"client": None, "headers": headers, "state": state}
            assert Credentials.of_scope(scope, node.core).token == token


async def test_a_user_who_was_signed_out_is_signed_in_once(tmp_path: Path) -> None:
    """Requests that come together after the sign-out get one and the same token."""
    from chatnode.node import open_node
    from chatnode.services.vouching import Vouching

    async with open_node(tmp_path / "data", only=()) as node:
        vouching, user = node.core.part(Vouching), read_identity("app:1")
        before = await vouching.token(user, {"handle": "ann"})
        for session in (await node.person("ann").sessions.list()).sessions:
            await node.person("ann").sessions.revoke(session=session.session)
        tokens: set[str] = set()

        async def ask() -> None:
            tokens.add(await vouching.token(user, {}))

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(ask)
        assert len(tokens) == 1
        assert before not in tokens
