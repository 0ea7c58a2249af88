"""The `chatnode` command."""

from __future__ import annotations

import copy
import errno
import os
import sys
from contextlib import suppress
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn, TypeVar, cast

import click

from chatnode import __version__, bundle
from chatnode.errors import ConnectionLost, Refusal, StartError
from chatnode.garbage import not_collected
from chatnode.hooks.discovery import installed


class _Commands(click.Group):
    """Subcommands by name, each imported when it is asked for: a node carries nothing of a terminal's around.

    Plugins' own are named as the plugins are. The help imports neither them nor the plugins.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*_COMMANDS, *(each.name for each in installed())})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            found = _imported("extensions").find(ctx, cmd_name)
            return with_data(found) if found is not None else None
        module, _, name = _COMMANDS[cmd_name][0].partition(".")
        return with_data(getattr(_imported(module), name))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])
        plugins = [each for each in installed() if each.name not in _COMMANDS]
        if plugins:
            with formatter.section("Commands of plugins"):
                formatter.write_dl([(each.name, f"{each.distribution} {each.version}".strip()) for each in plugins])


def _imported(name: str) -> ModuleType:
    """A module of this package."""
    with not_collected():
        return import_module(f"chatnode.cli.{name}")


_C = TypeVar("_C", bound=click.Command)


def with_data(command: _C) -> _C:
    """The command, and those below it, with `--data` of their own: people write it where it comes to their minds."""
    if command.name in _WITHOUT_DATA or any("--data" in each.opts for each in command.params):
        return command
    command = copy.copy(command)
    option = click.Option(
        ["--data"], type=_DataPath(path_type=Path), expose_value=False, callback=_take_data, help="Data directory."
    )
    command.params = [*command.params, option]
    if isinstance(command, click.Group):
        command.commands = {name: with_data(each) for name, each in command.commands.items()}
    return command


def _take_data(context: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    root = context.find_root()
    if value is not None:
        if context.obj is root.params["data"]:  # else it is what a plugin's command calls, which asks the root
            context.obj = value
        root.params["data"] = root.obj = value


class _DataPath(click.Path):
    """A directory. An empty path, as from an unset variable of a script, is not the current directory."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the path is empty; use . for the current directory", param, ctx)
        return super().convert(value, param, ctx)


_WITHOUT_DATA = ("systemd",)
_COMMANDS = {
    "acme": ("certificates.acme", "Manage the certificate that the node obtains itself."),
    "audit": ("auditing.audit", "Print the audit log, newest first."),
    "backup": ("backups.backup", "Make a backup; the node may be running."),
    "call": ("calling.call", "Run any command by its name."),
    "chat": ("chatting.chat", "Chat in this terminal."),
    "check": ("checking.check", "Check the database and the files of plugins; exits with 1 if there are problems."),
    "config": ("printing.config", "Print every setting with its default, as a config.toml."),
    "download": ("transferring.download", "Download a file as a user, and print its path."),
    "export": ("upkeep.export", "Export everything as lines of JSON; the node may be running."),
    "fetch": ("backups.fetch", "Fetch backup NAME, or the newest one, from the bucket to DIRECTORY."),
    "import": ("importing.import_group", "Import conversations from other systems."),
    "invite": ("accounts.invite", "Print an invite link to create an account with."),
    "migrate": ("upkeep.migrate", "Migrate the database to this version."),
    "plugin": ("plugins.plugin", "Manage plugins."),
    "restore": ("backups.restore", "Replace the database with a backup, and put back missing files of plugins."),
    "role": ("roles.role", "Manage roles and their permissions."),
    "self": ("self_check.itself", "Inspect this installation."),
    "serve": ("serving.serve", "Run the node until it gets SIGINT, SIGTERM or SIGHUP."),
    "setup": ("accounts.setup", "Print a link for the first administrator to sign up with."),
    "systemd": ("printing.systemd", "Print a systemd unit that starts this chatnode."),
    "token": ("accounts.token", "Manage API tokens."),
    "upload": ("transferring.upload", "Upload files as a user, and print their ids."),
    "user": ("accounts.user", "Manage accounts."),
    "work": ("works.work", "Inspect and control background work of plugins, such as imports."),
}
"""Where each command is, and what the help says of it: the summary of the command itself, which is imported late."""


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="chatnode")
@click.option(
    "--data",
    type=_DataPath(path_type=Path),
    default=Path("data"),
    envvar="CHATNODE_DATA",
    show_default=True,
    help="Data directory; created on first use.",
)
@click.pass_context
def cli(context: click.Context, data: Path) -> None:
    """A chat server in one process.

    Commands ask the node that runs on the data directory; if none runs, they open the directory themselves.
    """
    context.obj = data


