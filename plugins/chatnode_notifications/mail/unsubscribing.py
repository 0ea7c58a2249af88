"""The address behind "unsubscribe" in mails: it works without signing in, never expires, and can only turn
mails off.

GET shows a page with a button and changes nothing, because scanners of mails follow every link. POST, as the button and
mail programs send it (RFC 8058), turns mails of that kind off, if they still go to that address.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from chatnode.api import Context, Querying, Refusal, Request, Response, Route, Transaction, record
from chatnode_notifications.mail.composing import site_of
from chatnode_notifications.mail.keys import mac_of, mail_key
from chatnode_notifications.mail.rows import active_mailbox
from chatnode_notifications.mail.scheduling import digest_changed
from chatnode_notifications.mail.words import MailWords, words_in

_KINDS = ("instant", "digest")
_TAG = 16
_MOST_BYTES = 4_096
_URL_SAFE = ":/?#[]@!$&'()*+,;=%~"


@record(frozen=True)
class _Link:
    """What a link is for: mails of a kind to a user's address, of which `tag` is a keyed hash."""

    person: int
    kind: str
    tag: str
    language: str | None


def unsubscribe_url(ctx: Context, key: bytes, person: str, address: str, kind: str) -> str:
    """The link for mails of a kind to an address of the user with the id `person`."""
    tag = _tag(key, person, address)
    url = ctx.url(f"u/{person}.{kind}.{tag}.{mac_of(key, 'unsubscribe', person, kind, tag)}")
    return quote(url, safe=_URL_SAFE)


def _tag(key: bytes, person: str, address: str) -> str:
    return mac_of(key, "address", person, address)[:_TAG]


def _read_link(reader: Querying, token: str) -> _Link:
    """Raises `Refusal("not_found")` for what this node did not make."""
    person, kind, tag, mac = (token.split(".") + [""] * 4)[:4]
    key = mail_key(reader)
    valid = (
        key is not None and token.isascii() and hmac.compare_digest(mac_of(key, "unsubscribe", person, kind, tag), mac)
    )
    row = reader.execute(
        "SELECT p.key, s.language FROM people p LEFT JOIN notifications_people s ON s.person = p.key WHERE p.id = ?",
        (person,),
    ).fetchone()
    if not valid or kind not in _KINDS or row is None or token.count(".") != 3:
        raise Refusal("not_found", "this link is not complete")
    return _Link(row[0], kind, tag, row[1])


async def ask(ctx: Context, request: Request) -> Response:
    """The page with the button."""
    link = await ctx.read(lambda reader: _read_link(reader, request.path["token"]))
    words = words_in(link.language)
    question = escape(words.page_question.format(site=site_of(ctx).host))
    form = (
        '<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">'
        f"<p>{question}</p><p><button>{escape(words.page_button)}</button></p></form>"
    )
    return _page(words, form)


async def unsubscribe(ctx: Context, request: Request) -> Response:
    """Turn the mails off. Doing it again changes nothing and answers the same."""
    token = request.path["token"]
    link = await ctx.read(lambda reader: _read_link(reader, token))
    body = await request.body()
    if b"List-Unsubscribe" not in body or b"One-Click" not in body:
        raise Refusal("bad_request", "expected the field List-Unsubscribe=One-Click")
    if await ctx.read(lambda reader: _still_on(reader, link)):
        await ctx.write(lambda tx: _turn_off(tx, link))
    words = words_in(link.language)
    return _page(words, f'<p role="status">{escape(words.page_done.format(site=site_of(ctx).host))}</p>')


def _still_on(reader: Querying, link: _Link) -> bool:
    mailbox, key = active_mailbox(reader, link.person), mail_key(reader)
    row = reader.execute("SELECT mail FROM notifications_people WHERE person = ?", (link.person,)).fetchone()
    person = reader.execute("SELECT id FROM people WHERE key = ?", (link.person,)).fetchone()
    if mailbox is None or key is None or row is None or row[0] != link.kind:
        return False
    return _tag(key, person[0], mailbox.address) == link.tag


def _turn_off(tx: Transaction, link: _Link) -> None:
    if _still_on(tx, link):
        tx.execute("UPDATE notifications_people SET mail = 'off' WHERE person = ?", (link.person,))
        digest_changed(tx, link.person)


def _page(words: MailWords, content: str) -> Response:
    text = (
        f'<!doctype html><html lang="{words.language}"><head><meta charset="utf-8">'
        f"<title>{escape(words.page_title)}</title>"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="robots" content="noindex">'
        f'<link rel="stylesheet" href="../../../page.css"></head><body><main><h1>{escape(words.page_title)}</h1>'
        f"{content}</main></body></html>"
    )
    return Response(text, 200, "text/html; charset=utf-8", dict(_HEADERS))


_HEADERS: Sequence[tuple[str, str]] = (
    ("Referrer-Policy", "same-origin"),  # without a referrer, browsers would not send the page's origin with the form
    ("Cache-Control", "no-store"),
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
)

ROUTES = (
    Route("u/<token>", ask, None, ("GET",), "The page to unsubscribe from emails."),
    Route("u/<token>", unsubscribe, None, ("POST",), "Unsubscribe.", most_bytes=_MOST_BYTES, idle_seconds=20.0),
)
