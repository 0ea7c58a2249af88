"""The command `chatnode crm`."""

from __future__ import annotations

import click

from chatnode_crm.cli.exporting import export
from chatnode_crm.cli.importing import import_file
from chatnode_crm.cli.showing import fields, lists, stats, tags


@click.group()
def cli() -> None:
    """Contacts: import and export files, and see lists, tags and figures."""


for each in (import_file, export, lists, tags, fields, stats):
    cli.add_command(each)
