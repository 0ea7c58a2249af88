"""`chatnode work`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from chatnode import control_socket
from chatnode.cli.operator import run_operator_command
from chatnode.cli.progress import Bars
from chatnode.errors import StartError

LOOK_SECONDS = 0.5
"""How often `--watch` looks."""
_OPEN = ("waiting", "running")


@click.group()
def work() -> None:
    """Inspect and control background work of plugins, such as imports."""


@work.command("list")
@click.option("--status", help="Only work items with this status, such as running.")
@click.option("--kind", help="Only work items of this kind, such as crm.import.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1))
@click.pass_obj
def list_work(data: Path, status: str | None, kind: str | None, limit: int) -> None:
    """List work items, newest first."""
    terms = {"status": status, "kind": kind}
    fields = {name: value for name, value in terms.items() if value is not None}
    for each in run_operator_command(data, "work.list", limit=limit, **fields)["works"]:
        owner = f"  @{each['owner']['handle']}" if "owner" in each else ""
        click.echo(
            f"{each['work']}  {each['status']:9}  {_progress(each):>14}  {each['kind']:20}  {each['title']}{owner}"
        )


@work.command("show")
@click.argument("id")
@click.option("--watch", is_flag=True, help="Show a progress bar until it ends; Ctrl-C stops only the watching.")
@click.pass_obj
def show(data: Path, id: str, watch: bool) -> None:
    """Print work item ID: its status, progress and result. Exits with 1 if it failed or was cancelled."""
    found = _watch(data, id) if watch else run_operator_command(data, "work.get", work=id)["work"]
    click.echo(control_socket.shown(found))
    if found["status"] in ("failed", "cancelled"):
        sys.exit(1)


def _watch(data: Path, id: str) -> dict[str, Any]:
    node = control_socket.connect(data)
    if node is None:
        raise StartError(f"{data}: no node is running there; start one with chatnode serve")
    with node, Bars() as bars:
        while True:
            found: dict[str, Any] = node.call("work.get", work=id)["work"]
            bars(found["status"], found["done"], found.get("total") or 0)
            if found["status"] not in _OPEN:
                return found
            time.sleep(LOOK_SECONDS)


@work.command("pause")
@click.argument("id")
@click.pass_obj
def pause(data: Path, id: str) -> None:
    """Pause work item ID; `resume` continues where it stopped."""
    _steer(data, "work.pause", id)


@work.command("resume")
@click.argument("id")
@click.pass_obj
def resume(data: Path, id: str) -> None:
    """Resume paused work item ID, or retry it if it failed."""
    _steer(data, "work.resume", id)


@work.command("cancel")
@click.argument("id")
@click.pass_obj
def cancel(data: Path, id: str) -> None:
    """Cancel work item ID; what it has written is kept."""
    _steer(data, "work.cancel", id)


def _steer(data: Path, command: str, id: str) -> None:
    found = run_operator_command(data, command, work=id)["work"]
    click.echo(" ".join(_told(found)))


def _told(found: dict[str, Any]) -> Iterator[str]:
    yield f"{found['title']} is {found['status']}"
    if found["done"]:
        yield f"at {_progress(found)}"


def _progress(found: dict[str, Any]) -> str:
    """How far it is: a share, where the whole is known."""
    done, total = found["done"], found.get("total")
    if not total:
        return str(done) if done else ""
    rate = f" {found['rate']:.0f}/s" if found.get("rate") else ""
    return f"{100 * done // total}%{rate}"
