"""Which node a user's commands go to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from chatnode import control_socket
from chatnode.errors import Refusal

_DEFAULT = "http://127.0.0.1:8008"

url_option = click.option(
    "--url",
    envvar="CHATNODE_URL",
    help=f"URL of the node (default: of the one that runs on the data directory, or {_DEFAULT}).",
)


def url_of_node(given: str | None, data: Path) -> str:
    """What `url_option` says, or where the node is reached that runs on the data directory."""
    if given is not None:
        return given
    node = control_socket.connect(data)
    if node is None:
        return _DEFAULT
    with node:
        try:
            found: Any = node.call("node.address")
        except Refusal:  # of a node from before the update
            return _DEFAULT
    return found.get("url") or _DEFAULT
