"""Names of lists and tags: how they are stored, and by what they are the same."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Annotated

from chatnode.api import Text, folded

_LONGEST = 255
GroupName = Annotated[str, Text(_LONGEST, 1)]
GroupRef = Annotated[str, Text(_LONGEST, 1, hint="expected an id or a name")]
"""Names a list or a tag: its id, or its name in any case."""

_ID = re.compile("[0-9a-f]{32}")


def tidy(name: str) -> str:
    """Without spaces around it and with single ones within."""
    return " ".join(name.split())


@lru_cache(4_096)
def fault_of_name(name: str) -> str | None:
    """What is wrong with a name that comes from a file; commands check theirs as `GroupName`."""
    if len(name) > _LONGEST:
        return f"has a name of {len(name)} characters; the maximum is {_LONGEST}"
    if any(unicodedata.category(each) in ("Cc", "Cs") for each in name):
        return "has a name with a control character"
    return None


def name_key(name: str) -> str:
    """By what names are the same: they differ in more than case, accents and spaces."""
    return tidy(folded(name))


def is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None
