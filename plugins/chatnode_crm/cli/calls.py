"""What the command line calls: commands of the node, as the operator, and durable work that it waits for."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any, Protocol

import click

LOOK_SECONDS = 0.2
"""How often a work that is waited for is looked at."""
_BAR_WIDTH = 30


class NodeCall(Protocol):
    """Runs a command as the operator."""

    def __call__(self, name: str, /, **fields: Any) -> Any: ...


def pages(call: NodeCall, command: str, items: str, **fields: Any) -> Iterator[dict[str, Any]]:
    """The items of all pages of a command that lists."""
    after: dict[str, Any] = {}
    while True:
        page = call(command, **fields, **after)
        yield from page[items]
        if page.get("next") is None:
            return
        after = {"after": page["next"]}


def wait_for(call: NodeCall, work: str, stage: str) -> dict[str, Any]:
    """Wait until a work ends, with a progress bar at a terminal; returns the work. Exits with 1 if it did not succeed.

    Ctrl-C stops the waiting only.
    """
    try:
        found = _watched(call, work, stage)
    except KeyboardInterrupt:
        click.echo(f"\nThe work continues in the node: chatnode work show {work} --watch", err=True)
        sys.exit(130)
    if found["status"] != "done":
        why = found.get("error") or "see the node's log"
        click.echo(f"chatnode: {stage} {'failed' if found['status'] == 'failed' else found['status']}: {why}", err=True)
        sys.exit(1)
    return found


def _watched(call: NodeCall, work: str, stage: str) -> dict[str, Any]:
    bar: Any = None
    shown = 0
    try:
        while True:
            found: dict[str, Any] = call("work.get", work=work)["work"]
            if bar is None and found.get("total"):
                hidden = not sys.stderr.isatty()
                bar = click.progressbar(
                    length=found["total"], label=stage, file=sys.stderr, width=_BAR_WIDTH, hidden=hidden
                )
                bar.__enter__()
            if bar is not None and found["done"] > shown:
                bar.update(found["done"] - shown)
                shown = found["done"]
            if found["status"] not in ("waiting", "running"):
                return found
            time.sleep(LOOK_SECONDS)
    finally:
        if bar is not None:
            bar.__exit__(None, None, None)
