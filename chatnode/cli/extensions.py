"""What installed plugins add to the command line. A plugin is imported when it is asked for, and not before."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from chatnode.cli.operator import operator_session
from chatnode.cli.remote import BlockingCall
from chatnode.dispatch.table import Command
from chatnode.errors import StartError
from chatnode.hooks.declared import declaration
from chatnode.hooks.discovery import Installed, installed
from chatnode.hooks.guard import FAILURES
from chatnode.hooks.plugin import Plugin
from chatnode.hooks.shapes import check_command_line


def declared(found: Installed) -> Plugin:
    """What a plugin declares; raises `StartError` that names the plugin, whatever is wrong with it."""
    try:
        plugin = declaration(found.load())
        check_command_line(plugin)
    except StartError as error:
        raise StartError(f"the plugin {found.name} is broken: {error}") from error
    except FAILURES as error:  # whatever its modules do when they are imported
        raise StartError(f"the plugin {found.name} is broken: {type(error).__name__}: {error}") from error
    return plugin


def find(context: click.Context, name: str) -> click.Command | None:
    """The command of the plugin with this name; None when there is no such plugin.

    That of a plugin which is broken, or declares none, says so when it is run.
    """
    found = next((each for each in installed() if each.name == name), None)
    if found is None:
        return None
    try:
        own = declared(found).cli
    except StartError as error:
        return _failing(name, error, "(broken; see `chatnode plugin list`)")
    if own is None:
        lack = StartError(f"the plugin {name} has no commands; see `chatnode plugin docs {name}`")
        return _failing(name, lack, "(no commands)")
    command = copy.copy(own)
    command.context_settings = {**own.context_settings, "obj": _calling(context)}
    return command


def _calling(context: click.Context) -> Any:
    """What a plugin's command gets as its object: runs commands as the operator, on the directory of `--data`, in one
    session that ends with the command."""
    session: BlockingCall | None = None

    def call(name: str, /, **fields: Any) -> Any:
        """The result as plain values; raises `Refusal`."""
        nonlocal session
        if session is None:
            data: Path = context.params["data"]
            session = context.with_resource(operator_session(data))
        return session(name, **fields)

    return call


def _failing(name: str, error: StartError, why: str) -> click.Command:
    def fail(**_: Any) -> None:
        raise error

    return click.Command(
        name,
        callback=fail,
        params=[click.Argument(["rest"], nargs=-1, type=click.UNPROCESSED)],
        short_help=why,
        context_settings={"ignore_unknown_options": True},
        add_help_option=False,
    )


def sound() -> Iterator[tuple[Installed, Plugin]]:
    """The installed plugins with what they declare; a broken one is named on standard error instead."""
    for found in installed():
        try:
            plugin = declared(found)
        except StartError as error:
            click.echo(f"chatnode: {error}", err=True)
        else:
            yield found, plugin


def commands_of_plugins() -> Iterator[Command[Any, Any]]:
    """The commands that installed plugins declare."""
    for _, plugin in sound():
        yield from plugin.commands
