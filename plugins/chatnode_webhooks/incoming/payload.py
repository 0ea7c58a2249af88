"""What a program posted, checked: the fields of Slack's incoming webhooks that are understood here.

Others are ignored, as programs send many that only Slack has a use for, and so is what says nothing, such as an
attachment that only has a color. What is understood and wrong is refused, at its place.
"""

from __future__ import annotations

import json
import re
from typing import Any, cast
from urllib.parse import parse_qsl

from chatnode.api import Text, counted, record

MOST_ATTACHMENTS = 20
MOST_FIELDS = 50
MOST_VIA = 80
MOST_ICON = 1_000
_MISSING = "is missing"

_VIA = Text(MOST_VIA, 1)
_ICON = Text(MOST_ICON, form=r"https?://[!-~]+", hint="must be an http or https address")
_MESSAGE = re.compile(r"[0-9a-f]{32}")
_SLACK_TIME = re.compile(r"[0-9]{1,20}\.[0-9]{1,20}")
"""A message of Slack's, which no message here is."""
_BOUNDARY = re.compile(r"--[^\r\n]{1,200}(?=\r?\n)")
_END_OF_HEAD = re.compile(r"\n\r?\n")
_NAMED_PAYLOAD = re.compile(r'^content-disposition:.*;\s*name="?payload"?\s*(?:;|$)', re.IGNORECASE | re.MULTILINE)
_FORM_FIELDS = 100


class PayloadFault(Exception):
    """What is wrong with a payload, and where: such as `attachments[0].fields`."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(f"{place}: {why}")
        self.place = place
        self.why = why

    @property
    def is_nothing(self) -> bool:
        """Whether the payload says nothing at all."""
        return self.place == "text" and self.why.startswith(_MISSING)


@record(frozen=True)
class AttachmentField:
    """A line of an attachment: a title and a value."""

    title: str
    value: str


@record(frozen=True)
class SlackAttachment:
    """What is shown of an attachment; empty strings are not."""

    pretext: str
    title: str
    title_link: str
    text: str
    fields: tuple[AttachmentField, ...]
    fallback: str

    @property
    def says_something(self) -> bool:
        shown = (self.pretext, self.title, self.text, self.fallback)
        return any(each.strip() for each in shown) or bool(self.fields)


@record(frozen=True)
class Payload:
    """`via` and `icon` are who the program says it speaks for. `thread` is the message whose thread to post in.

    `plain`: there is no markup in it. `names`: @handles in it mention users.
    """

    text: str
    attachments: tuple[SlackAttachment, ...]
    via: str | None
    icon: str | None
    thread: str | None
    plain: bool
    names: bool


def read_payload(body: bytes) -> Payload:
    """The payload of a request. Raises `PayloadFault`."""
    return payload_of(read_object(body))


def payload_of(found: dict[str, Any]) -> Payload:
    """The payload in what `read_object` found. Raises `PayloadFault`."""
    text = _string(found, "text", "")
    listed = [
        _attachment(each, f"attachments[{place}]")
        for place, each in enumerate(_list(found, "attachments", "", MOST_ATTACHMENTS))
    ]
    attachments = tuple(each for each in listed if each.says_something)
    if not (text.strip() or attachments):
        if listed:
            raise PayloadFault("attachments[0]", "has no pretext, title, text, fields or fallback")
        raise PayloadFault("text", _MISSING + ("; blocks are not read" if found.get("blocks") else ""))
    return Payload(text, attachments, _via(found), _icon(found), _thread(found), _is_plain(found), _links_names(found))


# ---- the body


def read_object(body: bytes) -> dict[str, Any]:
    """The fields in a body: JSON, or a form of either kind whose field `payload` is JSON. Raises `PayloadFault`.

    What the body is shows by how it begins: many programs send JSON with the content type of a form.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise PayloadFault("the body", "is not UTF-8") from None
    if (boundary := _BOUNDARY.match(text)) is not None:
        text = _part_payload(text, boundary[0].rstrip())
    elif not text.lstrip().startswith(("{", "[")):
        text = _form_payload(text)
    try:
        found = json.loads(text, strict=False, parse_constant=_refuse_constant)  # programs send raw line breaks
        json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair is no character
    except (ValueError, RecursionError) as error:
        raise PayloadFault("the body", f"is not JSON{_where(error)}") from None
    if not isinstance(found, dict):
        raise PayloadFault("the body", "must be a JSON object")
    return cast("dict[str, Any]", found)


