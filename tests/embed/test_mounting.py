"""A mounted node behind real servers: what is bounded stays so, and clients that leave are forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio

from chatnode.control_socket import connect
from tests.embed.host import OUTBOX_BYTES
from tests.embed.programs import JSON, Program, Visitor, running
from tests.transport.clients import ChatSocket, Closed, Http, NotUpgraded, head

pytestmark = pytest.mark.slow

TUS = {"Tus-Resumable": "1.0.0"}
PART = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}


@pytest.fixture(params=["uvicorn", "hypercorn", "trio", "attached"])
async def program(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Program]:
    if request.param != "attached":
        async with running(tmp_path, "tests.embed.host", request.param, "PORT") as program:
            yield program
        return
    folder, data = tmp_path / "owner", tmp_path / "data"
    folder.mkdir()
    async with (
        running(folder, "tests.embed.host", "alone", "PORT", CHAT_DATA=str(data)),
        running(tmp_path, "tests.embed.host", "uvicorn", "PORT", CHAT_ATTACH="only") as program,
    ):
        yield program


def visitor(program: Program, name: str) -> Visitor:
    return Visitor(program.address, {"X-User": name})


async def live(program: Program) -> int:
    """How many sessions the node has."""
    health = await Visitor(program.address, {}).request("GET", "/health")
    return health.json["parts"]["sessions"]["live"]


async def until_live(program: Program, count: int) -> None:
    with trio.fail_after(20):
        while await live(program) != count:  # noqa: ASYNC110 - nothing tells of it
            await trio.sleep(0.05)


async def test_the_program_and_the_chat_each_answer_for_their_own(program: Program) -> None:
    async with await Http.open(program.address) as http:
        assert (await http.request("GET", "/elsewhere")).body == b"elsewhere"
        assert (await http.request("GET", "/chatter")).body == b"elsewhere"
        moved = await http.request("GET", "/chat?a=b")
        assert (moved.status, moved.headers["location"]) == (308, "/chat/?a=b")
        assert (await http.request("GET", "/chat/nothing")).status == 404
    document = (await Visitor(program.address, {}).request("GET", "/v1/openapi.json")).json
    assert document["servers"] == [{"url": "/chat"}]
    with pytest.raises(NotUpgraded) as refused:
        await Visitor(program.address, {}, base="/chat/x").socket()
    assert refused.value.status == 403


async def test_identify_signs_in_on_the_terms_of_the_cookie(program: Program) -> None:
    ann = visitor(program, "ann")
    me = await ann.call("people.me")
    assert (me["person"]["handle"], me["person"]["name"]) == ("ann", "Ann")
    assert (await ann.call("people.me"))["person"]["id"] == me["person"]["id"]
    (session,) = (await ann.call("sessions.list"))["sessions"]
    assert (session["kind"], session["label"], session["current"]) == ("device", "signed in by app", True)

    origin = {"Host": "app.example", "Origin": "http://app.example"}
    elsewhere = {"Host": "app.example", "Origin": "https://evil.example"}
    statuses = [
        (await ann.request("POST", "/v1/people.me", b"{}", JSON | origin)).status,
        (await ann.request("POST", "/v1/people.me", b"{}", JSON | elsewhere)).status,
        (await ann.request("POST", "/v1/people.me", b"{}", {"Content-Type": "text/plain"})).status,
        (await ann.request("GET", "/v1/people.me", None, elsewhere)).status,
    ]
    assert statuses == [200, 401, 400, 401]
    answer = await ann.request("GET", "/v1/people.me")
    assert "set-cookie" not in answer.headers  # the token is the node's own

    with connect(program.data) or pytest.fail("no control socket") as operator:
        async with await ann.socket() as chat:
            operator.call("people.deactivate", person="ann")
            assert (await chat.closed()).code == 4001
        assert (await ann.request("GET", "/v1/people.me")).status == 403
        operator.call("people.reactivate", person="ann")
        assert (await ann.call("people.me"))["person"]["id"] == me["person"]["id"]


async def test_signing_the_session_out_ends_what_it_has_open(program: Program) -> None:
    ann = visitor(program, "ann")
    async with await ann.socket() as chat, await ann.stream() as stream:
        (session,) = (await ann.call("sessions.list"))["sessions"]
        await ann.call("sessions.revoke", session=session["session"])
        assert (await chat.closed()).code == 4001
        while await stream.next() is not None:
            pass
    assert (await ann.call("people.me"))["person"]["handle"] == "ann"  # as the program says so


async def test_signing_out_of_the_program_ends_what_is_open(program: Program) -> None:
    ann, bob = visitor(program, "ann"), visitor(program, "bob")
    async with await ann.socket() as chat, await ann.stream() as stream, await bob.socket() as other:
        async with await Http.open(program.address) as http:
            assert (await http.request("POST", "/sign-out", headers={"X-User": "ann"})).status == 200
            assert (await http.request("POST", "/sign-out", headers={"X-User": "nobody"})).status == 200
        assert (await chat.closed()).code == 4001
        while await stream.next() is not None:
            pass
        assert (await other.call("people.me"))["person"]["handle"] == "bob"
    async with await ann.socket() as again:  # as the program still says so
        assert (await again.call("people.me"))["person"]["handle"] == "ann"


async def test_requests_of_a_socket_are_answered_in_their_order(program: Program) -> None:
    ann, bob = visitor(program, "ann"), visitor(program, "bob")
    await bob.call("people.me")
    async with await ann.socket() as chat, await bob.socket() as theirs:
        talk = (await chat.call("conversations.direct", **{"with": "bob"}))["conversation"]
        posts: list[Any] = [
            {"id": n, "op": "messages.post", "conversation": talk, "cid": f"c{n}", "text": f"{n}"} for n in range(200)
        ]
        await chat.ask(*posts, {"id": "read", "op": "messages.list", "conversation": talk, "limit": 1})
        replies = [await chat.reply(n) for n in range(200)]
        assert [each["ok"]["seq"] for each in replies] == list(range(1, 201))
        read = await chat.reply("read")
        assert [each["text"] for each in read["ok"]["messages"]] == ["199"]
        pushed = [(await theirs.push("message.posted"))["message"]["text"] for _ in range(200)]
        assert pushed == [str(n) for n in range(200)]
        await chat.ask({"id": "long", "op": "messages.post", "conversation": talk, "text": "x" * 60_000})
        assert (await chat.closed()).code == 1009


async def test_a_large_body_is_taken_as_fast_as_it_is_stored(program: Program) -> None:
    size = 30_000_000
    ann = visitor(program, "ann")
    body = bytes(range(256)) * (size // 256)
    size = len(body)
    created = await ann.request("POST", "/plugins/attachments/uploads", b"", TUS | {"Upload-Length": str(size)})
    assert created.status == 201, created.body
    path = f"/chat/plugins/attachments/{created.headers['location']}"
    before = program.memory
    async with await Http.open(program.address) as http:
        fields = {**ann.headers, **TUS, **PART, "Content-Length": str(size)}
        await http.send(head("PATCH", path, None, fields))
        for start in range(0, size, 1_000_000):
            with trio.fail_after(30):
                await http.stream.send_all(body[start : start + 1_000_000])
        assert (await http.response()).status == 204
    assert program.memory - before < 25_000_000
    file = created.headers["location"].rpartition("/")[2]
    got = await ann.request("GET", f"/plugins/attachments/files/{file}")
    assert (got.status, len(got.body)) == (200, size)
    assert got.body == body


async def test_what_a_client_does_not_take_is_not_collected(program: Program) -> None:
    size = 40_000_000
    ann = visitor(program, "ann")
    created = await ann.request("POST", "/plugins/attachments/uploads", b"", TUS | {"Upload-Length": str(size)})
    path = f"/plugins/attachments/{created.headers['location']}"
    assert (await ann.request("PATCH", path, bytes(size), TUS | PART)).status == 204
    before = program.memory
    file = created.headers["location"].rpartition("/")[2]
    async with await Http.open(program.address, receive_buffer=4096) as slow:
        await slow.send(head("GET", f"/chat/plugins/attachments/files/{file}", None, ann.headers))
        await slow.receive()
        await trio.sleep(2)
        assert program.memory - before < 15_000_000
    assert (await ann.call("people.me"))["person"]["handle"] == "ann"


async def flood(ann: Visitor, talk: str, count: int) -> None:
    """So many messages of 4 kB."""
    async with await ann.socket() as chat:
        for start in range(0, count, 50):
            await chat.ask(
                *(
                    {"id": n, "op": "messages.post", "conversation": talk, "cid": f"f{n}", "text": "x" * 4_000}
                    for n in range(start, start + 50)
                )
            )
            for n in range(start, start + 50):
                assert "ok" in await chat.reply(n)
            chat.pushes.clear()


async def test_a_slow_reader_of_a_socket_is_told_to_resume(program: Program) -> None:
    ann, bob = visitor(program, "ann"), visitor(program, "bob")
    await bob.call("people.me")
    talk = (await ann.call("conversations.direct", **{"with": "bob"}))["conversation"]
    chat = await ChatSocket.open(program.address, path="/chat/v1/socket", headers=bob.headers, receive_buffer=4096)
    async with chat:
        await chat.hello()
        await chat.push("live")
        before = program.memory
        await flood(ann, talk, 3_000)  # 12 MB
        assert program.memory - before < 40 * OUTBOX_BYTES + 20_000_000
        pushes, closed = await chat.pushes_to_the_end("message.posted")
        assert closed.code in (4100, 1011, None)  # a server that cannot send our close says what it likes
        gids = [each["gid"] for each in pushes]
        assert gids == sorted(gids)
        assert len(gids) < 3_000
    await until_live(program, 0)


async def test_a_slow_reader_of_an_event_stream_is_cut_off(program: Program) -> None:
    ann, bob = visitor(program, "ann"), visitor(program, "bob")
    await bob.call("people.me")
    talk = (await ann.call("conversations.direct", **{"with": "bob"}))["conversation"]
    async with await bob.stream(receive_buffer=4096) as stream:
        await flood(ann, talk, 3_000)
        await until_live(program, 0)
        count = 0
        while await stream.receive():
            count += 1
        assert count
    assert (await bob.call("people.me"))["person"]["handle"] == "bob"


async def test_who_goes_is_forgotten(program: Program) -> None:
    ann = visitor(program, "ann")
    async with await ann.socket(), await ann.stream():
        await until_live(program, 2)
    await until_live(program, 0)
    async with await ann.socket() as chat:
        chat.protocol.send_close(1000)
        await chat._flush()
        assert (await chat.closed()).code in (1000, 1005)
    await until_live(program, 0)


async def test_the_node_closes_in_order_when_the_program_stops(program: Program) -> None:
    ann = visitor(program, "ann")
    await ann.call("people.me")
    closes: list[Closed] = []
    async with await ann.socket() as chat, trio.open_nursery() as nursery:

        async def listen() -> None:
            closes.append(await chat.closed())

        nursery.start_soon(listen)
        assert await program.stop(30) in (0, -15), program.said.read_text()
    assert closes[0].code in (None, 1001, 1005, 1006, 1012)
