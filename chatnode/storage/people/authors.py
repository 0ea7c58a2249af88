"""Authors elsewhere: by which names they are known there, and which account stands for each of them here.

An account that an import made has the `source` that it came from, and nobody can sign in to it. It takes part in no
conversation, until it is handed over to a user (`adoption.py`).
"""

from __future__ import annotations

import re
from hashlib import blake2b

from chatnode.model.fields import HANDLE_FORM
from chatnode.model.folding import folded
from chatnode.model.people import Account
from chatnode.model.permissions import MEMBER
from chatnode.storage.engine.additions import CoreTable
from chatnode.storage.engine.connection import Querying
from chatnode.storage.engine.dialect import json_list, json_record
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import people


def find(reader: Querying, source: str, *names: str) -> Account | None:
    """The account for an author in a source, known there by `names`; also one that was erased."""
    for name in names:
        row = reader.execute(
            "SELECT person FROM import_authors WHERE source = ? AND name = ?", (source, name)
        ).fetchone()
        if row is not None:
            return people.by_key(reader, row[0])
    erased = reader.execute(
        "SELECT p.key, p.id, e.hash FROM import_erased_authors e JOIN people p ON p.key = e.person WHERE e.source = ?",
        (source,),
    ).fetchall()
    for key, id, known in erased:
        if any(known == _erased(id, name) for name in names):
            return people.by_key(reader, key)
    return None


def create(tx: Transaction, source: str, name: str, shown: str) -> Account:
    """An account for an author in a source, known to importers by `name`."""
    account = people.create(tx, _free_handle(tx, shown), name=shown[:100], role=MEMBER, source=source)
    add_name(tx, account, source, name)
    return account


def add_name(tx: Transaction, account: Account, source: str, name: str) -> None:
    """Let the account stand for another name of its author. For an erased user only a hash is kept."""
    if account.erased_at is None:
        tx.execute(
            "INSERT INTO import_authors (source, name, person) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (source, name, account.key),
        )
    else:
        _add_erased(tx, account, source, name)


def erase(tx: Transaction, account: Account) -> int:
    """Forget a user's names in the source, except for hashes that recognize them in later imports; returns how many
    those were.
    """
    names = tx.execute("DELETE FROM import_authors WHERE person = ? RETURNING source, name", (account.key,)).fetchall()
    for source, name in names:
        _add_erased(tx, account, source, name)
    return len(names)


def hand_over(tx: Transaction, author: Account, person: Account) -> None:
    """What is imported from the author from now on is the person's."""
    tx.execute("UPDATE import_authors SET person = ? WHERE person = ?", (person.key, author.key))


def share(tx: Transaction, conversation: int, source: str, other: str) -> None:
    """Let the authors of a conversation that came from `source` stand for the same names of `other`."""
    spoke = "SELECT DISTINCT sender FROM messages WHERE conversation = :conversation"
    for table, columns in (("import_authors", "name, person"), ("import_erased_authors", "hash, person")):
        tx.execute(
            f"INSERT INTO {table} (source, {columns}) "  # noqa: S608 -- constants
            f"SELECT :other, {columns} FROM {table} WHERE source = :source AND person IN ({spoke}) "
            "ON CONFLICT DO NOTHING",
            {"conversation": conversation, "source": source, "other": other},
        )


def _add_erased(tx: Transaction, account: Account, source: str, name: str) -> None:
    tx.execute(
        "INSERT INTO import_erased_authors (source, hash, person) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (source, _erased(account.id, name), account.key),
    )


def _erased(id: str, name: str) -> str:
    """What stays of a source name of an erased user: a hash, different for each user with the same name."""
    return blake2b(name.encode(), key=id.encode(), digest_size=16).hexdigest()


def _free_handle(tx: Transaction, name: str) -> str:
    """A handle made from a name elsewhere: `Kevin Buzzard` → `kevin.buzzard`, or with a number."""
    plain = folded(name).encode("ascii", "ignore").decode()
    base = re.sub(r"[^a-z0-9_-]+", ".", plain).strip("._-")[:50]
    if not re.fullmatch(HANDLE_FORM, base) or not people.may_be_handle(base):
        base = "person-" + blake2b(name.encode(), digest_size=4).hexdigest()
    handle, number = base, 1
    while tx.execute("SELECT 1 FROM people WHERE handle = ?", (handle,)).fetchone():
        number += 1
        handle = f"{base}-{number}"
    return handle


TABLES = (
    CoreTable(
        "import_authors",
        lines=(
            "author",
            "SELECT a.source, a.name, p.id AS person FROM import_authors a JOIN people p ON p.key = a.person "
            "ORDER BY a.source, a.name",
        ),
        # By which names they are known elsewhere.
        entry="author",
        export=f"SELECT person, {json_list(json_record('source', 'name'))} AS names_json "  # noqa: S608
        "FROM import_authors WHERE person = :person AND person > :after GROUP BY person LIMIT :limit",
        at_once=erase,
    ),
    CoreTable("import_erased_authors", left_out="hashes of names of people who were erased"),
)
