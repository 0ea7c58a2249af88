"""Roles and the audit log."""

from __future__ import annotations

from typing import Annotated

from chatnode.model.fields import Items, Limit, RoleName, Seq, Text, Who
from chatnode.model.people import PersonRef
from chatnode.model.records import record


@record
class Role:
    """`people` counts the accounts with this role."""

    role: str
    permissions: list[str]
    people: int


@record
class PermissionInfo:
    permission: str
    meaning: str


@record
class RoleList:
    """Every role, and every permission that a role can have."""

    roles: list[Role]
    permissions: list[PermissionInfo]


@record
class PutRole:
    """A new role, or the new permissions of an existing one."""

    role: RoleName
    permissions: Annotated[list[Annotated[str, Text(50, 1)]], Items(100)]


@record
class DeleteRole:
    role: RoleName


@record
class ListAudit:
    """`target` is a public id or a handle; `before` is the number of the last entry of the previous page."""

    actor: Who | None = None
    action: Annotated[str, Text(100, 1)] | None = None
    target: Annotated[str, Text(100, 1)] | None = None
    before: Seq | None = None
    limit: Limit = 50


@record
class AuditEntry:
    """`actor` did `action` to `target`. Without `actor`, the operator or a job of the node did."""

    entry: int
    at: str
    action: str
    target: str
    details: dict[str, str]
    actor: PersonRef | None = None


@record
class AuditPage:
    entries: list[AuditEntry]
