"""What an import's options name, found in the tables."""

from __future__ import annotations

from chatnode.api import Querying, Refusal
from chatnode_crm.imports.applying import ApplySetup
from chatnode_crm.imports.options import ImportOptions, options_of
from chatnode_crm.imports.rows import ImportRow
from chatnode_crm.lists.finding import find_open_list
from chatnode_crm.naming import name_key


def find_setup(reader: Querying, row: ImportRow) -> ApplySetup:
    """Raises `Refusal`: `not_found` for a list that is gone, `conflict` for one that users cannot change now."""
    options = stored_options(row)
    list_key = find_open_list(reader, options.list_, "list").key if options.list_ is not None else None
    return ApplySetup(
        row.key, options.policies, list_key, {name_key(tag): tag for tag in options.tags}, row.owner, row.created_at
    )


def stored_options(row: ImportRow) -> ImportOptions:
    """Raises `Refusal("conflict")` before it is said what the columns mean."""
    if row.options is None:
        raise Refusal("conflict", "map the columns first, with crm.imports.map")
    return options_of(row.options)
