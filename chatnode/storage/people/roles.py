"""Roles: names for sets of permissions. `admin` has them all and is never changed."""

from __future__ import annotations

from chatnode.counting import counted
from chatnode.errors import Refusal
from chatnode.model.commands.roles import Role
from chatnode.model.events import RoleChanged
from chatnode.model.permissions import ADMIN, MEMBER, PERMISSIONS
from chatnode.storage.engine.additions import CoreTable, additions
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.people import owners


def by_name(reader: Querying) -> dict[str, frozenset[str]]:
    """Every role with its permissions."""
    found: dict[str, set[str]] = {}
    for role, permission in reader.execute("SELECT role, permission FROM role_permissions"):
        found.setdefault(role, set()).add(permission)
    return {role: frozenset(permissions) for role, permissions in found.items()}


def page(reader: Reader) -> list[Role]:
    """Every role, in the order of names, with how many accounts have it."""
    holders = dict(reader.execute("SELECT role, count(*) FROM people WHERE erased_at IS NULL GROUP BY role").fetchall())
    return [
        Role(role, sorted(permissions), holders.get(role, 0)) for role, permissions in sorted(by_name(reader).items())
    ]


def check_there(reader: Querying, role: str) -> None:
    if reader.execute("SELECT 1 FROM role_permissions WHERE role = ?", (role,)).fetchone() is None:
        raise Refusal("not_found", f"no such role: {role}", path="role")


def replace(tx: Transaction, role: str, permissions: frozenset[str]) -> dict[str, frozenset[str]]:
    """Create the role, or replace its permissions; notifies signed-in users who have it. Returns all roles."""
    _refuse_admin(role)
    known = {**PERMISSIONS, **additions(tx).permissions}
    if unknown := sorted(permissions - set(known)):
        raise Refusal(
            "invalid", f"no such permission: {unknown[0]}; permissions are {', '.join(known)}", path="permissions"
        )
    if not permissions:
        raise Refusal(
            "invalid", "a role needs at least one permission; to bar a user, deactivate the account", path="permissions"
        )
    if by_name(tx).get(role) == permissions:
        return by_name(tx)
    tx.execute("DELETE FROM role_permissions WHERE role = ?", (role,))
    tx.executemany("INSERT INTO role_permissions (role, permission) VALUES (?, ?)", [(role, p) for p in permissions])
    holders = tx.execute(
        "SELECT key FROM people p WHERE role = ? AND EXISTS (SELECT 1 FROM sessions s WHERE s.person = p.key)", (role,)
    ).fetchall()
    for (person,) in holders:
        tx.record(RoleChanged(role), people=(person,), subject=person)
    owners.ensure_owners_of_role(tx, role)
    return by_name(tx)


def delete(tx: Transaction, role: str) -> dict[str, frozenset[str]]:
    """Raises `Refusal("conflict")` while an account has it. Returns the remaining roles."""
    _refuse_admin(role)
    if role == MEMBER:
        raise Refusal(
            "forbidden", "every invited user becomes a member; change the role's permissions instead", path="role"
        )
    check_there(tx, role)
    (holders,) = tx.execute("SELECT count(*) FROM people WHERE role = ?", (role,)).fetchone()
    if holders:
        why = f"the role is still used by {counted(holders, 'account')}; assign another role first"
        raise Refusal("conflict", why, path="role")
    tx.execute("DELETE FROM role_permissions WHERE role = ?", (role,))
    return by_name(tx)


def _refuse_admin(role: str) -> None:
    if role == ADMIN:
        raise Refusal("forbidden", "administrators may always do everything", path="role")


TABLES = (
    CoreTable(
        "role_permissions",
        lines=(
            "role",
            "SELECT role, permission FROM role_permissions ORDER BY role, permission",
        ),
    ),
)
