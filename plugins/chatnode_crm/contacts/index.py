"""The index of contacts' words. Only this module knows that it is SQLite's FTS5.

It is changed together with `crm_contacts.words`, from which it can be rebuilt. FTS5 only marks what is taken out, so
the words of deleted contacts stay in the file until `tidy` has merged the index.
"""

from __future__ import annotations

from collections.abc import Sequence

from chatnode.api import Querying, Reader, Transaction
from chatnode_crm.contacts.words import Term

Entry = tuple[int, str]
"""A contact's key and its words."""


def add(tx: Transaction, entries: Sequence[Entry]) -> None:
    """Add contacts that are not in it."""
    tx.executemany("INSERT INTO crm_words (rowid, words) VALUES (?, ?)", entries)


def add_new(tx: Transaction, first: int, last: int) -> None:
    """Add the contacts with keys between these, who are all new. In one statement it costs much less than `add`."""
    tx.execute(
        "INSERT INTO crm_words (rowid, words) SELECT key, words FROM crm_contacts WHERE key BETWEEN ? AND ?",
        (first, last),
    )


def remove(tx: Transaction, entries: Sequence[Entry]) -> None:
    """Take contacts out. Each must be given with the words that it was added with."""
    if entries:
        tx.executemany("INSERT INTO crm_words (crm_words, rowid, words) VALUES ('delete', ?, ?)", entries)
        tx.execute("INSERT INTO crm_upkeep (name) VALUES ('words') ON CONFLICT DO NOTHING")


def newest(reader: Querying, terms: Sequence[Term], most: int, *, whole: bool = False) -> list[int]:
    """Keys of the newest contacts in which all terms are found, as beginnings of words or as whole words."""
    star = "" if whole else " *"
    match = " AND ".join(f"({_any(term, star)})" for term in terms)
    found = reader.execute(
        "SELECT rowid FROM crm_words WHERE crm_words MATCH ? ORDER BY rowid DESC LIMIT ?", (match, most)
    )
    return [key for (key,) in found]


def _any(term: Term, star: str) -> str:
    """One of the ways in which a term can be found. Words have no quotation marks."""
    return " OR ".join("(" + " AND ".join(f'"{word}"{star}' for word in way) + ")" for way in term)


TIDY_PAGES = 64
"""How many pages one call of `tidy` writes, at most, or a few more."""


def tidy(tx: Transaction) -> bool:
    """Merge a part of the index, so that what was taken out is gone from the file; returns whether there is more."""
    before = tx.connection.total_changes
    tx.execute("INSERT INTO crm_words (crm_words, rank) VALUES ('merge', ?)", (-TIDY_PAGES,))
    return tx.connection.total_changes - before >= 2


def is_found(reader: Reader, entry: Entry) -> bool:
    """Whether the contact is found by its words."""
    key, words = entry
    match = " AND ".join(f'"{word}"' for word in words.split())
    sql = "SELECT 1 FROM crm_words WHERE crm_words MATCH ? AND rowid = ?"
    return not match or reader.execute(sql, (match, key)).fetchone() is not None


def rebuild(tx: Transaction) -> None:
    """Make the index again from the words of all contacts."""
    tx.execute("INSERT INTO crm_words (crm_words) VALUES ('rebuild')")
