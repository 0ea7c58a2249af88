"""`chatnode chat` as a process of its own: by lines, and at a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio

from chatnode.client import Client, connect

from .conftest import Served, texts, until_event
from .proxy import Proxy
from .terminal import Terminal, terminal

EVIL = "look\x1b]0;owned\x07 \x1b[2J\x9b31m \u202egnp.exe"
TAMED = "look␛]0;owned␇ ␛[2J�31m �gnp.exe"


@attrs.define
class Chat:
    """Runs the command, with state of its own."""

    state: Path
    more: dict[str, str] = attrs.field(factory=dict[str, str])

    def command(self, url: str, *arguments: str) -> list[str]:
        return [sys.executable, "-W", "error", "-m", "chatnode", "chat", "--url", url, *arguments]

    @property
    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("CHATNODE_")}
        return kept | {
            "XDG_STATE_HOME": str(self.state),
            "TERM": "xterm-256color",
            "PYTHONIOENCODING": "utf-8",
            **self.more,
        }

    async def by_lines(self, url: str, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run it to its end, without a terminal."""
        with trio.fail_after(60):
            return await trio.run_process(
                self.command(url, *arguments), stdin=stdin, capture_stdout=True, capture_stderr=True, check=False,
                env=self.environment,
            )  # fmt: skip

    def at_terminal(self, url: str, *arguments: str) -> AbstractAsyncContextManager[Terminal]:
        return terminal(self.command(url, *arguments), self.environment)


@pytest.fixture
def chat(tmp_path: Path) -> Chat:
    return Chat(tmp_path / "state")


@pytest.fixture
async def proxy(node: Served, nursery: trio.Nursery) -> Proxy:
    between = Proxy(node.url)
    await nursery.start(between.run)
    return between


# ---- by lines


async def test_lines_are_posted_in_order_and_acknowledged(node: Served, ann: Client, chat: Chat) -> None:
    lines = [f"line {number}" for number in range(50)]
    text = "\n".join(lines) + "\n\n"
    done = await chat.by_lines(node.url, "--token", await node.token("bob"), "ann", stdin=text.encode())
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    history = await ann.history(await ann.direct("bob"), limit=100)
    assert [message.text for message in history] == lines


async def test_a_last_line_needs_no_line_feed_and_bytes_need_no_utf8(node: Served, ann: Client, chat: Chat) -> None:
    await chat.by_lines(node.url, "--token", await node.token("bob"), "ann", stdin=b"caf\xc3\xa9\r\n\xff end")
    history = await ann.history(await ann.direct("bob"))
    assert [message.text for message in history] == ["café", "� end"]


