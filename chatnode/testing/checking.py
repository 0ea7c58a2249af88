"""Tests a plugin's declaration."""

from __future__ import annotations

from typing import Any

from chatnode.hooks.discovery import Installed, name_of
from chatnode.hooks.review import review
from chatnode.services import SUBJECTS


def check_plugin(plugin: Any) -> None:
    """Check that `plugin`, a module or an object with hooks, loads on an empty node and has a complete declaration.

    Every command, event, setting, permission, metric and route must have a description; every function must take what
    the node passes it; every table that refers to users or messages must be declared, with an index for each such
    column; exports must be readable in pages. Raises `AssertionError` with a line for each fault.
    """
    name = name_of(plugin)
    faults = review(Installed(name, "", "", lambda: plugin), SUBJECTS)
    if faults:
        raise AssertionError("\n".join([f"the plugin {name} has problems:", *faults]))
