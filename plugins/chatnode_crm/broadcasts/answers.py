"""What recipients answer to a broadcast: words that stop and start broadcasts, and anything else, which counts.

Everything is done in the transaction that moves the consumer's cursor, so a confirmation is sent exactly once.
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
from chatnode_crm.people.opting import opt_in, opt_out
from chatnode_crm.settings import CrmSettings


@record(frozen=True)
class _Answer:
    """A message of a recipient to the bot. `conversation` is the key, `id` the id of their conversation."""

    gid: int
    conversation: int
    id: str
    seq: int
    at: int
    person: int
    bot: int
    text: str


async def follow_answers(ctx: Context, rows: Sequence[Row]) -> Write[object] | None:
    """Find the messages to bots of broadcasts among all that were posted."""
    answers = await ctx.read(lambda reader: _find_answers(reader, rows))
    if not answers:
        return None
    settings = ctx.settings(CrmSettings)

    def write(tx: Transaction) -> None:
        for each in answers:
            _follow(tx, each, settings)

    return write


def _find_answers(reader: Reader, rows: Sequence[Row]) -> list[_Answer]:
    keys = {row.conversation_key for row in rows if row.conversation_key is not None}
    talks = {
        conversation: (bot, person)
        for conversation, bot, person in reader.execute(
            "SELECT conversation, bot, person FROM crm_talks WHERE conversation IN (SELECT value FROM json_each(?))",
            (json_array(keys),),
        )
    }
    found: list[_Answer] = []
    for row in rows:
        key = row.conversation_key
        if key is None or key not in talks or row.actor != talks[key][1]:
            continue
        bot, person = talks[key]
        sql = "SELECT text FROM messages WHERE conversation = ? AND seq = ?"
        text = reader.execute(sql, (key, row.subject)).fetchone()
        said = text[0] if text is not None else ""
        found.append(_Answer(row.gid, key, row.conversation, row.subject, row.at, person, bot, said))
    return found


def _follow(tx: Transaction, answer: _Answer, settings: CrmSettings) -> None:
    tx.execute("UPDATE crm_talks SET seen = ? WHERE conversation = ?", (answer.seq, answer.conversation))
    identity = of_people(tx, [answer.person]).get(answer.person)
    wish = wish_of(answer.text, settings.stop_words, settings.start_words)
    list_key = _list_called(tx, answer.conversation, wish.rest) if wish is not None and wish.rest else None
    if wish is None or identity is None or (wish.rest and list_key is None):
        _mark(tx, answer, "answered_at")
    elif _carry_out(tx, answer, wish, identity.contact, list_key):
        reply = settings.stop_reply if wish.what == "stop" else settings.start_reply
        _confirm(tx, answer, reply)


def _carry_out(tx: Transaction, answer: _Answer, wish: Wish, contact: int, list_key: int | None) -> bool:
    if wish.what == "start":
        return opt_in(tx, contact, list_key, actor=answer.person)
    changed = opt_out(tx, contact, list_key, answer.at, actor=answer.person)
    if changed:
        _mark(tx, answer, "stopped_at")
    return changed


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


def _list_called(tx: Transaction, conversation: int, words: str) -> int | None:
    """The list that a recipient names, of those whose broadcasts they got."""
    rows = tx.execute(
        "SELECT DISTINCT l.key, l.name FROM crm_deliveries d JOIN crm_broadcasts b ON b.key = d.broadcast "
        "JOIN crm_lists l ON l.key = b.list WHERE d.conversation = ?",
        (conversation,),
    )
    return next((key for key, name in rows if as_word(name) == words), None)


def _confirm(tx: Transaction, answer: _Answer, text: str) -> None:
    """Without a text, or if the bot cannot post there any more, nothing is said; what was asked for is done."""
    if text:
        tx.attempt(
            lambda: post_message(tx, check_can_act(tx, answer.bot), answer.id, text, cid=f"crm-wish-{answer.gid}")
        )


CONSUMER = Consumer(
    "answers",
    follow_answers,
    frozenset({MessagePosted.name}),
    pause=0.2,
    where="log.conversation IN (SELECT conversation FROM crm_talks)",
    repeatable=True,
)
