"""Accounts."""

from __future__ import annotations

import re
import secrets
from functools import partial

import orjson

from chatnode.errors import Refusal
from chatnode.model.events import MemberJoined, PersonUpdated, RoleChanged
from chatnode.model.ids import new_id
from chatnode.model.messages import EVERYONE
from chatnode.model.people import Account, Person, PersonRef
from chatnode.model.permissions import CHAT, MEMBER, in_scope
from chatnode.model.times import now_ms
from chatnode.storage.engine.additions import CoreTable, EventKind, additions
from chatnode.storage.engine.changing import change
from chatnode.storage.engine.connection import IntegrityError, Querying, Reader
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import owners, roles

_COLUMNS = "key, id, handle, name, role, avatar, bot, deactivated_at, erased_at, source"
RESERVED_HANDLES = frozenset(
    {EVERYONE, "everybody", "anyone", "all", "here", "channel", "group", "room", "online", "admins", "moderators", "me"}
)
"""Reserved handles: with an @ or in a query they mean several users or the author, here or in other programs."""
_ID = re.compile(r"[0-9a-f]{32}")


def create(
    tx: Transaction,
    handle: str,
    *,
    name: str | None = None,
    password: str | None = None,
    role: str,
    bot: bool = False,
    source: str | None = None,
    joins: bool = True,
) -> Account:
    """Create an account, a member of every conversation that all users join, unless `joins` is false. `password` is
    already hashed.

    With a `source`, it stands for an imported author, and is a member of none.

    Raises `Refusal` if the handle is taken or looks like an id.
    """
    handle = handle.lower()
    if _ID.fullmatch(handle):
        raise Refusal("invalid", "a handle must not look like an id", path="handle")
    if handle in RESERVED_HANDLES:
        raise Refusal("conflict", f"@{handle} is reserved; choose another handle", path="handle")
    person = new_id()
    try:
        key = tx.execute(
            "INSERT INTO people (id, handle, name, role, password, created_at, source, bot) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING key",
            (person, handle, name or handle, role, password, tx.now, source, int(bot)),
        ).fetchone()[0]
    except IntegrityError:
        raise _taken(tx, handle) from None
    account = Account(key, person, handle, name or handle, role, bot=bot, source=source)
    if source is None and joins:
        join_what_everybody_joins(tx, account)
    return account


def _taken(tx: Transaction, handle: str) -> Refusal:
    (source,) = tx.execute("SELECT source FROM people WHERE handle = ?", (handle,)).fetchone()
    by = f" by {IMPORTED} {handle}" if source is not None else ""
    return Refusal("conflict", f"the handle {handle} is taken{by}", path="handle")


IMPORTED = "an author of imported messages, not an account; an administrator can hand it over with chatnode user adopt"


def join_what_everybody_joins(tx: Transaction, account: Account) -> None:
    """If a plugin refuses one of these groups, the account is still created."""
    for row in tx.execute("SELECT key, id, head FROM conversations WHERE auto_join = 1").fetchall():
        tx.attempt(partial(_join, tx, account, *row))


def _join(tx: Transaction, account: Account, conversation: int, id: str, head: int) -> None:
    add_member_row(tx, conversation, account.key, head=head, first=1)
    tx.record(MemberJoined(id, account.ref), conversation=conversation, people=(account.key,), subject=account.key)
    owners.ensure_owner(tx, conversation)


def add_member_row(
    tx: Transaction, conversation: int, person: int, *, head: int, first: int, role: str = "member"
) -> None:
    """Make `person` a member, even if they left before; everything up to `head` counts as read."""
    tx.execute(
        "INSERT INTO members (conversation, person, role, joined_at, joined_gid, first, read_seq, delivered_seq, "
        "shown_seq) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (conversation, person) DO UPDATE SET "
        "role = excluded.role, joined_at = excluded.joined_at, joined_gid = excluded.joined_gid, left_gid = NULL, "
        "first = excluded.first, read_seq = excluded.read_seq, delivered_seq = excluded.delivered_seq, "
        "shown_seq = excluded.shown_seq",
        (conversation, person, role, tx.now, tx.next_gid, first, head, head, head),
    )


