"""What a query means, as people type it."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnode.errors import Refusal
from chatnode.model.folding import APOSTROPHES, DASHES, QUOTES
from chatnode.model.search_query import SearchQuery, Term, parse
from chatnode.model.times import DAY_MS, day

RED_ROSES = Term(("red", "roses"))
LONG = "\u2014\u2015\ufe58"
PAIRS = [
    '""', "“”", "„“", "„”", "””", "‟”", "«»", "»«", "»»", "‹›", "›‹", "「」", "『』", "｢｣", "﹁﹂", "﹃﹄", "＂＂",
    "〝〞", "〝〟", "״״", '“"',
]  # fmt: skip


def words_of(query: SearchQuery) -> tuple[list[str], list[str]]:
    return [" ".join(term.words) for term in query.terms], [" ".join(term.words) for term in query.without]


@pytest.mark.parametrize("pair", PAIRS)
def test_every_pair_of_quotation_marks_makes_a_phrase(pair: str) -> None:
    quoted = f"{pair[0]}red roses{pair[1]}"
    assert parse(quoted).terms == [RED_ROSES]
    for prefix in (f"{quoted}*", f"{pair[0]}red roses*{pair[1]}"):
        assert parse(prefix).terms == [Term(("red", "roses"), prefix=True)]
    for literal in (f"{pair[0]}red roses *{pair[1]}", f"{pair[0]}*red* **roses**{pair[1]}"):
        assert parse(literal).terms == [RED_ROSES]
    assert parse(f"in:{quoted} blue").places == ["red roses"]
    for dash in set(DASHES) - set(LONG):
        assert words_of(parse(f"blue {dash}{quoted} sky")) == (["blue", "sky"], ["red roses"])
    with pytest.raises(Refusal, match="unclosed"):
        parse(f"{pair[0]}red roses")


@pytest.mark.parametrize(
    ("query", "terms", "without"),
    [
        ("--verbose", ["verbose"], []),
        ("---verbose -quiet", ["verbose"], ["quiet"]),
        ("—verbose", ["verbose"], []),
        ('--"red roses" x', ["red roses", "x"], []),
        ("blue –roses −5 ‐a ﹣b －c", ["blue"], ["roses", "5", "a", "b", "c"]),
        ("well‐known 9–17", ["well known", "9 17"], []),
        ("- roses", ["roses"], []),
        ('צה"ל צה״ל', ["צה ל", "צה ל"], []),
        ("你好「世界 和平」早", ["你好", "世界 和平", "早"], []),
        ("\ufeffroses \u200f“red roses”", ["roses", "red roses"], []),
        ("ｒｏｓｅｓ　ｂｌｕｅ", ["roses", "blue"], []),
        ("“he said «no way»” ok", ["he said no way", "ok"], []),
    ],
)
def test_signs_as_phones_and_keyboards_make_them(query: str, terms: list[str], without: list[str]) -> None:
    assert words_of(parse(query)) == (terms, without)


def test_an_apostrophe_is_one_however_it_is_typed() -> None:
    for one in APOSTROPHES:
        for other in APOSTROPHES:
            assert parse(f"don{one}t").matches(f"I don{other}t know")


def test_before_and_after_leave_the_day_itself_out() -> None:
    first, second = day("2026-01-31"), day("2026-02-01")
    assert (parse("before:2026-01-31").until, parse("after:2026-01-31").since) == (first, second)
    several = parse("before:2026-03-02 after:2026-01-31 before:2026-03-01 after:2026-01-01 before:2026-03-03")
    assert (several.since, several.until) == (second, day("2026-03-01"))
    for between in ("after:2026-01-31 before:2026-02-01", "before:2026-02-01 after:2026-02-01"):  # no day
        with pytest.raises(Refusal, match="before: that is earlier than its after:"):
            parse(between)
    assert parse("after:2026-01-31 before:2026-02-02").until == second + DAY_MS


def test_a_query_has_so_many_parts_and_no_more() -> None:
    query = "red -blue from:ann in:garden has:link after:2026-01-31"
    assert parse(query, most_terms=5).has == {"link"}
    with pytest.raises(Refusal, match="has 6 parts; the maximum is 5"):
        parse(f"{query} sky", most_terms=5)


def test_operators_are_read_in_full_width_and_take_no_dash() -> None:
    assert parse("ｆｒｏｍ：ａｎｎ FROM:@Bob ｉｎ：garden").senders == ["ann", "bob"]
    for dash in (*DASHES, "--"):
        with pytest.raises(Refusal, match="a minus works with words only"):
            parse(f"x {dash}from:ann")


@given(st.text(st.sampled_from("ab *:-–—\u200b\u200f" + QUOTES[:3] + "«»「」in'’"), max_size=14))
def test_a_query_is_understood_or_refused(text: str) -> None:
    with suppress(Refusal):
        query = parse(text)
        assert all(term.words for term in (*query.terms, *query.without))
