"""The client against a node in the same trio run, with a proxy between them where connections are to break."""

from __future__ import annotations

import io
import os
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast
from uuid import UUID

import attrs
import pytest
import trio
import trio.testing
import trustme

from chatnode import errors
from chatnode.client import (
    Client,
    ConnectionLost,
    Interrupted,
    Live,
    Pushed,
    Refusal,
    Reset,
    SignedOut,
    Unreachable,
    accept_invite,
    connect,
    new_cid,
    sign_in,
)
from chatnode.client.calls import REPEATABLE
from chatnode.client.errors import refusal_of
from chatnode.model.commands.resume import Cursor
from chatnode.model.events import MessagePosted
from chatnode.protocol.envelopes import Push
from chatnode.services import COMMANDS

from .conftest import CONFIG, Served, served, texts, until_live
from .proxy import Proxy


@pytest.fixture
async def proxy(node: Served, nursery: trio.Nursery) -> Proxy:
    between = Proxy(node.url)
    await nursery.start(between.run)
    return between


async def wait_lost(client: Client) -> None:
    with trio.fail_after(10):
        while client.connected:  # noqa: ASYNC110 - the client says so among the events only
            await trio.sleep(0.01)


async def wait_connected(client: Client) -> None:
    with trio.fail_after(30):
        while not client.connected:  # noqa: ASYNC110
            await trio.sleep(0.01)


# ---- a dialogue


async def test_two_people_talk(ann: Client, bob: Client) -> None:
    conversation = await ann.direct("bob")
    assert await bob.direct("ann") == conversation
    asked = await ann.post(conversation, "Are you there, @bob?")
    await bob.post(conversation, "Yes.", reply_to=asked.message)
    assert await texts(ann, 2) == await texts(bob, 2) == ["Are you there, @bob?", "Yes."]
    history = await bob.history(conversation)
    assert [(message.seq, message.sender.handle) for message in history] == [(1, "ann"), (2, "bob")]
    assert history[1].reply_to == asked.message == history[0].message


async def test_an_event_comes_as_its_class_and_with_its_fields(ann: Client, bob: Client) -> None:
    conversation = await bob.direct("ann")
    posted = await bob.post(conversation, "hello", cid="mine-1")
    async for item in ann.events():
        if isinstance(item, Pushed) and item.gid == posted.gid:
            break
    assert isinstance(item.event, MessagePosted)
    assert item.event.message.cid == "mine-1"
    assert item.fields["message"]["text"] == "hello"
    assert item.cursor == Cursor(ann.epoch, posted.gid)


async def test_inbox_marks_and_receipts(ann: Client, bob: Client) -> None:
    group = await ann.create_group("Boats", ["bob"])
    posted = await ann.post(group, "@bob, look")
    (entry,) = (await bob.inbox()).conversations
    assert (entry.title, entry.unread, entry.mentions) == ("Boats", 1, 1)
    assert (await bob.read(group, entry.head)).unread == 0
    (receipt,) = await ann.receipts(posted.message)
    assert receipt.person.handle == "bob"
    assert receipt.read_at is not None
    assert [member.person.handle for member in await ann.members(group)] == ["ann", "bob"]


async def test_the_first_item_without_a_cursor_is_a_reset(node: Served, ann: Client) -> None:
    group = await ann.create_group("Boats", ["ann"])
    async with connect(node.url, await node.token("ann")) as other:
        (reset,) = await until_live(other)
        assert isinstance(reset, Reset)
        assert [entry.conversation for entry in reset.inbox.conversations] == [group]


async def test_events_are_for_one_task_at_a_time(ann: Client) -> None:
    await until_live(ann)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(anext, ann.events())
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(RuntimeError, match="is waiting for the next item"):
            await anext(ann.events())
        nursery.cancel_scope.cancel()


async def test_refusals_have_the_nodes_code_and_path(ann: Client) -> None:
    with pytest.raises(Refusal, match="no such conversation") as caught:
        await ann.post("0" * 32, "hello")
    assert (caught.value.code, caught.value.path) == ("not_found", "conversation")
    with pytest.raises(Refusal) as caught:
        await ann.call("no.such.command")
    assert caught.value.code == "unknown_command"


