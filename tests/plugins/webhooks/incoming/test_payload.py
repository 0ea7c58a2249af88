"""What programs send, and what is wrong with it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from chatnode_webhooks.incoming.naming import without_mentions
from chatnode_webhooks.incoming.payload import Payload, PayloadFault, read_payload
from chatnode_webhooks.incoming.wording import message_text, named_people
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.quick import examples

ALERT = {
    "channel": "#alerts", "username": "Grafana v11", "icon_url": "https://grafana.example/icon.png",
    "attachments": [{
        "color": "#D63232", "fallback": "[FIRING:1] Disk full", "title": "[FIRING:1] Disk full", "footer": "Grafana",
        "title_link": "https://grafana.example/alerting/list?a=1&b=2", "text": "*Value*: 97 &lt; 100", "ts": 1733000000,
        "fields": [{"title": "host", "value": "db-1", "short": True}, {"title": "percent", "value": 97.5}],
        "mrkdwn_in": ["text"],
    }],
}  # fmt: skip
BUILD = {
    "text": "",
    "attachments": [
        {"pretext": "Build <https://ci.example/7|#7> failed", "text": "```\nassert a <= b\n```", "fields": None},
        {"fallback": "only a &lt;fallback&gt;"},
    ],
}
CURL = {"text": "Hello, <!here>!\nBye."}


def text_of(payload: Any) -> str:
    return message_text(read_payload(json.dumps(payload).encode()), {})


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (
            ALERT,
            "[\\[FIRING:1\\] Disk full](https://grafana.example/alerting/list?a=1&b=2)\n*Value*: 97 < 100\n"
            "**host**: db-1\n**percent**: 97.5",
        ),
        (BUILD, "Build [#7](https://ci.example/7) failed\n```\nassert a <= b\n```\n\nonly a <fallback>"),
        (CURL, "Hello, @everyone!\nBye."),
        ({**CURL, "text_format": "plain"}, "Hello, <!here>!\nBye."),
        ({"text": "a", "attachments": [{"title": "*x*", "title_link": "javascript:alert(1)"}]}, "a\n\n**\\*x\\***"),
        (
            {
                "text_format": "plain",
                "attachments": [{"title": "t", "title_link": "https://a.example", "text": "&lt;"}],
            },
            "t\nhttps://a.example\n&lt;",
        ),
    ],
)
def test_payloads_become_text(payload: Any, text: str) -> None:
    assert text_of(payload) == text


def test_who_the_program_speaks_for() -> None:
    payload = read_payload(json.dumps(ALERT).encode())
    assert (payload.via, payload.icon) == ("Grafana v11", "https://grafana.example/icon.png")


@pytest.mark.parametrize(
    "body",
    [b'{"text": "a\nb"}', b'\xef\xbb\xbf {"text": "a\\nb"}', b"payload=%7B%22text%22%3A+%22a%5Cnb%22%7D",
     b'payload={"text":"a\nb"}',
     b'--------x=1\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--------x=1\r\n'
     b'Content-Disposition: form-data; name="payload"\r\n\r\n{"text": "a\\nb"}\r\n--------x=1--\r\n'],
    ids=["raw line break", "byte order mark", "form", "form that is hardly encoded", "form as curl -F sends it"],
)  # fmt: skip
def test_forms_of_a_body(body: bytes) -> None:
    assert read_payload(body).text == "a\nb"


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "the body: must be JSON, or a form with the field payload"),
        (b"{", "the body: is not JSON: line 1, column 2"),
        (b'{"text": NaN}', "the body: is not JSON"),
        (b'{"text": "\xff"}', "the body: is not UTF-8"),
        (b'{"text": "\\ud800"}', "the body: is not JSON"),
        (b"[" * 60_000, "the body: is not JSON"),
        (b'{"text": ' + b"1" * 5_000 + b"}", "the body: is not JSON"),
        (b"[1]", "the body: must be a JSON object"),
        (b"payload=%ff", "the body: is neither JSON nor a form with up to 100 fields"),
        (b"{}", "text: is missing"),
        (b'{"blocks": [{}]}', "text: is missing; blocks are not read"),
        (b'{"text": 1}', "text: must be a string"),
        (b'{"text": "a\\u0000"}', "text: contains a NUL character"),
        (b'{"attachments": {}}', "attachments: must be a list"),
        (b'{"attachments": [1]}', "attachments[0]: must be an object"),
        (b'{"attachments": [{}]}', "attachments[0]: has no pretext, title, text, fields or fallback"),
        (b'{"attachments": [{"text": "a"}, {"fields": "x"}]}', "attachments[1].fields: must be a list"),
        (b'{"attachments": [{"fields": [{"value": []}]}]}', "attachments[0].fields[0].value: must be a string"),
        (b'{"attachments": [{"fields": [{}], "color": "#f00"}]}',
         "attachments[0]: has no pretext, title, text, fields or fallback"),
        (b'--x\r\nContent-Disposition: form-data; name="other"\r\n\r\n{}\r\n--x--\r\n',
         "the body: must be JSON, or a form with the field payload"),
        (b'{"text": "a", "username": "\\u202ex"}', "username: contains control characters or line breaks"),
        (b'{"text": "a", "thread_ts": "here"}', "thread_ts: must be the id of a message, 32 hexadecimal digits"),
        (b'{"text": "a", "text_format": "html"}', "text_format: must be mrkdwn or plain"),
        (b'{"text": "a", "link_names": []}', "link_names: must be true or false"),
    ],
)  # fmt: skip
def test_faults_name_their_place(body: bytes, fault: str) -> None:
    with pytest.raises(PayloadFault) as raised:
        read_payload(body)
    assert str(raised.value) == fault


@pytest.mark.parametrize(
    "fields",
    [
        {"attachments": [{"color": "#f00", "blocks": [{"type": "divider"}]}]},
        {"attachments": [{"image_url": "https://example.org/a.png"}, {"author_name": "a", "footer": "b"}, {}]},
        {"attachments": [{"fields": [{"title": "", "value": " "}]}]},
        {"icon_url": " "}, {"icon_url": "data:image/png;base64,AAAA"}, {"icon_url": "https://example.org/é.png"},
        {"link_names": "True"}, {"thread_ts": "1503435956.000247"},
    ],
)  # fmt: skip
def test_what_cannot_be_shown_costs_no_message(fields: dict[str, Any]) -> None:
    payload = read_payload(json.dumps({"text": "Deploy failed", **fields}).encode())
    assert (payload.text, payload.attachments, payload.icon, payload.thread) == ("Deploy failed", (), None, None)


@pytest.mark.parametrize(
    "part",
    [
        "Content-Disposition: " + "(" * 5_000,
        "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(1_000)),
    ],
    ids=["comments", "parts within parts"],
)
def test_a_hostile_form_is_refused(part: str) -> None:
    with pytest.raises(PayloadFault, match="the field payload"):
        read_payload(f"--x\r\n{part}\r\n--x--\r\n".encode())


def test_a_form_may_have_other_parts_first_and_no_end() -> None:
    body = b'--x\nContent-Type: text/plain\nContent-Disposition: form-data; filename="a"; name=payload\n\n{"text": "a"}'
    assert read_payload(b'--x\nContent-Disposition: form-data; name="b"\n\n--y\n' + body).text == "a"


def test_a_long_name_is_shortened() -> None:
    assert read_payload(json.dumps({"text": "a", "username": "n" * 81}).encode()).via == "n" * 79 + "…"


def test_too_much_is_refused() -> None:
    for fields, place in (
        ({"attachments": [{"text": "a"}] * 21}, "attachments"),
        ({"attachments": [{"fields": [{"title": "a"}] * 51}]}, "attachments[0].fields"),
    ):
        with pytest.raises(PayloadFault) as raised:
            read_payload(json.dumps(fields).encode())
        assert raised.value.place == place


STRINGS = st.sampled_from(["<!here>", "@all", "https://a.example", "a" * 32, "", " ", "\0", "1", "\u202e", "ü<b>`&lt;"])
VALUES = STRINGS | st.sampled_from([None, True, 0, 1.5, float("inf"), 10**400, [], {}, [[]], {"title": 1}, [None]])
FIELDS = st.dictionaries(st.sampled_from(["title", "value", "short"]), VALUES, max_size=3)
ATTACHMENTS = st.dictionaries(
    st.sampled_from(["pretext", "title", "title_link", "text", "fallback", "fields", "color"]),
    VALUES | st.lists(FIELDS, max_size=2),
    max_size=4,
)
PAYLOADS = st.dictionaries(
    st.sampled_from(
        ["text", "username", "icon_url", "attachments", "thread_ts", "channel", "link_names", "text_format"]
    ),
    VALUES | st.lists(ATTACHMENTS, max_size=2),
    max_size=6,
)


def try_to_read(body: bytes) -> Payload | None:
    """As the route does. Nothing but a fault may be raised."""
    try:
        payload = read_payload(body)
    except PayloadFault:
        return None
    named_people(payload)
    without_mentions(message_text(payload, {}), everyone=False, names=payload.names).encode()
    return payload


@settings(max_examples=examples(450), deadline=None)
@given(PAYLOADS)
def test_every_object_is_read_or_refused(payload: Any) -> None:
    try_to_read(json.dumps(payload).encode())


@settings(max_examples=examples(450), deadline=None)
@given(st.binary() | st.text().map(str.encode) | st.binary().map(lambda noise: b'{"text":' + noise))
def test_every_body_is_read_or_refused(body: bytes) -> None:
    try_to_read(body)
