"""Which links of a message get a preview."""

from __future__ import annotations

import pytest
from chatnode_previews.links import MOST_LINKS, links_of
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.quick import examples

NODE = "https://chat.example.org/base"


def urls(text: str) -> list[str]:
    return [link.url for link in links_of(text, NODE)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see https://a.example/b?c=d#e, and HTTP://B.example!", ["https://a.example/b?c=d#e", "HTTP://B.example"]),
        ("(https://a.example/b_(c))", ["https://a.example/b_(c)"]),
        ("[a](https://a.example/b) <https://b.example>", ["https://a.example/b", "https://b.example"]),
        ("**https://a.example**", ["https://a.example"]),
        ("读 https://a.example/ü。好", ["https://a.example/ü"]),
        ("https://a.example https://a.example#2 https://a.example", ["https://a.example"]),
        ("https://a.b https://b.b https://c.b https://d.b", ["https://a.b", "https://b.b", "https://c.b"]),
        ("`https://a.example` ``https://b.example`` https://c.example", ["https://c.example"]),
        ("```\nhttps://a.example\n```\nhttps://b.example", ["https://b.example"]),
        ("~~~\nhttps://a.example", []),
        ("> https://a.example\nhttps://b.example", ["https://b.example"]),
        ("- > https://a.example", []),
        ("a ` b\n\nhttps://a.example `", ["https://a.example"]),
        ("ftp://a.example xhttps://a.example mailto:a@b.example example.org/x", []),
        ("https://user@a.example https://user:pw@a.example https://a.example:x https:// https://[::1", []),
        ("https://chat.example.org/x https://CHAT.example.org.:443 https://chat.example.org:8443/x",
         ["https://chat.example.org:8443/x"]),
        ("https://a.example/" + "x" * 2_048, []),
    ],
)  # fmt: skip
def test_links(text: str, found: list[str]) -> None:
    assert urls(text) == found


@pytest.mark.parametrize(
    "path",
    ["unsubscribe/7", "log-out", "sign_out", "password/reset", "Confirm?x=1", "x?action=verify", "%72eset", "a?token=1",
     "invite/abc", "account/activate", "e?OPT-OUT"],
)  # fmt: skip
def test_what_looks_like_an_action_is_not_followed(path: str) -> None:
    assert urls(f"https://a.example/{path} https://b.example/news") == ["https://b.example/news"]


def test_a_fragment_is_shown_and_not_fetched() -> None:
    (link,) = links_of("https://a.example/b#c", NODE)
    assert (link.url, link.address) == ("https://a.example/b#c", "https://a.example/b")
    assert links_of("https://a.example/b", NODE)[0].digest == link.digest


PARTS = st.sampled_from(
    [
        "https://a.example/1",
        "http://b.example",
        "`",
        "``",
        "```",
        "\n",
        "\n\n",
        "> ",
        " ",
        ")",
        "(",
        "]",
        "@",
        "://",
        "~~~",
    ]
)


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(PARTS).map("".join) | st.text())
def test_every_text_is_read(text: str) -> None:
    found = urls(text)
    assert len(found) <= MOST_LINKS
    assert all(url in text and url.lower().startswith("http") for url in found)


@pytest.mark.parametrize(
    "hostile", ["`" * 16_000, "` `` " * 3_000, "https://" * 2_000, "https://a.example/" + ")" * 15_000, "> " * 8_000,
                "http://a.example/(" * 900]
)  # fmt: skip
def test_hostile_texts_take_no_time(hostile: str) -> None:
    """One that did would run into the time limit of a test."""
    links_of(hostile, NODE)