async def test_what_others_say_is_printed_and_cannot_steer(node: Served, ann: Client, chat: Chat) -> None:
    token = await node.token("bob")
    group = await ann.create_group("The  boats", ["bob"])
    elsewhere = await ann.direct("bob")
    process = await trio.lowlevel.open_process(
        chat.command(node.url, "--token", token, "the boats"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=chat.environment,
    )  # fmt: skip
    async with process.stdin, process.stdout:
        await process.stdin.send_all(b"hello\n")
        assert await texts(ann, 1) == ["hello"]
        await ann.post(elsewhere, "not here")
        await ann.post(group, EVIL)
        printed = b""
        with trio.fail_after(30):
            while b"\n" not in printed:
                printed += await process.stdout.receive_some()
    assert printed.decode().rstrip().endswith(f"ann  {TAMED}")
    assert b"\x1b" not in printed
    with trio.fail_after(30):
        assert await process.wait() == 0


async def test_lines_survive_cuts(node: Served, proxy: Proxy, ann: Client, chat: Chat) -> None:
    conversation = await ann.direct(await _person(node, "bob"))
    lines = [f"line {number}" for number in range(200)]

    async def cut_now_and_then() -> None:
        await texts(ann, 40)
        proxy.cut()
        await texts(ann, 40)
        proxy.cut()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(cut_now_and_then)
        text = "\n".join(lines)
        done = await chat.by_lines(proxy.url, "--token", await node.token("bob"), "ann", stdin=text.encode())
    assert (done.returncode, done.stderr) == (0, b"")
    history = await ann.history(conversation, limit=500)
    assert [message.text for message in history] == lines


async def test_a_line_that_is_refused_is_reported(node: Served, ann: Client, chat: Chat) -> None:
    text = b"x" * 20_000 + b"\nshort\n"
    done = await chat.by_lines(node.url, "--token", await node.token("bob"), "ann", stdin=text)
    assert done.returncode == 1
    assert b"not sent: a message has at most" in done.stderr
    assert [message.text for message in await ann.history(await ann.direct("bob"))] == ["short"]


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
async def test_what_an_output_cannot_have_is_replaced(node: Served, ann: Client, chat: Chat, encoding: str) -> None:
    conversation = await ann.direct(await _person(node, "bob"))
    chat.more["PYTHONIOENCODING"] = encoding
    process = await trio.lowlevel.open_process(
        chat.command(node.url, "--token", await node.token("bob"), "ann"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=chat.environment,
    )  # fmt: skip
    async with process.stdin, process.stdout:
        await process.stdin.send_all(b"hello\n")
        assert await texts(ann, 1) == ["hello"]
        await ann.post(conversation, "gr\xfcn 👍!")
        printed = b""
        with trio.fail_after(30):
            while b"\n" not in printed:
                printed += await process.stdout.receive_some()
    assert printed.endswith("gr\xfcn ?!\n".encode(encoding, "replace"))
    with trio.fail_after(30):
        assert await process.wait() == 0


async def test_mistakes_are_said_in_a_line(node: Served, chat: Chat) -> None:
    token = await node.token("bob")
    for arguments, status, message in (
        (("--token", token), 2, b"name the conversation"),
        (("--token", token, "nobody"), 1, b"no such user or conversation: nobody"),
        (("--token", "wrong", "ann"), 1, b"unknown or was revoked"),
        (("ann",), 2, b"use --token"),
    ):
        done = await chat.by_lines(node.url, *arguments)
        assert done.returncode == status, done
        assert message in done.stderr
        assert b"Traceback" not in done.stderr
    done = await chat.by_lines("http://127.0.0.1:1", "--token", token, "ann")
    assert (done.returncode, b"cannot reach" in done.stderr) == (1, True)


# ---- at a terminal


async def _person(node: Served, handle: str) -> str:
    await node.token(handle)
    return handle


@asynccontextmanager
async def at_prompt(chat: Chat, node: Served, handle: str, *arguments: str) -> AsyncIterator[Terminal]:
    """At the prompt, signed in by token."""
    async with chat.at_terminal(node.url, "--token", await node.token(handle), *arguments) as screen:
        await screen.see(f"you are {handle}")
        await screen.see("connected")
        yield screen


async def test_two_people_talk(node: Served, chat: Chat) -> None:
    await _person(node, "ann")
    await _person(node, "bob")
    async with at_prompt(chat, node, "ann") as ann, at_prompt(chat, node, "bob") as bob:
        await ann.type("/dm bob")
        await ann.see("no messages yet")
        assert "No conversations yet" in ann.shown
        await ann.type("Are you there, @bob?")
        await ann.see("ann  Are you there, @bob? ✓")

        await bob.see("ann mentions you: Are you there, @bob?")
        await bob.see("1 unread")
        await bob.type("/inbox")
        await bob.see("1 new @1")
        await bob.type("/open 1")
        await bob.see("ann  Are you there")
        await bob.type("/reply Yes.")
        await bob.see("╭ ann: Are you there")
        await bob.see("bob  Yes. ✓")

        await ann.see("╭ ann: Are you there")
        await ann.see("bob  Yes.")
        await ann.type("/who-read")
        await ann.see("bob read at")

        await ann.type("/quit")
        assert await ann.wait_end() == 0
        await bob.press("\x04")
        assert await bob.wait_end() == 0


async def test_groups(node: Served, chat: Chat) -> None:
    for handle in ("bob", "cleo"):
        await _person(node, handle)
    async with at_prompt(chat, node, "ann") as ann, at_prompt(chat, node, "bob") as bob:
        await ann.type('/group "Road trip" bob')
        await ann.see("Road trip")
        await bob.see("you were added to Road trip by ann")
        await ann.type("/invite cleo")
        await ann.see("cleo was added by ann")
        await ann.type("/members")
        await ann.see("owner")
        await ann.type("/nonsense")
        await ann.see("unknown command /nonsense; see /help; //nonsense sends it as text")
        await bob.type("/open road trip?")
        await bob.see("no such conversation: road trip?")
        await bob.type("/open road TRIP")
        await bob.see("━━ Road trip")
        await bob.type("/leave")
        await bob.see("you left Road trip")
        await ann.see("bob left")
        await ann.type("/leave")
        await ann.see("you left Road trip")
        await ann.type("lost words")
        await ann.see("open a conversation first")
        await ann.type("/help")
        await ann.see("/who-read")


async def test_older_messages_and_public_groups(node: Served, chat: Chat, ann: Client) -> None:
    group = await ann.create_group("Harbour", visibility="public")
    for number in range(45):
        await ann.post(group, f"message {number:02}")
    async with at_prompt(chat, node, "bob") as bob:
        await bob.type("/public harb")
        await bob.see("1  Harbour")
        await bob.type("/join 1")
        await bob.see("message 25")
        await bob.see("message 44")
        await bob.type("/more")
        await bob.see("message 05")
        await bob.see("message 24")
        await bob.type("/more")
        await bob.see("message 00")
        await bob.type("/more")
        await bob.see("this is the beginning of the conversation")


async def test_text_from_others_cannot_steer_the_terminal(node: Served, chat: Chat, ann: Client) -> None:
    await _person(node, "bob")
    group = await ann.create_group("tea", ["bob"])
    async with at_prompt(chat, node, "bob") as bob:
        await ann.post(group, EVIL)
        await bob.see("in tea: look␛]0;owned")
        await bob.type("/open 1")
        await bob.see(f"ann  {TAMED}")
        await bob.type("/inbox")
        await bob.see("ann: look␛]0;owned")
    for sequence in ("\x1b]0;owned", "\x9b", "\u202e"):
        assert sequence not in bob.raw


async def test_reconnects_and_says_so(node: Served, proxy: Proxy, chat: Chat, ann: Client) -> None:
    token = await node.token("bob")
    async with chat.at_terminal(proxy.url, "--token", token, "ann") as bob:
        await bob.see("no messages yet")
        proxy.refuses = True
        proxy.cut()
        await bob.see("reconnecting…")
        await bob.type("said meanwhile")
        await bob.see("1 sending")
        conversation = await ann.direct("bob")
        await ann.post(conversation, "missed")
        proxy.refuses = False
        await bob.see("ann  missed")
        await bob.see("bob  said meanwhile ✓")
        assert "· connected" in bob.shown
    assert [message.text for message in await ann.history(conversation)] == ["missed", "said meanwhile"]


async def test_a_connection_lost_under_a_command_ends_nothing(
    node: Served, proxy: Proxy, chat: Chat, ann: Client
) -> None:
    async with chat.at_terminal(proxy.url, "--token", await node.token("bob"), "ann") as bob:
        await bob.see("no messages yet")
        await bob.type("first")
        await bob.see("bob  first ✓")
        for command, event, what_follows in (
            ("/edit second", "message.edited", "bob  then"),
            ("/group new ann", "member.joined", "not sent: open a conversation"),
        ):
            proxy.hold_answers()
            await bob.type(command)
            await until_event(ann, event)
            await bob.type("then")
            proxy.cut()
            proxy.let_answer()
            await bob.see(f"! {command}: the outcome is unknown")
            await bob.see(what_follows)
        await bob.type("/quit")
        assert await bob.wait_end() == 0


async def test_what_was_not_sent_when_the_session_ends_is_said(node: Served, proxy: Proxy, chat: Chat) -> None:
    await _person(node, "ann")
    token = await node.token("bob")
    async with chat.at_terminal(proxy.url, "--token", token, "ann") as bob:
        await bob.see("no messages yet")
        proxy.refuses = True
        proxy.cut()
        await bob.see("reconnecting…")
        await bob.type("one")
        await bob.type("two")
        await bob.see("2 sending")
        await node.node.call("people.sign_out", person="bob")
        proxy.refuses = False
        await bob.see("not sent: one")
        await bob.see("not sent: two")
        assert await bob.wait_end() == 1


async def test_suspending_types_nothing(node: Served, chat: Chat) -> None:
    await _person(node, "ann")
    async with at_prompt(chat, node, "bob", "ann") as bob:
        await bob.see("no messages yet")
        await bob.see("@ann ›")
        await bob.press("abc")
        await bob.see("abc")
        await bob.press("\x1a")
        await bob.type("def")
        await bob.see("bob  abcdef ✓")


async def test_signing_in_keeps_a_token_for_the_next_time(node: Served, chat: Chat) -> None:
    await _person(node, "ann")
    async with chat.at_terminal(node.url) as screen:
        await screen.see("Handle:")
        await screen.type("Ann")
        await screen.see("Password:")
        await screen.type("wrong horse")
        await screen.see("wrong handle or password")
        await screen.see("Password:")
        await screen.type("correct horse")
        await screen.see("you are ann")
        await screen.see("connected")
        await screen.press("\x04")
        assert await screen.wait_end() == 0
        assert "horse" not in screen.shown
    (file,) = (chat.state / "chatnode" / "tokens").glob("*/*")
    assert (file.name, file.stat().st_mode & 0o777) == ("ann", 0o600)

    async with chat.at_terminal(node.url) as screen:
        await screen.see("you are ann")
        await screen.see("connected")
        async with connect(node.url, file.read_text().strip()) as ann:
            session = ann.session
        async with connect(node.url, await node.token("ann")) as ann:
            await ann.call("sessions.revoke", session=session)
        await screen.see("signed out")
        assert await screen.wait_end() == 1
    assert not file.exists()


async def test_an_invite_link_makes_an_account(node: Served, chat: Chat) -> None:
    await _person(node, "ann")
    link = (await node.node.call("invites.create"))["link"]
    async with chat.at_terminal(node.url, "--invite", link) as screen:
        await screen.see("Handle")
        await screen.type("ann")
        await screen.see("Display name")
        await screen.type("Cleo")
        await screen.see("Password:")
        await screen.type("correct horse")
        await screen.see("Repeat")
        await screen.type("correct horse")
        await screen.see("taken")
        await screen.see("Handle")
        await screen.type("cleo")
        await screen.see("you are cleo")
        await screen.see("connected")
        await screen.type("/quit")
        assert await screen.wait_end() == 0
    async with chat.at_terminal(node.url) as screen:
        await screen.see("you are cleo")
