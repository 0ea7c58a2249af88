"""`chatnode serve`."""

from __future__ import annotations

import gc
import os
import resource
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

import click
import trio

from chatnode import bundle, config_file, logs
from chatnode.cli import packages, reloading
from chatnode.cli.systemd import keep_watchdog_calm, notify
from chatnode.config import Config
from chatnode.errors import StartError
from chatnode.garbage import not_collected
from chatnode.logs import get_logger
from chatnode.node import Node, open_node
from chatnode.services.memory import limit_arenas
from chatnode.storage.engine.directory import DataDirectory

logger = get_logger("serve")


SWITCH_SECONDS = 0.0005
"""How soon a reader in the middle of a long reply lets messages pass. With Python's default of 5 ms the slowest
message in a hundred took three times as long while many users came and went (docs/performance.md)."""


@click.command()
@click.option("--bind", help="Address and port (default: the setting server.bind).")
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    help="Configuration file (default: the data directory's config.toml).",
)
@click.option("--reload", is_flag=True, help="Restart when a plugin's files or the settings change; for developers.")
@click.pass_obj
def serve(data: Path, bind: str | None, config_path: Path | None, reload: bool) -> None:
    """Run the node until it gets SIGINT, SIGTERM or SIGHUP."""
    if reload and bundle.ROOT is not None:
        raise StartError("--reload needs a chatnode installed with pip")
    directory = DataDirectory(data)
    config = config_file.load(config_path or directory.given_config)
    logs.set_up(config.logs.level, config.logs.format)
    logs.catch_crashes()
    _raise_file_limit()
    limit_arenas()
    packages.renew(data)
    if reload:
        reloading.prepare()
    if trio.run(_serve, data, config, bind, (config_path or directory.config) if reload else None):
        reloading.start_again()


async def _serve(data: Path, config: Config, bind: str | None, reload: Path | None) -> bool:
    """Until it is told to stop; whether it shall start again. `reload` is the file of settings to watch, with the
    plugins."""
    stamps = await reloading.look_when_still(reload) if reload is not None else {}
    changed = False

    async def wait_changed(file: Path, scope: trio.CancelScope) -> None:
        nonlocal changed
        await reloading.wait_changed(file, stamps)
        changed = True
        scope.cancel()

    with trio.open_signal_receiver(*_stopping_signals()) as signals, ExitStack() as starting:
        starting.enter_context(not_collected())
        async with open_node(data, config) as node, trio.open_nursery() as nursery:
            try:
                url: str = await nursery.start(node.serve, bind)
            except UnicodeError as error:  # a host name with a label that is empty, too long or of no characters
                raise StartError(f"cannot listen on {bind or config.server.bind!r}: {error}") from None
            click.echo(f"chatnode: listening on {url}")
            await _greet(node)
            notify("READY=1")
            nursery.start_soon(keep_watchdog_calm, node)
            starting.close()
            _calm_garbage_collector()
            sys.setswitchinterval(SWITCH_SECONDS)
            nursery.start_soon(_stop_on_signal, signals, nursery.cancel_scope)
            if reload is not None:
                nursery.start_soon(wait_changed, reload, nursery.cancel_scope)
    return changed


async def _greet(node: Node) -> None:
    """On a node without an administrator, say how to become it. The link is for a person's eyes, not for a log."""
    info = await node.call("node.info")
    if not info["needs_setup"]:
        return
    if sys.stderr.isatty():
        setup = await node.call("setup.create")
        click.echo(f"chatnode: no administrator yet; open {setup['link']} to create one", err=True)
    else:
        logger.info("no administrator yet; `chatnode setup` prints a link to create one")


def _calm_garbage_collector() -> None:
    """Look for cycles less often, and never among what is there for good.

    A full collection over the loaded modules takes 50 ms and was the node's slowest message in a hundred. Here and
    not in `open_node`, because it is for the whole process to decide.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _stopping_signals() -> list[signal.Signals]:
    """A terminal that is closed sends SIGHUP, unless `nohup` has it ignored."""
    hang_up = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
    return [signal.SIGINT, signal.SIGTERM, *hang_up]


async def _stop_on_signal(signals: object, scope: trio.CancelScope) -> None:
    first = True
    async for number in signals:  # pyright: ignore[reportUnknownVariableType, reportGeneralTypeIssues, reportAttributeAccessIssue]
        if not first:
            os._exit(128 + int(number))  # asked twice: what is acknowledged is on disk, leave at once  # pyright: ignore[reportUnknownArgumentType]
        first = False
        logger.info("stopping")
        notify("STOPPING=1")
        scope.cancel()


def _raise_file_limit() -> None:
    """Each connection is an open file; take as many as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
