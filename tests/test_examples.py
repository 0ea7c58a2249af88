"""The examples run, and do what they say."""

from __future__ import annotations

import ast
import os
import runpy
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from chatnode.client import Pushed, connect
from chatnode.node import Node, open_node
from chatnode.testing import configured, fetch
from tests import needs

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


async def test_embed_trio_runs_as_a_program(tmp_path: Path) -> None:
    done = await trio.run_process(
        [sys.executable, "-W", "error", EXAMPLES / "embed_trio.py", tmp_path / "data"],
        capture_stdout=True,
        stderr=subprocess.STDOUT,
    )
    lines = done.stdout.decode().splitlines()
    assert lines[0].startswith("serving on http://127.0.0.1:")
    assert lines[1:] == ["message 1 is on disk", "2 people, 1 message"]


@pytest.mark.slow
async def test_embed_script_says_it_once_a_day(tmp_path: Path) -> None:
    said = [await _printed(EXAMPLES / "embed_script.py", tmp_path / "data") for _ in range(2)]
    assert said == ["message 1 is on disk\n", "said before\n"]


async def _printed(*command: Path) -> str:
    done = await trio.run_process(
        [sys.executable, "-W", "error", *command], capture_stdout=True, stderr=subprocess.STDOUT, check=False
    )
    assert done.returncode == 0, done.stdout.decode()
    return done.stdout.decode()


async def _token(node: Node, handle: str) -> str:
    await node.call("people.create", handle=handle)
    return (await node.call("tokens.create", person=handle))["token"]


async def test_the_bot_answers_mentions_once_also_after_a_restart(tmp_path: Path) -> None:
    bot: dict[str, Any] = runpy.run_path(str(EXAMPLES / "bot.py"))
    place = tmp_path / "cursor"
    async with open_node(tmp_path / "data") as node, trio.open_nursery() as nursery:
        url: str = await nursery.start(node.serve, "127.0.0.1:0")
        bot_token = await _token(node, "echo")
        async with connect(url, await _token(node, "ann")) as ann:
            group = await ann.create_group("Echoes", ["echo"])
            answers = _answers(ann.events())

            async with trio.open_nursery() as running:
                running.start_soon(bot["run_bot"], url, bot_token, place)
                with trio.fail_after(30):
                    while not place.exists():  # noqa: ASYNC110 - it says nothing else when it is ready
                        await trio.sleep(0.01)
                    await ann.post(group, "nobody is asked")
                    asked = await ann.post(group, "@echo hello")
                    assert await anext(answers) == ("hello", asked.message)
                running.cancel_scope.cancel()

            asked = await ann.post(group, "@echo are you away?")
            async with trio.open_nursery() as running:
                running.start_soon(bot["run_bot"], url, bot_token, place)
                with trio.fail_after(30):
                    assert await anext(answers) == ("are you away?", asked.message)
                running.cancel_scope.cancel()
            said = [message.text for message in await ann.history(group) if message.sender.handle == "echo"]
            assert said == ["hello", "are you away?"]
        nursery.cancel_scope.cancel()


async def _answers(events: Any) -> Any:
    """Text and `reply_to` of each message that echo posts."""
    async for item in events:
        if isinstance(item, Pushed) and item.name == "message.posted":
            message = item.fields["message"]
            if message["sender"]["handle"] == "echo":
                yield message["text"], message["reply_to"]


async def test_the_bot_with_buttons_asks_and_the_first_press_decides(tmp_path: Path) -> None:
    bot: dict[str, Any] = runpy.run_path(str(EXAMPLES / "bot_deploy.py"))
    async with open_node(tmp_path / "data") as node, trio.open_nursery() as nursery:
        url: str = await nursery.start(node.serve, "127.0.0.1:0")
        await node.call("people.create", handle="ci", bot=True)
        nursery.start_soon(bot["run_bot"], url, (await node.call("tokens.create", person="ci"))["token"])
        async with connect(url, await _token(node, "ann")) as ann:
            group = await ann.create_group("Ops", ["ci"])
            with trio.fail_after(30):
                while not (await ann.call("slash.list", conversation=group))["commands"]:  # noqa: ASYNC110
                    await trio.sleep(0.01)
            pushed = _pushed(ann.events())

            await ann.call("slash.run", conversation=group, text="/deploy", cid="1")
            assert (await pushed("notice.private"))["notice"]["text"] == "Which branch? /deploy BRANCH"
            await ann.call("slash.run", conversation=group, text="/deploy main", cid="2")
            asked = (await pushed("message.posted"))["message"]
            assert asked["text"] == "Deploy main, as ann asks?"
            assert [each["id"] for each in asked["actions"]] == ["approve", "reject"]
            for number, action in enumerate(("approve", "reject")):
                await ann.call("actions.invoke", message=asked["message"], action=action, cid=f"press-{number}")
            edited = (await pushed("message.edited"))["message"]
            assert edited["text"] == "Deploy main, as ann asks? Approved by ann."
            assert "actions" not in edited
        nursery.cancel_scope.cancel()


def _pushed(events: Any) -> Any:
    """Waits for the next event with a name; returns its fields."""

    async def wait_for(name: str) -> dict[str, Any]:
        with trio.fail_after(30):
            async for item in events:
                if isinstance(item, Pushed) and item.name == name:
                    return item.fields
        raise AssertionError("the events ended")

    return wait_for