def _form_payload(text: str) -> str:
    try:
        fields = dict(parse_qsl(text.strip(), True, errors="strict", max_num_fields=_FORM_FIELDS))
    except ValueError:
        raise PayloadFault("the body", f"is neither JSON nor a form with up to {_FORM_FIELDS} fields") from None
    if "payload" not in fields:
        raise _no_payload()
    return fields["payload"]


def _part_payload(text: str, boundary: str) -> str:
    """Of `multipart/form-data` (RFC 7578). Python's parser of email is not for hostile bodies: it follows parts within
    parts, and takes quadratic time for some headers."""
    for part in f"\n{text}".split(f"\n{boundary}")[1:]:
        end = _END_OF_HEAD.search(part)
        if end is not None and _NAMED_PAYLOAD.search(part[: end.start()].replace("\r", "")):
            return part[end.end() :].removesuffix("\r")
    raise _no_payload()


def _no_payload() -> PayloadFault:
    return PayloadFault("the body", "must be JSON, or a form with the field payload")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _where(error: Exception) -> str:
    return f": line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""


# ---- fields


def _string(found: dict[str, Any], name: str, place: str) -> str:
    value = found.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise PayloadFault(_at(place, name), "must be a string")
    if "\0" in value:
        raise PayloadFault(_at(place, name), "contains a NUL character")
    return value


def _scalar(found: dict[str, Any], name: str, place: str) -> str:
    """A string; also a number or a truth value, which programs send for what they measured."""
    value = found.get(name)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return json.dumps(value)
    return _string(found, name, place)


def _list(found: dict[str, Any], name: str, place: str, most: int) -> list[Any]:
    value: Any = found.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise PayloadFault(_at(place, name), "must be a list")
    items = cast("list[Any]", value)
    if len(items) > most:
        raise PayloadFault(_at(place, name), f"has {counted(len(items), 'item')}; the maximum is {most}")
    return items


def _object(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PayloadFault(place, "must be an object")
    return cast("dict[str, Any]", value)


def _at(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _attachment(value: Any, place: str) -> SlackAttachment:
    found = _object(value, place)
    return SlackAttachment(
        _string(found, "pretext", place), _scalar(found, "title", place), _string(found, "title_link", place),
        _string(found, "text", place),
        tuple(filter(None, (
            _field(each, f"{place}.fields[{number}]")
            for number, each in enumerate(_list(found, "fields", place, MOST_FIELDS))
        ))),
        _string(found, "fallback", place),
    )  # fmt: skip


def _field(value: Any, place: str) -> AttachmentField | None:
    found = _object(value, place)
    field = AttachmentField(_scalar(found, "title", place), _scalar(found, "value", place))
    return field if field.title.strip() or field.value.strip() else None


def _via(found: dict[str, Any]) -> str | None:
    """The name, shortened if it is long."""
    name = " ".join(_string(found, "username", "").split())
    name = name if len(name) <= MOST_VIA else f"{name[: MOST_VIA - 1].rstrip()}…"
    if name and (fault := _VIA.fault(name)) is not None:
        raise PayloadFault("username", fault)
    return name or None


def _icon(found: dict[str, Any]) -> str | None:
    """The address; None for one that cannot be shown, such as `data:`: a message is worth more than its icon."""
    address = _string(found, "icon_url", "").strip()
    return address if address and _ICON.fault(address) is None else None


def _thread(found: dict[str, Any]) -> str | None:
    """The message; None for the time of one of Slack's."""
    message = _string(found, "thread_ts", "")
    if not message or _SLACK_TIME.fullmatch(message):
        return None
    if not _MESSAGE.fullmatch(message):
        raise PayloadFault("thread_ts", "must be the id of a message, 32 hexadecimal digits")
    return message


def _is_plain(found: dict[str, Any]) -> bool:
    form = _string(found, "text_format", "")
    if form not in ("", "mrkdwn", "plain"):
        raise PayloadFault("text_format", "must be mrkdwn or plain")
    return form == "plain"


def _links_names(found: dict[str, Any]) -> bool:
    value = found.get("link_names")
    value = value.strip().lower() if isinstance(value, str) else value
    if value in (None, True, 1, "1", "true"):
        return True
    if value in (False, 0, "", "0", "false"):
        return False
    raise PayloadFault("link_names", "must be true or false")
