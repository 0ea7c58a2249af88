"""Server-sent events: the pushes of a session for readers that only listen."""

from __future__ import annotations

import contextlib

import pytest
import trio

from chatnode.config import Config, Limits, Server
from chatnode.dispatch.caller import Caller
from chatnode.model.times import now_ms
from chatnode.node import Node
from chatnode.routing import resume, sessions
from chatnode.services.sign_in import authenticate
from chatnode.testing import User
from chatnode.transport import event_stream
from tests.services.dialogue import fill, token_of

from .clients import Address, Ended, EventStream, Http, bearer, serving, wait_live


@pytest.fixture
async def talk(ann: User, bob: User) -> str:
    return await ann.direct(bob)


async def texts_until(stream: EventStream, last: str) -> list[str]:
    """The texts of the messages up to this one."""
    texts: list[str] = []
    while not texts or texts[-1] != last:
        texts.append((await stream.take("message.posted")).data["message"]["text"])
    return texts


# ---- beginning


async def test_a_stream_begins_with_what_there_is_and_goes_on_with_what_happens(
    address: Address, node: Node, ann: User, bob: User, talk: str, bobs: str
) -> None:
    await ann.says(talk, "before")
    async with await EventStream.open(address, bobs) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["x-accel-buffering"] == "no"
        assert stream.headers["cache-control"] == "no-store, no-transform"
        welcome = await stream.next()
        assert welcome is not None
        assert (welcome.event, welcome.data["mode"], welcome.data["me"]["handle"]) == ("welcome", "reset", "bob")
        assert [each["last"]["text"] for each in welcome.data["inbox"]["conversations"]] == ["before"]
        assert welcome.id == f"{node.core.epoch}.{welcome.data['head']}"
        live = await stream.next()
        assert live is not None
        assert (live.event, live.data["gid"], live.id) == ("live", welcome.data["head"], None)

        posted = await ann.posts(talk, "now")
        push = await stream.next()
        assert push is not None
        assert (push.event, push.id) == ("message.posted", f"{node.core.epoch}.{posted['gid']}")
        assert push.data["message"]["text"] == "now"


async def test_a_stream_is_for_those_who_are_signed_in(address: Address, anns: str) -> None:
    async with await Http.open(address) as http:
        for headers in ({}, bearer("wrong"), {"Cookie": f"chatnode_session={anns}", "Origin": "https://evil.org"}):
            assert (await http.request("GET", "/v1/events", headers=headers)).status == 401
        assert (await http.request("POST", "/v1/events", b"", bearer(anns))).status in (404, 405)


async def test_everybody_hears_only_their_own(address: Address, ann: User, bob: User, bobs: str, eve: User) -> None:
    async with await EventStream.open(address, bobs) as stream:
        await stream.take("live")
        await ann.says(await ann.group(eve), "not for bob")
        await ann.says(await ann.direct(bob), "for bob")
        assert await texts_until(stream, "for bob") == ["for bob"]


# ---- coming back


async def test_a_stream_resumes_without_loss_or_repeats(address: Address, ann: User, talk: str, bobs: str) -> None:
    async with await EventStream.open(address, bobs) as stream:
        await stream.take("live")
        for number in range(3):
            await ann.says(talk, f"early {number}")
        assert (await stream.take("message.posted")).data["message"]["text"] == "early 0"
        last = (await stream.take("message.posted")).id  # "early 2" is lost with the connection
    await ann.says(talk, "while away")
    for how in ({"last": last}, {"query": f"?cursor={last}"}):
        async with await EventStream.open(address, bobs, **how) as stream:
            welcome = await stream.take("welcome")
            assert (welcome.data["mode"], welcome.id) == ("replay", None)
            assert "inbox" not in welcome.data
            missed = [await stream.next() for _ in range(3)]
            assert [each and each.event for each in missed] == ["message.posted", "message.posted", "live"]
            assert [each.data["message"]["text"] for each in missed[:2] if each] == ["early 2", "while away"]


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("presence=False", "presence"), ("presence=0", "presence"), ("presence=", "presence"),
        ("presence=true&presence=false", "presence"), ("curser=x.1", "curser"),
    ],
)  # fmt: skip
async def test_what_a_query_says_is_understood_or_refused(address: Address, bobs: str, query: str, path: str) -> None:
    async with await Http.open(address) as http:
        response = await http.request("GET", f"/v1/events?{query}", headers=bearer(bobs))
    assert (response.status, response.error["code"], response.error["path"]) == (400, "invalid", path)


