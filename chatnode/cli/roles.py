"""`chatnode role`."""

from __future__ import annotations

from pathlib import Path

import click

from chatnode.cli.operator import run_making_command, run_operator_command
from chatnode.counting import counted


@click.group()
def role() -> None:
    """Manage roles and their permissions."""


@role.command("list")
@click.pass_obj
def list_roles(data: Path) -> None:
    """List roles with their permissions, and explain the permissions."""
    given = run_operator_command(data, "roles.list")
    width = max(len(each["role"]) for each in given["roles"])
    for each in given["roles"]:
        click.echo(f"{each['role']:{width}}{counted(each['people'], 'account'):>16}  {' '.join(each['permissions'])}")
    click.echo()
    width = max(len(each["permission"]) for each in given["permissions"])
    for each in given["permissions"]:
        click.echo(f"{each['permission']:{width}}  {each['meaning']}")


@role.command("set")
@click.argument("name")
@click.argument("permissions", nargs=-1, required=True)
@click.pass_obj
def set_role(data: Path, name: str, permissions: tuple[str, ...]) -> None:
    """Create role NAME, or replace its permissions."""
    run_making_command(data, "roles.set", role=name, permissions=list(permissions))
    click.echo(f"{name} now has: {' '.join(permissions)}")


@role.command("delete")
@click.argument("name")
@click.pass_obj
def delete_role(data: Path, name: str) -> None:
    """Delete a role that no account has."""
    run_operator_command(data, "roles.delete", role=name)
    click.echo(f"{name} is deleted")
