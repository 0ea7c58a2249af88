"""Settings in the environment, `CHATNODE_<SECTION>__<KEY>`, and variables that look as if they were meant as one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, cast

from chatnode.errors import StartError

PREFIX = "CHATNODE_"
_ALIKE = 0.9
"""How much a variable must be like the right one to be taken for a misspelling of it. Others may have variables that
begin in the same way: Kubernetes gives a service called `chatnode-server` CHATNODE_SERVER_PORT."""
OTHERS = frozenset(
    {"CHATNODE_DATA", "CHATNODE_TOKEN", "CHATNODE_URL", "CHATNODE_BACKUP_PASSPHRASE", "CHATNODE_ARCHIVE"}
)
"""Variables that are no settings."""
_LINKS = ("tcp://", "udp://", "sctp://")
"""How values begin that Kubernetes sets, such as CHATNODE_PORT for a service called `chatnode`; no setting has one."""


def read(environment: Mapping[str, str], sections: Mapping[str, Sequence[str]]) -> dict[str, dict[str, Any]]:
    """What the environment says of each section, as texts. `sections`: the keys of each.

    Raises `StartError` for a variable that is near one of these and would be passed over.
    """
    known = {name.upper(): name for name in sections}
    values: dict[str, dict[str, Any]] = {}
    for variable, text in environment.items():
        section, separator, key = variable.removeprefix(PREFIX).partition("__")
        if not variable.startswith(PREFIX) or not separator or section not in known:
            if not text.startswith(_LINKS) and (meant := _meant(variable, sections)):
                raise StartError(f"environment: {variable} is not a setting; did you mean {meant}?")
            if not variable.startswith(PREFIX) or not separator:
                continue
        target = values.setdefault(known.get(section, section), {})
        *tables, last = key.lower().split("__") if section == "PLUGINS" else [key.lower()]
        for table in tables:
            inner = target.setdefault(table, {})
            if not isinstance(inner, dict):
                raise StartError(f"environment: {variable} is in a table that another variable sets as a whole")
            target = cast("dict[str, Any]", inner)
        target[last] = text
    return values


def _meant(variable: str, sections: Mapping[str, Sequence[str]]) -> str | None:
    """The variable for a setting that was meant by one with a wrong number of _, small letters or a wrong letter."""
    name = variable.upper().replace("-", "_")
    if not name.startswith(PREFIX) or variable in OTHERS:
        return None
    rights = {_plain(right): right for right in _rights(sections)}
    without_section = {_plain(PREFIX + right.rpartition("__")[2]): right for right in rights.values()}
    meant = rights.get(_plain(name)) or without_section.get(_plain(name))
    if meant is None and "__" not in name:  # else the section or key is named as unknown
        close = get_close_matches(_plain(name), [*rights, *map(_plain, OTHERS)], 1, _ALIKE)
        meant = rights.get(close[0]) if close else None
        if meant is None and name.startswith(f"{PREFIX}PLUGINS_"):
            meant = f"{PREFIX}PLUGINS__<PLUGIN>__<KEY>"
    return meant


def _rights(sections: Mapping[str, Iterable[str]]) -> Iterator[str]:
    for section, keys in sections.items():
        for key in keys:
            yield f"{PREFIX}{section}__{key}".upper()


def _plain(name: str) -> str:
    return name.replace("_", "")
