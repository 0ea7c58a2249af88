"""Whom a text names: Markdown, addresses, scripts."""

from __future__ import annotations

import string
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnode.model.mentions import mentioned_handles, mentions

NAMES_ANN = [
    "@ann", "Thanks @ann.", "(@ann)", "@ann's turn", "@Ann, @ANN!", "@ann: look", "@ann:look", "first\n@ann",
    "...@ann", ".@ann is who I mean", "-@ann", "—@ann—", "\"@ann\"", "/@ann", "hey,@ann", "@ann…", "@ann-", "@ann?!",
    # emphasis
    "_@ann_", "__@ann__", "*@ann*", "**@ann**", "***@ann***", "~~@ann~~", "**bob**@ann", "_so_ @ann", "_(@ann)_",
    # escapes of something else
    r"\\@ann", r"\*@ann\*", r"\_@ann\_", r"\`@ann\`", r"\> @ann", r"\```" "\n@ann", r"`\`@ann`",
    # links: what is shown names
    "[@ann](https://example.org/x)", "[x](https://example.org/x)@ann", "[x](https://example.org/x) @ann",
    "![x](y.png)@ann", "see <https://example.org/x> @ann", "<@ann>", "https://example.org/ @ann",
    '"https://example.org/"@ann',
    # code that has ended, or never began
    "`x` @ann", "`x`@ann", "``x` `` @ann", "``` x ``` @ann", "`@ann", "``@ann`", "@ann `", "a ` b\n\n@ann ` c",
    "`a\n- @ann `b", "`a\n# @ann `b", "```\nx\n```\n@ann", "~~~\nx\n~~~~~\n@ann", "````\n```\n````\n@ann",
    "```\nx\r\n```\r\n@ann",
    "  ```\n  x\n  ```\n@ann", "- ```\n  x\n  ```\n@ann", "```a`b\n@ann", "``\n@ann\n```", "``x\n\n@ann``",
    "    @ann",
    # quotes that have ended
    "> x\n@ann", "> ```\n> x\n@ann", "x > @ann", "-> @ann", "1 >@ann",
    # scripts without spaces, emoji
    "@annさん", "ねえ@ann", "@ann。", "谢谢@ann", "ขอบคุณ@ann", "@ann감사", "👍@ann", "❤️@ann", "@ann👍",
    "\u200b@ann", "«@ann»",
]  # fmt: skip

NAMES_NOBODY = [
    "ann", "@", "@ ann", "@@ann", "@-ann", "a.b-@ann", "@ann@", "@annie", "@ann_b", "@ann-b", "@ann.b", "@_ann",
    # mail, and other networks'
    "bob@ann", "bob.@ann", "bob_@ann", "bob+list@ann", "mailto:bob@ann", "<bob@ann>", "_bob@ann_", "é@ann",
    "e\u0301@ann",
    "Ω@ann", "бob@ann", "नमस्ते@ann", "@ann@example.org", "@ann_@example.org", "@ann.b@example.org",
    "@ann.@example.org",
    "_@ann@example.org_", "@ann:example.org", "@ann:matrix.example.org is there",
    # longer words
    "@annä", "@ann\u0301", "@annи", "@ann_é", "@ann.é", "@ann٣",
    # web addresses
    "https://example.org/@ann", "HTTP://EXAMPLE.ORG/@ann", "http://h/x,@ann", "http://h/?q=(@ann)", "<https://h/@ann>",
    "ftp://@ann/", "[x](http://h/@ann)", "[x](/@ann)", "[x](</@ann>)", '[x](/ "for @ann")', "[x](/ '@ann')",
    "[x](/(@ann))",
    "![x](/@ann)", "example.org/@ann", "www.example.org/x/@ann", "example.org?@ann",
    "localhost:8008/@ann", "example.org:8008/@ann", "bücher.example/@ann", "[x]: https://h/@ann",
    # code
    "`@ann`", "` @ann `", "``@ann``", "`` `@ann` ``", "`a\n@ann`", "```@ann```", r"`a\` `@ann`", "[x](`) @ann `",
    "```\n@ann\n```", "```\n@ann", "``` @ann", "~~~ @ann", "~~~\n@ann\n~~~", "~~~\n```\n@ann\n~~~",
    "```\n~~~\n@ann\n```",
    "````\n```\n@ann\n````", "   ```\n@ann", "\t```\n@ann\n\t```", "- ```\n  @ann\n  ```", "1. ~~~\n@ann",
    "```py\r\n@ann\r\n```",
    "x\n```\n@ann\n```\ny", "```\n``\n@ann", "```\n``` x\n@ann", "```\n> ```\n@ann", r"`x\``@ann`",
    # quotes
    "> @ann", ">@ann", ">> @ann", "> > @ann", "   > @ann", "\t> @ann", "- > @ann", "1) > @ann", "x\n> @ann",
    "> x\n> @ann\nso",
    "> ```\n> @ann\n> ```",
    # escaped
    r"\@ann", r"\\\@ann", r"_\@ann_",
]  # fmt: skip