def find(reader: Querying, who: str, path: str = "person") -> Account:
    """The account with this handle or id; raises `Refusal("not_found")` at the field `path`."""
    column = "id" if _ID.fullmatch(who) else "handle"
    row = None
    if who.isascii():  # handles are; and SQLite takes no halves of surrogate pairs
        row = reader.execute(f"SELECT {_COLUMNS} FROM people WHERE {column} = ?", (who.lower(),)).fetchone()  # noqa: S608
    if row is None:
        raise Refusal("not_found", f"no such user: {who}", path=path)
    return Account(*row)


def find_reachable(reader: Querying, who: str, path: str) -> Account:
    """Like `find`, but raises `Refusal("forbidden")` for an account that cannot receive messages."""
    account = find(reader, who, path)
    check_reachable(account)
    return account


def check_reachable(account: Account) -> None:
    """Raises `Refusal("forbidden")` for a deactivated account or an imported author."""
    if account.deactivated_at is not None:
        raise Refusal("forbidden", f"the account of {account.handle} is deactivated")
    refuse_imported(account)


def check_can_act(reader: Querying, key: int) -> Account:
    """The current account with this key, to act as it.

    Raises `Refusal("forbidden")` for a deactivated account, and for one whose role does not have the permission `chat`.
    """
    account = by_key(reader, key)
    check_reachable(account)
    if not owners.can_act(reader, key):
        raise Refusal("forbidden", f"the role of {account.handle} does not have the permission {CHAT}")
    return account


def refuse_imported(account: Account, path: str | None = None) -> None:
    """Raises `Refusal("forbidden")` for an imported author, who cannot have what only real accounts have."""
    if account.imported:
        raise Refusal("forbidden", f"{account.handle} is {IMPORTED} {account.handle}", path=path)


def by_key(reader: Querying, key: int) -> Account:
    """The account with this key, which must exist."""
    return Account(*reader.execute(f"SELECT {_COLUMNS} FROM people WHERE key = ?", (key,)).fetchone())  # noqa: S608


def ref(reader: Querying, key: int | None) -> PersonRef | None:
    if key is None:
        return None
    return PersonRef(*reader.execute("SELECT id, handle FROM people WHERE key = ?", (key,)).fetchone())


def public(account: Account) -> Person:
    """The account as others see it."""
    return Person(
        account.id, account.handle, account.name, account.avatar,
        bot=bool(account.bot) or None,
        imported=account.imported or None,
        deactivated=account.deactivated_at is not None or None,
        erased=account.erased_at is not None or None,
    )  # fmt: skip


def page(reader: Reader, viewer: Account | None, prefix: str, after: str | None, limit: int) -> list[Person]:
    """People whose handle begins with `prefix`, in the order of handles."""
    rows = reader.execute(
        f"SELECT {_COLUMNS} FROM people WHERE handle >= :prefix AND handle < :end AND handle > :after "  # noqa: S608
        f"AND {may_list('people.key')} ORDER BY handle LIMIT :limit",
        {
            "prefix": prefix.lower(), "end": prefix.lower() + "\U0010ffff", "after": after or "", "limit": limit,
            "me": viewer.key if viewer is not None else None,
        },
    )  # fmt: skip
    return enrich(reader, [public(Account(*row)) for row in rows], viewer)


def may_list(person: str) -> str:
    """SQL, a condition: whether `:me` sees the user with the key `person` in lists. A bot that a user owns sees those
    with whom it shares a conversation; everyone else, and the operator, sees all."""
    return (
        "(NOT EXISTS (SELECT 1 FROM bots_owned own WHERE own.bot = :me) OR EXISTS (SELECT 1 FROM members mine "  # noqa: S608
        "JOIN members other ON other.conversation = mine.conversation WHERE mine.person = :me "
        f"AND mine.left_gid IS NULL AND other.person = {person} AND other.left_gid IS NULL))"
    )


