"""Exports, and the links that they are downloaded by."""

from __future__ import annotations

from chatnode.api import Part, Table
from chatnode_crm.exports.commands import COMMANDS
from chatnode_crm.exports.serving import ROUTES
from chatnode_crm.exports.stored import forget_contacts as forget_contacts
from chatnode_crm.exports.upkeep import UPKEEP
from chatnode_crm.exports.writing import EXPORT

_EXPORTS = Table(
    "crm_exports", people=("owner",),
    export="SELECT key, id AS export, status, format, choice, name, rows, bytes, created_at, downloaded_at "
    "FROM crm_exports WHERE owner = :person AND key > :after ORDER BY key LIMIT :limit",
)  # fmt: skip

PART = Part(commands=COMMANDS, tables=(_EXPORTS,), tasks=(UPKEEP,), routes=ROUTES, works=(EXPORT,))
