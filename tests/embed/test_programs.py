"""The examples of programs with a chat in them, run by the servers that they name."""

from __future__ import annotations

import ast
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest
import trio

from chatnode.control_socket import connect
from tests.embed.programs import ROOT, Program, Visitor, running
from tests.services.dialogue import PASSWORD
from tests.transport.clients import Closed, Http

pytestmark = pytest.mark.slow

UVICORN = ("uvicorn", "--port", "PORT", "--timeout-graceful-shutdown", "2")
HYPERCORN = ("hypercorn", "--bind", "127.0.0.1:PORT", "--graceful-timeout", "2")
STOP_SECONDS = 30.0
"""A bound on hanging: the servers wait 2 s for their clients, and the node no longer than it takes."""


@attrs.frozen
class Tried:
    """An example with a server; `path` of the program tells a customer that something is paid."""

    name: str
    server: tuple[str, ...]
    app: str
    paid: str


TRIED = [
    Tried("fastapi, uvicorn", UVICORN, "embed_fastapi:app", "/orders/7/paid"),
    Tried("fastapi, hypercorn", HYPERCORN, "embed_fastapi:app", "/orders/7/paid"),
    Tried("django, uvicorn", UVICORN, "embed_django:application", "/paid/ann/7"),
    Tried("django, hypercorn", HYPERCORN, "embed_django:application", "/paid/ann/7"),
]


@pytest.fixture(params=TRIED, ids=[each.name for each in TRIED])
def tried(request: pytest.FixtureRequest) -> Tried:
    return request.param


@pytest.fixture
async def program(tried: Tried, tmp_path: Path) -> AsyncIterator[Program]:
    async with running(tmp_path, *tried.server, tried.app) as program:
        yield program


async def sign_in(program: Program, name: str) -> Visitor:
    """Sign in to the program, not to the chat."""
    async with await Http.open(program.address) as http:
        answer = await http.request("POST", f"/sign-in/{name}", b"")
    assert answer.status == 200, answer.body
    return Visitor(program.address, {"Cookie": answer.headers["set-cookie"].partition(";")[0]})


async def test_who_is_signed_in_to_the_program_is_signed_in_to_the_chat(program: Program, tried: Tried) -> None:
    nobody = Visitor(program.address, {})
    assert (await nobody.request("GET", "/v1/people.me")).status == 401
    page = await nobody.request("GET", "/")
    assert (page.status, b'href="page.css"' in page.body) == (200, True)
    without_slash = await nobody.request("GET", "")
    assert without_slash.status in (307, 308)
    assert without_slash.headers["location"].endswith("/chat/")

    ann, bob = await sign_in(program, "ann"), await sign_in(program, "bob")
    assert (await ann.call("people.me"))["person"]["handle"] == "ann"
    assert (await bob.call("people.me"))["person"]["handle"] == "bob"
    talk = (await ann.call("conversations.direct", **{"with": "bob"}))["conversation"]
    async with await bob.socket() as chat, await bob.stream() as stream:
        posted = await ann.call("messages.post", conversation=talk, text="hello", cid="1")
        assert (await chat.push("message.posted"))["gid"] == posted["gid"]
        assert (await stream.take("message.posted")).data["gid"] == posted["gid"]
        answers = [await chat.call("messages.post", conversation=talk, text=str(n), cid=f"b{n}") for n in range(3)]
        assert [each["seq"] for each in answers] == [2, 3, 4]
        assert [(await stream.take("message.posted")).data["message"]["text"] for _ in range(3)] == ["0", "1", "2"]

    async with await ann.stream() as stream, await Http.open(program.address) as http:
        for _ in range(2):  # the cid makes it one message
            assert (await http.request("POST", tried.paid, b"", ann.headers)).status == 200
        message = (await stream.take("message.posted")).data["message"]
        assert (message["sender"]["handle"], message["text"]) == ("shop", "Order 7 is paid")


