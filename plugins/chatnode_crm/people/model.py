"""What the commands on identities, duplicates and merges take and give."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from chatnode.api import After, Id, Items, Text, Who, Whole, record
from chatnode_crm.naming import GroupRef

# ---- identities

_Kind = Annotated[str, Text(40, 1, r"[a-z0-9][a-z0-9_.-]*", hint="expected a-z 0-9 _ . -, such as chat or telegram")]


@record
class Identity:
    """Where a contact is reached. `kind` is `chat` for an account of this node, whose id is `external_id`; otherwise
    the name of another service. Without `verified_at` it is only claimed. `opted_out_at` is when the user opted out
    of all broadcasts: they answered STOP, or their contact had opted out and was deleted."""

    identity: str
    kind: str
    external_id: str
    created_at: str
    verified_at: str | None = None
    opted_out_at: str | None = None


@record
class Identities:
    """Oldest first."""

    contact: str
    identities: list[Identity]


@record
class AddIdentity:
    """Of the kind `chat`, `external_id` is a user's handle or id. `verified`: you made sure that it is theirs."""

    contact: Id
    kind: _Kind
    external_id: Annotated[str, Text(255, 1)]
    verified: bool = False


@record
class IdentityReply:
    """The identity; or, if another contact has it, the id of that contact, which is suggested to be the same person."""

    identity: Identity | None = None
    suggested: str | None = None


@record
class OfIdentity:
    identity: Id


@record
class OfAccount:
    person: Who


@record
class ContactOfAccount:
    """`contact` is absent if the user has none. `verified` is false if that is only claimed."""

    contact: str | None = None
    verified: bool = False


@record
class StartedWork:
    """See `work.get`."""

    work: str


# ---- duplicates

PairReason = Literal["identity", "phone", "name_company", "name"]


@record
class Duplicate:
    """Two contacts that may be the same person, and why: both were said to have the same `identity`; the same `phone`;
    the same name and company; or a `name` that reads alike. `score` is how sure that is, of 100."""

    one: str
    other: str
    reason: PairReason
    score: int


@record
class ListDuplicates:
    """The most certain first; with `contact`, only those of a contact. `after` takes the `next` of the previous
    page."""

    contact: Id | None = None
    after: After | None = None
    limit: Annotated[int, Whole(1)] = 50


@record
class Duplicates:
    duplicates: list[Duplicate]
    next: str | None = None


@record
class NotSame:
    """`not_same` false forgets it."""

    contact: Id
    other: Id
    not_same: bool = True


MergeField = Literal[
    "email", "external_id", "first_name", "last_name", "company", "phone", "country", "city", "description", "owner"
]


@record
class Merge:
    """`contact` stays, `other` is merged into it. Where both have a value, that of `contact` is kept, but for the
    fields in `take`, and the custom fields in `take_custom`, by name, which are those of `other`."""

    contact: Id
    other: Id
    take: Annotated[list[MergeField], Items(10)] = attrs.field(factory=list[MergeField])
    take_custom: Annotated[list[Annotated[str, Text(255, 1)]], Items(200)] = attrs.field(factory=list[str])


@record
class MergeReply:
    """`contact` is the one that is left. `merge` undoes it with `crm.contacts.unmerge`, until `undo_until` at most."""

    contact: str
    merge: str
    undo_until: str


@record
class Unmerge:
    merge: Id


@record
class UnmergeReply:
    """Both contacts, as they were."""

    contact: str
    other: str


# ---- opting out


@record
class OptOut:
    """Without `list`: of broadcasts to any list."""

    contact: Id
    list: GroupRef | None = None


@record
class OptOutReply:
    changed: bool
