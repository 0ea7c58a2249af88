"""What the columns of a file probably are, by their names and by what is in them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from chatnode.api import record
from chatnode_crm.files.headers import FULL_NAME, IGNORE, LISTS, TAGS, field_of, fold, known_names
from chatnode_crm.files.mapping.consent import hints_at_opt_out
from chatnode_crm.files.mapping.model import ColumnMapping

SURE = 0.8
"""Columns with this confidence are mapped unless a person says otherwise. Others are only suggested."""

# Each has one way only to be tried, as cells may be long.
_EMAIL = re.compile(r"(?:[^<>]*<)?[^@\s<>]+@[^@\s<>][^@\s<>.]*\.[^@\s<>]{2,}>?")
_PHONE = re.compile(r"(?=(?:\D*\d){7})[+(]?[\d\s().\-/]{7,25}(?:\.0)?")
_OTHER_USE = frozenset(
    (
        "label", "type", "consent", "optin", "opt", "status", "date", "time", "verified", "fax", "pager", "hash",
        "bounced", "count", "domain", "photo", "password", "phonetic", "yomi", "prefix", "suffix", "assistant",
        "manager", "spouse", "referred", "owner", "created", "updated", "modified", "last", "sent", "opened", "rep",
        "agent", "emergency", "parent", "invoice",
    )
)  # fmt: skip
"""Words that make another thing of a name that is in the header, too: "Email opt-in date"."""
_FILLING = frozenset(
    (
        "your", "my", "the", "s", "of", "customer", "client", "contact", "subscriber", "member", "person", "user",
        "lead", "primary", "main", "preferred", "default", "work", "business", "personal", "private", "1",
        "value", "address", "billing",
    )
)  # fmt: skip
"""Words that make no other thing of it: "Your last name"."""
_ONE_NAME = frozenset(
    fold(name) for name in ("nombre", "nome", "nom", "имя", "ad", "name", "naam", "名", "名字", "nume")
)
"""Words for a first or a last name in tables that have both, and for the full name in others."""
_SAMPLE = 200
_LONGEST_NAME = 500
"""Longer headers are texts, in which there is any word."""


@record(frozen=True)
class Suggestion:
    """What a column probably is. `confidence` is 1 for a name that is known, and 0 where nothing is."""

    column: int
    name: str
    target: str
    confidence: float

    @property
    def sure(self) -> str:
        """The target, if that is sure."""
        return self.target if self.confidence >= SURE else IGNORE


def suggest(
    columns: Sequence[str], rows: Sequence[Sequence[str]] = (), custom: Mapping[str, str] | None = None
) -> list[Suggestion]:
    """A suggestion for each column, such that no field is suggested twice. `rows` are some of the file; `custom` are
    the targets of custom fields by the case-folded names that columns have for them."""
    rows = rows[:_SAMPLE]
    cells = [[row[at].strip() for row in rows if at < len(row) and row[at].strip()] for at in range(len(columns))]
    guesses = [_custom(name, custom or {}) or _guess(name, cells[at]) for at, name in enumerate(columns)]
    settled = [target if confidence >= SURE else IGNORE for target, confidence in guesses]
    _settle_names(columns, settled, cells)
    targets = [sure if guess[1] >= SURE else guess[0] for sure, guess in zip(settled, guesses, strict=True)]
    best: dict[str, int] = {}
    for at, target in enumerate(targets):
        if target not in best or _rank(guesses[at][1], cells[at]) > _rank(
            guesses[best[target]][1], cells[best[target]]
        ):
            best[target] = at
    return [
        Suggestion(at, columns[at], target, guesses[at][1])
        if target in (TAGS, LISTS, IGNORE) or best[target] == at
        else Suggestion(at, columns[at], IGNORE, 0.0)
        for at, target in enumerate(targets)
    ]


def suggested_mapping(suggestions: Sequence[Suggestion]) -> ColumnMapping:
    """The mapping that follows all suggestions that are sure."""
    return ColumnMapping(columns=tuple(each.sure for each in suggestions))


def _rank(confidence: float, cells: Sequence[str]) -> tuple[bool, bool, int]:
    """Of columns that are alike, the one with more values is meant, and then the first."""
    return confidence == 1.0, confidence >= SURE, len(cells)


def _custom(name: str, custom: Mapping[str, str]) -> tuple[str, float] | None:
    """A custom field goes by its full name, and by its name where that is not the name of another field."""
    target = custom.get(name.strip().casefold())
    if target is None or (name.strip().casefold() != target.casefold() and field_of(name) is not None):
        return None
    return target, 1.0


def _guess(name: str, cells: Sequence[str]) -> tuple[str, float]:
    """The target and how sure it is."""
    exact = field_of(name) if name.strip() else None
    if exact is None and hints_at_opt_out(name):
        return IGNORE, 0.0
    emails = _part(_EMAIL, cells)
    if exact is not None:
        if exact != "email" and exact != IGNORE and emails > 0.8:
            return "email", SURE
        return exact, 0.0 if exact == IGNORE else 1.0
    if emails > 0.8:
        return "email", 0.9 if _OTHER_USE.isdisjoint(fold(name[:_LONGEST_NAME]).split()) else 0.5
    target, confidence = _within(name)
    if confidence:
        return target, confidence
    if not name.strip() and _part(_PHONE, cells) > 0.8:
        return "phone", 0.5
    return IGNORE, 0.0


def _within(name: str) -> tuple[str, float]:
    """The target whose name is part of the header: "Customer e-mail (work)"."""
    found = (IGNORE, 0.0)
    if len(name) > _LONGEST_NAME:
        return found
    folded = fold(name)
    words = folded.split()
    if len(words) > 1 and words[-1] in _OTHER_USE:
        return found
    for known, target in known_names().items():
        if target == IGNORE or known in ("id", "name", "person", "ref", "by", "il"):
            continue
        known_words = known.split()
        if known.isascii():
            inside = len(known) >= 3 and _is_run(known_words, words)
        else:
            inside = len(known) >= 2 and known in folded
        if not inside or not _OTHER_USE.isdisjoint(set(words) - set(known_words)):
            continue
        least, rest = (SURE, 0.15) if _FILLING.issuperset(set(words) - set(known_words)) else (0.4, 0.35)
        confidence = round(least + rest * len(known) / len(folded), 2)
        if confidence > found[1]:
            found = (target, confidence)
    return found


def _is_run(part: Sequence[str], words: Sequence[str]) -> bool:
    length = len(part)
    return any(words[at : at + length] == part for at in range(len(words) - length + 1))


def _settle_names(columns: Sequence[str], targets: list[str], cells: Sequence[Sequence[str]]) -> None:
    """Decide what words mean that stand for one name in some tables and for all of the name in others."""
    for alone, other in (("first_name", "last_name"), ("last_name", "first_name")):
        if alone in targets and other not in targets:
            at = targets.index(alone)
            if FULL_NAME in targets and fold(columns[targets.index(FULL_NAME)]) in _ONE_NAME:
                targets[targets.index(FULL_NAME)] = other
            elif FULL_NAME not in targets and fold(columns[at]) in _ONE_NAME:
                targets[at] = FULL_NAME
    if FULL_NAME in targets and "first_name" in targets and "last_name" in targets:
        full, first, last = (targets.index(each) for each in (FULL_NAME, "first_name", "last_name"))
        if len(cells[full]) > max(len(cells[first]), len(cells[last])) and not (cells[first] or cells[last]):
            targets[first] = targets[last] = IGNORE
        else:
            targets[full] = IGNORE


def _part(pattern: re.Pattern[str], cells: Sequence[str]) -> float:
    return sum(1 for cell in cells if pattern.fullmatch(cell)) / len(cells) if cells else 0.0
