"""`chatnode crm lists`, `tags`, `fields` and `stats`."""

from __future__ import annotations

from typing import Any

import click

from chatnode.api import counted
from chatnode_crm.cli.calls import NodeCall, pages
from chatnode_crm.cli.tables import print_table


@click.command()
@click.option("--all", "archived", is_flag=True, help="Also list archived lists.")
@click.pass_obj
def lists(call: NodeCall, archived: bool) -> None:
    """List the lists of contacts, with their sizes."""
    terms = {} if archived else {"active": True}
    print_table(
        ("NAME", "KIND", "CONTACTS", "LAST CHANGED"),
        (_row_of(each) for each in pages(call, "crm.lists.list", "lists", **terms)),
        right=(2,),
    )


def _row_of(found: dict[str, Any]) -> tuple[object, ...]:
    name = found["name"] if found["is_active"] else f"{found['name']} (archived)"
    return name, found["kind"], found["contact_count"], found["last_activity_at"][:10]


@click.command()
@click.pass_obj
def tags(call: NodeCall) -> None:
    """List the tags, with their number of contacts."""
    print_table(
        ("NAME", "COLOR", "CONTACTS"),
        ((each["name"], each["color"], each["contact_count"]) for each in pages(call, "crm.tags.list", "tags")),
        right=(2,),
    )


@click.command()
@click.pass_obj
def fields(call: NodeCall) -> None:
    """List the custom fields of contacts."""
    print_table(
        ("NAME", "KIND", "CHOICES"),
        (
            (each["name"], each["kind"], ", ".join(each.get("choices", ())))
            for each in call("crm.fields.list")["fields"]
        ),
    )


@click.command()
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 3_660), help="Number of days to show.")
@click.option("--top", default=10, show_default=True, type=click.IntRange(1), help="Number of lists, tags and places.")
@click.pass_obj
def stats(call: NodeCall, days: int, top: int) -> None:
    """Show the number of contacts and its growth."""
    places = call("crm.statistics.geography", limit=top)
    growth = call("crm.statistics.growth", days=days)["days"]
    click.echo(f"{counted(places['total'], 'contact', form=',')}")
    _heading(f"The last {counted(days, 'day')}")
    print_table(
        ("DATE", "NEW", "DELETED", "TOTAL"),
        [(each["date"], each["new_contacts"], each["deleted_contacts"], each["total_contacts"]) for each in growth],
        right=(1, 2, 3),
    )
    for title, command, name in (("Lists", "crm.statistics.lists", "lists"), ("Tags", "crm.statistics.tags", "tags")):
        _heading(title)
        found = call(command, days=days, limit=top)[name]
        print_table(
            ("NAME", "CONTACTS", f"IN {counted(days, 'day').upper()}"),
            [(each["name"], each["contact_count"], f"{each['change']:+,}") for each in found],
            right=(1, 2),
        )
    _heading("Countries")
    print_table(
        ("COUNTRY", "CONTACTS", "SHARE"),
        [(each["country"], each["contact_count"], f"{each['percentage']:.1f}%") for each in places["places"]],
        right=(1, 2),
    )


def _heading(text: str) -> None:
    click.echo(f"\n{text}")
