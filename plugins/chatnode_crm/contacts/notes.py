"""Notes about contacts, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from chatnode.api import Querying, Refusal, Transaction, counted, json_array, new_id, record


@record(frozen=True)
class NoteRow:
    """A note. `author` is the key of a user, None for the operator."""

    key: int
    id: str
    contact: int
    text: str
    author: int | None
    at: int


_SELECT = "SELECT key, id, contact, text, author, at FROM crm_notes"


def add(tx: Transaction, contact: int, text: str, author: int | None, most: int) -> NoteRow:
    """Raises `Refusal("too_large")` if the contact has `most` notes; 0 is no limit."""
    (count,) = tx.execute("SELECT count(*) FROM crm_notes WHERE contact = ?", (contact,)).fetchone()
    if most and count >= most:
        raise Refusal("too_large", f"the contact has {counted(most, 'note')}, which is the maximum", path="contact")
    row = tx.execute(
        "INSERT INTO crm_notes (id, contact, text, author, at) VALUES (?, ?, ?, ?, ?) "
        "RETURNING key, id, contact, text, author, at",
        (new_id(), contact, text, author, tx.now),
    ).fetchone()
    return NoteRow(*row)


def page(reader: Querying, contact: int, before: int | None, most: int) -> list[NoteRow]:
    """Up to `most` notes, newest first, with keys below `before`."""
    found = reader.execute(
        f"{_SELECT} WHERE contact = ? AND key < ? ORDER BY key DESC LIMIT ?",
        (contact, 2**62 if before is None else before, most),
    )
    return [NoteRow(*row) for row in found]


def delete(tx: Transaction, id: str) -> NoteRow:
    """Raises `Refusal("not_found")`."""
    row = tx.execute(f"{_SELECT} WHERE id = ?", (id,)).fetchone()
    if row is None:
        raise Refusal("not_found", "no such note", path="note")
    tx.execute("DELETE FROM crm_notes WHERE id = ?", (id,))
    return NoteRow(*row)


def forget_contacts(tx: Transaction, keys: Sequence[int]) -> None:
    """Delete all notes about these contacts."""
    tx.execute("DELETE FROM crm_notes WHERE contact IN (SELECT value FROM json_each(?))", (json_array(keys),))
