"""Handing authors of imported messages over to users."""

from __future__ import annotations

from functools import partial

from chatnode.counting import counted
from chatnode.dispatch.caller import Caller
from chatnode.dispatch.core import Core
from chatnode.dispatch.jobs import Job
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import command
from chatnode.model import permissions
from chatnode.model.commands.adoption import Adopt, Adopted, Following
from chatnode.model.people import Account, Person
from chatnode.services.ranks import check_may_manage
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.messages import adoption
from chatnode.storage.people import audit, people


@command("people.adopt", permission=permissions.MANAGE_PEOPLE, unscoped=True)
async def adopt(ctx: Caller, asked: Adopt) -> Adopted:
    """Hand an imported author over to a user, with messages, mentions, reactions and memberships.

    Without `person`, the author becomes an account of its own, for a user who has none yet. Later imports go to the
    user too. This cannot be undone; blocks of the author end.
    """

    def look(reader: Reader) -> tuple[Account, Account | None, Following]:
        author, person = _find(reader, asked)
        return author, person, adoption.following(reader, author)

    author, person, expected = await ctx.read(look)
    for account in (author, person):
        if account is not None:
            check_may_manage(ctx, account)
    if asked.dry_run:
        return Adopted(people.public(person or author), expected, True)

    def write(tx: Transaction) -> Person:
        current, user = _find(tx, asked)
        audit.record(tx, ctx.account, "people.adopt", current.id, by=user.id if user else None)
        if user is None:
            return adoption.give_to_itself(tx, current)
        adoption.begin(tx, current, user)
        return people.public(user)

    shown = await ctx.write(write)
    moved = expected if person is None else await _adopt_rest(ctx.core, author.key, person.key)
    return Adopted(shown, moved, False)


def _find(reader: Querying, command: Adopt) -> tuple[Account, Account | None]:
    author = people.find(reader, command.author, "author")
    person = None if command.person is None else people.find(reader, command.person)
    adoption.check(author, person)
    return author, person


async def _adopt_rest(core: Core, author: int, person: int) -> Following:
    """The rest of the adoption, in steps. If it is interrupted, the job resumes it."""
    messages = mentions = 0
    last = False
    while not last:
        batch = await core.db.read(partial(adoption.find_messages, author=author))
        messages += await core.db.write(partial(adoption.move_messages, author=author, person=person, batch=batch))
        last = batch.last
    while moved := await core.db.write(partial(adoption.move_mentions, author=author, person=person)):
        mentions += moved
    return Following(messages, mentions, await core.db.write(partial(adoption.finish, author=author, person=person)))


async def finish_adoptions(core: Core) -> str:
    """Resume adoptions that were interrupted when the node stopped."""
    begun = await core.db.read(adoption.unfinished)
    for author, person in begun:
        await _adopt_rest(core, author, person)
    return f"handed over {counted(len(begun), 'author')}"


SUBJECT = Subject(
    commands=(adopt,),
    events=adoption.EVENTS,
    tables=adoption.TABLES,
    jobs=(Job("adoptions", 3_600, finish_adoptions),),
)
