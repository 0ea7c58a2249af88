"""Reading what a user types as a slash command: `/name`, `/name@bot`, `/plugin:name`, and what follows."""

from __future__ import annotations

import re

from chatnode.model.fields import HANDLE_FORM
from chatnode.model.records import record

_FORM = re.compile(
    rf"/(?:(?P<plugin>[a-z0-9]+):)?(?P<name>[a-z][a-z0-9_-]{{0,31}})(?:@(?P<bot>{HANDLE_FORM}))?(?=\s|\Z)",
    re.ASCII | re.IGNORECASE,
)


@record(frozen=True)
class SlashText:
    """What a text invokes: a command's `name`, and the `plugin` or the handle of the `bot` that was named with it, in
    lower case. `rest` is what follows, without the space around it."""

    name: str
    plugin: str | None
    bot: str | None
    rest: str


def parse_slash(text: str) -> SlashText | None:
    """None for a text that cannot invoke anything, such as `/etc/hosts` or `//name`."""
    found = _FORM.match(text)
    if found is None:
        return None
    name, plugin, bot = (each and each.lower() for each in found.group("name", "plugin", "bot"))
    if plugin is not None and bot is not None:
        return None
    return SlashText(name, plugin, bot, text[found.end() :].strip())
