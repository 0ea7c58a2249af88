"""Names of lists and tags: how they are stored, and by what they are the same."""

from __future__ import annotations

import re
from typing import Annotated

from chatnode.api import Text, folded

GroupName = Annotated[str, Text(255, 1)]
GroupRef = Annotated[str, Text(255, 1, hint="expected an id or a name")]
"""Names a list or a tag: its id, or its name in any case."""

_ID = re.compile("[0-9a-f]{32}")


def tidy(name: str) -> str:
    """Without spaces around it and with single ones within."""
    return " ".join(name.split())


def name_key(name: str) -> str:
    """By what names are the same: they differ in more than case, accents and spaces."""
    return tidy(folded(name))


def is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None
