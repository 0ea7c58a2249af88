"""Asking for figures."""

from __future__ import annotations

from chatnode.api import Context, Reader, command, read_cursor, write_cursor
from chatnode_crm.contacts import finding, shown
from chatnode_crm.permissions import VIEW
from chatnode_crm.settings import CrmSettings
from chatnode_crm.statistics import figures
from chatnode_crm.statistics.model import (
    AskGeography,
    AskGrowth,
    AskImplausible,
    AskUse,
    Geography,
    Growth,
    ImplausibleContact,
    ImplausibleContacts,
    ListFiguresPage,
    TagFiguresPage,
)
from chatnode_crm.statistics.plausible import Doubt, doubt

_READ = 5_000
"""Addresses that are read together."""
_MOST_READ = 50_000
"""Addresses that are looked at for a page."""


@command("crm.statistics.growth", permission=VIEW, reads=True)
async def growth(ctx: Context, asked: AskGrowth) -> Growth:
    """New and deleted contacts per day, with the total at the end of each.

    Contacts that are deleted or erased change the day on which that happens, and none before.
    """
    return await ctx.query(lambda reader: figures.growth(reader, asked.days))


@command("crm.statistics.lists", permission=VIEW, reads=True)
async def lists(ctx: Context, asked: AskUse) -> ListFiguresPage:
    """The sizes and the activity of lists, the largest first."""
    limit = ctx.page_size(asked.limit)
    return await ctx.query(lambda reader: figures.lists(reader, asked, limit))


@command("crm.statistics.tags", permission=VIEW, reads=True)
async def tags(ctx: Context, asked: AskUse) -> TagFiguresPage:
    """The tags that most contacts have."""
    limit = ctx.page_size(asked.limit)
    return await ctx.query(lambda reader: figures.tags(reader, asked, limit))


@command("crm.statistics.geography", permission=VIEW, reads=True)
async def geography(ctx: Context, asked: AskGeography) -> Geography:
    """The countries or cities of contacts, with their percentages; those with the most contacts first."""
    seconds = ctx.settings(CrmSettings).count_seconds
    return await ctx.query(lambda reader: figures.geography(reader, asked), seconds=seconds)


@command("crm.contacts.implausible", permission=VIEW, reads=True)
async def implausible(ctx: Context, asked: AskImplausible) -> ImplausibleContacts:
    """Contacts whose email address is probably wrong, to be checked by hand; nothing is changed.

    Reasons: `syntax`; `no_dot` in the domain; `reserved` domains, such as example.com; a `top_level` that cannot exist;
    well-known domains that are `misspelt`.
    """
    limit, seconds = ctx.page_size(asked.limit), ctx.settings(CrmSettings).count_seconds
    (after,) = read_cursor(asked.after, int) or (0,)

    def read(reader: Reader) -> ImplausibleContacts:
        found, last = _doubtful(reader, after, limit)
        doubts = dict(found)
        shown_contacts = shown.plain(reader, finding.rows(reader, list(doubts)))
        contacts = [
            ImplausibleContact(contact, each.reason, each.suggestion)
            for contact, each in zip(shown_contacts, doubts.values(), strict=True)
        ]
        return ImplausibleContacts(contacts, write_cursor(last) if last is not None else None)

    return await ctx.query(read, seconds=seconds)


def _doubtful(reader: Reader, after: int, limit: int) -> tuple[list[tuple[int, Doubt]], int | None]:
    """Keys of contacts, and the key after which the next page begins; None at the end."""
    found: list[tuple[int, Doubt]] = []
    for _ in range(_MOST_READ // _READ):
        rows = reader.execute(
            "SELECT key, email FROM crm_contacts WHERE email IS NOT NULL AND key > ? ORDER BY key LIMIT ?",
            (after, _READ),
        ).fetchall()
        for after, address in rows:
            if (why := doubt(address)) is not None:
                found.append((after, why))
                if len(found) == limit:
                    return found, after
        if len(rows) < _READ:
            return found, None
    return found, after


COMMANDS = (growth, lists, tags, geography, implausible)
