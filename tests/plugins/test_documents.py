"""The pages of each plugin that comes with the node say all that the plugin adds."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import orjson
import pytest

from chatnode.api import Plugin
from chatnode.reference.plugins import event_fields
from tests.commands import PLUGINS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
def test_the_pages_name_what_there_is(plugin: Plugin) -> None:
    pages = [ROOT / f"docs/plugins/{plugin.name}.md", *sorted(ROOT.glob(f"docs/plugins/{plugin.name}-*.md"))]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    names = [
        *(each.name for each in (*plugin.commands, *plugin.permissions, *plugin.collections)),
        *(each.name for each in (*plugin.tables, *plugin.consumers, *plugin.tasks, *plugin.metrics)),
        *(kind.event.name for kind in plugin.events),
        *(name for kind in plugin.events for name in event_fields(kind.event)),
    ]
    assert [name for name in names if f"`{name}`" not in text] == []


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
def test_settings_are_told_with_their_defaults(plugin: Plugin) -> None:
    text = (ROOT / f"docs/plugins/{plugin.name}.md").read_text(encoding="utf-8")
    assert plugin.settings is not None
    told = re.findall(r"^\| `(\w+)` \| (.+?) \|", text.partition("## Settings")[2], re.MULTILINE)
    assert told == [(field.name, _as_toml(field.default)) for field in attrs.fields(plugin.settings)]


def _as_toml(default: object) -> str:
    if isinstance(default, tuple):
        return f"`{orjson.dumps(default).decode()}`"
    if isinstance(default, str):
        return f'`"{default}"`'
    return str(default).lower() if isinstance(default, bool) else f"{default:g}"
