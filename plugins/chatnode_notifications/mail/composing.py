"""The mails themselves: plain text first, and the same as small HTML in which everything is escaped.

Names, titles and texts come from users: none of them becomes a header line or a tag. The only links are to the node.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from html import escape
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from chatnode.api import Context, record
from chatnode_notifications.mail.words import MailWords
from chatnode_notifications.notes import Note

_LONGEST_SUBJECT = 120
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u206f\ufff9-\ufffb]")
"""Control characters but tab and newline, and what turns the direction of the text around it."""


@record(frozen=True)
class Site:
    """The node as its mails show it: its URL without a slash at the end, the address that mails come from, and the
    first letters of its epoch."""

    url: str
    sender: str
    epoch: str

    @property
    def host(self) -> str:
        """The name for people: the host of the URL."""
        return urlsplit(self.url).netloc or self.url

    def message_id(self, name: str) -> str:
        """`<name.epoch@domain>`, with the domain of the sender."""
        return f"<{name}.{self.epoch}@{self.sender.rpartition('@')[2]}>"


def site_of(ctx: Context) -> Site:
    """This node."""
    return Site(ctx.base_url, ctx.mail.sender, ctx.epoch[:8])


@record(frozen=True)
class MailLook:
    """How a user wants their mails: `content` is full, sender or nothing, as for pushes."""

    words: MailWords
    zone: ZoneInfo
    content: str


def code_mail(site: Site, words: MailWords, id: str, code: str) -> EmailMessage:
    """The code with which a user proves that an address is theirs."""
    return _plain(site, words, id, words.code_subject, words.code_text, code)


def notice_mail(site: Site, words: MailWords, id: str) -> EmailMessage:
    """Tells the old address that another one was added."""
    return _plain(site, words, id, words.notice_subject, words.notice_text)


def mail_for_test(site: Site, words: MailWords, id: str) -> EmailMessage:
    """For the operator, who wants to know whether mail works."""
    return _plain(site, words, id, words.test_subject, words.test_text)


def alert_mail(
    site: Site, look: MailLook, id: str, notes: Sequence[Note], *, digest: bool, most_lines: int, unsubscribe: str
) -> EmailMessage:
    """An instant mail or a digest of these notes, which are one user's. `unsubscribe` is a URL of the node."""
    words = look.words
    talks = _talks(notes)
    message = _mail(site, id, _subject(look, talks, len(notes), digest=digest))
    if len(talks) == 1 and notes[0].conversation is not None and look.content != "nothing":
        message["References"] = site.message_id(f"c.{notes[0].conversation}")
    message["List-Unsubscribe"] = f"<{unsubscribe}>"
    if unsubscribe.startswith("https://"):  # RFC 8058 wants it, and mail programs offer it for nothing else
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    shown = talks if look.content != "nothing" else []
    intro = words.intro.format(site=site.host) if shown else words.count(words.notifications, len(notes))
    text, html = [intro], [f"<p>{escape(intro)}</p>"]
    for talk in shown:
        url = _own(site, talk[0].url)
        lines = [_line(look, note, digest=digest) for note in talk[:most_lines]]
        if (more := len(talk) - most_lines) > 0:
            lines.append(words.count(words.more_notifications, more))
        text.append("\n".join(line.replace("\n", "\n    ") for line in [*lines, url]))
        inner = "".join(f"<p>{_as_html(line)}</p>" for line in lines)
        html.append(f'<div style="{_TALK}">{inner}<p>{_link(url, words.open)}</p></div>')
    if not shown:
        text.append(site.url)
        html.append(f"<p>{_link(site.url, words.open)}</p>")
    footer = words.footer.format(site=site.host)
    text.append(f"{footer}\n{words.unsubscribe}: {unsubscribe}")
    html.append(f'<p style="{_FOOTER}">{escape(footer)} {_link(unsubscribe, words.unsubscribe)}</p>')
    message.set_content("\n\n".join(text) + "\n")
    message.add_alternative(
        f'<!doctype html><html lang="{words.language}"><head><meta charset="utf-8"></head>'
        f'<body style="{_BODY}">{"".join(html)}</body></html>\n',
        subtype="html",
    )
    return message


_BODY = "font-family:sans-serif;line-height:1.4;max-width:40em"
_TALK = "border-left:3px solid #999;margin:1em 0;padding:0 0 0 .8em"
_FOOTER = "color:#666;font-size:small"


# ---- headers


def _mail(site: Site, id: str, subject: str) -> EmailMessage:
    from chatnode_notifications.mail.headers import POLICY, Address  # half a MiB, with the first mail

    message = EmailMessage(policy=POLICY)
    message["From"] = Address(display_name=one_line(site.host), addr_spec=site.sender)
    message["Subject"] = one_line(subject)
    message["Message-ID"] = site.message_id(f"n.{id}")
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    return message


def _plain(site: Site, words: MailWords, id: str, subject: str, text: str, code: str = "") -> EmailMessage:
    message = _mail(site, id, subject.format(site=site.host, code=code))
    message.set_content(text.format(site=site.host, code=code) + "\n")
    return message


def one_line(text: str) -> str:
    """The text as a header can have it: without line breaks and control characters, and not too long."""
    line = " ".join(_CONTROL.sub(" ", text).split())
    line = line.replace("=?", "= ?")  # where an encoded word begins, which may have line breaks in it
    return line if len(line) <= _LONGEST_SUBJECT else f"{line[: _LONGEST_SUBJECT - 1]}…"


def _subject(look: MailLook, talks: Sequence[Sequence[Note]], count: int, *, digest: bool) -> str:
    words = look.words
    if digest:
        return words.count(words.digest, count)
    if look.content == "nothing" or len(talks) > 1:
        return words.count(words.notifications, count)
    more = sum(note.count for note in talks[0]) - 1
    return f"{talks[0][0].title} ({words.count(words.more_messages, more)})" if more > 0 else talks[0][0].title


# ---- lines


def _talks(notes: Sequence[Note]) -> list[list[Note]]:
    """The notes by conversation, in the order of the first of each; what belongs to none stands alone."""
    talks: dict[str, list[Note]] = {}
    for note in notes:
        talks.setdefault(note.conversation or note.id, []).append(note)
    return list(talks.values())


def _line(look: MailLook, note: Note, *, digest: bool) -> str:
    """What one note says; in a digest on one line, with its time."""
    line = one_line(note.title)
    if look.content == "full" and note.body:
        body = _CONTROL.sub(" ", note.body.replace("\r\n", "\n")).strip()
        line = f"{line}: {' '.join(body.split()) if digest else body}"
    if note.count > 1:
        line = f"{line} ({look.words.count(look.words.more_messages, note.count - 1)})"
    if digest:
        at = datetime.fromtimestamp(note.created_at / 1000, look.zone)
        line = f"[{at:%Y-%m-%d %H:%M}] {line}"
    return line


def _as_html(line: str) -> str:
    return escape(line).replace("\n", "<br>")


def _link(url: str, words: str) -> str:
    return f'<a href="{escape(url)}">{escape(words)}</a>'


def _own(site: Site, url: str) -> str:
    """A link of the node itself; the node's first page in place of any other."""
    inside = url == site.url or url.startswith((f"{site.url}/", f"{site.url}#", f"{site.url}?"))
    return url if inside and not re.search(r"[\s<>\"]", url) else site.url
