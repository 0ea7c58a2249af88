"""`chatnode serve --reload`, as a plugin author sees it."""

from __future__ import annotations

import json
import os
import re
import selectors
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trio

from chatnode.cli import reloading
from chatnode.storage.engine.directory import DataDirectory
from tests.plugins.kit.site import HELLO, Site

from .command import PATIENCE, command_line, environment, run

pytestmark = pytest.mark.slow


class Reloading:
    """The command, in a process of its own; what it says is read as it comes."""

    def __init__(self, data: Path) -> None:
        self.process = subprocess.Popen(
            command_line(data, "serve", "--bind", "127.0.0.1:0", "--reload"),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment(),
        )  # fmt: skip
        assert self.process.stdout is not None
        self._stream = self.process.stdout
        self._said = ""

    def says(self, pattern: str) -> str:
        """Wait until it says this, after what was waited for before; gives all that came until then."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._stream, selectors.EVENT_READ)
            while (found := re.search(pattern, self._said)) is None:
                if not selector.select(PATIENCE) or not (chunk := os.read(self._stream.fileno(), 65536)):
                    raise AssertionError(f"it does not say {pattern!r}, but {self._said!r}")
                self._said += chunk.decode()
        before, self._said = self._said[: found.end()], self._said[found.end() :]
        return before


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    site = Site(tmp_path / "site")
    site.path.mkdir()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site.path), *filter(None, [os.environ.get("PYTHONPATH")])]))
    return site


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def node(data: Path, site: Site) -> Iterator[Reloading]:
    site.add("hello")
    node = Reloading(data)
    yield node
    node.process.kill()
    node.process.communicate()


def greeting(data: Path) -> str:
    return json.loads(run(data, "call", "hello.greet").out)["text"]


def test_it_starts_again_when_a_plugin_or_the_settings_change(data: Path, site: Site, node: Reloading) -> None:
    node.says("listening on ")
    number = node.process.pid
    assert greeting(data) == "hello"
    module = site.add("hello", HELLO.replace('setting("hello"', 'setting("goodbye"'))
    node.says(f"restarting: {re.escape(str(module))} changed")
    node.says("listening on ")
    assert greeting(data) == "goodbye"
    (data / "config.toml").write_text('[plugins.hello]\nword = "good morning"\n')
    node.says("listening on ")
    assert greeting(data) == "good morning"
    assert (node.process.poll(), node.process.pid) == (None, number)


def test_what_does_not_compile_is_shown_and_the_node_goes_on_as_it_was(data: Path, site: Site, node: Reloading) -> None:
    node.says("listening on ")
    module = site.add("hello", HELLO + "\n)\n")
    node.says(rf"not restarting: {re.escape(str(module))}, line \d+: unmatched '\)'")
    assert greeting(data) == "hello"
    site.add("hello", HELLO.replace('setting("hello"', 'setting("goodbye"'))
    node.says("listening on ")
    assert greeting(data) == "goodbye"


STEPPING = """
from chatnode.api import Plugin, hookimpl, steps_in

@hookimpl
def chatnode_plugin() -> Plugin:
    return Plugin(name="polls", version="1.5", api="2.0", about="Polls.", steps=steps_in("installed_polls"))
"""


def test_a_step_that_is_half_written_is_not_applied(data: Path, site: Site, node: Reloading) -> None:
    """As by an editor that empties a file before it writes it."""
    node.says("listening on ")
    schema = site.add_package("polls", STEPPING) / "schema"
    schema.mkdir()
    node.says("listening on ")
    step = schema / "0001_polls.sql"
    step.write_text("")
    node.says(rf"not restarting: {re.escape(str(step))}: it has no statement yet")
    step.write_text("CREATE TABLE polls_polls (key INTEGER PRIMARY KEY, ques")
    node.says(rf"not restarting: {re.escape(str(step))}: the last statement does not end in a semicolon")
    step.write_text("CREATE TABLE polls_polls (key INTEGER PRIMARY KEY, question TEXT) STRICT;\n")
    node.says("listening on ")
    state = {each["name"]: each["state"] for each in json.loads(run(data, "plugin", "list", "--json").out)}
    assert state["polls"] == "running"
    with closing(sqlite3.connect(DataDirectory(data).database)) as connection:
        columns = connection.execute("SELECT name FROM pragma_table_info('polls_polls')").fetchall()
    assert columns == [("key",), ("question",)]


async def test_files_are_read_when_nothing_has_changed_for_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nursery: trio.Nursery
) -> None:
    """As when the node is started while an editor writes."""
    monkeypatch.setattr(reloading, "STILL_SECONDS", 3.0)
    config = tmp_path / "config.toml"
    config.write_text("")

    async def write() -> None:
        for _ in range(10):
            await trio.sleep(0.1)
            with config.open("a") as file:
                file.write("# more\n")

    nursery.start_soon(write)
    stamps = await reloading.look_when_still(config)
    assert stamps[config][1] == config.stat().st_size == 10 * len("# more\n")


def test_settings_that_are_wrong_are_named_and_change_nothing(data: Path, node: Reloading) -> None:
    node.says("listening on ")
    (data / "config.toml").write_text("[limits]\npage_items = 'many'\n")
    node.says(r"not restarting: .*limits\.page_items is 'many'")
    assert greeting(data) == "hello"
    (data / "config.toml").write_text("[limits]\npage_items = 100\n")
    node.says("restarting: .*config.toml changed")
    node.says("listening on ")
