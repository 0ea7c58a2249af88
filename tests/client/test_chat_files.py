"""Files at the terminal, in pipes, and by `chatnode upload` and `chatnode download`."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner

from chatnode.cli.transferring import upload
from chatnode.client import Client

from .conftest import Served
from .proxy import Proxy
from .terminal import Terminal
from .test_chat import Chat, at_prompt

MIB = 2**20
HOSTILE = "\u202e..\\pier\x1b]0;owned\x07.sh"


@pytest.fixture
def chat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chat:
    """In a directory of its own."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return Chat(tmp_path / "state")


def put(name: str, data: bytes = b"") -> None:
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_bytes(data)


def got(name: str) -> bytes:
    return Path(name).read_bytes()


def names_in(directory: Path) -> set[str]:
    return {each.name for each in directory.iterdir()}


async def press_until(screen: Terminal, key: str, text: str) -> None:
    """Keys that steer are lost while the editor prints something, as the terminal is not its own then."""

    async def press() -> None:
        while True:
            await screen.press(key)
            await trio.sleep(0.5)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(press)
        await screen.see(text)
        nursery.cancel_scope.cancel()


async def leave(screen: Terminal) -> int:
    """Press Ctrl-D until the program ends; its status."""

    async def press() -> None:
        with suppress(OSError):  # it has ended
            while True:
                await screen.press("\x04")
                await trio.sleep(0.5)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(press)
        status = await screen.wait_end()
        nursery.cancel_scope.cancel()
    return status


async def files_by(client: Client, conversation: str) -> list[tuple[str, str]]:
    """Names and texts of the messages with files."""
    messages = await client.history(conversation)
    return [(each.files[0].name, each.text) for each in messages if each.files]


async def test_a_file_is_sent_and_saved(node: Served, chat: Chat, ann: Client) -> None:
    await node.token("bob")
    group = await ann.create_group("tea", ["bob"])
    put("my plan.txt", b"Meet at noon.")
    put("saved/other.txt")
    async with at_prompt(chat, node, "bob", "#tea") as bob, at_prompt(chat, node, "ann", "#tea") as screen:
        await screen.type('/attach "my plan.txt" it\'s here')
        await screen.see("[file 1] my plan.txt (text/plain, 13 bytes)")
        await screen.see("it's here ✓")
        await bob.see("[file 1] my plan.txt")
        await bob.type("/save")
        await bob.see("saved as my plan (2).txt")
        await bob.type("/save 1 saved")
        await bob.see("saved as saved/my plan.txt")
        await bob.type("/save 1 my\\ plan.txt")
        await bob.see("my plan.txt already exists; give another name, or a directory")
        await bob.type("/save 2")
        await bob.see("no file 2 is on the screen")
        await bob.type("/attach missing.txt")
        await bob.see("no such file: missing.txt")
        await bob.type("/attach saved")
        await bob.see("saved is not a file")
        await bob.press("/attach saved/o\t")
        await bob.see("ther.txt")
        await bob.type(" second")
        await bob.see("second ✓")
    assert got("my plan (2).txt") == got("saved/my plan.txt") == b"Meet at noon."
    assert await files_by(ann, group) == [("my plan.txt", "it's here"), ("other.txt", "second")]


async def test_paths_that_cannot_be_are_said(node: Served, chat: Chat) -> None:
    await node.token("ann")
    put("plan.txt", b"Meet at noon.")
    async with at_prompt(chat, node, "bob", "ann") as bob:
        await bob.type("/attach plan.txt")
        await bob.see("[file 1] plan.txt")
        for command, message in (
            ("/attach ~nobody-of-this-name/x", "! no such file: ~nobody-of-this-name/x"),
            ("/save 1 ~nobody-of-this-name/x", "! no such directory: ~nobody-of-this-name"),
            ("/attach " + "x" * 300, "File name too long"),
            ("/save 1 " + "x" * 300, "File name too long"),
        ):
            await bob.see("@ann ›")  # drawn again: the terminal is the editor's
            await bob.type(command)
            await bob.see(message)
        await bob.type("/quit")
        assert await bob.wait_end() == 0, bob.shown[-2_000:]


async def test_a_name_from_others_cannot_steer_or_lead_elsewhere(
    node: Served, chat: Chat, ann: Client, tmp_path: Path
) -> None:
    await node.token("bob")
    put("evil")
    file = await ann.upload("evil", name=HOSTILE)
    hidden = await ann.upload("evil", name=".bash_login")
    await ann.post(await ann.direct("bob"), files=[file, hidden])
    async with at_prompt(chat, node, "bob", "ann") as bob:
        await bob.see("[file 2]")
        for number in ("1", "2"):
            await bob.type(f"/save {number} {tmp_path}")
            await bob.see("saved as ")
    for sequence in ("\x1b]0;owned", "\u202e"):
        assert sequence not in bob.raw
    saved = names_in(tmp_path) - {"here", "state", "data"}
    assert len(saved) == 2
    assert all(each[0] != "." and each.isprintable() for each in saved)


