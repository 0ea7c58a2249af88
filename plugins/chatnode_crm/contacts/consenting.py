"""Who does not want to be written to, or to be known at all.

That belongs to another part of the plugin, so `chatnode_crm/__init__.py` names the functions that know it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from chatnode.api import Querying, Transaction

OptIn = Callable[[Transaction, int], object]
"""Undoes what the accounts of the contact with this key have opted out of."""
Suppressed = Callable[[Querying, Iterable[str]], Collection[str]]
"""Gets normalized email addresses; returns those of contacts that were erased."""

_opt_in: OptIn = lambda tx, key: None  # noqa: E731
_suppressed: Suppressed = lambda reader, emails: ()  # noqa: E731


def consent_by(opt_in: OptIn, suppressed: Suppressed) -> None:
    """Ask these functions. Part of the declaration: called once, on import."""
    global _opt_in, _suppressed
    _opt_in, _suppressed = opt_in, suppressed


def opt_in_accounts(tx: Transaction, key: int) -> None:
    """A user says that the contact wants to be written to again."""
    _opt_in(tx, key)


def suppressed_emails(reader: Querying, email_keys: Iterable[str]) -> Collection[str]:
    """Those of the addresses that only a user who knows what they do brings back."""
    return _suppressed(reader, email_keys)
