"""Heads and bodies of requests: what is taken, and that an independent reader (h11) reads that in the same way."""

from __future__ import annotations

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatnode.transport.body import ChunkedBody, SizedBody
from chatnode.transport.head import BadRequest, Head, end_of_head, parse_head

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"


def status_of(raw: bytes) -> int:
    """The status that a head is refused with; 200 if it is not."""
    try:
        end = end_of_head(bytearray(raw), 0)
        assert end in (-1, len(raw))
        parse_head(raw)
    except BadRequest as error:
        return error.status
    return 200


# ---- what is taken


def test_a_head_is_read() -> None:
    head = parse_head(b"GET /a%20b?c=d HTTP/1.1\r\nHost: x\r\nVia: 1\r\nCookie: a=b\r\nvia:\t2 \r\nCookie: c=d\r\n\r\n")
    assert (head.method, head.path, head.query, head.version) == (b"GET", b"/a%20b", b"c=d", "1.1")
    assert head.fields[1:4:2] == ((b"via", b"1"), (b"via", b"2"))
    assert (head.field(b"via"), head.field(b"cookie"), head.field(b"nothing")) == ("1, 2", "a=b; c=d", "")


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET / HTTP/1.1", 200),
        (b"GET http://a/x HTTP/1.1", 200),
        (b"GET http://A HTTP/1.1", 200),
        (b"OPTIONS * HTTP/1.1", 200),
        (b"GET http://b/x HTTP/1.1", 400),  # and Host says a
        (b"GET ftp://a/x HTTP/1.1", 400),
        (b"GET http://[ HTTP/1.1", 400),
        (b"GET * HTTP/1.1", 400),
        (b"CONNECT a:443 HTTP/1.1", 400),
        (b"GET / HTTP/1.2", 505),
        (b"GET / HTTP/2", 505),
        (b"PRI * HTTP/2.0", 505),
        (b"PRI * HTTP/1.1", 505),
        (b"PRI / HTTP/1.0", 505),
        (b"get / HTTP/1.1", 400),
        (b" GET / HTTP/1.1", 400),
        (b"GET  / HTTP/1.1", 400),
        (b"GET / HTTP/1.1 ", 400),
        (b"GET /\x00 HTTP/1.1", 400),
        (b"", 400),
    ],
)
def test_a_request_line(line: bytes, status: int) -> None:
    assert status_of(line + b"\r\nHost: a\r\n\r\n") == status


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (b"Content-Length: 2", 200),
        (b"Content-Length: 2\r\nContent-Length: 2", 400),
        (b"Content-Length: 2\r\nContent-Length: 3", 400),
        (b"Content-Length: 2, 2", 400),
        (b"Content-Length: +2", 400),
        (b"Content-Length: -2", 400),
        (b"Content-Length: 0x2", 400),
        (b"Content-Length: 1_0", 400),
        (b"Content-Length: 2 2", 400),
        (b"Content-Length:", 400),
        (b"Content-Length: " + b"9" * 19, 400),
        (b"Transfer-Encoding: chunked", 200),
        (b"Transfer-Encoding: Chunked", 200),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 2", 400),
        (b"Content-Length: 2\r\nTransfer-Encoding: identity", 400),
        (b"Transfer-Encoding: identity", 501),
        (b"Transfer-Encoding: xchunked", 501),
        (b"Transfer-Encoding: chunked, identity", 501),
        (b"Transfer-Encoding: gzip, chunked", 501),
        (b"Transfer-Encoding: \x0bchunked", 400),
        (b"Transfer-Encoding : chunked", 400),
        (b" Transfer-Encoding: chunked", 400),
        (b"X: y\r\n folded", 400),
        (b"X: y\r\n\tfolded", 400),
        (b"X: y\rTransfer-Encoding: chunked", 400),
        (b"X: y\nTransfer-Encoding: chunked", 400),
        (b"X: \x00", 400),
        (b"X: \x7f", 400),
        (b"X: \xe9", 400),
        (b"X", 400),
        (b": x", 400),
        (b"Host: a", 400),
        (b"Authorization: Bearer x\r\nauthorization: Bearer y", 400),
    ],
)
def test_fields(fields: bytes, status: int) -> None:
    assert status_of(POST + fields + b"\r\n\r\n") == status


