"""The text of the message that a payload becomes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from chatnode_webhooks.incoming import markup
from chatnode_webhooks.incoming.payload import Payload, SlackAttachment

_Read = Callable[[str], str]
"""Reads markup."""


def named_people(payload: Payload) -> set[str]:
    """The ids of users that the payload may name."""
    return set() if payload.plain else markup.named_people("\n".join(_texts(payload)))


def message_text(payload: Payload, handles: Mapping[str, str]) -> str:
    """The text, then the attachments, each after a blank line. `handles` are those of members, by id."""

    def read(text: str) -> str:
        return text if payload.plain else markup.as_markdown(text, handles)

    shown = [read(payload.text)] if payload.text.strip() else []
    for each in payload.attachments:
        shown.append("\n".join(_lines(each, read, plain=payload.plain)))
    return "\n\n".join(shown)


def _texts(payload: Payload) -> Iterator[str]:
    yield payload.text
    for each in payload.attachments:
        yield from (each.pretext, each.text, *(field.value for field in each.fields))


def _lines(attachment: SlackAttachment, read: _Read, *, plain: bool) -> Iterator[str]:
    """What is shown of an attachment. The fallback is for those who show nothing else of it."""
    if attachment.pretext.strip():
        yield read(attachment.pretext)
    if attachment.title.strip():
        yield _title(attachment, plain=plain)
    if attachment.text.strip():
        yield read(attachment.text)
    for field in attachment.fields:
        yield _field(field.title, field.value, read, plain=plain)
    if not (attachment.pretext.strip() or attachment.title.strip() or attachment.text.strip() or attachment.fields):
        yield attachment.fallback if plain else markup.decode(attachment.fallback)


def _title(attachment: SlackAttachment, *, plain: bool) -> str:
    title, address = attachment.title.strip(), attachment.title_link.strip()
    if plain:
        return f"{title}\n{address}" if address else title
    title, address = markup.decode(title), markup.decode(address)
    if address.startswith(("https://", "http://")) and not any(each.isspace() for each in address):
        return markup.link(title, address)
    return f"**{markup.escape(title)}**"


def _field(title: str, value: str, read: _Read, *, plain: bool) -> str:
    if not title.strip():
        return read(value)
    name = title.strip() if plain else f"**{markup.escape(markup.decode(title.strip()))}**"
    return f"{name}: {read(value)}"