@pytest.mark.parametrize("text", NAMES_ANN)
@pytest.mark.parametrize("handle", ["ann", "everyone"])
def test_a_handle_that_stands_alone_is_named(text: str, handle: str) -> None:
    assert set(mentioned_handles(_about(text, handle))) == {handle}


@pytest.mark.parametrize("text", NAMES_NOBODY)
@pytest.mark.parametrize("handle", ["ann", "everyone"])
def test_addresses_code_and_quotes_name_nobody(text: str, handle: str) -> None:
    assert not {handle} & set(mentioned_handles(_about(text, handle)))


def test_a_foreign_address_does_not_name_its_beginning_either() -> None:
    assert mentioned_handles("@ann.lee@example.org @ann-lee@example.org @ann.lee:example.org @ann.leé") == []


def test_signs_that_no_handle_has_part_two_handles() -> None:
    for sign in "+/,&|;=(":
        assert mentioned_handles(f"@ann{sign}@bob") == ["ann", "bob"], sign


def test_each_is_named_once_in_order_in_lower_case() -> None:
    assert mentioned_handles("@Bob,@ann/@bob @ann.lee.") == ["bob", "ann", "ann.lee"]


def test_a_handle_has_63_characters_and_a_longer_one_is_none() -> None:
    assert mentioned_handles(f"@{'a' * 63} @{'b' * 64}") == ["a" * 63]


def test_a_mention_says_where_it_stands() -> None:
    text = "`@no` **@Ann**, @bob"
    assert [(text[each.start : each.end], each.handle) for each in mentions(text)] == [("@Ann", "ann"), ("@bob", "bob")]


@given(st.text(alphabet="@abй_.`~>\\-:/[]() \n\r\té\u0301さ*#1<", max_size=60))
def test_what_is_named_stands_there_and_stands_alone(text: str) -> None:
    for each in mentions(text):
        assert text[each.start : each.end].lower() == "@" + each.handle
        assert each.start == 0 or text[each.start - 1] not in string.ascii_letters + string.digits + "@й`"[:-1]
        assert not text[each.end : each.end + 1].isascii() or not text[each.end : each.end + 1].isalnum()
    plain = text.replace("\r", "").replace("\n", "")
    assert mentioned_handles("> " + plain) == []
    assert mentioned_handles("~~~~~\n" + "\n".join(text.replace("~", "").splitlines())) == []


PIECES = [
    "@", "@a", "@a.", "@a@", "`", "``` ", "`a``", "\\", "\\_", "_", ".", "a", "a.", "a:1", "a-", "://", "](",
    "](<", "](a ", "](a \"",
    "](a '", "](a (", "](((", "](\\", "](  ", " ", "\n", "\r", "\n>", "\n```", "\n~~~", "\n- ", "- ", "1. ", "> ",
    "#", "=", "--", "\u0301",
    "é", "さ", "[", "<", "@a:a.", "@a:a-",
]  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("ending", ["@ann", "\n@ann `", " @"])
def test_the_work_grows_with_the_length_and_no_faster(piece: str, ending: str) -> None:
    """Counted in lines of Python, and bounded for what the engine of expressions does by a deadline that is far off."""
    steps = [_steps(piece * (size // len(piece)) + ending) for size in (200, 1_600)]
    assert steps[1] <= 9 * steps[0] + 100


def _about(text: str, handle: str) -> str:
    return text.replace("ANN", handle.upper()).replace("Ann", handle.title()).replace("ann", handle)


def _steps(text: str) -> int:
    count = 0

    def trace(frame: object, event: str, argument: object) -> object:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        mentioned_handles(text)
    finally:
        sys.settrace(before)
    return count
