"""What can be queried: collections, their fields, and who may see which rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

import attrs

from chatnode.config import Limits
from chatnode.errors import Refusal
from chatnode.model.records import record
from chatnode.storage.engine.connection import Querying
from chatnode.storage.filters.kinds import Kind

_NAME = re.compile(r"[^\W_][\w.-]{0,99}")
"""A field's name: it cannot be mistaken for an operator in a filter, nor for `-` or a comma in a sort."""


@record(frozen=True)
class DerivedKey:
    """An indexed expression by which rows are found: it is `of(text)` wherever the field is `text`."""

    sql: str
    of: Callable[[str], str]


@record(frozen=True)
class Field:
    """A field of a collection's rows. `sql` is an expression over the collection's `source`.

    `also` are aliases. `among`, for fields whose values are words, returns SQL that means "the field is one of these
    words" and can use an index. `derived`, for fields of strings, is looked at besides the field when it is to equal
    something. `nullable` False promises that no row lacks the field. For askers without `permission`
    the field does not exist.
    """

    name: str
    kind: Kind
    sql: str
    also: tuple[str, ...] = ()
    nullable: bool = False
    filters: bool = True
    sorts: bool = True
    groups: bool = False
    among: Callable[[frozenset[str]], str] | None = None
    permission: str | None = None
    derived: DerivedKey | None = None


def _may_nothing(permission: str) -> bool:
    return False


@record(frozen=True)
class Asker:
    """On whose behalf a query runs, and what it may cost.

    `me` and `session` are keys in the database, None for the operator and for the node's own work; `now` is in
    milliseconds. `may` returns whether the asker has a permission.
    """

    me: int | None
    session: int | None
    now: int
    limits: Limits = attrs.field(factory=Limits)
    may: Callable[[str], bool] = _may_nothing


@attrs.frozen(eq=False)
class Collection:
    """A list that can be queried, limited to the rows that the asker may see.

    `source` is what follows FROM; `visible` is a condition that is part of every query. Both may use the parameters
    `:me` (key of the requesting user), `:session` (key of their session) and `:now` (milliseconds). Every field must
    show only what the asker may know, because filters, order and counts reveal any field.

    `key` names the fields that together identify a row; they break ties, so that paging is stable. `order` is the
    default sort. `permission` is what the asker needs; those with the permission `sees_all` see every row. `personal`:
    only users can query it, not the operator.

    `learn` returns the fields that are known only at run time, such as those that users define. It is called for each
    query, with the reader or transaction that the query uses. The SQL of these fields must not contain anything that
    users wrote: refer to a field by its key.
    """

    name: str
    about: str
    source: str
    visible: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    order: str
    permission: str
    personal: bool = True
    also: tuple[str, ...] = ()
    learn: Callable[[Querying, Asker], Iterable[Field]] | None = None
    sees_all: str | None = None
    _by_name: dict[str, Field] = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        by_name = {name: field for field in self.fields for name in (field.name, *field.also)}
        if len(by_name) != sum(1 + len(field.also) for field in self.fields):
            raise ValueError(f"{self.name} has two fields with the same name")
        if bad := [name for name in by_name if not _NAME.fullmatch(name)]:
            raise ValueError(f"{self.name} has a field {bad[0]!r}; a name consists of letters, digits, _ . and -")
        object.__setattr__(self, "_by_name", by_name)

    def as_seen_by(self, asker: Asker, source: Querying) -> Collection:
        """With the fields that `learn` returns, without those that the asker has no permission for, and with every row
        if the asker has the permission `sees_all`.

        Raises `ValueError` if `learn` returns a field that already exists.
        """
        if self.sees_all is not None and asker.may(self.sees_all):
            return attrs.evolve(self, visible="TRUE", sees_all=None).as_seen_by(asker, source)
        if self.learn is None and all(field.permission is None for field in self.fields):
            return self
        learned = self.learn(source, asker) if self.learn is not None else ()
        fields = (*self.fields, *learned)
        known = tuple(field for field in fields if field.permission is None or asker.may(field.permission))
        return attrs.evolve(self, fields=known, learn=None)

    def field(self, name: str) -> Field | None:
        """A field by its name or an alias."""
        return self._by_name.get(name)

    def names(self, wanted: Callable[[Field], bool] = lambda field: True) -> str:
        """Names of fields, for an error that lists them."""
        return ", ".join(field.name for field in self.fields if wanted(field))


class Collections:
    """The collections of a node, by name."""

    def __init__(self, collections: Iterable[Collection] = ()) -> None:
        self._by_name: dict[str, Collection] = {}
        for each in collections:
            self.add(each)

    def add(self, collection: Collection) -> None:
        """Raises `ValueError` if the name is taken."""
        names = (collection.name, *collection.also)
        for name in names:
            if name in self._by_name:
                raise ValueError(f"there are two collections named {name}")
        self._by_name |= dict.fromkeys(names, collection)

    def __iter__(self) -> Iterator[Collection]:
        return iter(dict.fromkeys(self._by_name.values()))

    def find(self, name: str) -> Collection:
        """Raises `Refusal("not_found")`, which lists the existing collections."""
        found = self._by_name.get(name)
        if found is None:
            known = ", ".join(each.name for each in self)
            raise Refusal("not_found", f"no such collection: {name[:80]!r}; collections are {known}", path="collection")
        return found
