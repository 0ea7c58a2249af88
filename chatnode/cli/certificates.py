"""`chatnode acme`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from chatnode.cli.operator import run_operator_command
from chatnode.counting import counted

_REASONS = ("unspecified", "key_compromise", "superseded", "cessation_of_operation")


@click.group()
def acme() -> None:
    """Manage the certificate that the node obtains itself."""


@acme.command("status")
@click.pass_obj
def status(data: Path) -> None:
    """Print the certificate; exits with 1 if it needs attention."""
    found = run_operator_command(data, "certificate.status")
    if found["source"] == "none":
        click.echo("no certificate: the port does not speak TLS")
        return
    _print(found["certificate"])
    if found["source"] == "acme":
        click.echo(f"directory  {found['directory']}")
        failures = f", after {counted(found['failures'], 'failure')}" if found["failures"] else ""
        click.echo(f"next try   {found['next_try']}{failures}")
    else:
        click.echo("renewal    by the program that writes server.tls_certificate")
    if "problem" in found:
        click.echo(f"problem    {found['problem']}")
        sys.exit(1)


@acme.command("issue")
@click.option("--dry-run", is_flag=True, help="Use the directory acme.staging, and discard the certificate.")
@click.pass_obj
def issue(data: Path, dry_run: bool) -> None:
    """Obtain a certificate now, even if the current one is not due. The node must be running.

    Authorities limit how often this works; try with --dry-run first.
    """
    _print(run_operator_command(data, "certificate.issue", dry_run=dry_run)["certificate"])
    click.echo("dry run succeeded; certificate discarded" if dry_run else "in use for new connections")


@acme.command("revoke")
@click.option(
    "--reason",
    type=click.Choice(_REASONS),
    default=_REASONS[0],
    show_default=True,
    help="Reason given to the authority.",
)
@click.pass_obj
def revoke(data: Path, reason: str) -> None:
    """Revoke the certificate in use. A running node obtains a new one at once, with a new key."""
    found = run_operator_command(data, "certificate.revoke", reason=reason)["certificate"]
    click.echo(f"revoked: {', '.join(found['names'])}, serial number {found['serial']}")


def _print(certificate: dict[str, Any]) -> None:
    issuer = "self-signed" if certificate["self_signed"] else certificate["issuer"]
    click.echo(f"names      {', '.join(certificate['names'])}")
    click.echo(f"issuer     {issuer}")
    click.echo(f"serial     {certificate['serial']}")
    click.echo(f"valid      {certificate['valid_from']} to {certificate['expires_at']}")