async def test_errors_of_the_body_come_out_as_they_are(node: Served) -> None:
    token = await node.token("ann")
    with pytest.raises(ZeroDivisionError):
        async with connect(node.url, token):
            raise ZeroDivisionError


async def test_replies_find_their_callers(ann: Client) -> None:
    group = await ann.create_group("Numbers")
    seqs: dict[int, int] = {}

    async def post(number: int) -> None:
        seqs[number] = (await ann.post(group, str(number))).seq

    async with trio.open_nursery() as nursery:
        for number in range(100):
            nursery.start_soon(post, number)
    history = await ann.history(group, limit=200)
    assert {int(message.text): message.seq for message in history} == seqs


async def test_a_cancelled_command_leaves_the_client_usable(ann: Client) -> None:
    group = await ann.create_group("Boats")
    with trio.move_on_after(0):
        await ann.post(group, "never mind")
    with trio.move_on_after(0.001):
        await ann.history(group)
    assert (await ann.post(group, "after")).seq in (1, 2)


def test_cids_are_uuid7_and_differ() -> None:
    cids = {new_cid() for _ in range(1_000)}
    assert len(cids) == 1_000
    assert {(UUID(cid).version, UUID(cid).variant) for cid in cids} == {(7, "specified in RFC 4122")}


# ---- signing in


async def test_signing_in_by_password(node: Served, ann: Client) -> None:
    signed_in = await sign_in(node.url, "ann", "correct horse", "the test")
    assert signed_in.person.handle == "ann"
    async with connect(node.url, signed_in.token, events=False) as client:
        assert client.me.handle == "ann"
    with pytest.raises(Refusal) as caught:
        await sign_in(node.url, "ann", "wrong horse")
    assert caught.value.code == "wrong_password"


async def test_an_invite_makes_an_account(node: Served) -> None:
    code = (await node.node.call("invites.create"))["code"]
    with pytest.raises(Refusal) as caught:
        await accept_invite(node.url, code, "cleo", "short")
    assert caught.value.path == "password"
    signed_in = await accept_invite(node.url, code, "cleo", "long enough", "Cleo")
    assert (signed_in.person.handle, signed_in.person.name) == ("cleo", "Cleo")


async def test_what_is_not_a_node_is_unreachable(node: Served) -> None:
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    for url in (
        f"http://127.0.0.1:{port}",
        "ftp://example.org",
        "127.0.0.1:8008",
        "http://[::1",
        f"{node.url}/elsewhere",
    ):
        with pytest.raises(Unreachable):
            async with connect(url, "token"):
                pass


async def test_a_connection_cut_before_it_began_is_unreachable(proxy: Proxy) -> None:
    proxy.refuses = True
    with trio.fail_after(10), pytest.raises(Unreachable, match="closed the connection"):
        async with connect(proxy.url, "token"):
            pass


async def test_over_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    issued.private_key_and_cert_chain_pem.write_to_path(str(certificate))
    issued.private_key_pem.write_to_path(str(key))
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    server = attrs.evolve(CONFIG.server, tls_certificate=str(certificate), tls_key=str(key))
    async with served(tmp_path / "data", attrs.evolve(CONFIG, server=server)) as node:
        token = await node.token("ann")
        async with connect(node.url, token, tls=trust) as ann:
            await ann.post(await ann.direct("ann"), "in private")
            assert await texts(ann, 1) == ["in private"]
            await _send_a_file(ann, tmp_path)
        assert (await sign_in(node.url, "ann", "correct horse", tls=trust)).person.handle == "ann"
        with pytest.raises(Unreachable, match="certificate verify failed"):
            async with connect(node.url, token):
                pass
        with pytest.raises(Unreachable):
            async with connect(node.url.replace("https:", "http:"), token):
                pass