def enrich(reader: Reader, found: list[Person], viewer: Account | None) -> list[Person]:
    """The people with what plugins add to them. Call it once for all people that are shown together.

    `viewer` is the user who reads the result; None for the operator.
    """
    enrich_people = additions(reader).enrich_people
    return enrich_people(reader, found, viewer) if found and enrich_people is not None else found


def profile(reader: Reader, viewer: Account | None, account: Account) -> Person:
    """A user's profile, as `viewer` sees it."""
    return enrich(reader, [public(account)], viewer)[0]


def update_profile(tx: Transaction, account: Account, name: str | None, avatar: str | None) -> Person:
    """Change the given fields (an empty avatar removes it); notifies all who share a conversation with the user."""
    before = by_key(tx, account.key)
    return _change(tx, account, name or before.name, kept_avatar(before.avatar, avatar))


def set_avatar(tx: Transaction, account: Account, avatar: str | None) -> Person:
    """Change the address of a user's picture, which is relative to the node; None removes it."""
    return _change(tx, account, by_key(tx, account.key).name, avatar)


def kept_avatar(current: str | None, asked: str | None) -> str | None:
    """The avatar after a request to change it, which can keep or remove it, but not choose an address.

    A picture elsewhere would tell its server who looks at it, and when. Raises `Refusal`.
    """
    if asked and asked != current:
        raise Refusal("invalid", "is an address; upload the picture to the node instead", path="avatar")
    return current if asked is None else asked or None


def _change(tx: Transaction, account: Account, name: str, avatar: str | None) -> Person:
    changed = change(tx, "people", {"key": account.key}, {"name": name, "avatar": avatar})
    person = public(by_key(tx, account.key))
    if changed:
        tx.record(PersonUpdated(person), people=fellows(tx, account.key), subject=account.key, actor=account.key)
    return person


def fellows(reader: Querying, person: int) -> list[int]:
    """Keys of everyone who shares a conversation with `person`, and `person`."""
    rows = reader.execute(
        "SELECT DISTINCT other.person FROM members mine JOIN members other USING (conversation) "
        "WHERE mine.person = ? AND mine.left_gid IS NULL AND other.left_gid IS NULL",
        (person,),
    )
    return sorted({person, *(key for (key,) in rows)})


def password_hash(reader: Querying, handle: str) -> tuple[Account, str | None] | None:
    row = reader.execute(
        f"SELECT {_COLUMNS}, password FROM people WHERE handle = ?",  # noqa: S608
        (handle.lower(),),
    ).fetchone()
    return (Account(*row[:-1]), row[-1]) if row else None


def password_of(reader: Querying, person: int) -> str | None:
    """The hash of the user's password."""
    return reader.execute("SELECT password FROM people WHERE key = ?", (person,)).fetchone()[0]


def set_password(tx: Transaction, person: int, hashed: str) -> None:
    tx.execute("UPDATE people SET password = ? WHERE key = ?", (hashed, person))


def set_role(tx: Transaction, account: Account, role: str) -> bool:
    """Returns whether the role changed.

    Raises `Refusal` if the role does not exist, for a bot, or if the node would be left without an administrator.
    """
    roles.check_there(tx, role)
    if role == "admin" and account.bot:
        raise Refusal(
            "invalid", "a bot cannot be an administrator; create a role with the permissions it needs", path="role"
        )
    if not change(tx, "people", {"key": account.key}, {"role": role}):
        return False
    if account.role == "admin" and not has_admin(tx):
        raise Refusal("conflict", f"{account.handle} is the only administrator; make another one first", path="person")
    owners.ensure_owners_of_person(tx, account.key)
    tx.record(RoleChanged(role), people=(account.key,), subject=account.key)
    return True


