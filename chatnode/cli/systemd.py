"""Telling systemd how the service is (sd_notify(3)): a datagram to the socket that it names. Elsewhere nothing."""

from __future__ import annotations

import contextlib
import os
import socket

import trio

from chatnode.node import Node


def notify(state: str) -> None:
    """Send a state such as `READY=1`; nobody listening is no error."""
    name = os.environ.get("NOTIFY_SOCKET", "")
    if not name.startswith(("/", "@")):
        return
    address = "\0" + name[1:] if name.startswith("@") else name
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(state.encode(), address)


async def keep_watchdog_calm(node: Node) -> None:
    """While reads are answered, notify systemd twice per WatchdogSec; otherwise systemd restarts the node."""
    if not (microseconds := int(os.environ.get("WATCHDOG_USEC") or 0)):
        return
    while True:
        with contextlib.suppress(Exception):
            await node.call("node.info")
            notify("WATCHDOG=1")
        await trio.sleep(microseconds / 2_000_000)
