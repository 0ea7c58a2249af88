"""Paths: as a person types them, and as somebody else's file names become them."""

from __future__ import annotations

import io
import os
import re
import shlex
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from chatnode.errors import Refusal
from chatnode.terminal.printable import printable

_MOST_BYTES = 240
"""Of a name that is given to a file, so that there is room for a number."""
_LONGEST_ENDING = 32
_NOT_IN_NAMES = re.compile(r'[/\\:*?"<>|\n]|^[.\-~ ]|[. ]$')
_QUOTED = re.compile(r"""([\s\\'"])""")


def split_path(text: str) -> tuple[Path, str]:
    """The path that a line begins with, quoted as in a shell if it has spaces, and what follows. Raises `Refusal`."""
    typed = io.StringIO(text)
    words = shlex.shlex(typed, posix=True)
    words.whitespace_split = True
    words.commenters = ""
    try:
        first = words.get_token()
    except ValueError:
        raise Refusal("invalid", 'a quote is not closed; write "a name with spaces"') from None
    if not first:
        raise Refusal("invalid", "name a file")
    return Path(os.path.expanduser(first)), typed.read().strip()


def safe_name(name: str) -> str:
    """A name that others chose, as a name in a directory: it leads nowhere else, hides nothing and steers nothing."""
    safe = printable(name)
    while (changed := _NOT_IN_NAMES.sub("_", safe)) != safe:
        safe = changed
    stem, ending = os.path.splitext(safe)
    if len(ending.encode()) > _LONGEST_ENDING:
        stem, ending = safe, ""
    room = _MOST_BYTES - len(ending.encode())
    return (stem.encode()[:room].decode(errors="ignore") + ending) or "file"


def free_names(name: str) -> Iterator[str]:
    """The name, and then others like it, for when it is taken."""
    yield name
    stem, ending = os.path.splitext(name)
    for number in count(2):
        yield f"{stem} ({number}){ending}"


def completions(typed: str) -> list[tuple[str, int]]:
    """What a path that is being typed can become, and how much of it that replaces."""
    word = re.sub(r"\\(.)", r"\1", typed.lstrip("\"'"))
    head, _, begun = word.rpartition("/")
    directory = os.path.expanduser(head + "/" if "/" in word else "./")
    try:
        with os.scandir(directory) as entries:
            found = sorted(
                each.name + ("/" if each.is_dir() else "")
                for each in entries
                if each.name.startswith(begun) and (begun or not each.name.startswith("."))
            )
    except (OSError, ValueError):  # ValueError: a NUL
        return []
    replaced = len(typed) - _where_last_part_begins(typed)
    quote = typed[:1] in ('"', "'")
    return [(each if quote else _QUOTED.sub(r"\\\1", each), replaced) for each in found if printable(each) == each]


def _where_last_part_begins(typed: str) -> int:
    return typed.rfind("/") + 1 if "/" in typed else len(typed) - len(typed.lstrip("\"'"))