def main() -> None:
    """Entry point: errors that name a place and a fix are printed as they are, and exit with 1."""
    _open_closed_streams()
    if bundle.ROOT is not None:
        from chatnode.hooks.site import PluginSite

        PluginSite(_data_of(sys.argv[1:])).use()
    try:
        cli(prog_name="chatnode")
    except (StartError, Refusal, ConnectionLost, UnicodeEncodeError) as error:
        fail(error)
    except OSError as error:
        if error.filename is not None:
            fail(StartError(f"{os.fsdecode(error.filename)}: {error.strerror}"))
        fail_to_write(error)
    except ExceptionGroup as group:
        expected, rest = group.split((StartError, Refusal))
        if expected is None or rest is not None:
            raise
        fail(_first(expected))


_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)


def _open_closed_streams() -> None:
    """Read nothing from a standard stream that was closed, as supervisors do, and write nothing to it: otherwise the
    database might get its number, and what is printed."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            with suppress(OSError):
                os.fstat(number)
                continue
            _put_nothing_at(number)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False))


def fail_to_write(error: OSError) -> NoReturn:
    """Exit if what was printed could not be written, else raise the error."""
    if error.errno not in _UNWRITABLE:
        raise error
    _put_nothing_at(1)  # where Python would try again at its exit
    fail(StartError(f"cannot write to standard output: {error.strerror}; the command may have been carried out"))


def _put_nothing_at(number: int) -> None:
    opened = os.open(os.devnull, os.O_RDWR)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)


def _data_of(words: list[str]) -> str:
    """The data directory that a command line names: its plugins have commands, so it is wanted before they are read."""
    found = os.environ.get("CHATNODE_DATA") or "data"
    for word, following in pairwise([*words, ""]):
        name, separator, value = word.partition("=")
        if name == "--data":
            found = value if separator else following
    return found


def _first(error: Exception) -> Exception:
    """The first error in the groups that nurseries make."""
    while isinstance(error, ExceptionGroup):
        error = cast("ExceptionGroup[Exception]", error).exceptions[0]
    return error


def _why_not_encodable(error: UnicodeEncodeError) -> str:
    """Why a text cannot be encoded: it is not UTF-8, or standard output cannot show it."""
    if error.encoding != "utf-8":
        character = error.object[error.start]
        return f"standard output uses {error.encoding}, which has no {character!a}; set PYTHONIOENCODING=utf-8"
    # what the shell handed over as bytes of no text
    words = [word for word in sys.argv if word != word.encode(errors="replace").decode()]
    return f"{(words or [error.object])[0]!r} is not UTF-8"


def fail(error: Exception) -> NoReturn:
    """Print an error that names a place and a fix, and exit with 1."""
    message = str(error)
    if isinstance(error, UnicodeEncodeError):
        message = _why_not_encodable(error)
    if isinstance(error, Refusal):
        place = f" ({error.path})" if error.path else ""
        message = f"{error.message}{place} [{error.code}]"
    if type(error).__name__ == "Unreachable":  # the client library is not imported for other commands
        message += "; use --url or CHATNODE_URL to connect to another node"
    click.echo(f"chatnode: {message}", err=True)
    sys.exit(1)
