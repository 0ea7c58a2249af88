"""The language of search queries: words, phrases, prefixes, exclusions and operators, parsed into a `SearchQuery`."""

from __future__ import annotations

import re
from unicodedata import category, normalize

import attrs

from chatnode.counting import counted
from chatnode.errors import Refusal
from chatnode.model import words
from chatnode.model.folding import DASHES, QUOTES
from chatnode.model.records import record
from chatnode.model.times import DAY_MS, day

HAS = ("link", "image", "file", "location", "mention", "reply", "edit", "pin")
OPERATORS = ("from", "in", "before", "after", "has")


@record(frozen=True)
class Term:
    """Consecutive words. `prefix`: the last one may continue."""

    words: tuple[str, ...]
    prefix: bool = False

    @property
    def needle(self) -> str:
        """What `words.comparable` of a matching text contains."""
        return words.needle(list(self.words), prefix=self.prefix)


@record
class SearchQuery:
    """A parsed query. All conditions must hold; of several `senders` or `places`, one.

    `since` (included) and `until` (not included) are milliseconds since 1970.
    """

    terms: list[Term] = attrs.field(factory=list[Term])
    without: list[Term] = attrs.field(factory=list[Term])
    senders: list[str] = attrs.field(factory=list[str])
    places: list[str] = attrs.field(factory=list[str])
    has: set[str] = attrs.field(factory=set[str])
    since: int | None = None
    until: int | None = None

    def matches(self, text: str) -> bool:
        """Whether a text has the words and none of the excluded ones."""
        comparable = words.comparable(text)
        return all(term.needle in comparable for term in self.terms) and not any(
            term.needle in comparable for term in self.without
        )


_QUOTES = (QUOTES, "«»", "‹›", "「」", "『』")
"""Families of quotation marks. A phrase ends with any mark of the family it begins with:  „a“, ”a”, »a«."""
_PHRASE = "|".join(f"[{marks}](?P<quoted{n}>[^{marks}]*)(?P<closed{n}>[{marks}]?)" for n, marks in enumerate(_QUOTES))
_CHUNK = re.compile(
    rf"(?P<dashes>[{DASHES}]*)(?:(?P<operator>[A-Za-z]+):)?(?:(?:{_PHRASE})(?P<tail>\*?)|(?P<plain>[^\s「『]*))"
)
_ENDS_IN_PREFIX = re.compile(r"\w\*$")
"""What many write for "red ros"*: "red ros*"."""
_LONG_DASHES = "\u2014\u2015"
"""Phones replace two hyphens with this."""


def parse(text: str, most_terms: int = 0) -> SearchQuery:
    """Parse a query. Raises `Refusal("invalid")` at `query`, which says what to write instead.

    A word with a colon that is not an operator, such as a time or an address, is searched for literally.
    """
    query = SearchQuery()
    text = _plain(text)
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        found = _CHUNK.match(text, at)
        assert found is not None
        _add(query, found)
        at = max(found.end(), at + 1)
    asked = len(query.terms) + len(query.without) + len(query.senders) + len(query.places) + len(query.has)
    if most_terms and asked > most_terms:
        raise _invalid(f"has {counted(asked, 'part')}; the maximum is {most_terms}")
    if not asked and query.since is None and query.until is None:
        raise _invalid("has no word to search for; emoji and punctuation cannot be searched")
    if query.since is not None and query.until is not None and query.since >= query.until:
        raise _invalid("has a before: that is earlier than its after:")
    return query


def _plain(text: str) -> str:
    """Characters in their usual width, without invisible ones between them."""
    text = normalize("NFKC", words.numbers_apart(text)).replace("\u200b", " ")
    return text if text.isascii() else "".join(char for char in text if category(char) != "Cf")


def _add(query: SearchQuery, found: re.Match[str]) -> None:
    plain = found["plain"]
    quoted = next((found[f"quoted{n}"] for n in range(len(_QUOTES)) if found[f"quoted{n}"] is not None), None)
    if quoted is not None and not any(found[f"closed{n}"] for n in range(len(_QUOTES))):
        raise _invalid('has an unclosed quotation mark; write "some words"')
    operator = (found["operator"] or "").lower()
    if operator in OPERATORS:
        if found["dashes"]:
            raise _invalid(f"has -{operator}:; a minus works with words only")
        value = (quoted if quoted is not None else plain).strip()
        if not value:
            raise _invalid(f"has {operator}: without a value; write {operator}:{_EXAMPLES[operator]}")
        _ADD[operator](query, value)
        return
    prefix = plain.endswith("*") if quoted is None else bool(found["tail"] or _ENDS_IN_PREFIX.search(quoted))
    literal = f"{found['operator']} " if found["operator"] else ""
    named = words.words(literal + (quoted if quoted is not None else plain))
    if named:
        (query.without if _is_minus(found["dashes"]) else query.terms).append(Term(tuple(named), prefix))
    elif quoted is not None and not quoted.strip():
        raise _invalid('has empty quotation marks; write "some words"')


def _is_minus(dashes: str) -> bool:
    """One dash excludes a word; several, as in --verbose, are part of the word."""
    return len(dashes) == 1 and dashes not in _LONG_DASHES


def _sender(query: SearchQuery, value: str) -> None:
    query.senders.append(value.removeprefix("@").lower())


def _place(query: SearchQuery, value: str) -> None:
    query.places.append(value.removeprefix("#").removeprefix("@"))


def _has(query: SearchQuery, value: str) -> None:
    if value.lower() not in HAS:
        raise _invalid(f"has has:{value[:40]}; expected one of {', '.join(HAS)}")
    query.has.add(value.lower())


def _before(query: SearchQuery, value: str) -> None:
    begins = _day("before", value)
    query.until = begins if query.until is None else min(query.until, begins)


def _after(query: SearchQuery, value: str) -> None:
    ends = _day("after", value) + DAY_MS
    query.since = ends if query.since is None else max(query.since, ends)


def _day(operator: str, value: str) -> int:
    """When a day begins in UTC."""
    try:
        return day(value)
    except ValueError:
        raise _invalid(f"has {operator}:{value[:40]}, which is not a date; write {operator}:2026-01-31") from None


_ADD = {"from": _sender, "in": _place, "has": _has, "before": _before, "after": _after}
_EXAMPLES = {"from": "ann", "in": "garden", "has": "link", "before": "2026-01-31", "after": "2026-01-31"}


def _invalid(message: str) -> Refusal:
    return Refusal("invalid", f"the query {message}", path="query")
