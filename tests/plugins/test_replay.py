"""Old snapshot + events = fresh snapshot: tried of every command that changes something, of every plugin here."""

from __future__ import annotations

from importlib import import_module

import pytest

from chatnode.api import Plugin
from tests.commands import PLUGINS


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
def test_every_command_that_writes_is_tried(plugin: Plugin) -> None:
    """Where it is tried says so: `REPLAYED` of the plugin's own tests."""
    replayed: set[str] = import_module(f"tests.plugins.{plugin.name}.test_replay").REPLAYED
    assert {command.name for command in plugin.commands if not command.reads} - replayed == set()