async def test_the_receiver_of_webhooks_takes_what_is_signed_and_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = configured(outbound={"allow": [f"127.0.0.1:{port}"]})
    async with open_node(tmp_path / "data", config=config) as node, trio.open_nursery() as nursery:
        url: str = await nursery.start(node.serve, "127.0.0.1:0")
        await node.call("people.create", handle="robo", bot=True)
        added = await node.call(
            "webhooks.endpoints.add", url=f"http://127.0.0.1:{port}/", kinds=["message.posted"], bot="robo"
        )
        endpoint = added["endpoint"]["endpoint"]
        async with _receiving(port, added["secret"]) as said, connect(url, await _token(node, "ann")) as ann:
            assert await anext(said) == "listening"
            assert (await fetch(f"http://127.0.0.1:{port}/", method="POST", body=b"{}")).status == 401
            await ann.post(await ann.create_group("Ops", ["robo"]), "hello")
            assert await anext(said) == "message.posted hello"
            [attempt] = await _attempts(node, endpoint, 1)
            await node.call("webhooks.replay", endpoint=endpoint, event=attempt["event"])
            await _attempts(node, endpoint, 2)
            assert (await node.call("webhooks.endpoints.test", endpoint=endpoint))["status"] == 204
            assert await anext(said) == "webhooks.test"
        nursery.cancel_scope.cancel()


async def _attempts(node: Node, endpoint: str, count: int) -> list[dict[str, Any]]:
    """Wait until so many attempts are stored; returns them."""
    with trio.fail_after(30):
        while True:
            found = (await node.call("webhooks.attempts", endpoint=endpoint))["attempts"]
            if len(found) >= count:
                return found
            await trio.sleep(0.01)


@asynccontextmanager
async def _receiving(port: int, secret: str) -> AsyncGenerator[AsyncIterator[str]]:
    """The receiver as a program; yields the lines that it prints."""
    command = [sys.executable, "-W", "error", str(EXAMPLES / "webhook_receiver.py"), str(port)]
    process = await trio.lowlevel.open_process(
        command, stdout=subprocess.PIPE, env=os.environ | {"WEBHOOK_SECRET": secret}
    )
    try:
        with trio.fail_after(30):
            async with aclosing(_lines(process)) as lines:
                yield lines
    finally:
        with trio.CancelScope(shield=True):
            process.kill()
            await process.wait()
            assert process.stdout is not None
            await process.stdout.aclose()


async def _lines(process: trio.Process) -> AsyncGenerator[str]:
    assert process.stdout is not None
    text = b""
    async for some in process.stdout:
        *lines, text = (text + some).split(b"\n")
        for line in lines:
            yield line.decode().strip()


PLUGINS = sorted(path.name for path in EXAMPLES.glob("plugin_*"))


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugin_imports_what_is_public_and_nothing_else(name: str) -> None:
    imported: set[str] = set()
    for path in (EXAMPLES / name).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module or "")
    ours = {each for each in imported if each.partition(".")[0] == "chatnode"}
    assert "chatnode.api" in ours
    assert ours <= {"chatnode", "chatnode.api", "chatnode.client", "chatnode.testing"}


@pytest.fixture(scope="module")
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of programs that share their bytecode, even where Python is told to write none: compiling all
    that a node imports takes most of the time of an example's tests."""
    if not sys.dont_write_bytecode:
        return {}
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path_factory.mktemp("bytecode"))}


@pytest.mark.parametrize(
    "name", [name if name == "plugin_hello" else pytest.param(name, marks=pytest.mark.slow) for name in PLUGINS]
)
async def test_a_plugin_passes_its_tests(name: str, bytecode: dict[str, str]) -> None:
    """With what `chatnode[testing]` brings, and no other plugin of pytest that is installed here."""
    plugin = EXAMPLES / name
    path = os.pathsep.join([str(plugin), str(EXAMPLES.parent), str(EXAMPLES.parent / "plugins")])
    done = await trio.run_process(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "pytest_trio.plugin"],
        cwd=plugin,
        env=os.environ | bytecode | {"PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_stdout=True,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode()


DRIVE_TK = """
import runpy, sys
from pathlib import Path

example = runpy.run_path(sys.argv[1])
window = example["Window"]()

def shown():
    return list(window.messages.get(0, "end"))

def type_it():
    window.entry.insert(0, sys.argv[3])
    window.entry.focus_force()
    window.root.update()
    window.entry.event_generate("<Return>")
    window.root.after(20, close)

def close():
    if sys.argv[3] not in shown():
        window.root.after(20, close)
        return
    print(shown(), flush=True)
    window.root.tk.call(window.root.protocol("WM_DELETE_WINDOW"))

window.root.wait_visibility()
window.root.after(20, type_it)
example["run"](window, Path(sys.argv[2]))
print("closed", flush=True)
"""
"""Uses the window as somebody at the screen does: types, waits until it is shown, closes."""


@pytest.mark.slow
async def test_a_window_shows_what_is_typed_also_the_next_time(tmp_path: Path) -> None:
    needs.module("_tkinter", "python3-tk")
    command = [needs.program("xvfb-run"), "-a", sys.executable, "-W", "error", "-c", DRIVE_TK, EXAMPLES / "embed_tk.py"]
    for text, shown in (("one", ["one"]), ("two", ["one", "two"])):
        with trio.fail_after(300):
            done = await trio.run_process(
                [*command, tmp_path / "data", text], capture_stdout=True, stderr=subprocess.STDOUT, check=False
            )
        assert done.stdout.decode().splitlines() == [str(shown), "closed"]
