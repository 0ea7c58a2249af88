"""No escalation: a user can neither grant permissions they lack nor manage an account that has them.

Permissions that every member has do not count.
"""

from __future__ import annotations

from collections.abc import Iterable

from chatnode.dispatch.caller import Caller
from chatnode.errors import Refusal
from chatnode.model import permissions
from chatnode.model.people import Account


def check_may_give(ctx: Caller, given: Iterable[str], path: str) -> None:
    """Raises `Refusal("forbidden")` when one of the permissions `given` is not the requester's own."""
    common = ctx.core.roles.get(permissions.MEMBER, frozenset())
    if not ctx.operator and (missing := sorted(set(given) - ctx.permissions - common)):
        raise Refusal("forbidden", f"this needs permissions that you do not have: {', '.join(missing)}", path=path)


def check_may_manage(ctx: Caller, account: Account) -> None:
    """For actions on another account: raises `Refusal("forbidden")` if it has permissions that the requester lacks."""
    ctx.check(permissions.MANAGE_PEOPLE)
    check_may_give(ctx, ctx.core.roles.get(account.role, ()), "person")