async def test_a_transfer_is_cancelled_and_continued_by_the_next_run(
    node: Served, chat: Chat, ann: Client, nursery: trio.Nursery
) -> None:
    token = await node.token("bob")
    conversation = await ann.direct("bob")
    put("film.bin", os.urandom(20 * MIB))
    proxy = Proxy(node.url)
    await nursery.start(proxy.run)
    proxy.stalls_after = 4 * MIB
    async with chat.at_terminal(proxy.url, "--token", token, "ann") as bob:
        await bob.see("no messages yet")
        await bob.type("/attach film.bin enjoy")
        await bob.see("% of 20.0 MiB, Ctrl-C cancels")
        await proxy.wait_sent(4 * MIB)
        await bob.type("still talking")
        await bob.see("bob  still talking ✓")
        await press_until(bob, "\x03", "cancelled uploading film.bin; /attach it again to continue")
        await bob.type("/attach film.bin enjoy")
        await bob.see("Ctrl-C cancels")
        await press_until(bob, "\x04", "not done: uploading film.bin")
        assert await bob.wait_end() == 0, bob.shown[-2_000:]
    assert await files_by(ann, conversation) == []
    proxy.stalls_after, proxy.sent = None, 0
    async with chat.at_terminal(proxy.url, "--token", token, "ann") as bob:
        await bob.see("bob  still talking")
        await bob.type("/attach film.bin enjoy")
        await bob.see("enjoy ✓")
        assert await leave(bob) == 0, bob.shown[-2_000:]
    assert proxy.sent < 18 * MIB
    assert await files_by(ann, conversation) == [("film.bin", "enjoy")]
    assert names_in(chat.state / "chatnode" / "uploads") == set()


async def test_what_comes_through_a_pipe_is_never_a_command(node: Served, chat: Chat, ann: Client) -> None:
    put("secret")
    token = await node.token("bob")
    conversation = await ann.direct("bob")
    await chat.by_lines(node.url, "--token", token, "ann", stdin=b"/attach secret\n")
    assert [each.text for each in await ann.history(conversation)] == ["/attach secret"]


async def run(chat: Chat, node: Served, handle: str, *arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
    """Status, output and errors of a command with the user's token."""
    command, *rest = arguments
    line = [*chat.command(node.url)[:5], command, "--url", node.url, "--token", await node.token(handle), *rest]
    with trio.fail_after(60):
        done = await trio.run_process(
            line, stdin=stdin, capture_stdout=True, capture_stderr=True, check=False, env=chat.environment
        )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


async def test_scripts_upload_and_download(node: Served, chat: Chat, ann: Client) -> None:
    await node.token("bob")
    conversation = await ann.direct("bob")
    put("a.txt", b"first")
    put("b.bin", os.urandom(2 * MIB))
    status, printed, errors = await run(chat, node, "bob", "upload", "a.txt", "b.bin", "--to", "ann", "--text", "two")
    assert (status, errors) == (0, "")
    first, second = printed.split()
    (message,) = await ann.history(conversation)
    assert (message.text, [each.file for each in message.files or []]) == ("two", [first, second])

    assert await run(chat, node, "ann", "download", first) == (0, "a (2).txt\n", "")
    assert await run(chat, node, "ann", "download", second, "copy.bin") == (0, "copy.bin\n", "")
    assert got("a (2).txt") == b"first"
    assert got("copy.bin") == got("b.bin")
    assert names_in(chat.state / "chatnode" / "uploads") == set()

    status, printed, _ = await run(chat, node, "bob", "upload", "-", "--name", "log.txt", stdin=b"line\n" * 300_000)
    assert status == 0
    status, _, errors = await run(chat, node, "ann", "download", printed.strip())
    assert (status, "[not_found]" in errors) == (1, True)


async def test_a_token_that_was_passed_and_does_not_work_is_to_be_replaced(node: Served, chat: Chat) -> None:
    line = [*chat.command(node.url)[:5], "download", "--url", node.url, "--token", "wrong", "0" * 32]
    done = await trio.run_process(line, capture_stdout=True, capture_stderr=True, check=False, env=chat.environment)
    assert (done.returncode, done.stderr.decode().endswith("; pass another --token\n")) == (1, True), done.stderr


async def test_mistakes_of_scripts_are_said_in_a_line(node: Served, chat: Chat) -> None:
    put("a.txt")
    for arguments, message in (
        (("upload", "missing"), "missing: No such file"),
        (("upload", "."), "is not a file [invalid]"),
        (("download", "0" * 32), "[not_found]"),
        (("download", "0" * 32, "a.txt"), "a.txt already exists"),
    ):
        done = await run(chat, node, "bob", *arguments)
        assert (done[0], message in done[2], "Traceback" in done[2]) == (1, True, False), done


@pytest.mark.parametrize(
    ("arguments", "message"), [(("-",), "needs a --name"), (("a", "--text", "x"), "--text needs --to"),
                               (("a", "b", "--name", "x"), "--name is for one file")],
)  # fmt: skip
def test_options_that_do_not_fit_are_refused(arguments: tuple[str, ...], message: str) -> None:
    done = CliRunner().invoke(upload, ["--token", "x", *arguments])
    assert (done.exit_code, message in done.output) == (2, True)


def test_the_terminal_imports_httpcore_for_the_first_file(chat: Chat) -> None:
    script = "import sys, chatnode.cli.chatting, chatnode.cli.transferring; print('httpcore2' in sys.modules)"
    done = subprocess.run([*chat.command("")[:1], "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