def test_http_1_0_has_no_chunks_and_needs_no_host() -> None:
    assert status_of(b"GET / HTTP/1.0\r\n\r\n") == 200
    assert status_of(b"GET / HTTP/1.1\r\n\r\n") == 400
    assert status_of(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n") == 400


@pytest.mark.parametrize("raw", [b"GET / HTTP/1.1\nHost: a\n\n", GET + b"X: y\n\r\n\r\n", b"\n"])
def test_lines_that_end_in_a_bare_line_feed_are_refused_at_once(raw: bytes) -> None:
    assert status_of(raw) == 400


def test_the_end_of_a_head_is_found_however_it_is_cut() -> None:
    raw = GET + b"\r\n"
    for cut in range(len(raw)):
        assert end_of_head(bytearray(raw[:cut]), 0) == -1
        assert end_of_head(bytearray(raw + b"body"), cut) == len(raw)


def test_who_keeps_a_connection_alive() -> None:
    def keeps(raw: bytes) -> bool:
        return parse_head(raw + b"\r\n").keep_alive

    assert keeps(GET)
    assert keeps(GET + b"Connection: keep-alive\r\n")
    assert not keeps(GET + b"Connection: Close\r\n")
    assert not keeps(GET + b"Connection: upgrade\r\nConnection: x, close\r\n")
    assert not keeps(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n")


# ---- bodies


def chunked(data: bytes, size: int = 2**16) -> tuple[bytes, bytes]:
    """Body and rest of `data`, read in pieces of `size` bytes; the body must be whole."""
    reader, body, rest = ChunkedBody(), b"", b""
    for at in range(0, len(data), size):
        part, left = reader.feed(data[at : at + size])
        body += part
        rest += left
    assert reader.done
    return body, rest


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
def test_chunks_are_put_together_and_what_follows_is_left_alone(size: int) -> None:
    data = b"3\r\nabc\r\n0A;x=y\r\n0123456789\r\n0\r\nX: y\r\n\r\n" + GET
    assert chunked(data, size) == (b"abc0123456789", GET)


@pytest.mark.parametrize(
    "data",
    [
        b"2\nab\r\n0\r\n\r\n",
        b"2\r\nab\n0\r\n\r\n",
        b"2\r\nab\r\n0\n\r\n",
        b"2\r\nab\r\n0\r\n\n",
        b"2\r\nab\r\n0\r\nX: y\n\r\n",
        b"2;\nx\r\nab\r\n0\r\n\r\n",
        b"2;\rx\r\nab\r\n0\r\n\r\n",
        b" 2\r\nab\r\n0\r\n\r\n",
        b"0x2\r\nab\r\n0\r\n\r\n",
        b"+2\r\nab\r\n0\r\n\r\n",
        b"-2\r\nab\r\n0\r\n\r\n",
        b"\r\nab\r\n0\r\n\r\n",
        b"2\r\nabc\r\n0\r\n\r\n",
        b"2\r\na\r\n0\r\n\r\n",
        b"f" * 16 + b"\r\n",
        b"2;" + b"x" * 2_000 + b"\r\nab\r\n0\r\n\r\n",
        b"x" * 2_000,
        b"0\r\nX : y\r\n\r\n",
        b"0\r\nX: y\r\n folded\r\n\r\n",
        b"0\r\n" + b"X: y\r\n" * 65 + b"\r\n",
    ],
)
def test_chunks_that_two_readers_may_read_differently_are_refused(data: bytes) -> None:
    with pytest.raises(BadRequest):
        chunked(data)
    with pytest.raises(BadRequest):
        chunked(data, 1)


def test_a_body_of_a_known_size_ends_there() -> None:
    reader = SizedBody(5)
    assert reader.feed(b"abc") == (b"abc", b"")
    assert (reader.done, reader.left) == (False, 2)
    assert reader.feed(b"deGET") == (b"de", b"GET")
    assert reader.done
    assert SizedBody(0).done


# ---- against h11

NAMES = st.sampled_from([
    b"Host", b"host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"Upgrade", b"Expect", b"X",
    b"Cookie", b"X ",
])  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(
        [b"a", b"3", b"03", b"3, 3", b"+3", b"chunked", b"identity", b"close", b"websocket", b"100-continue", b""]
    ),
    st.binary(max_size=6),
)
LINES = st.one_of(
    st.sampled_from(
        [b"GET / HTTP/1.1", b"POST /x?y HTTP/1.1", b"POST / HTTP/1.0", b"GET http://a/ HTTP/1.1", b"GET / HTTP/1.3"]
    ),
    st.binary(max_size=20),
)
ENDS = st.sampled_from([b"\r\n"] * 20 + [b"\n", b"\r", b"\r\n "])
HEADS = st.builds(
    lambda line, fields, ends: (
        b"".join(part + end for part, end in zip([line, *(b": ".join(field) for field in fields)], ends, strict=False))
        + b"\r\n"
    ),
    LINES,
    st.lists(st.tuples(NAMES, VALUES), max_size=6),
    st.lists(ENDS, min_size=7, max_size=7),
)


def as_h11_reads(raw: bytes) -> tuple[Head, h11.Request, bytes, bytes]:
    """Our head, h11's, and what h11 takes for the body of a chunked or sized request, and for what is behind."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(raw)
    request = connection.next_event()
    assert isinstance(request, h11.Request)
    body = b""
    while isinstance(event := connection.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    return parse_head(raw[: raw.index(b"\r\n\r\n") + 4]), request, body, connection.trailing_data[0]


@given(HEADS, st.sampled_from([b"", b"GET / HTTP/1.1\r\n"]))
@example(POST + b"Content-Length: 3\r\n\r\n", b"")
@example(POST + b"Transfer-Encoding: chunked\r\n\r\n", b"")
@example(GET + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n", b"")
def test_what_we_take_h11_reads_in_the_same_way(raw: bytes, behind: bytes) -> None:
    try:
        if end_of_head(bytearray(raw), 0) != len(raw):
            return
        ours = parse_head(raw)
    except BadRequest:
        return
    if ours.content_length > 99:
        return
    body = b"3\r\nabc\r\n0\r\n\r\n" if ours.chunked else b"x" * ours.content_length
    _, theirs, data, rest = as_h11_reads(raw + body + behind)
    assert theirs.method == ours.method
    assert theirs.http_version.decode() == ours.version
    assert [
        (name, value) for name, value in theirs.headers if name not in (b"transfer-encoding", b"content-length")
    ] == [field for field in ours.fields if field[0] not in (b"transfer-encoding", b"content-length")]
    reader = ChunkedBody() if ours.chunked else SizedBody(ours.content_length)
    assert reader.feed(body + behind) == (data, rest)


PIECES = [
    b"0\r\n", b"\r\n", b"3\r\nabc\r\n", b"3;x=y\r\nabc\r\n", b"X: y\r\n", b"\n", b"\r", b"1 \r\n", b"a", b"03\r\n",
]  # fmt: skip
CHUNKS = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=4)), max_size=8).map(b"".join)


@given(CHUNKS, st.integers(1, 9))
@example(b"3\r\nabc\r\n0\r\n\r\nGET", 1)
def test_chunks_that_we_take_h11_reads_in_the_same_way(data: bytes, size: int) -> None:
    try:
        body, rest = chunked(data, size)
    except (BadRequest, AssertionError):
        return
    _, _, theirs, behind = as_h11_reads(POST + b"Transfer-Encoding: chunked\r\n\r\n" + data)
    assert (body, rest) == (theirs, behind)