async def test_no_moment_between_the_log_and_live_is_lost(address: Address, ann: User, talk: str, bobs: str) -> None:
    """Messages are posted all the time while a reader comes and goes."""
    async with trio.open_nursery() as nursery:

        async def chatter() -> None:
            for number in range(1, 61):
                await ann.says(talk, str(number))

        nursery.start_soon(chatter)
        heard: list[str] = []
        async with await EventStream.open(address, bobs) as stream:
            welcome = await stream.take("welcome")
        last = welcome.id
        if welcome.data["inbox"]["conversations"][0]["head"]:
            heard = [str(number + 1) for number in range(welcome.data["inbox"]["conversations"][0]["head"])]
        while len(heard) < 60:
            async with await EventStream.open(address, bobs, last=last) as stream:
                for _ in range(7):
                    if len(heard) == 60:
                        break
                    event = await stream.next()
                    assert event is not None
                    if event.event == "message.posted":
                        heard.append(event.data["message"]["text"])
                        last = event.id
    assert heard == [str(number) for number in range(1, 61)]


async def test_a_cursor_from_elsewhere_begins_anew(address: Address, node: Node, anns: str) -> None:
    for cursor in ("0" * 32 + ".1", f"{node.core.epoch}.999999"):
        async with await EventStream.open(address, anns, last=cursor) as stream:
            assert (await stream.take("welcome")).data["mode"] == "reset"


@pytest.mark.parametrize("config", [Config(limits=Limits(replay_events=3))], ids=["replay_events=3"])
async def test_who_missed_too_much_begins_anew(address: Address, node: Node, ann: User, talk: str, bobs: str) -> None:
    seen = (await ann.posts(talk, "seen"))["gid"]
    for number in range(3):
        await ann.says(talk, f"missed {number}")
    cursor = f"{node.core.epoch}.{seen}"
    async with await EventStream.open(address, bobs, last=cursor) as stream:
        assert (await stream.take("welcome")).data["mode"] == "replay"
    await ann.says(talk, "one more")
    async with await EventStream.open(address, bobs, last=cursor) as stream:
        assert (await stream.take("welcome")).data["mode"] == "reset"


async def test_a_cursor_that_is_none_is_refused(address: Address, node: Node, anns: str) -> None:
    async with await Http.open(address) as http:
        for cursor in ("x", "1", "-1", "0" * 32, "0" * 32 + ".-1", "0" * 32 + ".x", "9" * 500, "g" * 32 + ".1"):
            answer = await http.request("GET", "/v1/events", headers=bearer(anns) | {"Last-Event-ID": cursor})
            assert (answer.status, answer.error["code"], answer.error["path"]) == (400, "invalid", "cursor"), cursor
    assert len(node.sessions) == 0


# ---- the end


async def test_a_revoked_token_ends_its_streams_and_no_others(
    address: Address, node: Node, ann: User, anns: str
) -> None:
    program = await token_of(ann)
    async with await EventStream.open(address, anns) as mine, await EventStream.open(address, program.secret) as other:
        for stream in (mine, other):
            await stream.take("live")
        number = await program.session()
        await ann.call("sessions.revoke", session=number)
        assert (await other.take("session.revoked")).data["session"] == number
        assert await other.next() is None
        assert (await mine.take("session.revoked")).data["session"] == number
        await ann.call("people.update", name="still here")
        assert (await mine.take("person.updated")).data["person"]["name"] == "still here"
        await wait_live(node, 1)


