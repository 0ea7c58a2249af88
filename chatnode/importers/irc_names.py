"""What the place of a log says of it: WeeChat's `irc.libera.#garden.weechatlog`, or any other order of its parts."""

from __future__ import annotations

import re
from pathlib import Path

from attrs import frozen

_LOWER = str.maketrans(r"ABCDEFGHIJKLMNOPQRSTUVWXYZ[]\^", "abcdefghijklmnopqrstuvwxyz{}|~")
_ENDINGS = re.compile(r"(?:\.(?:xz|gz|bz2|weechatlog|log|txt|old)(?:\.\d{1,3})?|~)+$", re.IGNORECASE)
_DATES = re.compile(r"(?:[._-](?:\d{4}[._-]?\d\d(?:[._-]?\d\d)?|[._]\d{4})|\.\d{4})$")
_CHANNEL = re.compile(r"[#&].+", re.DOTALL)
_SERVER = re.compile(r"irc\.(.+?)\.(?=[#&])")


def fold(name: str) -> str:
    """A nick or channel in the case in which IRC (rfc1459) compares them: `{}|~` are small `[]\\^`."""
    return name.translate(_LOWER)


@frozen
class Named:
    """`channel` and `network` are empty where the place of the log does not tell; `title` never is."""

    title: str
    channel: str
    network: str


def of_file(path: Path) -> Named:
    """By the name of the file, or of the folders that it is in: `irc/libera/#garden/2013-05.weechatlog`."""
    parts = [_without_dates(path.name), *(part.name for part in path.parents)]
    for number, part in enumerate(parts):
        channel = _CHANNEL.search(part)
        if channel is None:
            continue
        server = _SERVER.match(part)
        if server is not None:
            return Named(channel[0], channel[0], server[1])
        above = parts[number + 1 : number + 3]
        network = above[0] if len(above) == 2 and above[1] == "irc" else ""
        return Named(channel[0], channel[0], network)
    return Named(parts[0] or path.name, "", "")


def _without_dates(name: str) -> str:
    """The name of a file without what logs are rotated by: endings, numbers, a date."""
    while (shorter := _DATES.sub("", _ENDINGS.sub("", name))) not in ("", name):
        name = shorter
    return name


def former_channel(path: Path) -> str:
    """What earlier versions took for the channel of a log that names none: a month had one of its own."""
    name = re.sub(r"(?:\.(?:xz|gz|bz2|weechatlog|log|txt))+$", "", path.name)
    channel = _CHANNEL.search(name)
    return channel[0] if channel else name