async def test_it_stops_in_time_with_sessions_open_and_clients_are_told_to_come_back(program: Program) -> None:
    ann = await sign_in(program, "ann")
    async with await ann.socket() as chat, await ann.stream() as stream:
        async with trio.open_nursery() as nursery:
            closes: list[Closed] = []

            async def listen() -> None:
                closes.append(await chat.closed())

            nursery.start_soon(listen)
            status = await program.stop(STOP_SECONDS)
        assert closes[0].code in (None, 1001, 1005, 1006, 1012)  # with most servers, it is they who close
        assert status in (0, -15), program.said.read_text()
        while await stream.receive():
            pass
    said = program.said.read_text()
    assert said.count("Traceback") == said.count("CancelledError"), said  # uvicorn says whom it has cut
    async with running(program.data.parent, *UVICORN, "embed_fastapi:app") as again:
        ann = await sign_in(again, "ann")
        assert (await ann.call("people.me"))["person"]["handle"] == "ann"


@pytest.mark.parametrize("server", [UVICORN, HYPERCORN], ids=["uvicorn", "hypercorn"])
async def test_starlette_with_users_of_the_chats_own(server: tuple[str, ...], tmp_path: Path) -> None:
    async with running(tmp_path, *server, "embed_starlette:app") as program:
        with connect(program.data) or pytest.fail("no control socket") as operator:
            operator.call("people.create", handle="ann", password=PASSWORD)
        nobody = Visitor(program.address, {})
        signed_in = await nobody.request(
            "POST", "/v1/sessions.create",
            f'{{"handle": "ann", "password": "{PASSWORD}"}}'.encode(), {"Content-Type": "application/json"},
        )  # fmt: skip
        assert "Path=/chat;" in signed_in.headers["set-cookie"]
        ann = Visitor(program.address, {"Cookie": signed_in.headers["set-cookie"].partition(";")[0]})
        async with await ann.socket() as chat, await Http.open(program.address) as http:
            assert (await http.request("POST", "/greet/ann", b"")).status == 200
            assert (await chat.push("message.posted"))["message"]["text"] == "Welcome!"
        assert await program.stop(STOP_SECONDS) in (0, -15), program.said.read_text()


async def test_flask_has_the_node_in_a_thread(tmp_path: Path) -> None:
    gunicorn = ("gunicorn", "--bind", "127.0.0.1:PORT", "--workers", "1", "--threads", "4", "--chdir", "examples")
    async with running(tmp_path, *gunicorn, "embed_flask:app", CHAT_BIND="127.0.0.1:0") as program:
        async with await Http.open(program.address) as http:
            found = await http.request("GET", "/chat")
            assert (found.status, found.headers["location"][:17]) == (302, "http://127.0.0.1:")
            with connect(program.data) or pytest.fail("no control socket") as operator:
                operator.call("people.create", handle="ann")
                token = operator.call("tokens.create", person="ann")["token"]
            assert (await http.request("POST", "/orders/ann/7/paid", b"")).status == 200
        port = int(found.headers["location"].rpartition(":")[2])
        ann = Visitor(("127.0.0.1", port), {"Authorization": f"Bearer {token}"}, base="")
        inbox = await ann.call("inbox.list")
        assert [each["last"]["text"] for each in inbox["conversations"]] == ["Order 7 is paid"]
        assert await program.stop(STOP_SECONDS) == 0, program.said.read_text()


@pytest.mark.parametrize("name", ["fastapi", "starlette", "django", "flask"])
def test_ten_lines_are_the_chats_at_most(name: str) -> None:
    """Statements that use the node or what it gave; a program's own sign-in is not counted."""
    text = (ROOT / f"examples/embed_{name}.py").read_text()
    words = {"chat", "shop", "host", "talk", "posted", "customer"}
    uses = [
        each
        for each in ast.walk(ast.parse(text))
        if (isinstance(each, ast.ImportFrom) and (each.module or "").startswith("chatnode"))
        or (
            isinstance(each, ast.Assign | ast.Expr | ast.Return)
            and any(isinstance(inner, ast.Name) and inner.id in words for inner in ast.walk(each))
        )
    ]
    assert 5 <= len(uses) <= 10, [ast.unparse(each) for each in uses]
