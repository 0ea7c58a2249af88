"""Slack's markup becomes Markdown, and everything else stays as it is."""

from __future__ import annotations

import pytest
from chatnode_webhooks.incoming.markup import as_markdown, named_people
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.quick import examples

ANN = "a" * 32
STRANGER = "b" * 32


@pytest.mark.parametrize(
    ("slack", "markdown"),
    [
        ("see <https://example.org/1|build 1>!", "see [build 1](https://example.org/1)!"),
        ("see <https://example.org/1>", "see https://example.org/1"),
        ("(<https://example.org/1>)", "(<https://example.org/1>)"),
        ("<https://example.org/?a=1&amp;b=2|a &lt; b>", "[a < b](https://example.org/?a=1&b=2)"),
        ("<https://example.org/a_(b)|[x]_y_>", "[\\[x\\]\\_y\\_](https://example.org/a_%28b%29)"),
        ("<https://example.org|https://example.org>", "https://example.org"),
        ("wow!<https://example.org/p.png|p>", "wow\\![p](https://example.org/p.png)"),
        ("<mailto:ann@example.org|Ann>", "[Ann](mailto:ann@example.org)"),
        ("<mailto:ann@example.org>", "ann@example.org"),
        (f"<@{ANN}> and <@{ANN}|Annie>, look", "@ann and @ann, look"),
        (f"a<@{ANN}>b", "a @ann b"),
        (f"<@{STRANGER}>", f"<@{STRANGER}>"),
        ("<!here> <!channel|channel> <!everyone>", "@everyone @everyone @everyone"),
        ("a &amp;lt; b &amp; c", "a &lt; b & c"),
        ("*bold* _it_ ~no~", "*bold* _it_ ~no~"),
        ("`<!here> &lt;` <!here>", "`<!here> <` @everyone"),
        ("```\n<https://a.example|b>\n``` <!here>", "```\n<https://a.example|b>\n``` @everyone"),
        ("~~~\n<!here>\n~~~\n<!here>", "~~~\n<!here>\n~~~\n@everyone"),
        ("```<!here>", "```<!here>"),
        ("it's 5 o`clock\n\n<!here> o`clock", "it's 5 o`clock\n\n@everyone o`clock"),
        ("<javascript:alert(1)|x> <ftp://a|b> <#C1|general>", "<javascript:alert(1)|x> <ftp://a|b> <#C1|general>"),
        ("<https://a.example|two\nlines>", "<https://a.example|two\nlines>"),
    ],
)
def test_markup(slack: str, markdown: str) -> None:
    assert as_markdown(slack, {ANN: "ann"}) == markdown


NO_MARKUP = [
    "fmap f <$> xs", "do { x <- get; return (x >>= f) }", "if a < b && c > d: pass", "Ann <ann@example.org>", "<div>",
    "</p>", "<!doctype html>", "<!-- x -->", "AT&T", "&nbsp;", "Vec<Option<&str>>", "<https://>", "<@ann>", "#[x]",
    "`a <@b>`", "```", "~~~", "2 <= 3", "*x* _y_", "@everyone", "<!everyone else>", "\\<", "|>", "<|>", "<http>",
]  # fmt: skip


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(st.sampled_from(NO_MARKUP)), st.sampled_from([" ", "\n", "\n\n", "\t"]))
def test_source_code_and_logs_pass_unchanged(parts: list[str], between: str) -> None:
    text = between.join(parts)
    assert as_markdown(text, {ANN: "ann"}) == text


@settings(max_examples=examples(300), deadline=None)
@given(st.text(st.characters(exclude_characters="<&", exclude_categories=["Cs"])))
def test_text_without_markup_passes_unchanged(text: str) -> None:
    assert as_markdown(text, {}) == text


@settings(max_examples=examples(300), deadline=None)
@given(st.text("`~<>|@!&;hlthere/:. \n" + ANN[0], max_size=60))
def test_nothing_is_read_in_a_fence(text: str) -> None:
    code = text.replace("```", "")
    assert as_markdown(f"```{code.strip('`')}```", {ANN: "ann"}) == f"```{plain(code.strip('`'))}```"


def plain(text: str) -> str:
    """Escapes as their characters, in the slow way: `&amp;` comes last, so that no escape is made of two."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


@pytest.mark.parametrize(
    "hostile",
    ["`" * 65_536, "` `` " * 13_000, "<https://a" * 6_500, "<" * 65_536, "<!here|" * 9_000, "~~~\n" * 16_000,
     "&lt" * 20_000, f"<@{ANN}>" * 1_900, "<@" + ANN + "|" * 60_000, ("`" * 7 + "\n\n") * 7_000],
)  # fmt: skip
def test_it_takes_linear_time(hostile: str) -> None:
    """One that did not would run into the time limit of a test."""
    as_markdown(hostile, {ANN: "ann"})


def test_only_ids_name_people() -> None:
    assert named_people(f"<@{ANN}> <@{STRANGER}|b> <@ann> <@{ANN[:-1]}>") == {ANN, STRANGER}
