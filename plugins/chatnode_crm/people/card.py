"""The card of a contact beside a conversation: for users who may see contacts, of people they talk with."""

from __future__ import annotations

from typing import cast

from chatnode.api import (
    Context,
    Id,
    PersonRef,
    Place,
    Reader,
    Refusal,
    Who,
    access_conversation,
    command,
    direct_id,
    find_person,
    person_by_key,
    record,
    rfc3339,
)
from chatnode_crm.contacts import notes, shown
from chatnode_crm.contacts.finding import ContactRow, rows
from chatnode_crm.contacts.model import CrmContact
from chatnode_crm.people.identities import of_people
from chatnode_crm.permissions import VIEW

_MOST_PEOPLE = 50
_MOST_NOTES = 3


@record
class AskCard:
    """Give one: a conversation of yours, or a user with whom you have a direct one."""

    conversation: Id | None = None
    person: Who | None = None


@record
class CardGroup:
    """A list that the contact is on, or a tag that it has."""

    id: str
    name: str
    color: str | None = None


@record
class CardNote:
    text: str
    at: str
    author: PersonRef | None = None


@record
class ContactCard:
    """What is known of a user: `contact` has the fields, as `crm.contacts.get` returns them, and `notes` the last ones.
    `last_message_at` is when the user last said something in the conversation that you can see."""

    person: PersonRef
    contact: CrmContact
    lists: list[CardGroup]
    tags: list[CardGroup]
    notes: list[CardNote]
    last_message_at: str | None = None


@record
class ContactCards:
    """Of each other member of the conversation who is a contact. `last_message_at` is that of the conversation."""

    conversation: str
    cards: list[ContactCard]
    last_message_at: str | None = None


@command("crm.contacts.card", permission=VIEW, reads=True)
async def get_card(ctx: Context, asked: AskCard) -> ContactCards:
    """The contacts that a conversation is with, beside it: fields, lists, tags and the last notes.

    Only for members of the conversation, and only of users whose account was verified to be the contact's; of a group,
    of the first 50.
    """
    me = ctx.me
    if (asked.conversation is None) == (asked.person is None):
        raise Refusal("invalid", "give conversation or person", path="conversation")

    def read(reader: Reader) -> ContactCards:
        id = asked.conversation
        if id is None:
            id = direct_id(me.id, find_person(reader, asked.person or "").id)
        place = access_conversation(reader, me, id)
        people = _others(reader, place, me.key)
        found = of_people(reader, people)
        contacts = {row.key: row for row in rows(reader, [each.contact for each in found.values()])}
        cards = [
            _card(reader, place, person, contacts[found[person].contact])
            for person in people
            if person in found and found[person].contact in contacts
        ]
        return ContactCards(id, cards, _last(reader, place, None))

    return await ctx.read(read)


def _others(reader: Reader, place: Place, me: int) -> list[int]:
    rows = reader.execute(
        "SELECT m.person FROM members m JOIN people p ON p.key = m.person WHERE m.conversation = ? "
        "AND m.left_gid IS NULL AND m.person <> ? AND p.erased_at IS NULL ORDER BY p.handle LIMIT ?",
        (place.key, me, _MOST_PEOPLE),
    )
    return [key for (key,) in rows]


def _card(reader: Reader, place: Place, person: int, contact: ContactRow) -> ContactCard:
    [fields] = shown.plain(reader, [contact])
    lists = reader.execute(
        "SELECT l.id, l.name, NULL FROM crm_members m JOIN crm_lists l ON l.key = m.list WHERE m.contact = ? "
        "AND l.is_active = 1 ORDER BY l.name_key",
        (contact.key,),
    )
    tags = reader.execute(
        "SELECT t.id, t.name, t.color FROM crm_taggings g JOIN crm_tags t ON t.key = g.tag WHERE g.contact = ? "
        "ORDER BY t.name_key",
        (contact.key,),
    )
    return ContactCard(
        person_by_key(reader, person).ref, cast("CrmContact", fields),
        [CardGroup(*row) for row in lists], [CardGroup(*row) for row in tags],
        [_note(reader, each) for each in notes.page(reader, contact.key, None, _MOST_NOTES)],
        _last(reader, place, person),
    )  # fmt: skip


def _note(reader: Reader, note: notes.NoteRow) -> CardNote:
    author = person_by_key(reader, note.author).ref if note.author is not None else None
    return CardNote(note.text, rfc3339(note.at), author)


def _last(reader: Reader, place: Place, sender: int | None) -> str | None:
    """Of what the requester can see."""
    by = "AND sender = :sender" if sender is not None else ""
    row = reader.execute(
        "SELECT at FROM messages WHERE conversation = :conversation AND seq >= :first "  # noqa: S608 -- constants
        f"AND deleted_at IS NULL {by} ORDER BY seq DESC LIMIT 1",
        {"conversation": place.key, "first": place.first, "sender": sender},
    ).fetchone()
    return rfc3339(row[0]) if row is not None else None
