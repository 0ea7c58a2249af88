"""Which names read alike, compared only within blocks and there only with their neighbours: never all with all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chatnode.api import folded

NEAREST = 20
"""With how many of the next names in order of its block each is compared."""
ALIKE = 88
"""How alike two names must be, of 100."""


def blocks_of(
    first: str | None, last: str | None, company: str | None, country: str | None
) -> Iterator[tuple[str, str]]:
    """The blocks that a contact is in, with what it is sorted by there.

    Two contacts are compared if they have a block in common: the same name at the same company; or a last name with
    the same beginning; or, so that first and last name may be swapped, the same letters.
    """
    name = folded(f"{first or ''} {last or ''}").strip()
    if not name or not last:
        return
    if company and company.strip():
        yield f"company {name}\n{folded(company).strip()}", name
    place = folded(country or "")[:20]
    yield f"name {folded(last)[:3]} {place}", name
    yield f"letters {''.join(sorted(name.replace(' ', '')))[:24]}", name


def reason_of(block: str) -> str:
    return "name_company" if block.startswith("company ") else "name"


def alike_within(names: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Pairs of places in `names`, which are sorted, that read alike, and how much (of 100)."""
    from rapidfuzz import fuzz  # only when duplicates are looked for

    for place, name in enumerate(names):
        for other in range(place + 1, min(place + 1 + NEAREST, len(names))):
            score = fuzz.token_sort_ratio(name, names[other], score_cutoff=ALIKE)
            if score:
                yield place, other, round(score)
