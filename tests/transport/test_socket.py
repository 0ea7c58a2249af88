"""The client socket: hello, commands, pushes, and every way in which it ends."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio

from chatnode.config import Config, Limits, Server
from chatnode.dispatch.caller import Caller
from chatnode.errors import Refusal
from chatnode.node import Node
from chatnode.routing import resume
from chatnode.routing.outbox import SocketWire
from chatnode.routing.sessions import MOST_HELD
from chatnode.testing import User, refused
from chatnode.transport import greeting
from chatnode.transport.origins import COOKIE
from tests.services.dialogue import PASSWORD, fill, new_cid, outcome, token_of, with_limits, with_password

from .clients import (
    PATIENCE,
    Address,
    ChatSocket,
    Closed,
    Http,
    NotUpgraded,
    bearer,
    head,
    replace_handler,
    serving,
    wait_live,
)


@pytest.fixture
async def talk(ann: User, bob: User) -> str:
    return await ann.direct(bob)


def post(talk: str, text: str, number: int | str = 1) -> dict[str, Any]:
    return {"id": number, "op": "messages.post", "conversation": talk, "cid": new_cid(), "text": text}


# ---- hello


async def test_hello_with_the_token_in_the_frame(address: Address, node: Node, ann: User, anns: str) -> None:
    async with await ChatSocket.open(address) as chat:
        welcome = await chat.hello(anns, device="phone")
        session = welcome.pop("session")
        assert welcome == {
            "epoch": node.core.epoch, "head": 0, "mode": "reset", "me": {"id": ann.id, "handle": "ann"},
            "inbox": {"conversations": []},
        }  # fmt: skip
        assert await chat.push() == {"event": "live", "gid": 0}
        (listed,) = (await chat.call("sessions.list"))["sessions"]
        assert (listed["session"], listed["current"]) == (session, True)


async def test_hello_with_a_bearer_token_on_the_upgrade(address: Address, ann: User, anns: str, bobs: str) -> None:
    async with await ChatSocket.open(address, headers=bearer(anns)) as chat:
        assert (await chat.hello())["me"]["handle"] == "ann"
    async with await ChatSocket.open(address, headers=bearer(anns)) as chat:
        assert (await chat.hello(bobs))["me"]["handle"] == "bob"  # the frame is the nearer word


@pytest.mark.parametrize("config", [Config(server=Server(origins=("https://app.example.org",)))], ids=[""])
async def test_hello_with_the_cookie_of_a_page(address: Address, anns: str) -> None:
    counts = {
        "http://localhost": True,
        "https://app.example.org": True,
        "http://localhost:80": True,
        "https://evil.example.org": False,
        "https://evilapp.example.org": False,
        "http://evillocalhost": False,
        "http://localhost.evil.org": False,
        "http://localhost:8008": False,
        "null": False,
    }
    found = {}
    for origin in counts:
        headers = {"Cookie": f"{COOKIE}={anns}", "Origin": origin}
        async with await ChatSocket.open(address, headers=headers) as chat:
            found[origin] = await outcome(chat.hello()) == "ok"
    assert found == counts


async def test_hello_without_a_good_token_may_be_said_again(address: Address, anns: str) -> None:
    async with await ChatSocket.open(address) as chat:
        for token in (None, "wrong"):
            with refused("unauthenticated"):
                await chat.hello(token)
        with refused("invalid", "token"):
            await chat.hello("")
        with refused("invalid", "cursor.gid"):
            await chat.hello(anns, cursor={"epoch": "0" * 32})
        with refused("invalid", "surprise"):
            await chat.hello(anns, surprise=1)
        assert (await chat.hello(anns))["me"]["handle"] == "ann"


async def test_the_id_of_a_thing_is_not_the_id_of_a_request(address: Address, ann: User, anns: str) -> None:
    order = await ann.group(context={"type": "order", "id": "7"})
    async with await ChatSocket.signed_in(address, anns) as chat:
        page = await chat.call("conversations.context", type="order", context_id="7")
    assert [each["conversation"] for each in page["conversations"]] == [order]


async def test_hello_is_said_once(address: Address, anns: str, bobs: str) -> None:
    async with await ChatSocket.signed_in(address, anns) as chat:
        with refused("bad_request", "op"):
            await chat.hello(bobs)
        assert (await chat.call("people.me"))["person"]["handle"] == "ann"


async def test_hello_and_what_follows_may_come_in_one_write(address: Address, talk: str, anns: str) -> None:
    async with await ChatSocket.open(address) as chat:
        hello = {"id": 1, "op": "hello", "token": anns}
        await chat.ask(hello, post(talk, "at once", 2), {"id": 3, "op": "people.me"})
        for number in (1, 2, 3):
            assert "ok" in await chat.reply(number)


async def test_before_hello_only_what_needs_nobody_signed_in(address: Address, node: Node, talk: str) -> None:
    await with_password(node, "cy")
    async with await ChatSocket.open(address) as chat:
        for op in ("inbox.list", "messages.post", "node.check"):
            with refused("unauthenticated"):
                await chat.call(op)
        with refused("unknown_command"):
            await chat.call("no.such.command")
        assert (await chat.call("node.info"))["name"] == "chatnode"
        token = (await chat.call("sessions.create", handle="cy", password=PASSWORD))["token"]
        with refused("unauthenticated"):
            await chat.call("inbox.list")
        assert (await chat.hello(token))["me"]["handle"] == "cy"
        await chat.call("inbox.list")


async def test_what_is_refused_before_hello_is_counted(address: Address, node: Node) -> None:
    async with await ChatSocket.open(address) as chat:
        for command, code in (("inbox.list", "unauthenticated"), ("no.such", "unknown_command")):
            with refused(code):
                await chat.call(command)
    counted = node.core.metrics.requests
    assert (counted["inbox.list", "unauthenticated"], counted["unknown", "unknown_command"]) == (1, 1)


@with_limits(hello_seconds=0.4)
async def test_who_never_says_hello_is_not_waited_for(address: Address) -> None:
    started = trio.current_time()
    async with await ChatSocket.open(address) as chat:
        await chat.ping(b"I am here")
        await chat.call("node.info")
        closed = await chat.closed()
    assert closed.code == 4002
    assert 0.3 < trio.current_time() - started < 4


async def test_only_an_upgrade_is_upgraded(address: Address, anns: str) -> None:
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"}
    for headers in (upgrade, upgrade | {"Sec-WebSocket-Key": "short", "Sec-WebSocket-Version": "13"}):
        async with await Http.open(address) as http:
            await http.send(head("GET", "/v1/socket", headers=headers))
            response = await http.response()
            assert response.status in (400, 426)
            assert (response.headers["content-type"], response.error["code"]) == ("application/json", "bad_request")
    with pytest.raises(NotUpgraded) as caught:
        await ChatSocket.open(address, headers={"Sec-WebSocket-Version": "8"})  # a second one
    assert caught.value.status == 400


# ---- requests and replies


async def test_a_wrong_request_is_answered_and_the_connection_lives(address: Address, anns: str) -> None:
    async with await ChatSocket.signed_in(address, anns) as chat:
        wrong: list[tuple[Any, Any, str, str | None]] = [
            ({"id": 1, "op": "inbox.list", "limit": 0}, 1, "invalid", "limit"),
            ({"id": 2, "op": "inbox.list", "surprise": 1}, 2, "invalid", "surprise"),
            ({"id": 3, "op": "no.such.command"}, 3, "unknown_command", "op"),
            ({"id": 4, "op": 7}, 4, "bad_request", "op"),
            ({"id": 5}, 5, "bad_request", "op"),
            ({"op": "inbox.list"}, None, "bad_request", "id"),
            ({"id": 1.5, "op": "inbox.list"}, None, "bad_request", "id"),
            ({"id": "x" * 65, "op": "inbox.list"}, None, "bad_request", "id"),
            ({"id": True, "op": "inbox.list"}, None, "bad_request", "id"),
            ([], None, "bad_request", None),
            ("inbox.list", None, "bad_request", None),
        ]
        for request, number, code, path in wrong:
            await chat.ask(request)
            reply = await chat.frame()
            assert (reply["id"], reply["error"]["code"], reply["error"].get("path")) == (number, code, path)
        chat.protocol.send_text(b"{")
        await chat.ask({"id": "fine", "op": "people.me"})
        assert (await chat.frame())["error"]["code"] == "bad_json"
        assert "ok" in await chat.reply("fine")


async def test_a_reply_has_the_id_of_its_request(address: Address, anns: str) -> None:
    async with await ChatSocket.signed_in(address, anns) as chat:
        for number in (0, -7, 2**53, "7", "", 'ünï "quoted"', "x" * 64):
            await chat.ask({"id": number, "op": "people.me"})
            reply = await chat.frame()
            assert (reply["id"], type(reply["id"])) == (number, type(number))
            assert "ok" in reply


async def test_posts_sent_at_once_stand_in_their_order(address: Address, ann: User, talk: str, anns: str) -> None:
    async with await ChatSocket.signed_in(address, anns) as chat:
        await chat.ask(*(post(talk, str(number), number) for number in range(100)))
        seqs = [(await chat.reply(number))["ok"]["seq"] for number in range(100)]
    assert seqs == list(range(1, 101))
    assert await ann.reads(talk, limit=100) == [str(number) for number in range(100)]


async def test_requests_of_different_kinds_take_effect_in_their_order(
    address: Address, ann: User, bob: User, anns: str
) -> None:
    """What is read in the same segment as a write, and after it, shows it."""
    room = await ann.group(bob)
    async with await ChatSocket.signed_in(address, anns) as chat:
        for number in range(10):
            await chat.ask(
                post(room, "first", f"post {number}"),
                {"id": f"list {number}", "op": "messages.list", "conversation": room, "limit": 500},
                {"id": f"get {number}", "op": "conversations.get", "conversation": room},
            )
            seq = (await chat.reply(f"post {number}"))["ok"]["seq"]
            listed = (await chat.reply(f"list {number}"))["ok"]["messages"]
            assert listed[-1]["seq"] == seq
            assert (await chat.reply(f"get {number}"))["ok"]["you"]["read_seq"] == seq


@with_limits(in_flight=4)
async def test_only_so_many_requests_are_worked_on_at_a_time(
    address: Address, node: Node, ann: User, talk: str, anns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = most = 0
    run = node.table.run

    async def counted(*args: Any) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            return await run(*args)
        finally:
            running -= 1

    monkeypatch.setattr(node.table, "run", counted)
    async with await ChatSocket.signed_in(address, anns) as chat:
        await chat.ask(*(post(talk, str(number), number) for number in range(30)))
        for number in range(30):
            assert "ok" in await chat.reply(number)
    assert 1 < most <= 4
    assert await ann.reads(talk) == [str(number) for number in range(30)]


async def test_everybody_gets_the_push_and_the_sender_their_cid(
    address: Address, talk: str, anns: str, bobs: str
) -> None:
    async with await ChatSocket.signed_in(address, anns) as ann, await ChatSocket.signed_in(address, bobs) as bob:
        asked = post(talk, "hello bob")
        await ann.ask(asked)
        answer = (await ann.reply(1))["ok"]
        mine, theirs = await ann.push("message.posted"), await bob.push("message.posted")
        assert mine == theirs
        assert (mine["gid"], mine["message"]["cid"], mine["message"]["seq"]) == (answer["gid"], asked["cid"], 1)
        await bob.call("receipts.read", conversation=talk, seq=1)
        read = await ann.push("receipt.read")
        assert (read["person"]["handle"], read["seq"]) == ("bob", 1)


async def test_the_push_of_ones_own_message_and_the_answer_leave_together(
    address: Address, talk: str, anns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bytes] = []
    send = SocketWire.send_now

    def send_and_keep(wire: SocketWire, data: bytes | memoryview) -> int:
        sent.append(bytes(data))
        return send(wire, data)

    async with await ChatSocket.signed_in(address, anns) as chat:
        monkeypatch.setattr(SocketWire, "send_now", send_and_keep)
        await chat.call("messages.post", conversation=talk, cid="one", text="hello")
        await chat.push("message.posted")
    assert len(sent[0]) > 0
    assert [data for data in sent if b"message.posted" in data] == [sent[0]]
    assert b'"ok":' in sent[0]


async def test_a_device_hears_what_the_other_does(address: Address, talk: str, anns: str) -> None:
    async with await ChatSocket.signed_in(address, anns) as phone, await ChatSocket.signed_in(address, anns) as laptop:
        await phone.call("messages.post", conversation=talk, cid="one", text="from the phone")
        assert (await laptop.push("message.posted"))["message"]["cid"] == "one"


# ---- resuming


async def test_a_cursor_replays_what_was_missed(address: Address, ann: User, talk: str, bobs: str) -> None:
    async with await ChatSocket.open(address) as chat:
        welcome = await chat.hello(bobs)
    for number in range(3):
        await ann.says(talk, f"missed {number}")
    await ann.call("people.update", name="Ann")
    async with await ChatSocket.open(address) as chat:
        again = await chat.hello(bobs, cursor={"epoch": welcome["epoch"], "gid": welcome["head"]})
        assert (again["mode"], again["head"]) == ("replay", welcome["head"] + 4)
        assert "inbox" not in again
        pushes = [await chat.push() for _ in range(5)]
        assert [push["event"] for push in pushes] == ["message.posted"] * 3 + ["person.updated", "live"]
        assert [push["gid"] for push in pushes] == [*range(welcome["head"] + 1, again["head"] + 1), again["head"]]


async def test_a_cursor_of_another_epoch_or_of_the_future_begins_anew(
    address: Address, node: Node, ann: User, talk: str, bobs: str
) -> None:
    await ann.says(talk, "hello")
    for cursor in ({"epoch": "0" * 32, "gid": 1}, {"epoch": node.core.epoch, "gid": 10**9}):
        async with await ChatSocket.open(address) as chat:
            welcome = await chat.hello(bobs, cursor=cursor)
            assert welcome["mode"] == "reset"
            assert welcome["inbox"]["conversations"][0]["last"]["text"] == "hello"
            assert (await chat.push())["event"] == "live"


@pytest.mark.parametrize("config", [Config(limits=Limits(replay_events=2, page_items=2))], ids=["replay_events=2"])
async def test_who_missed_too_much_begins_anew_with_the_first_page(
    address: Address, node: Node, ann: User, bob: User, bobs: str
) -> None:
    for number in range(3):
        await ann.group(bob, title=f"room {number}")
    async with await ChatSocket.open(address) as chat:
        welcome = await chat.hello(bobs, cursor={"epoch": node.core.epoch, "gid": 0})
        assert welcome["mode"] == "reset"
        assert [each["title"] for each in welcome["inbox"]["conversations"]] == ["room 2", "room 1"]
        rest = await chat.call("inbox.list", after=welcome["inbox"]["next"])
        assert [each["title"] for each in rest["conversations"]] == ["room 0"]


async def test_a_long_absence_is_replayed_in_pages_while_more_comes_in(
    address: Address, node: Node, ann: User, talk: str, bobs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resume, "PAGE_EVENTS", 10)
    for number in range(1, 96):
        await ann.says(talk, str(number))
    async with await ChatSocket.open(address) as chat, trio.open_nursery() as nursery:

        async def chatter() -> None:
            for number in range(96, 151):
                await ann.says(talk, str(number))

        nursery.start_soon(chatter)
        welcome = await chat.hello(bobs, cursor={"epoch": node.core.epoch, "gid": 0})
        assert welcome["mode"] == "replay"
        texts = [(await chat.push("message.posted"))["message"]["text"] for _ in range(150)]
    assert texts == [str(number) for number in range(1, 151)]


async def test_what_comes_while_catching_up_may_be_more_than_is_held(
    address: Address, node: Node, ann: User, talk: str, bobs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is read once more then; nothing is lost or repeated."""
    assert MOST_HELD > 5
    monkeypatch.setattr("chatnode.routing.sessions.MOST_HELD", 5)
    await ann.says(talk, "1")
    meanwhile = iter([str(number) for number in range(2, 32)])

    async def more() -> None:
        for text in meanwhile:
            await ann.says(talk, text)

    started = trio.Event()
    read = node.core.db.read

    async def slow_read(function: Any) -> Any:
        result = await read(function)
        if "events_of" in function.__code__.co_names and not started.is_set():
            started.set()
            await more()
        return result

    monkeypatch.setattr(node.core.db, "read", slow_read)
    async with await ChatSocket.open(address) as chat:
        await chat.hello(bobs, cursor={"epoch": node.core.epoch, "gid": 0})
        texts = [(await chat.push("message.posted"))["message"]["text"] for _ in range(31)]
        assert (await chat.push())["event"] == "live"
        await ann.says(talk, "after")
        assert (await chat.push())["message"]["text"] == "after"
    assert started.is_set()
    assert texts == [str(number) for number in range(1, 32)]


