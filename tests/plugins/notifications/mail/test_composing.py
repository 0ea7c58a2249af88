"""The mails themselves: whatever users write stays text."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import attrs
import pytest
from chatnode_notifications.mail.composing import MailLook, Site, alert_mail, code_mail, notice_mail, one_line
from chatnode_notifications.mail.words import ENGLISH, MailWords, words_in
from chatnode_notifications.notes import Note
from hypothesis import example, given, settings
from hypothesis import strategies as st

SITE = Site("https://chat.example.org", "chat@example.org", "0123abcd")
LINK = f"{SITE.url}/plugins/notifications/u/{'a' * 32}.instant.{'b' * 16}.{'c' * 24}"
LOOK = MailLook(ENGLISH, ZoneInfo("UTC"), "full")
HEADERS = {
    "from", "to", "subject", "message-id", "references", "auto-submitted", "x-auto-response-suppress",
    "list-unsubscribe", "list-unsubscribe-post", "content-type", "mime-version", "content-transfer-encoding", "date",
}  # fmt: skip


def a_note(**fields: object) -> Note:
    note = Note(
        key=1, id="1" * 32, person=7, kind="message", personal=True, silent=False, conversation="c" * 32,
        message="d" * 32, seq=1, count=1, title="Ann", body="hello", sender=None, url=f"{SITE.url}/#c",
        created_at=1_700_000_000_000,
    )  # fmt: skip
    return attrs.evolve(note, **fields)


def a_mail(*notes: Note, digest: bool = False, look: MailLook = LOOK) -> EmailMessage:
    return alert_mail(SITE, look, "e" * 32, notes or [a_note()], digest=digest, most_lines=20, unsubscribe=LINK)


def as_received(message: EmailMessage) -> EmailMessage:
    found = message_from_bytes(message.as_bytes(), policy=policy.default)
    assert isinstance(found, EmailMessage)
    assert not found.defects
    return found


def text_of(message: EmailMessage, subtype: str = "plain") -> str:
    part = message.get_body((subtype,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


class Tags(HTMLParser):
    """The tags of a page, the addresses of its links, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


HOSTILE = [
    "Ann\r\nBcc: eve@example.net", "Ann\nX: y", "=?utf-8?q?Ann=0D=0ABcc:_eve@example.net?=", "Ann\u2028Bcc: eve",
    "Ann\x0bBcc: eve", "Ann\x85Bcc: eve", "<script>alert(1)</script>", '"><img src=https://evil.example/x>',
    "\u202etxt.exe", "a" * 5_000, "=?", "=?utf-8?b?DQpCY2M6IGV2ZQ==?= =?utf-8?b?DQpCY2M6IGV2ZQ==?=", "",
]  # fmt: skip


@settings(max_examples=50)
@given(st.text(max_size=100), st.text(max_size=100))
@example(HOSTILE[0], HOSTILE[0])
def test_names_and_texts_add_no_header_and_no_tag(title: str, body: str) -> None:
    plain = a_mail(a_note(title="Ann", body="hello", count=2))
    message = as_received(a_mail(a_note(title=title, body=body, count=2)))
    assert {name.lower() for name in message} <= HEADERS
    assert len(message.keys()) == len(plain.keys())
    page, calm = Tags(text_of(message, "html")), Tags(text_of(plain, "html"))
    assert [tag for tag in page.tags if tag != "br"] == calm.tags
    assert page.links == calm.links


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("digest", [False, True])
def test_hostile_names_and_texts(hostile: str, digest: bool) -> None:
    raw = a_mail(a_note(title=hostile, body=hostile), digest=digest).as_bytes()
    head = raw.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")
    assert not [line for line in head if line.startswith((b"bcc", b"x:"))]
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) < 998
    message = as_received(a_mail(a_note(title=hostile, body=hostile), digest=digest))
    assert "bcc" not in message
    assert "\u202e" not in str(message["Subject"]) + text_of(message)


def test_addresses_and_ids_stay_in_one_piece() -> None:
    lines = a_mail().as_bytes().decode().split("\r\n")
    assert f"List-Unsubscribe: <{LINK}>" in lines
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in lines
    assert f"Message-ID: <n.{'e' * 32}.0123abcd@example.org>" in lines
    assert f"References: <c.{'c' * 32}.0123abcd@example.org>" in lines


