"""What alerts say, and how long they are."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
from chatnode_notifications.notes import Note
from chatnode_notifications.transports.addresses import origin_of
from chatnode_notifications.transports.answers import retry_after
from chatnode_notifications.transports.contents import fitting, least_of, less_and_less, padded, payload
from chatnode_notifications.transports.desktop import shown
from chatnode_notifications.transports.ntfy import published
from chatnode_notifications.transports.transport import Alert
from hypothesis import given, settings
from hypothesis import strategies as st

from chatnode.api import OutboundAnswer, PersonRef
from tests.quick import examples

NOTE = Note(
    1, "1" * 32, 7, "mention", True, False, "c" * 32, "m" * 32, 12, 3, "Bob in Team", "the text-canary",
    PersonRef("b" * 32, "bob"), "https://chat.example.org/#c", 1_700_000_000_000,
)  # fmt: skip
ALERT = Alert("ntf_1", NOTE, "full", 4, {"d" * 32: 9}, 1_700_000_060_000)


def test_all_of_it() -> None:
    assert payload(ALERT) == {
        "v": 1, "id": "1" * 32, "badge": 4, "kind": "mention", "conversation": "c" * 32, "message": "m" * 32, "seq": 12,
        "count": 3, "title": "Bob in Team", "body": "the text-canary", "sender": {"id": "b" * 32, "handle": "bob"},
        "personal": True, "silent": False, "url": "https://chat.example.org/#c", "read": {"d" * 32: 9},
    }  # fmt: skip


def test_less() -> None:
    full, sender, nothing = less_and_less(ALERT)
    assert payload(sender) == {name: value for name, value in payload(full).items() if name != "body"}
    assert payload(nothing) == {"v": 1, "id": "1" * 32, "badge": 4}
    for made in (published("topic", sender), attrs.asdict(shown(sender)), published("topic", nothing)):
        assert "canary" not in str(made)
    for made in (published("topic", nothing), attrs.asdict(shown(nothing))):
        assert not [told for told in ("bob", "Bob", "c" * 32, "m" * 32, "d" * 32) if told in str(made)]


def test_the_least_counts() -> None:
    assert least_of("full", None, "sender") == "sender"
    assert least_of("nothing", "full") == "nothing"
    assert least_of("full", "full", None) == "full"


@settings(max_examples=examples(150))
@given(
    st.text(max_size=20), st.integers(1, 10), st.text(max_size=50), st.integers(1, 10), st.integers(0, 20),
    st.integers(400, 4_000),
)  # fmt: skip
def test_it_fits_and_is_still_what_it_was(
    title: str, titles: int, body: str, bodies: int, conversations: int, most: int
) -> None:
    read = {f"{number:032x}": number for number in range(conversations)}
    note = attrs.evolve(NOTE, title=title * titles, body=body * bodies)
    alert = attrs.evolve(ALERT, note=note, read=read)
    whole, made = payload(alert), fitting(alert, most)
    assert len(made) <= most
    found: dict[str, Any] = json.loads(made)
    for name, value in found.items():
        assert value == whole[name] or (name == "body" and note.body.startswith(value.removesuffix("…")))
    long = padded(made, 512, 3_993)
    assert json.loads(long) == found
    assert len(long) == 3_993 or len(long) % 512 == 0 or len(made) > 3_993


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://Push.Example.org/a", "https://push.example.org"),
        ("https://push.example.org:443/a", "https://push.example.org"),
        ("https://push.example.org:8443/a?b", "https://push.example.org:8443"),
        ("http://[::1]:80/a", "http://[::1]"),
        ("session:7", ""),
    ],
)
def test_origins(address: str, origin: str) -> None:
    assert origin_of(address) == origin


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("0", 0), ("", 0), ("soon", 0), ("-5", 0), ("99999999999999", 86_400),
     ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("Fri, 01 Jan 2100 00:00:00 GMT", 86_400)],
)  # fmt: skip
def test_how_long_a_server_asks_to_wait(header: str, seconds: float) -> None:
    answer = OutboundAnswer(429, {"retry-after": header} if header else {}, b"", "", "")
    assert retry_after(answer) == seconds
