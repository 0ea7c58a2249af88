"""A plugin's declaration, put to the test."""

from __future__ import annotations

from typing import Any

from chatnode.hooks.discovery import Installed
from chatnode.hooks.review import review
from chatnode.services import SUBJECTS


def check_plugin(plugin: Any) -> None:
    """`plugin`, a module or an object with hooks, must load on an empty node and be declared as others rely on.

    Every command, event, setting, permission, metric and route says what it is; every table that names people or
    messages is declared, and has an index for each column that is; what it exports can be read in pages. Raises
    `AssertionError` with a line for each fault.
    """
    name = plugin.chatnode_plugin().name
    faults = review(Installed(name, "", "", lambda: plugin), SUBJECTS)
    if faults:
        raise AssertionError("\n".join([f"the plugin {name} has problems:", *faults]))
