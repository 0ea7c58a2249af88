"""`chatnode setup`, `user`, `invite` and `token`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from chatnode.cli.operator import run_operator_command


@click.command()
@click.pass_obj
def setup(data: Path) -> None:
    """Print a link with which the first administrator makes their account."""
    click.echo(run_operator_command(data, "setup.create")["link"])


@click.group()
def user() -> None:
    """Accounts."""


@user.command("add")
@click.argument("handle")
@click.option("--name", help="Name to show; the handle by default.")
@click.option("--admin", is_flag=True, help="An administrator of the node.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--no-password", is_flag=True, help="An account that is used by token only.")
@click.pass_obj
def add_user(data: Path, handle: str, name: str | None, admin: bool, password_stdin: bool, no_password: bool) -> None:
    """Make an account."""
    fields: dict[str, object] = {"handle": handle, "admin": admin}
    if name is not None:
        fields["name"] = name
    if not no_password:
        fields["password"] = read_password(password_stdin)
    person = run_operator_command(data, "people.create", **fields)["person"]
    click.echo(f"{person['handle']} {person['id']}")


@user.command("password")
@click.argument("handle")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.pass_obj
def set_password(data: Path, handle: str, password_stdin: bool) -> None:
    """Set a new password; the person is signed out everywhere."""
    new = read_password(password_stdin)
    done = run_operator_command(data, "people.password", person=handle, new=new)
    click.echo(f"password set, {done['revoked']} sessions signed out")


@user.command("role")
@click.argument("handle")
@click.argument("role")
@click.pass_obj
def set_role(data: Path, handle: str, role: str) -> None:
    """Give somebody the role `admin` or `member`."""
    run_operator_command(data, "people.role", person=handle, role=role)
    click.echo(f"{handle} is {role} now")


def read_password(from_stdin: bool) -> str:
    """From standard input's first line, or asked for twice at a terminal."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise click.UsageError("give the password on standard input with --password-stdin")
    return click.prompt("Password", hide_input=True, confirmation_prompt=True)


@click.command()
@click.option("--uses", default=1, show_default=True, help="How many accounts it makes.")
@click.option("--days", type=int, help="How long it can be used, instead of the setting accounts.invite_days.")
@click.pass_obj
def invite(data: Path, uses: int, days: int | None) -> None:
    """Print a link with which somebody makes an account."""
    fields = {"uses": uses} | ({"days": days} if days is not None else {})
    click.echo(run_operator_command(data, "invites.create", **fields)["link"])


@click.group()
def token() -> None:
    """API tokens."""


@token.command("create")
@click.argument("handle")
@click.option("--label", default="command line", show_default=True, help="What it is for.")
@click.option("--days", type=int, help="How long it works; for ever by default.")
@click.pass_obj
def create_token(data: Path, handle: str, label: str, days: int | None) -> None:
    """Print a new token of HANDLE, and nothing else."""
    fields = {"person": handle, "label": label} | ({"days": days} if days is not None else {})
    click.echo(run_operator_command(data, "tokens.create", **fields)["token"])
