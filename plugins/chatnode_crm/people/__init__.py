"""People: where contacts are reached, which of them are the same person, and how they are forgotten."""

from __future__ import annotations

from collections.abc import Sequence

from chatnode.api import Part, Table, Task, Transaction
from chatnode_crm.people import (
    accounts,
    card,
    duplicates,
    erasing,
    forms,
    identity_commands,
    merge_commands,
    report,
)
from chatnode_crm.people.erasing import forget_detached
from chatnode_crm.people.merging import forget_merges
from chatnode_crm.people.opting import THERE, forget_opt_outs
from chatnode_crm.people.pairs import forget_pairs


def forget_contacts(tx: Transaction, keys: Sequence[int]) -> None:
    """All that this part stores about contacts that are deleted."""
    forget_merges(tx, keys)
    forget_pairs(tx, keys)
    forget_opt_outs(tx, keys)  # before the identities go: accounts keep them
    forget_detached(tx, keys)


_IDENTITIES = Table(
    "crm_identities", people=("person",),
    export="SELECT i.key, i.kind, i.created_at, i.verified_at FROM crm_identities i "
    "WHERE i.person = :person AND i.key > :after ORDER BY i.key LIMIT :limit",
)  # fmt: skip

_OPT_OUTS = Table(
    "crm_account_opt_outs", people=("person",),
    export="SELECT o.key, l.id AS list, o.at "  # noqa: S608 -- constants
    "FROM crm_account_opt_outs o LEFT JOIN crm_lists l ON l.key = o.list "
    f"WHERE o.person = :person AND o.key > :after AND {THERE} ORDER BY o.key LIMIT :limit",
)  # fmt: skip

PART = Part(
    commands=(
        *identity_commands.COMMANDS, *merge_commands.COMMANDS, card.get_card, *report.COMMANDS, *forms.PART.commands,
    ),
    tables=(_IDENTITIES, _OPT_OUTS),
    consumers=(accounts.CONSUMER,),
    tasks=(
        Task("accounts", accounts.add_new_accounts, every=30.0),
        Task("merges", merge_commands.forget_old_merges, every=86_400),
        Task("erasures", erasing.settle_all, every=3_600),
    ),
    works=(accounts.KIND, duplicates.KIND),
    routes=forms.PART.routes,
    limits=forms.PART.limits,
)  # fmt: skip
