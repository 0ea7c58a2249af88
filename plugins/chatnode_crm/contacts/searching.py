"""Finding contacts by the beginnings of words."""

from __future__ import annotations

from collections.abc import Sequence

from chatnode.api import Querying, folded
from chatnode_crm.contacts import finding, index
from chatnode_crm.contacts.finding import ContactRow
from chatnode_crm.contacts.words import Term, terms_of

CANDIDATES = 300
"""Of so many contacts, the newest, the best are returned: more than this cannot be told apart by what was asked."""


def search(reader: Querying, query: str, most: int) -> tuple[list[ContactRow], bool]:
    """Up to `most` contacts that have words beginning with each word of the query, the best first; and whether there
    may be more.

    Contacts that have the words as a whole come first, then those that have them in their names, then in the order of
    names.
    """
    terms = terms_of(query)
    if not terms:
        return [], False
    keys = dict.fromkeys(index.newest(reader, terms, CANDIDATES, whole=True))
    if len(keys) < CANDIDATES:
        keys |= dict.fromkeys(index.newest(reader, terms, CANDIDATES))
    found = sorted(finding.rows(reader, list(keys)), key=lambda row: _place(row, terms))
    return found[:most], len(found) > most


def _place(row: ContactRow, terms: Sequence[Term]) -> tuple[int, int, str, str, int]:
    words = row.words.split()
    names = folded(f"{row.first_name or ''} {row.last_name or ''}").split()
    whole = sum(any(all(part in words for part in way) for way in term) for term in terms)
    named = sum(any(all(_begins(names, part) for part in way) for way in term) for term in terms)
    return -whole, -named, folded(row.last_name or ""), folded(row.first_name or ""), -row.key


def _begins(words: Sequence[str], part: str) -> bool:
    return any(word.startswith(part) for word in words)