async def _send_a_file(ann: Client, directory: Path) -> None:
    content = os.urandom(2**21)
    file = await ann.upload(io.BytesIO(content), name="a")
    assert (await ann.download(file, directory / "a")).read_bytes() == content


# ---- losing the connection


@asynccontextmanager
async def through(proxy: Proxy, node: Served, handle: str) -> AsyncIterator[Client]:
    async with connect(proxy.url, await node.token(handle)) as client:
        yield client


async def test_resumes_after_a_cut_without_loss_or_repeats(node: Served, proxy: Proxy, ann: Client) -> None:
    group = await ann.create_group("Boats", [])
    await node.token("bob")
    await ann.add_member(group, "bob")
    count = 120

    async def keep_posting(bob: Client) -> None:
        for number in range(count):
            await ann.post(group, str(number))
            if number % 30 == 10:
                proxy.cut()
            if number % 30 == 20:
                await wait_connected(bob)

    async with through(proxy, node, "bob") as bob, trio.open_nursery() as nursery:
        nursery.start_soon(keep_posting, bob)
        assert await texts(bob, count) == [str(number) for number in range(count)]
    assert proxy.connections > 2


async def test_says_interrupted_then_what_was_missed_then_live(node: Served, proxy: Proxy, ann: Client) -> None:
    async with through(proxy, node, "bob") as bob:
        conversation = await ann.direct("bob")
        await ann.post(conversation, "before")
        await texts(bob, 1)
        proxy.refuses = True
        proxy.cut()
        await wait_lost(bob)
        await ann.post(conversation, "meanwhile")
        proxy.refuses = False
        interrupted, missed = await until_live(bob)
        assert isinstance(interrupted, Interrupted)
        assert isinstance(missed, Pushed)
        assert missed.fields["message"]["text"] == "meanwhile"


async def test_a_post_whose_ack_was_lost_is_there_once(node: Served, proxy: Proxy, ann: Client) -> None:
    conversation = await ann.direct("ann")
    async with through(proxy, node, "ann") as client, trio.open_nursery() as nursery:
        proxy.hold_answers()

        async def post() -> None:
            posted = await client.post(conversation, "once")
            assert (posted.dup, posted.seq) == (True, 1)

        nursery.start_soon(post)
        assert await texts(ann, 1) == ["once"]  # it is committed, and its ack is held back
        proxy.cut()
        proxy.let_answer()
    assert [message.text for message in await ann.history(conversation)] == ["once"]


async def test_what_may_not_be_repeated_raises(node: Served, proxy: Proxy) -> None:
    async with through(proxy, node, "ann") as client:
        proxy.hold_answers()
        async with trio.open_nursery() as nursery:

            async def create() -> None:
                with pytest.raises(ConnectionLost):
                    await client.create_group("Once at most")

            nursery.start_soon(create)
            await trio.sleep(0.2)
            proxy.cut()
            proxy.let_answer()
        with trio.fail_after(10):
            assert len((await client.inbox()).conversations) in (0, 1)


async def test_what_a_plugin_reads_is_repeated_and_what_it_writes_is_not(
    node: Served, proxy: Proxy, ann: Client
) -> None:
    message = (await ann.post(await ann.direct("ann"), "hello")).message
    done: list[str] = []

    async def read(client: Client) -> None:
        assert (await client.call("reactions.list", message=message))["reactions"] == []
        done.append("read")

    async def write(client: Client) -> None:
        with pytest.raises(ConnectionLost):
            await client.call("contacts.add", person="ann")
        done.append("lost")

    async with through(proxy, node, "ann") as client:
        proxy.hold_answers()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read, client)
            nursery.start_soon(write, client)
            await trio.sleep(0.2)
            proxy.cut()
            proxy.let_answer()
    assert sorted(done) == ["lost", "read"]


async def test_what_is_too_large_for_a_frame_is_refused_and_nothing_else_is(ann: Client) -> None:
    group = await ann.create_group("Boats")

    async def post_too_much() -> None:
        with pytest.raises(Refusal) as caught:
            await ann.post(group, "x" * 300_000)
        assert caught.value.code == "too_large"

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ann.post, group, "before")
            nursery.start_soon(post_too_much)
            nursery.start_soon(ann.post, group, "after")
    assert {message.text for message in await ann.history(group)} == {"before", "after"}


