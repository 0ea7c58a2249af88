"""The examples run, and do what they say."""

from __future__ import annotations

import ast
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from chatnode.client import Pushed, connect
from chatnode.node import Node, open_node

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
