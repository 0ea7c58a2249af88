"""`chatnode setup`, `user`, `invite` and `token`."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import BinaryIO

import click

from chatnode.cli.operator import run_making_command, run_operator_command, with_operator
from chatnode.cli.remote import OperatorCall
from chatnode.counting import counted
from chatnode.errors import StartError


@click.command()
@click.pass_obj
def setup(data: Path) -> None:
    """Print a link for the first administrator to sign up with."""
    click.echo(run_making_command(data, "setup.create")["link"])


@click.group()
def user() -> None:
    """Manage accounts."""


@user.command("add")
@click.argument("handle")
@click.option("--name", help="Display name (default: the handle).")
@click.option("--admin", is_flag=True, help="Make the account an administrator.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--no-password", is_flag=True, help="Create an account for use with tokens only.")
@click.option("--bot", is_flag=True, help="Create a bot: no password, shown as a bot.")
@click.pass_obj
def add_user(
    data: Path, handle: str, name: str | None, admin: bool, password_stdin: bool, no_password: bool, bot: bool
) -> None:
    """Create an account."""
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
    """Set a new password for HANDLE and sign it out everywhere."""
    new = read_password(password_stdin)
    done = run_operator_command(data, "people.password", person=handle, new=new)
    click.echo(f"password set, {counted(done['revoked'], 'session')} signed out")


@user.command("role")
@click.argument("handle")
@click.argument("role")
@click.pass_obj
def set_role(data: Path, handle: str, role: str) -> None:
    """Change the role of HANDLE.

    ROLE is `admin`, `member` or a role from `chatnode role list`.
    """
    run_operator_command(data, "people.role", person=handle, role=role)
    click.echo(f"{handle} now has the role {role}")


@user.command("list")
@click.option("--prefix", default="", help="Only handles starting with this.")
@click.pass_obj
def list_users(data: Path, prefix: str) -> None:
    """List the handles and names of all accounts."""

    async def main(call: OperatorCall) -> None:
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
    """Reactivate a deactivated account."""
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
@click.option("--sign-out", is_flag=True, help="Sign them all out.")
@click.pass_obj
def sessions(data: Path, handle: str, sign_out: bool) -> None:
    """List the devices and tokens of HANDLE.

    Shows the number, kind, last use and name of each.
    """
    for each in run_operator_command(data, "people.sessions", person=handle)["sessions"]:
        used = each.get("last_used_at", "never used")
        scopes = f"  [{' '.join(each['scopes'])}]" if "scopes" in each else ""
        click.echo(f"{each['session']:6}  {each['kind']:6}  {used:24}  {each['label']}{scopes}")
    if sign_out:
        revoked = run_operator_command(data, "people.sign_out", person=handle)["revoked"]
        click.echo(f"{counted(revoked, 'session')} signed out")


@user.command("export")
@click.argument("handle")
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def export(data: Path, handle: str, file: Path) -> None:
    """Write everything the node stores about HANDLE to FILE.

    FILE must not exist; it gets one line of JSON per entry. `-` is standard output.
    """

    import orjson

    async def main(out: BinaryIO, call: OperatorCall) -> int:
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
    click.echo(f"{counted(count, 'entry', 'entries')} written", err=True)


@user.command("erase")
@click.argument("handle")
@click.option("--confirm", help="Confirm with the handle, without a prompt.")
@click.pass_obj
def erase(data: Path, handle: str, confirm: str | None) -> None:
    """Erase HANDLE permanently, with all its messages. Export first if you may need them."""
    again = confirm or click.prompt(f"This cannot be undone. Type {handle} to confirm", err=True)
    receipt = run_operator_command(data, "people.erase", person=handle, handle=again)
    for table, rows in sorted(receipt["removed"].items()):
        click.echo(f"{rows:9}  {table}")
    proof = receipt["proof"]
    click.echo(
        f"{counted(proof['looked_for'], 'text')} searched for in the files: {proof['left']} found, "
        f"{proof['said_by_others']} also written by others"
    )
    if "advice" in proof:
        raise StartError(f"traces are left in the files; {proof['advice']}")


@user.command("adopt")
@click.argument("author")
@click.argument("handle", required=False)
@click.option("--dry-run", is_flag=True, help="Only print what would be handed over.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_obj
def adopt(data: Path, author: str, handle: str | None, dry_run: bool, yes: bool) -> None:
    """Hand an imported AUTHOR over to user HANDLE.

    Everything the author wrote becomes the user's.

    Messages, mentions, reactions and memberships become HANDLE's, as does anything imported later. Without
    HANDLE, AUTHOR becomes an account of its own, and the command prints a one-time link to set its password.
    """
    fields = {"author": author} | ({"person": handle} if handle else {})
    moved = run_operator_command(data, "people.adopt", **fields, dry_run=True)["moved"]
    kinds = {"messages": "message", "mentions": "mention", "groups": "membership"}
    amount = ", ".join(counted(moved[kind], noun) for kind, noun in kinds.items())
    if dry_run:
        click.echo(f"{author} has {amount}")
        return
    if not yes:
        question = f"{amount} of {author} will go to {handle or 'its own account'}; this cannot be undone. Continue?"
        click.confirm(question, abort=True, err=True)
    moved = run_operator_command(data, "people.adopt", **fields)["moved"]
    click.echo(f"handed over {counted(moved['messages'], 'message')} of {author}")
    if handle is None:
        click.echo(run_operator_command(data, "people.reset_link", person=author)["link"])


def read_password(from_stdin: bool) -> str:
    """From standard input's first line, or asked for twice at a terminal."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise click.UsageError("no terminal to ask for a password; use --password-stdin")
    return click.prompt("Password", hide_input=True, confirmation_prompt=True)


@click.command()
@click.option("--uses", default=1, show_default=True, help="Number of accounts it can create.")
@click.option("--days", type=int, help="Days until it expires (default: the setting accounts.invite_days).")
@click.pass_obj
def invite(data: Path, uses: int, days: int | None) -> None:
    """Print an invite link to create an account with."""
    fields = {"uses": uses} | ({"days": days} if days is not None else {})
    click.echo(run_making_command(data, "invites.create", **fields)["link"])


@click.group()
def token() -> None:
    """Manage API tokens."""


@token.command("create")
@click.argument("handle")
@click.option("--label", default="command line", show_default=True, help="Name shown in `user sessions`.")
@click.option("--days", type=int, help="Days until it expires (default: never).")
@click.option("--scope", "scopes", multiple=True, help="Limit the token to PERMISSION or PERMISSION:read; repeatable.")
@click.pass_obj
def create_token(data: Path, handle: str, label: str, days: int | None, scopes: tuple[str, ...]) -> None:
    """Create a token for HANDLE and print it. Without --scope it can do everything HANDLE can."""
    fields: dict[str, object] = {"person": handle, "label": label}
    if days is not None:
        fields["days"] = days
    if scopes:
        fields["scopes"] = list(scopes)
    click.echo(run_operator_command(data, "tokens.create", **fields)["token"])


@token.command("revoke")
@click.argument("handle")
@click.argument("number", type=click.IntRange(1, 2**53 - 1))
@click.pass_obj
def revoke_token(data: Path, handle: str, number: int) -> None:
    """Revoke a token of HANDLE, or sign out a device.

    `chatnode user sessions HANDLE` lists the NUMBERs.
    """
    run_operator_command(data, "people.sign_out", person=handle, session=number)
    click.echo(f"{number} is signed out")
