"""`chatnode serve --reload`, as a plugin author sees it."""

from __future__ import annotations

import json
import os
import re
import selectors
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

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


def test_a_syntax_error_names_the_plugin_and_stops_nothing(data: Path, site: Site, node: Reloading) -> None:
    node.says("listening on ")
    site.add("hello", HELLO + "\n)\n")
    assert "the plugin hello is not running: SyntaxError: unmatched ')'" in node.says("listening on ")
    assert "broken" in run(data, "plugin", "list").out
    site.add("hello")
    node.says("listening on ")
    assert greeting(data) == "hello"


def test_settings_that_are_wrong_are_named_and_change_nothing(data: Path, node: Reloading) -> None:
    node.says("listening on ")
    (data / "config.toml").write_text("[limits]\npage_items = 'many'\n")
    node.says(r"not restarting with these settings: .*limits\.page_items is 'many'")
    assert greeting(data) == "hello"
    (data / "config.toml").unlink()
    node.says("restarting: .*config.toml changed")
    node.says("listening on ")
