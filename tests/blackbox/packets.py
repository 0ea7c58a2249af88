"""Hostile bytes for a fresh connection: HTTP heads and bodies, other protocols, upgrade requests.

Each packet stands alone, on a connection of its own. `%TOKEN%` stands for the sender's token: a node that asks
who somebody is before it reads their body would otherwise never come to the body.
"""

import struct
from dataclasses import dataclass

from .wire import upgrade_request


@dataclass(frozen=True)
class Packet:
    """Bytes, and what the node may do about them.

    `refused`: no status below 400 may be the answer (closing without an answer is always fine).
    `status`: exactly these are allowed, where a standard demands one.
    `answers`: at most so many responses, where a second one would mean that a request was smuggled in.
    """

    name: str
    data: bytes
    refused: bool = True
    status: frozenset[int] = frozenset()
    answers: int = 1


def head(request_line: bytes, *fields: bytes, host: bytes | None = b"localhost") -> bytes:
    """An HTTP request head of any bytes."""
    lines = [request_line]
    if host is not None:
        lines.append(b"Host: " + host)
    return b"\r\n".join([*lines, *fields]) + b"\r\n\r\n"


def post(body: bytes, *fields: bytes, path: bytes = b"/v1/inbox.list") -> bytes:
    """A POST of JSON by somebody known, with exactly these fields about its length."""
    known = b"Authorization: Bearer %TOKEN%"
    return head(b"POST " + path + b" HTTP/1.1", b"Content-Type: application/json", known, *fields) + body


def sized(body: bytes, *fields: bytes, path: bytes = b"/v1/inbox.list") -> bytes:
    """A POST with the right Content-Length."""
    return post(body, b"Content-Length: %d" % len(body), *fields, path=path)


def anonymous(*fields: bytes) -> bytes:
    """A POST without a token but with these fields."""
    return head(b"POST /v1/inbox.list HTTP/1.1", b"Content-Length: 2", *fields) + b"{}"


def upgrade(*extra: bytes) -> bytes:
    """A correct upgrade request with more header lines, of any bytes."""
    return upgrade_request()[:-2] + b"".join(line + b"\r\n" for line in extra) + b"\r\n"


