"""`chatnode setup`, `user`, `invite` and `token`."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import BinaryIO

import click

from chatnode.cli.operator import Call, run_making_command, run_operator_command, with_operator
from chatnode.errors import StartError


@click.command()
@click.pass_obj
def setup(data: Path) -> None:
    """Print a link for the first administrator to sign up with."""
    click.echo(run_making_command(data, "setup.create")["link"])


@click.group()
def user() -> None:
    """Accounts."""


@user.command("add")
@click.argument("handle")
@click.option("--name", help="Name to show; the handle by default.")
@click.option("--admin", is_flag=True, help="An administrator of the node.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--no-password", is_flag=True, help="An account that is used by token only.")
@click.option("--bot", is_flag=True, help="A program: never has a password, is shown as a bot.")
@click.pass_obj
def add_user(
    data: Path, handle: str, name: str | None, admin: bool, password_stdin: bool, no_password: bool, bot: bool
) -> None:
    """Make an account."""
    fields: dict[str, object] = {"handle": handle, "admin": admin, "bot": bot}
    if name is not None:
        fields["name"] = name
    if not (no_password or bot):
        fields["password"] = read_password(password_stdin)
    person = run_making_command(data, "people.create", **fields)["person"]
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
    """Give HANDLE another role.

    ROLE is `admin`, `member`, or one of `chatnode role list`.
    """
    run_operator_command(data, "people.role", person=handle, role=role)
    click.echo(f"{handle} is {role} now")


@user.command("list")
@click.option("--prefix", default="", help="Only handles that begin so.")
@click.pass_obj
def list_users(data: Path, prefix: str) -> None:
    """Print the handles and names of all accounts."""

    async def main(call: Call) -> None:
        after = ""
        while page := (await call("people.list", prefix=prefix, after=after, limit=500))["people"]:
            for person in page:
                marks = [mark for mark in ("bot", "imported", "deactivated", "erased") if person.get(mark)]
                click.echo("  ".join([f"{person['handle']:20}", person["name"], *(f"[{mark}]" for mark in marks)]))
            after = page[-1]["handle"]

    with_operator(data, main)


@user.command("deactivate")
@click.argument("handle")
@click.pass_obj
def deactivate(data: Path, handle: str) -> None:
    """Deactivate an account.

    It is signed out everywhere and cannot sign in.
    """
    run_operator_command(data, "people.deactivate", person=handle)
    click.echo(f"{handle} is deactivated")


@user.command("reactivate")
@click.argument("handle")
@click.pass_obj
def reactivate(data: Path, handle: str) -> None:
    """Open a deactivated account again."""
    run_operator_command(data, "people.reactivate", person=handle)
    click.echo(f"{handle} can sign in again")


@user.command("reset")
@click.argument("handle")
@click.pass_obj
def reset(data: Path, handle: str) -> None:
    """Print a one-time link for HANDLE to set a new password."""
    click.echo(run_operator_command(data, "people.reset_link", person=handle)["link"])


@user.command("sessions")
@click.argument("handle")
@click.option("--sign-out", is_flag=True, help="End them all.")
@click.pass_obj
def sessions(data: Path, handle: str, sign_out: bool) -> None:
    """Print the devices and tokens of HANDLE.

    Each with its number, kind, last use and name.
    """
    for each in run_operator_command(data, "people.sessions", person=handle)["sessions"]:
        used = each.get("last_used_at", "never used")
        scopes = f"  [{' '.join(each['scopes'])}]" if "scopes" in each else ""
        click.echo(f"{each['session']:6}  {each['kind']:6}  {used:24}  {each['label']}{scopes}")
    if sign_out:
        click.echo(f"{run_operator_command(data, 'people.sign_out', person=handle)['revoked']} sessions signed out")


@user.command("export")
@click.argument("handle")
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def export(data: Path, handle: str, file: Path) -> None:
    """Write everything that the node holds about HANDLE to FILE.

    FILE is a new file and gets a line of JSON for each thing; `-` is standard output.
    """

    import orjson

    async def main(out: BinaryIO, call: Call) -> int:
        count, after = 0, {}
        while True:
            page = await call("people.export", person=handle, **after)
            out.writelines(orjson.dumps(entry) + b"\n" for entry in page["entries"])
            count += len(page["entries"])
            if "next" not in page:
                return count
            after = {"after": page["next"]}

    if str(file) == "-":
        count = with_operator(data, partial(main, sys.stdout.buffer))
    else:
        from chatnode.storage.upkeep.files import appearing

        with appearing(file) as out:
            count = with_operator(data, partial(main, out))
    click.echo(f"{count} entries written", err=True)


@user.command("erase")
@click.argument("handle")
@click.option("--confirm", help="The handle once more, instead of being asked for it.")
@click.pass_obj
def erase(data: Path, handle: str, confirm: str | None) -> None:
    """Erase HANDLE for good, with everything they said. Export before, if it may be wanted."""
    again = confirm or click.prompt(f"This cannot be undone. Type {handle} once more", err=True)
    receipt = run_operator_command(data, "people.erase", person=handle, handle=again)
    for table, rows in sorted(receipt["removed"].items()):
        click.echo(f"{rows:9}  {table}")
    proof = receipt["proof"]
    click.echo(
        f"{proof['looked_for']} texts looked for in the files: {proof['left']} left, "
        f"{proof['said_by_others']} said by others too"
    )
    if "advice" in proof:
        raise StartError(f"not everything is gone from the files yet; {proof['advice']}")


@user.command("adopt")
@click.argument("author")
@click.argument("handle", required=False)
@click.option("--dry-run", is_flag=True, help="Only print how much would be handed over.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def adopt(data: Path, author: str, handle: str | None, dry_run: bool, yes: bool) -> None:
    """Hand an imported AUTHOR over to the user HANDLE.

    Everything the author wrote is the user's afterwards.

    Messages, mentions, reactions and places in groups become HANDLE's, and so does what is imported later. Without
    HANDLE, AUTHOR becomes an account of its own, and a one-time link to set its password is printed.
    """
    fields = {"author": author} | ({"person": handle} if handle else {})
    moved = run_operator_command(data, "people.adopt", **fields, dry_run=True)["moved"]
    amount = f"{moved['messages']} messages, {moved['mentions']} mentions, {moved['groups']} places in groups"
    if dry_run:
        click.echo(f"{author} has {amount}")
        return
    if not yes:
        click.confirm(
            f"{amount} of {author} become {handle or 'its own'}; this cannot be undone. Go on?", abort=True, err=True
        )
    moved = run_operator_command(data, "people.adopt", **fields)["moved"]
    click.echo(f"{moved['messages']} messages of {author} are by {handle or author} now")
    if handle is None:
        click.echo(run_operator_command(data, "people.reset_link", person=author)["link"])


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
    click.echo(run_making_command(data, "invites.create", **fields)["link"])


@click.group()
def token() -> None:
    """API tokens."""


@token.command("create")
@click.argument("handle")
@click.option("--label", default="command line", show_default=True, help="What it is for.")
@click.option("--days", type=int, help="How long it works; for ever by default.")
@click.option("--scope", "scopes", multiple=True, help="A permission, or PERMISSION:read; may be given several times.")
@click.pass_obj
def create_token(data: Path, handle: str, label: str, days: int | None, scopes: tuple[str, ...]) -> None:
    """Print a new token of HANDLE, and nothing else. Without --scope it may all that HANDLE may."""
    fields: dict[str, object] = {"person": handle, "label": label}
    if days is not None:
        fields["days"] = days
    if scopes:
        fields["scopes"] = list(scopes)
    click.echo(run_operator_command(data, "tokens.create", **fields)["token"])


@token.command("revoke")
@click.argument("handle")
@click.argument("number", type=int)
@click.pass_obj
def revoke_token(data: Path, handle: str, number: int) -> None:
    """End one token or device of HANDLE.

    NUMBER is the one in `chatnode user sessions HANDLE`.
    """
    run_operator_command(data, "people.sign_out", person=handle, session=number)
    click.echo(f"{number} is signed out")
