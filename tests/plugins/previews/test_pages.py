"""What pages say of themselves, and pages that were made to do harm."""

from __future__ import annotations

import pytest
from chatnode_previews.encodings import page_text
from chatnode_previews.pages import MOST_TEXT, MOST_TITLE, PageHead, read_page, shortened
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.quick import examples


@pytest.mark.parametrize(
    ("head", "page"),
    [
        ("<title> A\n &amp; B </title>", PageHead("A & B", None, None)),
        ("<title>a</title><meta property='og:title' content='b'>", PageHead("b", None, None)),
        (
            "<meta content='t' name=description><meta property=og:site_name content=S><title>a</title>",
            PageHead("a", "t", "S"),
        ),
        (
            "<meta name='twitter:title' content='a'><meta name='twitter:description' content='b'/>",
            PageHead("a", "b", None),
        ),
        ("<meta property='og:title' content=' '><title>a</title><title>b</title>", PageHead("a", None, None)),
        (
            "<noscript><img src=x></noscript><script>var a = '</head><title>no</title>'</script><title>a</title>",
            PageHead("a", None, None),
        ),
        ("<script>if (a < b) '<title>'</script><title>a</title>", PageHead("a", None, None)),
        ("<title>\u202egnp.exe\u200f</title>", PageHead("gnp.exe", None, None)),
        ("<title>&#" + "9" * 5_000 + ";</title><meta name=description content=b>", None),
        ("<title>a</title><![bogus[ <meta name=description content=b>", PageHead("a", None, None)),
        ("<title>a</title></head><meta name=description content=b>", PageHead("a", None, None)),
        ("<title>a</title><body><meta name=description content=b>", PageHead("a", None, None)),
        ("<!-- <title>no</title> --><title/><title>a</title>", PageHead("a", None, None)),
        ("", None),
        ("just text", None),
        ("<title>\u200b\u2060</title>", None),
    ],
)
def test_heads(head: str, page: PageHead | None) -> None:
    assert read_page(head) == page


def test_long_texts_are_shortened_at_a_word() -> None:
    page = read_page(f"<title>{'word ' * 100}</title><meta name=description content='{'x' * 10_000}'>")
    assert page is not None
    assert page.title is not None
    assert page.text is not None
    assert (page.title[-6:], len(page.title) <= MOST_TITLE) == (" word…", True)
    assert (page.text[-2:], len(page.text)) == ("x…", MOST_TEXT)


@settings(max_examples=examples(300), deadline=None)
@given(st.text(), st.integers(2, 60))
def test_shortened_texts_are_a_line_within_the_limit(text: str, most: int) -> None:
    line = shortened(text, most)
    assert line is None or (0 < len(line) <= most and len(line.splitlines()) == 1 and line == line.strip())


SIZE = 512 * 1024
HOSTILE = [
    "<div>", "<", "<a ", "<a b='", "<!--", "</", "<![", "<!", "<?", "&", "&#", "<title>", "<!doctype", "<a/", "\0", "-",
    "<script></", "<style></ script",
]  # fmt: skip
"""What whole pages are made of."""
LONG = [
    ("<title>", "a"), ("<script>", "</"), ("<script>", "</ script"), ("<meta ", "a=b "), ("<meta content='", "&amp;"),
    ("<a", " "), ("<a =", "= "), ("<title>", "&zzzz"), ("<!--", "--"),
]  # fmt: skip
"""A beginning, and what follows without end."""


@pytest.mark.parametrize(("begins", "goes_on"), [*LONG, *(("", each) for each in HOSTILE)])
def test_hostile_pages_take_no_time(begins: str, goes_on: str) -> None:
    """One that took more than linear time would run into the time limit of a test."""
    read_page(begins + goes_on * (SIZE // len(goes_on)))


TAGS = st.sampled_from([
    "<title>", "</title>", "<meta name=description content='", "'>", "<!--", "-->", "<![", "<script>", "</script>",
    "</head>", "<body", ">", "&#x", ";", "&lt", "a", "<svg/>", "\0", "<?",
])  # fmt: skip


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(TAGS | st.text(max_size=5)).map("".join))
def test_every_page_is_read(text: str) -> None:
    page = read_page(text)
    assert page is None or page.title or page.text


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        ("ü".encode(), "text/html", "ü"),
        ("ü".encode("cp1252"), "text/html", "ü"),
        ("ü".encode("cp1252"), "text/html; charset=ISO-8859-1", "ü"),
        ("ü€".encode("cp1252"), "text/html; x=y; Charset='latin1'", "ü€"),
        ("日本".encode("euc-jp"), "text/html; charset=EUC-JP", "日本"),
        ("<meta charset=shift_jis>日本".encode("cp932"), "text/html", "<meta charset=shift_jis>日本"),
        ("<meta http-equiv=x content='text/html; charset=koi8-r'>да".encode("koi8-r"), "text/html",
         "<meta http-equiv=x content='text/html; charset=koi8-r'>да"),
        ("<meta charset=utf-16>ü".encode(), "text/html", "<meta charset=utf-16>ü"),
        (b"\xef\xbb\xbf" + "ü".encode(), "text/html; charset=latin1", "ü"),
        ("\ufeffü".encode("utf-16-le"), "text/html; charset=utf-8", "ü"),
        ("ü".encode()[:1], "text/html", ""),
        (b"+ADw-script+AD4-", "text/html; charset=utf-7", "+ADw-script+AD4-"),
        (b"aGk=", "text/html; charset=base64", "aGk="),
        (b"\\u0041", "text/html; charset=unicode_escape", "\\u0041"),
        (b"a\xff", "text/html; charset=utf-8", "a\ufffd"),
        (b"a", "text/html; charset=" + "x" * 10_000, "a"),
    ],
)  # fmt: skip
def test_encodings(body: bytes, content_type: str, text: str) -> None:
    assert page_text(body, content_type) == text


@settings(max_examples=examples(300), deadline=None)
@given(st.binary(), st.text(max_size=40))
def test_every_body_has_a_text(body: bytes, charset: str) -> None:
    read_page(page_text(body, f"text/html; charset={charset}"))
