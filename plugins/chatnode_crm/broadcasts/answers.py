"""What recipients answer to a broadcast: words that stop and start broadcasts, and anything else, which counts.

An answer is looked at once: soon after it was posted, or before the next message to that recipient if that is earlier.
What it asks for and the confirmation are in the transaction that notes that it was looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

from chatnode.api import (
    Consumer,
    Context,
    MessagePosted,
    Reader,
    Row,
    Transaction,
    Write,
    check_can_act,
    json_array,
    post_message,
    record,
)
from chatnode_crm.broadcasts.words import Wish, as_word, wish_of
from chatnode_crm.people.identities import of_people
from chatnode_crm.people.opting import is_opted_out, opt_in, opt_in_account, opt_out, opt_out_account
from chatnode_crm.settings import CrmSettings


@record(frozen=True)
class _Answer:
    """A message of a recipient to the bot. `conversation` is the key, `id` the id of their conversation."""

    conversation: int
    id: str
    person: int
    bot: int
    seq: int
    at: int
    text: str


async def follow_answers(ctx: Context, rows: Sequence[Row]) -> Write[object] | None:
    """Find the conversations in which recipients posted something to bots of broadcasts."""
    talks = await ctx.read(lambda reader: _find_talks(reader, rows))
    if not talks:
        return None
    settings = ctx.settings(CrmSettings)

    def write(tx: Transaction) -> None:
        for conversation in talks:
            follow_talk(tx, conversation, settings)

    return write


def _find_talks(reader: Reader, rows: Sequence[Row]) -> list[int]:
    posted = {(row.conversation_key, row.actor) for row in rows if row.conversation_key is not None}
    talks = reader.execute(
        "SELECT conversation, person FROM crm_talks WHERE conversation IN (SELECT value FROM json_each(?)) "
        "ORDER BY conversation",
        (json_array({conversation for conversation, _ in posted}),),
    )
    return [conversation for conversation, person in talks if (conversation, person) in posted]


def follow_talk(tx: Transaction, conversation: int, settings: CrmSettings) -> None:
    """Do what the recipient has asked for since this was done last."""
    for answer in _unseen(tx, conversation):
        tx.execute("UPDATE crm_talks SET seen = ? WHERE conversation = ?", (answer.seq, conversation))
        _follow(tx, answer, settings)


def _unseen(tx: Transaction, conversation: int) -> list[_Answer]:
    rows = tx.execute(
        "SELECT c.key, c.id, t.person, t.bot, m.seq, m.at, m.text FROM crm_talks t "
        "JOIN conversations c ON c.key = t.conversation "
        "JOIN messages m ON m.conversation = t.conversation AND m.seq > t.seen AND m.sender = t.person "
        "WHERE t.conversation = ? ORDER BY m.seq",
        (conversation,),
    )
    return [_Answer(*row) for row in rows.fetchall()]


def _follow(tx: Transaction, answer: _Answer, settings: CrmSettings) -> None:
    wish = wish_of(answer.text, settings.stop_words, settings.start_words)
    contact = of_people(tx, [answer.person]).get(answer.person)
    key = contact.contact if contact is not None else None
    if wish is None:
        _mark(tx, answer, "answered_at")
    elif wish.what == "stop":
        _stop(tx, answer, wish, key, settings)
    else:
        _start(tx, answer, wish, key, settings)


def _stop(tx: Transaction, answer: _Answer, wish: Wish, contact: int | None, settings: CrmSettings) -> None:
    """Lists of that name; or everything, also if what follows the word means nothing to the node: nobody who wants to
    get less shall get as much as before."""
    lists = _lists_called(tx, answer.conversation, wish.rest)
    changed = False
    for list_key in lists or [None]:
        changed |= opt_out_account(tx, answer.person, list_key, answer.at)
        if contact is not None:
            changed |= opt_out(tx, contact, list_key, answer.at, actor=answer.person)
    if changed:
        _mark(tx, answer, "stopped_at")
        _confirm(tx, answer, settings.stop_unknown_reply if wish.rest and not lists else settings.stop_reply)


def _start(tx: Transaction, answer: _Answer, wish: Wish, contact: int | None, settings: CrmSettings) -> None:
    """Lists of that name, or everything; nothing if what follows the word means nothing to the node."""
    lists = _lists_called(tx, answer.conversation, wish.rest)
    if wish.rest and not lists:
        _mark(tx, answer, "answered_at")
    changed = False
    for list_key in lists or ([] if wish.rest else [None]):
        changed |= opt_in_account(tx, answer.person, list_key)
        if contact is not None:
            changed |= opt_in(tx, contact, list_key, actor=answer.person)
    if wish.rest and is_opted_out(tx, contact, answer.person, ()):  # one list is none while all are stopped
        _confirm(tx, answer, settings.start_unknown_reply)
    elif changed:
        _confirm(tx, answer, settings.start_reply)


def _mark(tx: Transaction, answer: _Answer, column: str) -> None:
    """Of the newest broadcast before the answer, once."""
    row = tx.execute(
        "SELECT broadcast, contact FROM crm_deliveries WHERE conversation = ? AND seq < ? ORDER BY seq DESC LIMIT 1",
        (answer.conversation, answer.seq),
    ).fetchone()
    if row is not None:
        tx.execute(
            f"UPDATE crm_deliveries SET {column} = coalesce({column}, ?) WHERE broadcast = ? AND contact = ?",  # noqa: S608
            (answer.at, *row),
        )


def _lists_called(tx: Transaction, conversation: int, words: str) -> list[int]:
    """The lists that a recipient names, of those through which broadcasts reached them. Names may read alike."""
    rows = tx.execute(
        "SELECT DISTINCT l.key, l.name FROM crm_deliveries d JOIN crm_broadcast_lists b ON b.broadcast = d.broadcast "
        "JOIN crm_lists l ON l.key = b.list WHERE d.conversation = ? ORDER BY l.key",
        (conversation,),
    )
    return [key for key, name in rows.fetchall() if words and as_word(name) == words]


def _confirm(tx: Transaction, answer: _Answer, text: str) -> None:
    """Without a text, or if the bot cannot post there any more, nothing is said; what was asked for is done."""
    if text:
        cid = f"crm-wish-{answer.conversation}-{answer.seq}"
        tx.attempt(lambda: post_message(tx, check_can_act(tx, answer.bot), answer.id, text, cid=cid))


CONSUMER = Consumer(
    "answers",
    follow_answers,
    frozenset({MessagePosted.name}),
    pause=0.2,
    where="log.conversation IN (SELECT conversation FROM crm_talks)",
    repeatable=True,
)