async def test_a_token_revoked_while_a_stream_begins_ends_it(
    address: Address, node: Node, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between finding the token good and being routed to there is a moment."""
    program = await token_of(ann)
    number = await program.session()
    begin = event_stream.resume.begin

    async def revoked_meanwhile(*args: object) -> object:
        monkeypatch.undo()
        await ann.call("sessions.revoke", session=number)
        return await begin(*args)

    monkeypatch.setattr(event_stream.resume, "begin", revoked_meanwhile)
    async with await EventStream.open(address, program.secret) as stream:
        with trio.fail_after(10):
            while await stream.next() is not None:
                pass
    await wait_live(node, 0)


@pytest.mark.parametrize("waits", [True, False], ids=["while it waits", "before what it is sent"])
async def test_a_token_that_expires_ends_its_stream_and_nothing_more_is_sent(
    node: Node, ann: User, bob: User, talk: str, monkeypatch: pytest.MonkeyPatch, waits: bool
) -> None:
    token = await token_of(bob, days=1)
    context = Caller(node.core)
    context.sign_in(await authenticate(node.core, token.secret))
    context.ends_at = now_ms() + 200  # much less than the time between two comments
    response = await event_stream.event_stream(node.core, node.sessions, context, None, lambda: None)
    heard = b""
    with trio.fail_after(10):
        async with response.response as body:
            parts = aiter(body)
            while b"event: live" not in heard:
                heard += await anext(parts)
            if not waits:
                monkeypatch.setattr(sessions, "now_ms", lambda: now_ms() + 1_000)
                await ann.says(talk, "not for an expired token")
            async for part in parts:
                heard += part
    assert b"not for an expired token" not in heard
    assert len(node.sessions) == 0


@pytest.mark.parametrize("live", [False, True], ids=["while it catches up", "while its reader is slow"])
async def test_a_token_that_expires_ends_a_stream_that_has_more_to_send(
    node: Node, ann: User, bob: User, talk: str, monkeypatch: pytest.MonkeyPatch, live: bool
) -> None:
    monkeypatch.setattr(event_stream, "PART_BYTES", 1)

    async def five_messages() -> None:
        for number in range(5):
            await ann.says(talk, f"missed {number}")

    if not live:
        await five_messages()
    token = await token_of(bob, days=1)
    context = Caller(node.core)
    context.sign_in(await authenticate(node.core, token.secret))
    response = await event_stream.event_stream(node.core, node.sessions, context, f"{node.core.epoch}.1", lambda: None)
    heard = b""
    async with response.response as body:
        parts = aiter(body)
        if live:
            while b"event: live" not in heard:
                heard += await anext(parts)
            await five_messages()
        while b"missed 1" not in heard:
            heard += await anext(parts)
        monkeypatch.setattr(sessions, "now_ms", lambda: now_ms() + 2 * 86_400_000)
        async for part in parts:
            heard += part
    assert b"missed 1" in heard
    assert b"missed 2" not in heard


async def test_a_new_role_ends_a_stream_which_resumes_with_it(address: Address, node: Node, bobs: str) -> None:
    async with await EventStream.open(address, bobs) as stream:
        await stream.take("live")
        await node.call("people.role", person="bob", role="admin")
        assert (await stream.take("role.changed")).data["role"] == "admin"
        assert await stream.next() is None


async def test_a_reader_who_goes_away_is_forgotten(address: Address, node: Node, anns: str) -> None:
    async with await EventStream.open(address, anns) as stream:
        await stream.take("live")
        assert len(node.sessions) == 1
    await wait_live(node, 0)


async def test_a_quiet_stream_is_kept_open_by_comments(
    address: Address, anns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "COMMENT_SECONDS", 0.02)
    async with await EventStream.open(address, anns) as stream:
        await stream.take("live")
        for _ in range(3):
            block = await stream.block()
            assert block is not None
            assert block.startswith(":")


@pytest.mark.parametrize(
    "config", [Config(limits=Limits(outbox_bytes=50_000, posts_per_minute=0), server=Server(shutdown_seconds=0.5))],
    ids=["outbox_bytes=50000"],
)  # fmt: skip
async def test_a_reader_who_is_too_slow_is_ended_and_resumes_without_loss(
    address: Address, node: Node, ann: User, bob: User, talk: str, bobs: str
) -> None:
    heard: list[int] = []
    async with await EventStream.open(address, bobs, receive_buffer=4_096) as stream:
        last = (await stream.take("welcome")).id
        await stream.take("live")
        for _ in range(200):
            await fill(ann, talk, "x" * 15_000, 3)
        await wait_live(node, 0)  # nothing more is kept for somebody who does not read
        with contextlib.suppress(Ended):
            while (event := await stream.next()) is not None:
                heard.append(event.data["message"]["seq"])
                last = event.id
    assert len(heard) < 600
    async with await EventStream.open(address, bobs, last=last) as stream:
        while len(heard) < 600:
            heard.append((await stream.take("message.posted")).data["message"]["seq"])
    assert heard == list(range(1, 601))
    assert len(await bob.reads(talk, limit=500)) == 500


async def test_a_stopping_node_ends_its_streams(node: Node, ann: User, anns: str) -> None:
    async with serving(node) as address:
        stream = await EventStream.open(address, anns)
        await stream.take("live")
    async with stream:
        with contextlib.suppress(Ended):
            assert await stream.next() is None
    assert len(node.sessions) == 0


async def test_a_slow_reader_hears_nothing_after_being_signed_out(
    node: Node, ann: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catching up or live: what is not sent yet when the session ends is not sent."""
    monkeypatch.setattr(resume, "PAGE_EVENTS", 2)
    talk = await ann.direct(bob)
    for number in range(9):
        await ann.says(talk, f"before {number}")
    for cursor, secret in ((f"{node.core.epoch}.1", "not for strangers"), (None, "nor is this")):
        token = await token_of(bob)
        context = Caller(node.core)
        context.sign_in(await authenticate(node.core, token.secret))
        response = await event_stream.event_stream(node.core, node.sessions, context, cursor, lambda: None)
        heard = b""
        async with response.response as body:
            parts = aiter(body)
            for _ in range(2):
                heard += await anext(parts)
            await node.call("people.sign_out", person="bob")
            await ann.says(talk, secret)
            async for part in parts:
                heard += part
        assert b"event: welcome" in heard
        assert secret.encode() not in heard
        assert len(node.sessions) == 0
