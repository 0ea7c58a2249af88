"""The comparable form of texts."""

from __future__ import annotations

import re
from unicodedata import category, normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnode.model import words
from chatnode.model.folding import APOSTROPHES, DASHES, QUOTES, caseless, folded, is_blank
from chatnode.model.search_query import parse

FORMS = ("NFC", "NFD", "NFKC", "NFKD")
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.text(
    st.sampled_from(
        "aÅéŁøßẞıİĐÞæﬁＡ\u0301\u0323\u0345\u3099\u200b\u200d\u00adㅎㅏᄒ\u1161\u11ab각ｶﾞأئ\u0654ى٣´5²½ \u02bc“–🎉"
    ),
    max_size=8,
)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Łukasz Søren Ægir Œuvre", "lukasz soren aegir oeuvre"),
        ("Straße STRAẞE", "strasse strasse"),
        ("Isparta ISPARTA ısparta İsparta", "isparta isparta isparta isparta"),
        ("Đà Nẵng, Þór, Eiður", "da nang, thor, eidur"),
        ("ＦＵＬＬ ﬁrst ĳs Ǆ Ⅷ", "full first ijs dz viii"),
        ("ŋ ɓaɗa Kɔfi Əliyev ƀ ȼ ǥ", "n bada kofi eliyev b c g"),
        ("Қазақстан Ґанок Ёлка", "казакстан ганок елка"),
        ("أحمد ٱلمؤمن مُحَمَّد مرحـــبا فاطمة", "احمد المومن محمد مرحبا فاطمه"),
        ("شَهلا یک کتاب", "شهلا يك كتاب"),
        ("שָׁלוֹם", "שלום"),
        ("٢٠٢٤ २०२४", "2024 2024"),
        ("ｶﾞ が", "ガ が"),
        ("O’Brien OʼBrien Oʻahu O´Brien", "o'brien o'brien o'ahu o'brien"),
        ("“a” «b» – c—d", '"a" «b» - c-d'),
        ("co\u00adope\u200drate \ufeffyes", "cooperate yes"),
        ("C++ #1 🎉 ❤\ufe0f", "c++ #1 🎉 ❤"),
    ],
)
def test_texts_that_read_alike_have_one_form(text: str, form: str) -> None:
    assert folded(text) == form


def test_without_case_accents_stay() -> None:
    assert caseless("STRASSE") == caseless("Straße") == caseless("ｓｔｒａｓｓｅ") == "strasse"
    assert caseless("Cafe\u0301") == caseless("CAFÉ") != caseless("Cafe")


@given(texts)
def test_the_form_of_a_form_is_itself(text: str) -> None:
    assert folded(folded(text)) == folded(text)
    assert words.fold(words.fold(text)) == words.fold(text)
    apart = words.numbers_apart(text)  # whose plain form would be one number
    assert words.fold(folded(apart)) == words.fold(apart) == words.fold(text)


@given(texts)
def test_it_is_the_same_however_letters_are_composed_and_in_either_case(text: str) -> None:
    assert {folded(normalize(form, text)) for form in FORMS} == {folded(text)}  # type: ignore[arg-type]
    if "\u0345" not in normalize("NFD", text):  # case makes a letter of this mark
        assert folded(text.casefold()) == folded(text)


def test_every_character_has_a_form_of_its_own_that_stays() -> None:
    wrong = [
        hex(point)
        for point, form in ((point, folded(chr(point))) for point in range(0x30000))
        if folded(form) != form or any(folded(normalize(each, chr(point))) != form for each in FORMS)
    ]
    assert wrong == []


@given(texts, texts, texts)
def test_a_text_is_found_by_its_form(before: str, text: str, after: str) -> None:
    named = words.words(folded(words.numbers_apart(text)))
    assert named == words.words(text)
    if named:
        assert words.needle(named) in words.comparable(f"{before} {text} {after}")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("3½ cups", ["3", "1", "2", "cups"]),
        ("½kg 2¼½", ["1", "2", "kg", "2", "1", "4", "1", "2"]),
        ("10⁶ 10⁻¹² 2³₄", ["10", "6", "10", "12", "2", "3", "4"]),
        ("m² 5㎡ x²5", ["m2", "5m2", "x2", "5"]),
        ("H₂O CO₂ x₁₀", ["h2o", "co2", "x10"]),
        ("①② 1② ③rd", ["1", "2", "1", "2", "3rd"]),
        ("5㋀ ㏠㏡", ["5", "1", "月", "1", "日", "2", "日"]),
        ("٣½", ["3", "1", "2"]),
    ],
)
def test_numbers_beside_each_other_are_words_of_their_own(text: str, found: list[str]) -> None:
    assert words.words(text) == found


def test_all_characters_that_become_digits_are_known_as_numbers() -> None:
    known = re.compile(f"[{words.NUMBERS}]")
    becoming = {
        char for char in map(chr, range(0x110000))
        if category(char) not in ("Cs", "Nd") and any(category(normalize("NFKD", char)[at]) == "Nd" for at in (0, -1))
    }  # fmt: skip
    assert {char for char in map(chr, range(0x110000)) if known.match(char)} == becoming


@given(st.text(st.sampled_from("ab01９٣²³⁴₁₂½¼⅟①⒈㊿㋀㎡月\u0301. "), max_size=10))
def test_a_text_is_found_by_each_of_its_parts_as_they_are_typed(text: str) -> None:
    for part in text.split():
        if words.words(part):
            assert parse(part).matches(text), part


@pytest.mark.parametrize(("kinds", "plain"), [(APOSTROPHES, "'"), (QUOTES, '"'), (DASHES, "-")])
def test_each_kind_of_a_mark_has_the_plain_form(kinds: str, plain: str) -> None:
    assert {folded(f"a{kind}b") for kind in kinds} == {f"a{plain}b"}
    assert {tuple(words.words(f"a{kind}b")) for kind in kinds} == {("a", "b")}


@pytest.mark.parametrize(
    "text",
    ["", " ", "\t\n\x7f", "\u00a0\u3000", "\u200b\u200d\u2060\ufeff", "\u3164", "\u115f\u1160\uffa0", "\u2800",
     "\u0301\u20dd", "\u17b4", "\ufe0f", "\u00ad\u034f", "\U000e0020\U000e0100", "\u202e\u2066", "\U0001d159"],
)  # fmt: skip
def test_what_cannot_be_seen(text: str) -> None:
    assert is_blank(text)


@pytest.mark.parametrize("text", ["a", " . ", "e\u0301", "🎉", "\u200bㅎ", "ㅤㅤㅤx", "٣", "\U0001faff", "\ue000", "*"])
def test_what_can_be_seen(text: str) -> None:
    assert not is_blank(text)