# ---- the end


@with_limits(outbox_bytes=50_000, posts_per_minute=0)
async def test_a_reader_who_is_too_slow_is_closed_and_resumes_without_loss(
    address: Address, node: Node, ann: User, talk: str, bobs: str
) -> None:
    async with await ChatSocket.open(address, receive_buffer=4_096) as slow:
        welcome = await slow.hello(bobs)
        await slow.push("live")
        while len(node.sessions):
            await fill(ann, talk, "x" * 15_000, 10)
        pushes, closed = await slow.pushes_to_the_end("message.posted")
        assert closed.code == 4100
    assert node.core.metrics.overflows == 1
    heard = [push["message"]["seq"] for push in pushes]
    cursor = {"epoch": welcome["epoch"], "gid": pushes[-1]["gid"]}
    head = (await ann.call("conversations.get", conversation=talk))["conversation"]["head"]
    assert 0 < len(heard) < head
    async with await ChatSocket.open(address) as again:
        assert (await again.hello(bobs, cursor=cursor))["mode"] == "replay"
        while heard[-1] < head:
            heard.append((await again.push("message.posted"))["message"]["seq"])
    assert heard == list(range(1, head + 1))


@with_limits(posts_per_minute=0)
async def test_an_answer_larger_than_the_outbox_is_no_reason_to_close(address: Address, ann: User, anns: str) -> None:
    """The client reads as fast as it can; asking again would only end in the same way."""
    notes = await ann.direct(ann)
    await fill(ann, notes, "€" * 16_000, 300)
    async with await ChatSocket.signed_in(address, anns) as chat:
        page = await chat.call("messages.list", conversation=notes, limit=300)
        assert len(page["messages"]) == 300


