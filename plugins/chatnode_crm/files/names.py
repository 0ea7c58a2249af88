"""Several names in one cell, such as tags: separated by semicolons, and quoted as in CSV where they need it."""

from __future__ import annotations

import re
from collections.abc import Iterable

SEPARATOR = ";"
_MAY_SEPARATE = re.compile(r'[;,|\n"]|:::|^\*')
"""What readers may take for the separator, as files of other programs have others."""


def join_names(names: Iterable[str], separator: str = SEPARATOR) -> str:
    """The names as one text, from which `split_names` makes the same names."""
    return f"{separator} ".join([_quoted(name, separator) for name in names])


def split_names(text: str, separator: str = SEPARATOR) -> list[str]:
    """The names in a text, without blank ones and surrounding spaces.

    A quote that is never closed is part of the name: people write `5" pipes`. An asterisk in front is none, as that is
    how Google marks its own groups.
    """
    end = re.escape(separator)
    names: list[str] = []
    for found in re.finditer(rf'\s*"((?:[^"]|"")*)"\s*(?:{end}|$)|([^{end}]*)(?:{end}|$)', text):
        name = found[1].replace('""', '"') if found[1] is not None else plain_name(found[2])
        if name:
            names.append(name)
    return names


def plain_name(text: str) -> str:
    """A name that is not quoted."""
    return text.strip().removeprefix("*").strip()


def _quoted(name: str, separator: str) -> str:
    if _MAY_SEPARATE.search(name) or separator in name or name != name.strip():
        escaped = name.replace('"', '""')
        return f'"{escaped}"'
    return name