@pytest.mark.parametrize(
    "url", ["https://evil.example/", "https://chat.example.org.evil.example/", "javascript:alert(1)", "", "//evil",
    "https://chat.example.org@evil.example/", 'https://chat.example.org/"><img src=x>'],
)  # fmt: skip
def test_links_lead_to_the_node_only(url: str) -> None:
    message = as_received(a_mail(a_note(url=url)))
    assert Tags(text_of(message, "html")).links == [SITE.url, LINK]
    assert "evil" not in text_of(message)


def test_the_same_in_both_parts_without_anything_remote() -> None:
    message = as_received(a_mail(a_note(title="Ann & Bob", body="1 < 2\n3 > 2"), a_note(key=2, conversation="f" * 32)))
    page = Tags(text_of(message, "html"))
    assert "Ann & Bob: 1 < 2" in page.text
    assert "Ann & Bob: 1 < 2\n    3 > 2" in text_of(message)
    assert set(page.tags) <= {"html", "head", "meta", "body", "div", "p", "br", "a"}
    assert not message.get_content_type().startswith("multipart/mixed")


def test_subjects() -> None:
    assert a_mail()["Subject"] == "Ann"
    assert a_mail(a_note(count=3))["Subject"] == "Ann (+2 more messages)"
    assert a_mail(a_note(), a_note(key=2))["Subject"] == "Ann (+1 more message)"
    assert a_mail(a_note(), a_note(key=2, conversation="f" * 32))["Subject"] == "2 new notifications"
    assert a_mail(a_note(), digest=True)["Subject"] == "Digest: 1 unread notification"
    assert a_mail(look=attrs.evolve(LOOK, content="nothing"))["Subject"] == "1 new notification"


WORDS = [
    "Maria", "·", "(EU)", "Команда", "разработки", "для", "café", "Ünser", "東京の会議室", "يوم",
    "\U0001f469\u200d\U0001f466", "a_b", "=3D", "?=", "x" * 90, "é" * 60, "東" * 90,
]  # fmt: skip


@settings(max_examples=200)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=14).map(" ".join))
@example("(EU) · для разработки для Анна")
@example("Анна Иванова · (EU) team Команда разработки")
@example("x" * 90)
def test_no_space_of_a_subject_is_lost(title: str) -> None:
    """Spaces between encoded words do not count."""
    message, subject = a_mail(a_note(title=title)), one_line(title)
    raw = message.as_bytes()
    assert as_received(message)["Subject"] == subject
    old = message_from_bytes(raw)["Subject"].replace("\r\n", "")
    assert str(make_header(decode_header(old))) == subject
    head = raw.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert all(len(line) <= 78 for line in head if not line.startswith((b"List-", b"References", b"Message-ID")))


def test_many_lines_of_a_conversation_are_counted() -> None:
    notes = [a_note(key=number, body=f"line-{number}") for number in range(25)]
    text = text_of(as_received(a_mail(*notes, digest=True)))
    assert "line-19" in text
    assert "line-20" not in text
    assert "and 5 more" in text


@pytest.mark.parametrize("language", ["en", "de", "fr", "es"])
def test_every_language_has_all_words(language: str) -> None:
    words = words_in(language)
    assert words.language == language
    for name, value in attrs.asdict(words, recurse=False).items():
        for text, english in zip(_texts(value), _texts(getattr(ENGLISH, name)), strict=True):
            assert text
            assert {each for each in ("{n}", "{site}", "{code}") if each in text} == {
                each for each in ("{n}", "{site}", "{code}") if each in english
            }, (name, text)
    message = as_received(code_mail(SITE, words, "1", "123456"))
    assert "123456" in message["Subject"]
    assert "123456" in text_of(message)
    assert "chat.example.org" in text_of(as_received(notice_mail(SITE, words, "1")))


def _texts(value: str | tuple[str, str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def test_a_language_without_words_is_english() -> None:
    assert [words_in(each).language for each in ("de-AT", "DE", "tlh", "", None)] == ["de", "de", "en", "en", "en"]
    assert isinstance(words_in("xx"), MailWords)


@given(st.text())
def test_one_line_is_one_line(text: str) -> None:
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert len(line) <= 120
