"""What an import is to do: how its file is read, what its columns mean, and what happens to contacts that exist."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from chatnode.api import Items, Text

MatchField = Literal["email", "external_id"]
FieldsPolicy = Literal["skip", "fill_empty", "overwrite", "overwrite_non_empty", "error"]
EmptyPolicy = Literal["keep", "erase"]
TagsPolicy = Literal["add", "replace", "ignore"]
ListsPolicy = Literal["add", "ignore"]
ConsentPolicy = Literal["tighten", "ignore", "overwrite"]

MOST_TAGS = 100


@attrs.frozen(kw_only=True)
class ImportPolicies:
    """What happens to contacts that exist. `match`: by what a row is the same as a contact.

    `fields`: `skip` leaves their fields alone, `fill_empty` writes only those without a value, `overwrite` and
    `overwrite_non_empty` replace them, `error` refuses the row. An empty cell changes nothing, except with `overwrite`
    and `empty` = `erase`, which removes the value.

    `tags`: `add`, `replace` all of the contact's, or `ignore` those of the import. `lists`: `add` or `ignore`.
    `consent`: `tighten` takes over only that a contact opted out, `overwrite` also that they opted in.
    """

    match: MatchField = "email"
    fields: FieldsPolicy = "overwrite_non_empty"
    empty: EmptyPolicy = "keep"
    tags: TagsPolicy = "add"
    lists: ListsPolicy = "add"
    consent: ConsentPolicy = "tighten"


@attrs.frozen(kw_only=True)
class ImportTargets:
    """Where all contacts of the import go: the id of a list, and names of tags."""

    list_: str | None = None
    tags: Annotated[list[Annotated[str, Text(255, 1)]], Items(MOST_TAGS)] = attrs.field(factory=list[str])