async def test_what_was_not_sent_yet_waits_for_the_next_connection(node: Served, proxy: Proxy) -> None:
    async with through(proxy, node, "ann") as client:
        proxy.refuses = True
        proxy.cut()
        await wait_lost(client)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.create_group, "Later")
            await trio.sleep(0.5)
            proxy.refuses = False
        (entry,) = (await client.inbox()).conversations
        assert entry.title == "Later"


async def test_a_restarted_node_is_found_again(tmp_path: Path, nursery: trio.Nursery) -> None:
    started, stopped, done = trio.Event(), trio.Event(), trio.Event()

    async def talk(url: str, token: str) -> None:
        async with connect(url, token) as client:
            conversation = await client.direct("ann")
            await client.post(conversation, "before")
            started.set()
            await stopped.wait()
            await client.post(conversation, "after")
            assert await texts(client, 2) == ["before", "after"]
        done.set()

    async with served(tmp_path) as node:
        bind = node.url.removeprefix("http://")
        nursery.start_soon(talk, node.url, await node.token("ann"))
        await started.wait()
    stopped.set()
    async with served(tmp_path, bind=bind):
        with trio.fail_after(60):
            await done.wait()


# ---- starting from scratch


async def test_a_cursor_goes_on_where_it_was_taken(node: Served, ann: Client) -> None:
    conversation = await ann.direct("ann")
    token = await node.token("ann")
    async with connect(node.url, token) as client:
        await ann.post(conversation, "one")
        async for item in client.events():
            if isinstance(item, Pushed) and isinstance(item.event, MessagePosted):
                break
        cursor = item.cursor
        await ann.post(conversation, "two")  # came to the client, was not handed to the app
        await trio.sleep(0.1)
    await ann.post(conversation, "three")
    async with connect(node.url, token, cursor=cursor) as client:
        assert await texts(client, 2) == ["two", "three"]


async def test_a_program_that_dies_between_two_items_gets_the_one_that_it_died_with_again(
    node: Served, ann: Client
) -> None:
    conversation = await ann.direct("ann")
    token = await node.token("ann")
    kept: list[Cursor | None] = []

    async def program(die_at: str) -> list[str]:
        """Does something with each message, and keeps the client's cursor, whenever it gets round to it."""
        done: list[str] = []
        async with connect(node.url, token, cursor=kept[-1] if kept else None) as client:
            async for item in client.events():
                kept.append(client.cursor)
                if isinstance(item, Pushed) and isinstance(item.event, MessagePosted):
                    if item.event.message.text == die_at:
                        return done
                    done.append(item.event.message.text)
                elif isinstance(item, Live) and not die_at:
                    return done
        return done

    async with trio.open_nursery() as nursery:
        first: list[str] = []

        async def run() -> None:
            first.extend(await program("two"))

        nursery.start_soon(run)
        while not kept:  # noqa: ASYNC110
            await trio.sleep(0.01)
        for text in ("one", "two", "three"):
            await ann.post(conversation, text)
    assert first == ["one"]
    assert await program("") == ["two", "three"]


async def test_a_cursor_of_another_epoch_is_reset(node: Served, ann: Client) -> None:
    conversation = await ann.direct("ann")
    await ann.post(conversation, "hello")
    async with connect(node.url, await node.token("ann"), cursor=Cursor("0" * 32, 1)) as client:
        (reset,) = await until_live(client)
        assert isinstance(reset, Reset)
        assert reset.inbox.conversations[0].head == 1
        assert client.cursor is not None
        assert client.cursor.epoch == client.epoch == ann.epoch


