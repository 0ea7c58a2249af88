"""Reading what a client offers, as OpenSSL writes it, and as nobody should."""

from __future__ import annotations

import random
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnode.transport.client_hello import MOST_BYTES, acme_name, bytes_needed


def hello(name: str | None = "chat.example", protocols: tuple[str, ...] = ("acme-tls/1",)) -> bytes:
    """The first bytes of a client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if protocols:
        context.set_alpn_protocols(list(protocols))
    sent = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return sent.read()


def test_only_who_offers_nothing_else_looks_at_a_challenge() -> None:
    assert acme_name(hello()) == "chat.example"
    assert acme_name(hello() + b"more") == "chat.example"
    for other in (
        hello(None),
        hello(protocols=()),
        hello(protocols=("http/1.1",)),
        hello(protocols=("acme-tls/1", "http/1.1")),
        hello(protocols=("h2", "acme-tls/1")),
        hello(protocols=("acme-tls/10",)),
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
    ):
        assert acme_name(other) is None


def test_how_many_bytes_the_first_record_has() -> None:
    whole = hello()
    assert bytes_needed(b"") == 5
    assert bytes_needed(whole[:1]) == bytes_needed(whole[:4]) == 5
    assert bytes_needed(whole[:5]) == bytes_needed(whole) == len(whole)
    assert bytes_needed(b"GET / ") == 0
    assert bytes_needed(b"\x16\x03\x01\xff\xff") == 0  # longer than a record may be
    assert bytes_needed(b"\x16\x03\x01\x40\x00") == MOST_BYTES


def test_every_part_of_a_hello_is_read_without_harm() -> None:
    whole = hello()
    assert all(acme_name(whole[:end]) is None for end in range(len(whole)))


def test_changed_hellos_are_read_without_harm() -> None:
    chance, whole = random.Random(5), hello()
    for _ in range(3_000):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        found = acme_name(bytes(data))
        assert found is None or isinstance(found, str)
        assert bytes_needed(bytes(data)) <= MOST_BYTES


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_harm(data: bytes) -> None:
    for begun in (data, b"\x16\x03\x01" + data, b"\x16\x03\x01\x00" + bytes([len(data) % 256]) + b"\x01" + data):
        assert acme_name(begun) is None
        assert bytes_needed(begun) <= MOST_BYTES