def has_admin(reader: Querying) -> bool:
    """Whether there is an administrator whose account can be used."""
    return (
        reader.execute("SELECT 1 FROM people WHERE role = 'admin' AND deactivated_at IS NULL LIMIT 1").fetchone()
        is not None
    )


def with_roles(reader: Querying, roles: list[str]) -> list[Account]:
    """All users who have one of the roles and can sign in."""
    marks = ", ".join("?" * len(roles))
    rows = reader.execute(
        f"SELECT {_COLUMNS} FROM people WHERE role IN ({marks}) AND deactivated_at IS NULL ORDER BY key",  # noqa: S608
        roles,
    )
    return [Account(*row) for row in rows.fetchall()]


def holders_of(reader: Querying, permission: str, *, reads: bool = False) -> list[Account]:
    """The accounts that may use a permission, in the order in which they were created.

    That is, accounts whose role has it and that are not deactivated, erased or imported. A bot is left out if none of
    its tokens' scopes include the permission. `reads`: for reading only, where the scope `<permission>:read` is enough.
    """
    rows = reader.execute(
        f"SELECT {_COLUMNS} FROM people WHERE deactivated_at IS NULL AND erased_at IS NULL "  # noqa: S608
        "AND role IN (SELECT role FROM role_permissions WHERE permission = ?) ORDER BY key",
        (permission,),
    )
    accounts = [account for row in rows.fetchall() if not (account := Account(*row)).imported]
    return [each for each in accounts if not each.bot or _tokens_allow(reader, each, permission, reads)]


def holds(reader: Querying, account: Account, permission: str, *, reads: bool = False) -> bool:
    """Whether an active account is one of `holders_of`."""
    found = reader.execute(
        "SELECT 1 FROM role_permissions WHERE role = ? AND permission = ?", (account.role, permission)
    )
    return found.fetchone() is not None and (not account.bot or _tokens_allow(reader, account, permission, reads))


def _tokens_allow(reader: Querying, bot: Account, permission: str, reads: bool) -> bool:
    """Whether one of a bot's tokens can use the permission. A bot without tokens has the permissions of its role."""
    tokens = reader.execute(
        "SELECT scopes FROM sessions WHERE person = ? AND (expires_at IS NULL OR expires_at > ?)", (bot.key, now_ms())
    ).fetchall()
    bounds = [frozenset(orjson.loads(scopes)) if scopes else None for (scopes,) in tokens]
    return not bounds or any(in_scope(permission, reads, each) for each in bounds)


def may_be_handle(handle: str) -> bool:
    """Whether an account can have this handle, assuming that it is well-formed."""
    return handle not in RESERVED_HANDLES and not _ID.fullmatch(handle)


def empty(tx: Transaction, account: Account, word: str) -> Account:
    """Empty the profile and block sign-in; the new handle is made up and begins with `word`."""
    handle = f"{word}-{secrets.token_hex(4)}"
    tx.execute(
        "UPDATE people SET handle = ?, name = ?, avatar = NULL, password = NULL, role = ?, "
        "deactivated_at = coalesce(deactivated_at, ?), erased_at = ? WHERE key = ?",
        (handle, handle, MEMBER, tx.now, tx.now, account.key),
    )
    return by_key(tx, account.key)


EVENTS = (
    EventKind(PersonUpdated, lambda reader, row: PersonUpdated(public(by_key(reader, row.subject)))),
    EventKind(RoleChanged, lambda reader, row: RoleChanged(by_key(reader, row.subject).role)),
)
TABLES = (
    CoreTable(
        "people",
        lines=(
            "person",
            "SELECT id, handle, name, avatar, role, bot, created_at, deactivated_at, erased_at, source FROM "
            "people ORDER BY key",
        ),
        entry="profile",
        export="SELECT key, id, handle, name, avatar, role, bot AS bot_flag, created_at, deactivated_at, erased_at, "
        "source, password IS NOT NULL AS has_password_flag FROM people WHERE key = :person AND key > :after "
        "LIMIT :limit",
    ),
)