async def test_who_was_away_too_long_is_reset(tmp_path: Path, nursery: trio.Nursery) -> None:
    limits = attrs.evolve(CONFIG.limits, replay_events=5)
    async with served(tmp_path, attrs.evolve(CONFIG, limits=limits)) as node:
        proxy = Proxy(node.url)
        await nursery.start(proxy.run)
        async with connect(node.url, await node.token("ann")) as ann, through(proxy, node, "bob") as bob:
            conversation = await ann.direct("bob")
            await until_live(bob)
            proxy.refuses = True
            proxy.cut()
            await wait_lost(bob)
            for number in range(10):
                await ann.post(conversation, str(number))
            proxy.refuses = False
            *_, reset = await until_live(bob)
            assert isinstance(reset, Reset)
            assert reset.inbox.conversations[0].unread == 10
            await ann.post(conversation, "after")
            assert await texts(bob, 1) == ["after"]
        nursery.cancel_scope.cancel()


async def test_unknown_events_and_keys_of_a_newer_node_are_let_pass(node: Served, ann: Client) -> None:
    await until_live(ann)
    (session,) = node.node.sessions.all()
    session.send(Push(None, "weather", b'{"event":"weather","sun":true}'))
    gid = session.gid + 1
    session.send(
        Push(gid, "message.edited", b'{"gid":%d,"event":"message.edited","conversation":"c","by":"them"}' % gid)
    )
    session.send(
        Push(
            gid + 1,
            "receipt.read",
            b'{"gid":%d,"event":"receipt.read","conversation":"c","person":{"id":"p","handle":"bob","mood":"good"},'
            b'"seq":3,"at":"now","device":{"kind":"watch"}}' % (gid + 1),
        )
    )
    session.send(Push(gid + 1, "receipt.read", b'{"gid":%d,"event":"receipt.read"}' % (gid + 1)))  # a repeat
    session.flush()
    events = ann.events()
    weather, edited, read = [await anext(events) for _ in range(3)]
    assert isinstance(weather, Pushed)
    assert isinstance(edited, Pushed)
    assert isinstance(read, Pushed)
    assert (weather.gid, weather.event, weather.fields) == (None, None, {"sun": True})
    assert (edited.name, edited.event, edited.fields["by"]) == ("message.edited", None, "them")
    assert read.event is not None
    with trio.move_on_after(0.2) as quiet:
        await anext(events)
    assert quiet.cancelled_caught


async def test_unknown_refusal_codes_are_refusals(monkeypatch: pytest.MonkeyPatch, ann: Client) -> None:
    monkeypatch.setitem(errors.STATUS, "too_sleepy", 418)
    node_side = errors.Refusal("too_sleepy", "not before noon", path="conversation").as_json()
    monkeypatch.undo()
    refusal = refusal_of(node_side | {"temporary": True, "new_key": 1})
    assert (refusal.code, refusal.path, refusal.temporary, refusal.status) == ("too_sleepy", "conversation", True, 500)
    assert "not before noon" in str(refusal)
    for odd in (None, [], {"code": 7}, {"message": None}):
        assert refusal_of(odd).code == "internal"


# ---- the end


async def test_a_revoked_token_stops_the_client(node: Served, ann: Client) -> None:
    async with connect(node.url, await node.token("ann")) as client:
        await until_live(client)
        await ann.call("sessions.revoke", session=client.session)
        with trio.fail_after(10), pytest.raises(SignedOut):
            await until_live(client)
        with pytest.raises(SignedOut):
            await client.inbox()


async def test_a_token_revoked_while_away_stops_the_client(node: Served, proxy: Proxy, ann: Client) -> None:
    async with through(proxy, node, "ann") as client:
        proxy.refuses = True
        proxy.cut()
        await wait_lost(client)
        await ann.call("sessions.revoke", session=client.session)
        proxy.refuses = False
        with trio.fail_after(30), pytest.raises(SignedOut):
            await client.inbox()


async def test_a_bad_token_is_told_at_once(node: Served) -> None:
    with pytest.raises(SignedOut, match="unknown or was revoked"):
        async with connect(node.url, "not-a-token"):
            pass
    for never_one in ("tokén", "\udcff"):
        with pytest.raises(SignedOut, match="this is not a token"):
            async with connect(node.url, never_one):
                pass
    unset = cast("str", None)
    with pytest.raises(TypeError, match="the token must be a string, not NoneType"):
        async with connect(node.url, unset):
            pass


