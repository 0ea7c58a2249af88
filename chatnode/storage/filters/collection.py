"""What can be asked for: collections, their fields, and who may see which rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

import attrs

from chatnode.config import Limits
from chatnode.errors import Refusal
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.filters.kinds import Kind

_NAME = re.compile(r"[^\W_][\w.-]{0,99}")
"""Of a field: a filter tells it from an operator, and a sort from a `-` and the comma after it."""


@attrs.frozen
class Field:
    """One thing that rows have. `sql` is an expression over the collection's `source`.

    `also` are further names of it. `among`, for fields whose values are words, is SQL that says the same as
    "the field is one of these words" and lets an index be used. `nullable` False promises that no row lacks it.
    `permission` is what an asker must have to know of the field: for others it does not exist.
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


def _may_nothing(permission: str) -> bool:
    return False


@attrs.frozen
class Asker:
    """Whose eyes a query has, and what it may cost.

    `me` and `session` are keys of the database, None for the operator and for what the node does by itself; `now` is
    in milliseconds. `may` says whether the asker has a permission.
    """

    me: int | None
    session: int | None
    now: int
    limits: Limits = attrs.field(factory=Limits)
    may: Callable[[str], bool] = _may_nothing


@attrs.frozen(eq=False)
class Collection:
    """Rows of one sort, as one person may see them.

    `source` is what follows FROM, `visible` the condition that every query gets whatever is asked. Both may name
    the parameters `:me` (key of the person who asks), `:session` (key of their session) and `:now` (milliseconds).
    Every field must show only what the asker may know: filters, order and counts tell of any field.

    `key` names the fields that together tell a row from all others; they break ties, so that paging is stable.
    `order` is the sort where none is asked for. `permission` is what the asker's role must have. `personal`: only
    a person can ask, not the operator of the machine.

    `learn` gives the fields that are known only at run time, such as those that users define; it is asked for each
    query, with what the query reads from. Its SQL holds nothing that users wrote: name a field in it by its key.
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
    learn: Callable[[Reader | Transaction, Asker], Iterable[Field]] | None = None
    _by_name: dict[str, Field] = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        by_name = {name: field for field in self.fields for name in (field.name, *field.also)}
        if len(by_name) != sum(1 + len(field.also) for field in self.fields):
            raise ValueError(f"{self.name} has two fields with the same name")
        if bad := [name for name in by_name if not _NAME.fullmatch(name)]:
            raise ValueError(f"{self.name} has a field {bad[0]!r}; a name consists of letters, digits, _ . and -")
        object.__setattr__(self, "_by_name", by_name)

    def as_seen_by(self, asker: Asker, source: Reader | Transaction) -> Collection:
        """With the fields that `learn` gives, and without those that the asker has no permission to know of.

        Raises `ValueError` when `learn` gives a field that is there already.
        """
        if self.learn is None and all(field.permission is None for field in self.fields):
            return self
        learned = self.learn(source, asker) if self.learn is not None else ()
        fields = (*self.fields, *learned)
        known = tuple(field for field in fields if field.permission is None or asker.may(field.permission))
        return attrs.evolve(self, fields=known, learn=None)

    def field(self, name: str) -> Field | None:
        """By its name, or another name of it."""
        return self._by_name.get(name)

    def names(self, wanted: Callable[[Field], bool] = lambda field: True) -> str:
        """Names of fields, for an error that says what there is."""
        return ", ".join(field.name for field in self.fields if wanted(field))


class Collections:
    """The collections of a node, by name."""

    def __init__(self, collections: Iterable[Collection] = ()) -> None:
        self._by_name: dict[str, Collection] = {}
        for each in collections:
            self.add(each)

    def add(self, collection: Collection) -> None:
        """Raises `ValueError` for a name that another has."""
        names = (collection.name, *collection.also)
        for name in names:
            if name in self._by_name:
                raise ValueError(f"two collections are called {name}")
        self._by_name |= dict.fromkeys(names, collection)

    def __iter__(self) -> Iterator[Collection]:
        return iter(dict.fromkeys(self._by_name.values()))

    def find(self, name: str) -> Collection:
        """Raises `Refusal("not_found")` that names those that there are."""
        found = self._by_name.get(name)
        if found is None:
            known = ", ".join(each.name for each in self)
            raise Refusal("not_found", f"no such collection: {name[:80]!r}; collections are {known}", path="collection")
        return found