def http2_frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One HTTP/2 frame (RFC 9113, section 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def http2_request(path: bytes) -> bytes:
    """Prior-knowledge HTTP/2: preface, empty SETTINGS, and HEADERS whose path is a literal."""
    block = b"\x82\x86\x04" + bytes([len(path)]) + path + b"\x01\x09localhost"
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    return preface + http2_frame(4, 0, 0, b"") + http2_frame(1, 0x05, 1, block)


def client_hello() -> bytes:
    """A TLS 1.2 ClientHello of one cipher and no extension."""
    body = b"\x03\x03" + bytes(range(32)) + b"\x00" + b"\x00\x02\xc0\x2f" + b"\x01\x00"
    handshake = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + struct.pack(">H", len(handshake)) + handshake


SMUGGLED = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
#: RFC 9112 and 6455 name the status for these.
BAD_REQUEST = frozenset({400})

FAULTS_OF_OTHERS = [
    Packet("a-byte-after-the-upgrade", upgrade() + b"\x00", refused=False),
    Packet("a-newline-after-the-upgrade", upgrade() + b"\n", refused=False),
    Packet("http-after-the-upgrade", upgrade() + SMUGGLED, refused=False),
    Packet(
        "window-bits-abc",
        upgrade(b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=abc"),
        refused=False,
    ),
    Packet(
        "window-bits-huge",
        upgrade(b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=" + b"9" * 5000),
        refused=False,
    ),
    Packet("extensions-not-ascii", upgrade(b"Sec-WebSocket-Extensions: permessage-\xff\xfe"), refused=False),
    Packet("extensions-garbage", upgrade(b'Sec-WebSocket-Extensions: ;;=,"\\'), refused=False),
    Packet("protocol-not-ascii", upgrade(b"Sec-WebSocket-Protocol: ch\xc3\xa4t"), refused=False),
    Packet("protocol-empty", upgrade(b"Sec-WebSocket-Protocol: ,,,"), refused=False),
    Packet(
        "connection-not-ascii",
        upgrade_request(Connection=None)[:-2] + b"Connection: Upgrade, \xe9\r\n\r\n",
        refused=False,
    ),
    Packet(
        "h2c-upgrade-path-not-ascii",
        head(
            b"GET /caf\xc3\xa9 HTTP/1.1",
            b"Connection: Upgrade, HTTP2-Settings",
            b"Upgrade: h2c",
            b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
        ),
        refused=False,
    ),
    Packet(
        "h2c-upgrade-settings-garbage",
        head(
            b"GET /health HTTP/1.1",
            b"Connection: Upgrade, HTTP2-Settings",
            b"Upgrade: h2c",
            b"HTTP2-Settings: \xff!!!not base64",
        ),
        refused=False,
    ),
    Packet("h2-preface-path-not-ascii", http2_request(b"/caf\xc3\xa9"), refused=False),
    Packet("h2-preface-path-ascii", http2_request(b"/health"), refused=False),
    Packet("h2-preface-garbage", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 4096, refused=False),
    Packet("h2-preface-cut-off", b"PRI * HTTP/2.0\r\n\r\n"),
]

FRAMING = [
    Packet(
        "length-and-chunked",
        post(b"0\r\n\r\n" + SMUGGLED, b"Content-Length: 5", b"Transfer-Encoding: chunked"),
    ),
    Packet(
        "chunked-and-length",
        post(b"0\r\n\r\n" + SMUGGLED, b"Transfer-Encoding: chunked", b"Content-Length: 5"),
    ),
    Packet(
        "two-lengths",
        post(b"{}" + SMUGGLED, b"Content-Length: 2", b"Content-Length: 45"),
        status=BAD_REQUEST,
    ),
    Packet("two-lengths-in-one", post(b"{}" + SMUGGLED, b"Content-Length: 2, 45"), status=BAD_REQUEST),
    Packet("length-negative", post(b"{}", b"Content-Length: -2"), status=BAD_REQUEST),
    Packet("length-with-plus", post(b"{}", b"Content-Length: +2"), status=BAD_REQUEST),
    Packet("length-with-underscore", post(b"{}" * 6, b"Content-Length: 1_2"), status=BAD_REQUEST),
    Packet("length-in-hex", post(b"{}", b"Content-Length: 0x2"), status=BAD_REQUEST),
    Packet("length-in-other-digits", post(b"{}", b"Content-Length: \xd9\xa2"), status=BAD_REQUEST),
    Packet("length-empty", post(b"{}", b"Content-Length: "), status=BAD_REQUEST),
    Packet("length-of-an-exabyte", post(b"{}", b"Content-Length: 1152921504606846976")),
    Packet("length-too-long-then-request", post(SMUGGLED, b"Content-Length: 100000000")),
    Packet("length-of-5000-digits", post(b"{}", b"Content-Length: " + b"9" * 5000)),
    Packet("chunked-twice", post(b"0\r\n\r\n", b"Transfer-Encoding: chunked, chunked")),
    Packet("chunked-not-last", post(b"0\r\n\r\n", b"Transfer-Encoding: chunked, gzip")),
    Packet("encoding-unknown", post(b"{}", b"Transfer-Encoding: cow")),
    Packet("encoding-hidden-by-tab", post(b"0\r\n\r\n" + SMUGGLED, b"Transfer-Encoding:\tchunked\x0b")),
    Packet("encoding-name-with-space", post(b"{}", b"Transfer-Encoding : chunked"), status=BAD_REQUEST),
    Packet("chunk-size-not-hex", post(b"zz\r\n{}\r\n0\r\n\r\n", b"Transfer-Encoding: chunked")),
    Packet("chunk-size-negative", post(b"-2\r\n{}\r\n0\r\n\r\n", b"Transfer-Encoding: chunked")),
    Packet("chunk-size-with-0x", post(b"0x2\r\n{}\r\n0\r\n\r\n", b"Transfer-Encoding: chunked")),
    Packet("chunk-size-underscore", post(b"1_0\r\n{}\r\n0\r\n\r\n", b"Transfer-Encoding: chunked")),
    Packet("chunk-size-2-64", post(b"10000000000000000\r\n{}", b"Transfer-Encoding: chunked")),
    Packet("chunk-size-1000-digits", post(b"f" * 1000 + b"\r\n{}", b"Transfer-Encoding: chunked")),
    Packet("chunk-longer-than-said", post(b"1\r\n{}{}{}\r\n0\r\n\r\n", b"Transfer-Encoding: chunked")),
    Packet(
        "chunk-extension-endless",
        post(b"2;" + b"x" * 200_000 + b"\r\n{}\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"),
    ),
    Packet(
        "trailers-endless",
        post(b"2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 50_000 + b"\r\n", b"Transfer-Encoding: chunked"),
    ),
    Packet("expect-bogus", sized(b"{}", b"Expect: miracles"), refused=False),
    Packet("chunked-in-http-1.0", head(b"POST /v1/inbox.list HTTP/1.0", b"Transfer-Encoding: chunked") + b"0\r\n\r\n"),
]

HEADS = [
    Packet("method-unknown", head(b"BREW /health HTTP/1.1")),
    Packet("method-of-64-kib", head(b"G" * 65_536 + b" /health HTTP/1.1")),
    Packet("method-lower-case", head(b"get /health HTTP/1.1")),
    Packet("method-connect", head(b"CONNECT example.org:443 HTTP/1.1", host=b"example.org:443")),
    Packet("method-trace", head(b"TRACE /health HTTP/1.1")),
    Packet("version-9.9", head(b"GET /health HTTP/9.9")),
    Packet("version-missing", b"GET /health\r\n\r\n"),
    Packet("version-garbage", head(b"GET /health HTTP/\xff")),
    Packet("version-lower-case", head(b"GET /health http/1.1")),
    Packet("nul-in-target", head(b"GET /hea\x00lth HTTP/1.1")),
    Packet("nul-in-field-value", head(b"GET /health HTTP/1.1", b"X-Thing: a\x00b")),
    Packet("nul-in-field-name", head(b"GET /health HTTP/1.1", b"X-\x00Thing: a")),
    Packet("bare-cr-in-field", head(b"GET /health HTTP/1.1", b"X-Thing: a\rb: c"), refused=False),
    Packet("bare-lf", head(b"GET /health HTTP/1.1").replace(b"\r\n", b"\n"), refused=False),
    Packet("bare-lf-in-field", head(b"GET /health HTTP/1.1", b"X-Thing: a\nContent-Length: 5"), refused=False),
    Packet("folded-field", head(b"GET /health HTTP/1.1", b"X-Thing: a", b" folded"), refused=False),
    Packet("first-field-folded", head(b"GET /health HTTP/1.1", b" folded: x", host=None)),
    Packet("space-before-colon", head(b"GET /health HTTP/1.1", b"X-Thing : a"), status=BAD_REQUEST),
    Packet("field-without-colon", head(b"GET /health HTTP/1.1", b"no colon here")),
    Packet("field-without-name", head(b"GET /health HTTP/1.1", b": value")),
    Packet("field-of-1-mib", head(b"GET /health HTTP/1.1", b"X-Thing: " + b"a" * (1 << 20))),
    Packet("fields-without-end", head(b"GET /health HTTP/1.1", *[b"X-%d: y" % n for n in range(20_000)])),
    Packet("line-without-end", b"GET /" + b"a" * (1 << 20)),
    Packet("only-newlines", b"\r\n" * 20_000, refused=False),
    Packet("target-of-64-kib", head(b"GET /" + b"a" * 65_536 + b" HTTP/1.1")),
    Packet("target-not-ascii", head(b"GET /\xff\xfe HTTP/1.1")),
    Packet("target-absolute", head(b"GET http://localhost/health HTTP/1.1"), refused=False),
    Packet("target-absolute-elsewhere", head(b"GET http://example.org:99999/ HTTP/1.1"), refused=False),
    Packet("target-absolute-garbage", head(b"GET http://[::1 HTTP/1.1")),
    Packet("target-star", head(b"GET * HTTP/1.1")),
    Packet("target-star-options", head(b"OPTIONS * HTTP/1.1"), refused=False),
    Packet("target-empty", head(b"GET  HTTP/1.1")),
    Packet("target-without-slash", head(b"GET health HTTP/1.1")),
    Packet("percent-escape-invalid", head(b"GET /v1/%zz%/%f HTTP/1.1")),
    Packet("percent-escape-not-utf8", head(b"GET /v1/%ff%fe HTTP/1.1")),
    Packet("percent-escape-nul", head(b"GET /v1/%00 HTTP/1.1")),
    Packet("path-up-and-out", head(b"GET /static/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd HTTP/1.1")),
    Packet("path-up-and-out-plain", head(b"GET /../../../../../../../../etc/passwd HTTP/1.1")),
    Packet("path-up-and-out-backslash", head(b"GET /static\\..\\..\\..\\..\\etc\\passwd HTTP/1.1")),
    Packet("query-of-garbage", head(b"GET /v1/messages.list?%ff&&==&limit=%00&limit=-1 HTTP/1.1")),
    Packet("host-missing", head(b"GET /health HTTP/1.1", host=None), status=BAD_REQUEST),
    Packet("host-twice", head(b"GET /health HTTP/1.1", b"Host: other"), status=BAD_REQUEST),
    Packet("host-not-ascii", head(b"GET /health HTTP/1.1", host=b"ex\xc3\xa4mple"), refused=False),
    Packet("host-with-bad-port", head(b"GET / HTTP/1.1", host=b"localhost:abc"), refused=False),
    Packet("authorization-not-ascii", anonymous(b"Authorization: Bearer \xff\xfe")),
    Packet("authorization-other-scheme", anonymous(b"Authorization: Basic !!!")),
    Packet("authorization-long", anonymous(b"Authorization: Bearer " + b"x" * 8000)),
    Packet("cookie-garbage", anonymous(b'Cookie: ;;=;"\\\x01=\xff')),
    Packet("range-garbage", head(b"GET / HTTP/1.1", b"Range: bytes=-1-,99999999999999999999-,a"), refused=False),
    Packet("date-garbage", head(b"GET / HTTP/1.1", b"If-Modified-Since: \xff 99999"), refused=False),
    Packet("last-event-id-garbage", head(b"GET /v1/events HTTP/1.1", b"Last-Event-ID: -99999999999999999999")),
]

BODIES = [
    Packet("json-invalid", sized(b"{")),
    Packet("json-empty", sized(b""), refused=False),
    Packet("json-array", sized(b"[]")),
    Packet("json-not-utf8", sized(b'{"token": "\xff"}')),
    Packet("json-utf16", sized('{"token": 1}'.encode("utf-16"))),
    Packet("json-deep", sized(b"[" * 100_000)),
    Packet("json-huge-number", sized(b'{"token": 1%s}' % (b"0" * 5000))),
    Packet("json-duplicate-keys", sized(b'{"token": 1, "token": 2}')),
    Packet("json-cut-off", post(b'{"token"', b"Content-Length: 100")),
    Packet("type-not-json", head(b"POST /v1/inbox.list HTTP/1.1", b"Content-Type: \xff/\x01", b"Content-Length: 0")),
    Packet("type-multipart", sized(b"--", b"Content-Type: multipart/form-data")),
    Packet("type-twice", sized(b"{}", b"Content-Type: text/\xff; charset=cow"), refused=False),
    Packet("compressed-garbage", sized(b"\x1f\x8b" + b"\xff" * 100, b"Content-Encoding: gzip")),
    Packet("body-on-get", head(b"GET /v1/messages.list HTTP/1.1", b"Content-Length: 5") + b"hello"),
    Packet("command-with-dots", sized(b"{}", path=b"/v1/..messages..post..")),
    Packet("command-dunder", sized(b"{}", path=b"/v1/__class__.__init__")),
    Packet("command-long", sized(b"{}", path=b"/v1/" + b"a." * 4000)),
]

UPGRADES = [
    Packet("key-missing", upgrade_request(Sec_WebSocket_Key=None), status=BAD_REQUEST),
    Packet("key-short", upgrade_request(Sec_WebSocket_Key="c2hvcnQ="), status=BAD_REQUEST),
    Packet("key-long", upgrade_request(Sec_WebSocket_Key="A" * 1000), status=BAD_REQUEST),
    Packet("key-not-base64", upgrade_request(Sec_WebSocket_Key="!" * 24), status=BAD_REQUEST),
    Packet("key-not-ascii", upgrade_request(Sec_WebSocket_Key="\xff" * 24), status=BAD_REQUEST),
    Packet("key-twice", upgrade(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), status=BAD_REQUEST),
    Packet("websocket-version-8", upgrade_request(Sec_WebSocket_Version="8"), status=frozenset({400, 426})),
    Packet("websocket-version-text", upgrade_request(Sec_WebSocket_Version="x"), status=frozenset({400, 426})),
    Packet("websocket-version-missing", upgrade_request(Sec_WebSocket_Version=None), status=frozenset({400, 426})),
    Packet("upgrade-to-something-else", upgrade_request(Upgrade="tea"), refused=True),
    Packet("upgrade-by-post", upgrade_request(method="POST")),
    Packet("upgrade-in-http-1.0", upgrade_request(version="HTTP/1.0")),
    Packet("upgrade-without-host", upgrade_request(Host=None), status=BAD_REQUEST),
    Packet("upgrade-with-a-body", upgrade_request(Content_Length="5") + b"hello", refused=False),
    Packet("upgrade-chunked", upgrade_request(Transfer_Encoding="chunked") + b"0\r\n\r\n", refused=False),
    Packet("upgrade-elsewhere", upgrade_request("/v1/messages.list")),
    Packet("upgrade-unknown-path", upgrade_request("/nowhere")),
    Packet("upgrade-case", upgrade_request("/V1/SOCKET")),
    Packet("upgrade-longer-path", upgrade_request("/v1/socket/more")),
    Packet("upgrade-token-in-url", upgrade_request("/v1/socket?token=\xff&token="), refused=False),
    Packet(
        "upgrade-origin-elsewhere", upgrade_request(Origin="https://evil.example", Cookie="session=x"), refused=False
    ),
    Packet("upgrade-bearer-wrong", upgrade_request(Authorization="Bearer nonsense"), refused=False),
    Packet("upgrade-bearer-not-ascii", upgrade_request(Authorization="Bearer \xff\xff"), refused=False),
]

OTHER_PROTOCOLS = [
    Packet("tls-client-hello", client_hello()),
    Packet("tls-record-huge", b"\x16\x03\x01\xff\xff" + b"\x00" * 65_535),
    Packet("ssh-banner", b"SSH-2.0-OpenSSH_9.9\r\n"),
    Packet("smtp-greeting", b"EHLO example.org\r\n"),
    Packet(
        "rdp-cookie",
        b"\x03\x00\x00\x2f\x2a\xe0\x00\x00\x00\x00\x00Cookie: mstshash=Administr\r\n\x01\x00\x08\x00",
    ),
    Packet("proxy-v1", b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n" + SMUGGLED),
    Packet("proxy-v2", b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + bytes(12) + SMUGGLED, refused=False),
    Packet("zeros", bytes(65_536)),
    Packet("ones", b"\xff" * 65_536),
    Packet("websocket-without-upgrade", b"\x81\x85\x00\x00\x00\x00hello"),
]

PACKETS = [*FAULTS_OF_OTHERS, *FRAMING, *HEADS, *BODIES, *UPGRADES, *OTHER_PROTOCOLS]