# ---- an app that is slow


async def test_a_slow_app_gets_everything_in_order(node: Served, proxy: Proxy, ann: Client) -> None:
    group = await ann.create_group("Boats")
    async with connect(proxy.url, await node.token("ann"), unread_bytes=10_000) as slow:
        await until_live(slow)
        for number in range(300):
            await ann.post(group, f"{number} " + "x" * 500)
        # Replies pass by the events that nobody has taken.
        for _ in range(3):
            with trio.fail_after(30):
                assert (await slow.history(group, limit=1))[0].seq == 300
        assert [int(text.split()[0]) for text in await texts(slow, 300)] == list(range(300))
    assert proxy.connections > 1  # what did not fit was let go, and fetched again when it was wanted


async def test_an_app_that_answers_every_event_gets_on(node: Served, ann: Client) -> None:
    group = await ann.create_group("Boats")
    answered: list[int] = []
    async with connect(node.url, await node.token("ann"), unread_bytes=5_000) as slow:
        await until_live(slow)
        for number in range(100):
            await ann.post(group, f"{number} " + "x" * 500)
        with trio.fail_after(60):
            async for item in slow.events():
                if isinstance(item, Pushed) and isinstance(item.event, MessagePosted):
                    await slow.read(group, item.event.message.seq)
                    answered.append(int(item.event.message.text.split()[0]))
                    if len(answered) == 100:
                        break
    assert answered == list(range(100))


async def test_without_events_nothing_is_kept(node: Served, proxy: Proxy, ann: Client) -> None:
    group = await ann.create_group("Boats")
    async with connect(proxy.url, await node.token("ann"), events=False, unread_bytes=1_000) as client:
        for number in range(50):
            await ann.post(group, f"{number} " + "x" * 500)
        proxy.cut()
        assert (await client.history(group, limit=1))[0].seq == 50
        with trio.move_on_after(0.1) as quiet:
            await anext(client.events())
        assert quiet.cancelled_caught


async def test_events_end_with_the_client(node: Served) -> None:
    async with connect(node.url, await node.token("ann")) as client:
        events = client.events()
        assert isinstance(await anext(events), Reset)
        assert isinstance(await anext(events), Live)
    assert [item async for item in events] == []
    with pytest.raises(ConnectionLost):
        await client.inbox()


def test_what_may_be_repeated_is_what_the_node_declares() -> None:
    """The client does not import the node's commands to know them."""
    assert {each.name for each in COMMANDS if each.repeatable} == REPEATABLE
    assert {each.name for each in COMMANDS if each.reads} < REPEATABLE


async def test_messages_are_edited_deleted_and_found(node: Served, ann: Client, bob: Client) -> None:
    group = await ann.create_group("Garden", ["bob"])
    message = (await ann.post(group, "rosse")).message
    assert (await ann.edit(message, "roses")).text == "roses"
    assert [hit.message.message for hit in (await bob.search("roses")).results] == [message]
    assert (await ann.delete(message)).deleted_at is not None
    assert (await bob.search("roses", limit=5)).results == []
    assert (await bob.settings(group, notify="none")).notify == "none"
    await ann.remove_member(group, "bob")
    assert [member.person.handle for member in await ann.members(group)] == ["ann"]
    await ann.add_member(group, "bob")
    assert [member.person.handle for member in await ann.members(group)] == ["ann", "bob"]
    await bob.block("ann")
    assert [person.handle for person in await bob.blocked()] == ["ann"]
    await bob.unblock("ann")
    assert await bob.blocked() == []


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example", "exa_mple..org"])
async def test_a_host_that_can_be_none_is_unreachable(host: str) -> None:
    with pytest.raises(Unreachable, match=re.escape(host)):
        async with connect(f"http://{host}:8008", "token"):
            pass
