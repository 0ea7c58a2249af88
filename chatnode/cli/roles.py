"""`chatnode role` and `chatnode audit`."""

from __future__ import annotations

from pathlib import Path

import click

from chatnode.cli.operator import run_operator_command


@click.group()
def role() -> None:
    """Roles, and what they may do."""


@role.command("list")
@click.pass_obj
def list_roles(data: Path) -> None:
    """Print every role with its permissions, and what each permission means."""
    given = run_operator_command(data, "roles.list")
    for each in given["roles"]:
        click.echo(f"{each['role']:16}{each['people']:7} accounts  {' '.join(each['permissions'])}")
    click.echo()
    for each in given["permissions"]:
        click.echo(f"{each['permission']:16}{each['meaning']}")


@role.command("set")
@click.argument("name")
@click.argument("permissions", nargs=-1, required=True)
@click.pass_obj
def set_role(data: Path, name: str, permissions: tuple[str, ...]) -> None:
    """Make the role NAME, or change what it may do to just these PERMISSIONS."""
    run_operator_command(data, "roles.set", role=name, permissions=list(permissions))
    click.echo(f"{name} may now: {' '.join(permissions)}")


@role.command("delete")
@click.argument("name")
@click.pass_obj
def delete_role(data: Path, name: str) -> None:
    """Delete a role that nobody has."""
    run_operator_command(data, "roles.delete", role=name)
    click.echo(f"{name} is deleted")


@click.command()
@click.option("--actor", help="Handle of who did it.")
@click.option("--action", help="The command, such as people.role.")
@click.option("--target", help="Handle or id of what it was done to.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1))
@click.pass_obj
def audit(data: Path, actor: str | None, action: str | None, target: str | None, limit: int) -> None:
    """Print what administrators, moderators and the operator did, newest first."""
    terms = {"actor": actor, "action": action, "target": target}
    fields = {name: value for name, value in terms.items() if value is not None}
    for each in run_operator_command(data, "audit.list", limit=limit, **fields)["entries"]:
        who = each["actor"]["handle"] if "actor" in each else "(operator)"
        details = " ".join(f"{name}={value!r}" for name, value in each["details"].items())
        click.echo(f"{each['at']}  {who:16}  {each['action']:20}  {each['target']}  {details}".rstrip())