async def test_a_revoked_device_is_closed_for_good(address: Address, ann: User, anns: str) -> None:
    program = await token_of(ann)
    number = await program.session()
    async with await ChatSocket.signed_in(address, program.secret) as there:
        async with await ChatSocket.signed_in(address, anns) as here:
            assert await here.call("sessions.revoke", session=number) == {"revoked": 1}
            assert (await there.push())["event"] == "session.revoked"
            assert (await there.closed()).code == 4001
            await here.call("people.me")
    async with await ChatSocket.open(address) as again:
        with refused("unauthenticated"):
            await again.hello(program.secret)


async def test_a_token_revoked_while_hello_is_answered_is_closed_too(
    address: Address, node: Node, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between finding the token good and being routed to there is a moment."""
    program = await token_of(ann)
    number = await program.session()
    authenticate = greeting.authenticate

    async def revoked_meanwhile(*args: Any) -> Any:
        found = await authenticate(*args)
        await ann.call("sessions.revoke", session=number)
        return found

    monkeypatch.setattr(greeting, "authenticate", revoked_meanwhile)
    async with await ChatSocket.open(address) as chat:
        with refused("unauthenticated"):
            await chat.hello(program.secret)
        await ann.call("people.update", name="not for those who are signed out")
        monkeypatch.undo()
        with refused("unauthenticated"):
            await chat.hello(program.secret)
        assert not chat.pushes
    assert len(node.sessions) == 0


async def test_the_upgrade_lets_the_cookie_slide_with_the_session(address: Address, node: Node, ann: User) -> None:
    """A page that asks for nothing over HTTP stays signed in all the same."""
    device = await with_password(node, "cleo")
    token = (await node.table.run(Caller(node.core), "sessions.create", {"handle": "cleo", "password": PASSWORD})).token
    program = (await token_of(device)).secret

    async def upgraded(headers: dict[str, str]) -> str:
        async with await ChatSocket.open(address, headers=headers) as chat:
            return chat.response.headers.get("Set-Cookie", "")

    cookie = {"Cookie": f"{COOKIE}={token}"}
    assert (await upgraded(cookie)).startswith(f"{COOKIE}={token}; ")
    assert await upgraded(cookie) == ""  # it was moved a moment ago
    for headers in (
        {"Cookie": f"{COOKIE}={program}"},
        {"Cookie": f"{COOKIE}=wrong"},
        cookie | {"Origin": "https://evil.example.org"},
        {"Authorization": f"Bearer {token}"},
    ):
        await node.core.db.write(lambda tx: tx.execute("UPDATE sessions SET last_used_at = NULL"))
        assert await upgraded(headers) == ""


@with_limits(idle_seconds=1)
async def test_a_token_that_expires_takes_its_connections_along(address: Address, node: Node, ann: User) -> None:
    program = await token_of(ann, days=1)
    number = await program.session()
    await node.core.db.write(
        lambda tx: tx.execute("UPDATE sessions SET expires_at = ? WHERE key = ?", (tx.now + 300, number))
    )
    async with await ChatSocket.signed_in(address, program.secret) as chat:

        async def ask_on() -> None:
            while True:
                await chat.call("people.me")
                await trio.sleep(0.05)

        with pytest.raises((Closed, Refusal)) as ended, trio.fail_after(PATIENCE):
            await ask_on()
        assert "4001" in str(ended.value) or "unauthenticated" in str(ended.value)


async def test_a_device_can_sign_itself_out(address: Address, anns: str) -> None:
    async with await ChatSocket.open(address) as chat:
        welcome = await chat.hello(anns)
        await chat.ask({"id": 1, "op": "sessions.revoke", "session": welcome["session"]})
        assert (await chat.closed()).code == 4001


@pytest.mark.parametrize("leading", [{"op": "messages.list"}, {"op": "nothing"}, {"op": "people.update", "name": "A"}])
async def test_a_device_that_signs_itself_out_among_other_requests_gets_their_replies(
    address: Address, ann: User, talk: str, anns: str, leading: dict[str, Any]
) -> None:
    """The first of them, if it cannot be begun without a task, makes the others a batch."""
    first = {"id": 1, **leading} | ({"conversation": talk} if leading["op"] == "messages.list" else {})
    async with await ChatSocket.open(address) as chat:
        welcome = await chat.hello(anns)
        await chat.push("live")
        signed_out = {"id": 3, "op": "sessions.revoke", "session": welcome["session"]}
        await chat.ask(first, post(talk, "stored", 2), signed_out, post(talk, "refused", 4))
        await chat.reply(1)
        assert "ok" in await chat.reply(2)
        assert (await chat.reply(3))["ok"] == {"revoked": 1}
        assert (await chat.closed()).code == 4001
        assert all("ok" not in frame for frame in (*chat.frames, *chat.replies.values()))
    assert await ann.reads(talk) == ["stored"]


async def test_a_new_role_closes_the_session_which_resumes_with_it(address: Address, node: Node, anns: str) -> None:
    async with await ChatSocket.open(address) as chat:
        welcome = await chat.hello(anns)
        await chat.push("live")
        with refused("forbidden"):
            await chat.call("node.check")
        await node.call("people.role", person="ann", role="admin")
        changed = await chat.push()
        assert (changed["event"], changed["role"]) == ("role.changed", "admin")
        assert (await chat.closed()).code == 4101
    cursor = {"epoch": welcome["epoch"], "gid": changed["gid"]}
    async with await ChatSocket.signed_in(address, anns, cursor) as chat:
        await chat.call("node.check")


@with_limits(idle_seconds=1)
async def test_who_is_silent_is_pinged_and_ended_when_they_stay_silent(
    address: Address, node: Node, anns: str, bobs: str
) -> None:
    async with await ChatSocket.signed_in(address, anns) as alive, await ChatSocket.signed_in(address, bobs) as dead:
        started = trio.current_time()
        with trio.fail_after(PATIENCE):
            while len(node.sessions) == 2:  # nobody reads for `dead`
                with trio.move_on_after(0.05):
                    await alive.read()
        assert trio.current_time() - started > 0.5
        assert alive.pings >= 1
        await alive.call("people.me")
        assert ((await dead.closed()).code, dead.pings) == (None, 1)


async def test_a_ping_is_answered(address: Address, anns: str) -> None:
    async with await ChatSocket.signed_in(address, anns) as chat:
        await chat.ping(b"are you there?")
        data = await chat.receive()
        assert data == b"\x8a\x0eare you there?"


async def test_a_client_closes_and_is_answered(address: Address, node: Node, anns: str) -> None:
    async with await ChatSocket.signed_in(address, anns) as chat:
        chat.protocol.send_close(1000, "bye")
        await chat.ask()
        assert (await chat.closed()).code == 1000
    await wait_live(node, 0)


async def test_a_stopping_node_tells_its_clients_to_resume(node: Node, ann: User, anns: str, talk: str) -> None:
    async with serving(node) as address:
        signed_in, not_yet = await ChatSocket.signed_in(address, anns), await ChatSocket.open(address)
        await ann.says(talk, "the last word")
    async with signed_in, not_yet:
        assert (await signed_in.push("message.posted"))["message"]["text"] == "the last word"
        assert (await signed_in.closed()).code == 1001
        assert (await not_yet.closed()).code == 1001
    assert len(node.sessions) == 0


async def test_frames_that_are_none_close_the_connection(address: Address, node: Node, anns: str) -> None:
    def masked(first: int, payload: bytes) -> bytes:
        return bytes((first, 0x80 | len(payload))) + bytes(4) + payload

    for data, code in (
        (masked(0x82, b"binary"), 1003),
        (masked(0x81, b'"\xff"'), 1007),
        (b"\x81\x02{}", 1002),  # not masked
        (masked(0xC1, b"{}"), 1002),  # a reserved bit
        (b"\x81\xff" + (262_145).to_bytes(8, "big") + bytes(4), 1009),
    ):
        async with await ChatSocket.signed_in(address, anns) as chat:
            await chat.send(data)
            assert (await chat.closed()).code == code, data[:20]
    await wait_live(node, 0)


async def test_a_message_may_come_in_fragments(address: Address, anns: str) -> None:
    text = json.dumps({"id": 1, "op": "people.me"}).encode()
    async with await ChatSocket.signed_in(address, anns) as chat:
        for at in range(len(text)):
            first = (0x01 if at == 0 else 0x00) | (0x80 if at == len(text) - 1 else 0)
            await chat.send(bytes((first, 0x81)) + bytes(4) + text[at : at + 1])
        assert "ok" in await chat.reply(1)


# ---- frames that say nothing

PING = b"\x89\x80\0\0\0\0"


def masked_text(text: bytes) -> bytes:
    return bytes((0x81, 0x80 | len(text))) + bytes(4) + text


@with_limits(hello_frames=3)
@pytest.mark.parametrize("frame", [PING, masked_text(b"{}"), b"\x01\x80\0\0\0\0" + b"\x00\x80\0\0\0\0" * 4], ids=[
    "pings", "requests", "fragments",
])  # fmt: skip
async def test_so_many_frames_before_hello_and_no_more(address: Address, anns: str, frame: bytes) -> None:
    async with await ChatSocket.open(address) as chat:
        for _ in range(2):
            await chat.ping()
        assert (await chat.hello(anns))["me"]["handle"] == "ann"  # the third
    async with await ChatSocket.open(address) as chat:
        await chat.send(frame * 4)
        closed = await chat.closed()
    assert (closed.code, closed.reason) == (4003, "more than 3 frames before hello")


@with_limits(hello_bytes=1_000)
async def test_a_message_before_hello_is_short(address: Address, anns: str) -> None:
    text = json.dumps({"id": 2, "op": "people.me", "x": "x" * 2_000}).encode()
    long = bytes((0x81, 0xFE)) + len(text).to_bytes(2, "big") + bytes(4) + text
    async with await ChatSocket.open(address) as chat:
        assert (await chat.hello(anns))["me"]["handle"] == "ann"
        await chat.send(long)  # after it, the limit is another
        assert (await chat.reply(2))["error"]["code"] == "invalid"
    async with await ChatSocket.open(address) as chat:
        await chat.send(long)
        closed = await chat.closed()
    assert (closed.code, closed.reason) == (1009, "more than 1000 bytes before hello")


@with_limits(frames_per_minute=10)
async def test_so_many_control_frames_and_fragments_a_minute(address: Address, anns: str) -> None:
    async with await ChatSocket.signed_in(address, anns) as chat:
        await chat.send(PING * 10)
        for _ in range(20):
            await chat.call("people.me")  # whole messages have limits of their own
        await chat.send(PING)
        assert (await chat.closed()).code == 4003


async def test_pings_without_end_give_others_their_turn(address: Address, anns: str) -> None:
    async with await ChatSocket.open(address) as noisy:
        await noisy.send(PING * 2_000)
        assert (await noisy.closed()).code == 4003
    async with await ChatSocket.signed_in(address, anns) as chat:
        await chat.send(PING * 2_000)
        for _ in range(2_000):
            await chat.exactly(2)


@with_limits(in_flight=0)
async def test_pings_are_answered_without_a_limit_of_requests_too(address: Address, anns: str) -> None:
    async with await ChatSocket.signed_in(address, anns) as chat:
        await chat.send(PING * 100)
        for _ in range(100):
            assert await chat.exactly(2) == b"\x8a\x00"
        await chat.call("people.me")


async def test_a_ping_is_answered_before_the_requests_it_came_with(node: Node, anns: str) -> None:
    may_answer = trio.Event()

    async def slow(*_: object) -> object:
        await may_answer.wait()
        raise Refusal("not_found", "at last")

    replace_handler(node, "people.me", slow)
    async with serving(node) as address, await ChatSocket.signed_in(address, anns) as chat:
        await chat.send(masked_text(b'{"id": 1, "op": "people.me"}') + PING)
        assert await chat.exactly(2) == b"\x8a\x00"
        may_answer.set()
        assert b"at last" in await chat.receive()


async def test_a_close_frame_is_answered_behind_the_replies(address: Address, anns: str) -> None:
    async with await ChatSocket.signed_in(address, anns) as chat:
        await chat.send(masked_text(b'{"id": 1, "op": "people.me"}') + b"\x88\x82\0\0\0\0\x03\xe8")
        data = await chat.rest()
    assert b'"handle":"ann"' in data
    assert data.endswith(b"\x88\x02\x03\xe8")
