"""Hostile requests: text frames of somebody who has an account, or has not said hello yet.

`%CONVERSATION%` and `%TOKEN%` stand for a conversation the sender is in and the sender's token.
"""

import json
from dataclasses import dataclass
from enum import Enum, auto


class Outcome(Enum):
    """What the node owes the sender. Never may it be an error of the node's own (`internal`)."""

    ERROR = auto()  # an error reply, and the connection lives (protocol.md: unknown command, key, wrong type)
    REFUSED = auto()  # an error reply or a close
    ANY = auto()  # an answer of any kind, or a close


@dataclass(frozen=True)
class Request:
    """One text frame."""

    name: str
    text: bytes
    outcome: Outcome = Outcome.ERROR


def command(op: object, /, **arguments: object) -> bytes:
    """A request with id 2; the arguments are JSON as Python writes it, NaN and lone surrogates included."""
    return json.dumps({"id": 2, "op": op, **arguments}).encode()


def literal(op: str, key: str, value: bytes) -> bytes:
    """A request in which one value is not what `json.dumps` would write."""
    return b'{"id": 2, "op": "%s", "conversation": "%%CONVERSATION%%", "%s": %s}' % (
        op.encode(),
        key.encode(),
        value,
    )


HERE = "%CONVERSATION%"
CID = "01900000-0000-7000-8000-%012x"
ERROR, REFUSED, ANY = Outcome.ERROR, Outcome.REFUSED, Outcome.ANY


def message(number: int, text: object, **more: object) -> bytes:
    """A post with a cid of its own."""
    return command("messages.post", **{"conversation": HERE, "cid": CID % number, "text": text} | more)


SYNTAX = [
    Request("not-json", b"hello", REFUSED),
    Request("empty", b"", REFUSED),
    Request("white-space", b" \n\t " * 1000, REFUSED),
    Request("array", b"[]", REFUSED),
    Request("array-of-requests", b'[{"id": 2, "op": "inbox.list"}]', REFUSED),
    Request("number", b"42", REFUSED),
    Request("null", b"null", REFUSED),
    Request("string", b'"hello"', REFUSED),
    Request("two-documents", b'{"id": 2, "op": "inbox.list"} {"id": 3, "op": "inbox.list"}', REFUSED),
    Request("cut-off", b'{"id": 2, "op": "inbox.li', REFUSED),
    Request("comment", b'{"id": 2, /* hi */ "op": "inbox.list"}', REFUSED),
    Request("single-quotes", b"{'id': 2, 'op': 'inbox.list'}", REFUSED),
    Request("newline-in-string", b'{"id": 2, "op": "inbox\n.list"}', REFUSED),
    Request("byte-order-mark", b'\xef\xbb\xbf{"id": 2, "op": "inbox.list"}', ANY),
    Request("arrays-100000-deep", b"[" * 100_000, REFUSED),
    Request("objects-20000-deep", b'{"a":' * 20_000 + b"1" + b"}" * 20_000, REFUSED),
    Request("deep-inside-a-field", literal("messages.list", "after", b"[" * 1000 + b"]" * 1000), REFUSED),
    Request("deep-just-unclosed", literal("messages.list", "after", b"[{" * 30_000), REFUSED),
    Request("number-1e400", literal("messages.list", "limit", b"1e400"), REFUSED),
    Request("number-minus-1e400", literal("messages.list", "after", b"-1e400"), REFUSED),
    Request("number-10^5000", literal("messages.list", "after", b"1" + b"0" * 5000), REFUSED),
    Request("number-10^200000", literal("messages.list", "after", b"1" + b"0" * 200_000), REFUSED),
    Request("number-nan", command("messages.list", conversation=HERE, limit=float("nan")), REFUSED),
    Request("number-infinity", command("messages.list", conversation=HERE, limit=float("inf")), REFUSED),
    Request("number-leading-zero", literal("messages.list", "limit", b"007"), REFUSED),
    Request("number-in-other-digits", literal("messages.list", "limit", "٣".encode()), REFUSED),
    Request("duplicate-op", b'{"id": 2, "op": "inbox.list", "op": "messages.post"}', REFUSED),
    Request("duplicate-id", b'{"id": 1, "op": "inbox.list", "id": 2}', ANY),
    Request("duplicate-keys-40000", b'{"id": 2, "op": "inbox.list"' + b',"a":1' * 40_000 + b"}", REFUSED),
    Request("surrogate-in-text", message(1, "lone \ud800 half"), REFUSED),
    Request("surrogate-in-op", command("inbox\udfff.list"), REFUSED),
    Request("surrogate-in-key", b'{"id": 2, "op": "inbox.list", "\\ud800": 1}', REFUSED),
    Request("surrogate-in-cid", message(0, "x", cid="\udc00"), REFUSED),
    Request("surrogate-in-query", command("search.messages", query="\ud800"), REFUSED),
    Request("surrogates-reversed", message(2, "\udc00\ud800"), REFUSED),
]

ENVELOPE = [
    Request("op-missing", b'{"id": 2}'),
    Request("op-null", command(None)),
    Request("op-number", command(7)),
    Request("op-object", command({"op": "inbox.list"})),
    Request("op-empty", command("")),
    Request("op-unknown", command("no.such.command")),
    Request("op-dunder", command("__class__.__init__")),
    Request("op-almost", command("Messages.Post")),
    Request("op-with-nul", command("inbox.list\0")),
    Request("op-of-100000", command("a" * 100_000)),
    Request("id-missing", b'{"op": "inbox.list"}', ANY),
    Request("id-null", b'{"id": null, "op": "inbox.list"}', ANY),
    Request("id-object", b'{"id": {"a": 1}, "op": "inbox.list"}', REFUSED),
    Request("id-string", b'{"id": "two", "op": "inbox.list"}', ANY),
    Request("id-of-100000", b'{"id": "%s", "op": "inbox.list"}' % (b"x" * 100_000), ANY),
    Request("id-2^64", b'{"id": 18446744073709551616, "op": "inbox.list"}', ANY),
    Request("id-1e400", b'{"id": 1e400, "op": "inbox.list"}', ANY),
    Request("id-true", b'{"id": true, "op": "inbox.list"}', ANY),
    Request("key-unknown", command("inbox.list", surprise=1)),
    Request("key-dunder", command("inbox.list", __class__="x")),
    Request("hello-again", command("hello", token="%TOKEN%", device="again")),
    Request("hello-again-as-nobody", command("hello", token="nonsense")),
]

ARGUMENTS = [
    Request("conversation-missing", command("messages.list")),
    Request("conversation-number", command("messages.list", conversation=7)),
    Request("conversation-unknown", command("messages.list", conversation="nowhere")),
    Request("conversation-path", command("messages.list", conversation="../../etc/passwd")),
    Request("conversation-nul", command("messages.list", conversation="a\0b")),
    Request("conversation-of-100000", command("messages.list", conversation="x" * 100_000)),
    Request("conversation-list", command("messages.list", conversation=[HERE, HERE])),
    Request("limit-negative", command("messages.list", conversation=HERE, limit=-1)),
    Request("limit-2^63", command("messages.list", conversation=HERE, limit=1 << 63)),
    Request("limit-text", command("messages.list", conversation=HERE, limit="10")),
    Request("limit-true", command("messages.list", conversation=HERE, limit=True), ANY),
    Request("limit-1.5", command("messages.list", conversation=HERE, limit=1.5)),
    Request("after-2^63", command("messages.list", conversation=HERE, after=1 << 63)),
    Request("after-2^64", command("messages.list", conversation=HERE, after=1 << 64)),
    Request("before-minus-2^63", command("messages.list", conversation=HERE, before=-(1 << 63) - 1)),
    Request("before-and-after", command("messages.list", conversation=HERE, before=9, after=1), ANY),
    Request("read-beyond-the-head", command("receipts.read", conversation=HERE, seq=10**9), ANY),
    Request("read-2^63", command("receipts.read", conversation=HERE, seq=1 << 63)),
    Request("read-2^200", command("receipts.read", conversation=HERE, seq=1 << 200), REFUSED),
    Request("read-negative", command("receipts.read", conversation=HERE, seq=-1), ANY),
    Request("read-text", command("receipts.read", conversation=HERE, seq="1")),
    Request("delivered-2^63", command("receipts.delivered", conversation=HERE, seq=1 << 63)),
    Request("text-missing", command("messages.post", conversation=HERE, cid=CID % 3)),
    Request("text-null", message(4, None)),
    Request("text-number", message(5, 5)),
    Request("text-object", message(6, {"text": "x"})),
    Request("text-too-long", message(7, "x" * 200_000)),
    Request("text-empty", message(8, ""), ANY),
    Request("text-nul", message(9, "a\0b"), ANY),
    Request("text-controls", message(10, "".join(map(chr, range(32)))), ANY),
    Request("text-right-to-left", message(11, "\u202e\u2066" * 100), ANY),
    Request("text-combining", message(12, "e" + "\u0301" * 5000), ANY),
    Request("text-noncharacter", message(13, "\uffff\U0010ffff\ufeff"), ANY),
    Request("cid-missing", command("messages.post", conversation=HERE, text="x")),
    Request("cid-number", message(0, "x", cid=5)),
    Request("cid-empty", message(0, "x", cid="")),
    Request("cid-of-100000", message(0, "x", cid="c" * 100_000)),
    Request("cid-nul", message(0, "x", cid="a\0b"), ANY),
    Request("reply-to-nothing", message(14, "x", reply_to="nothing")),
    Request("reply-to-list", message(15, "x", reply_to=[])),
    Request("direct-with-nobody", command("conversations.direct", **{"with": "nobody-at-all"})),
    Request("direct-with-number", command("conversations.direct", **{"with": 1})),
    Request("direct-with-nul", command("conversations.direct", **{"with": "alice\0"})),
    Request("direct-with-sql", command("conversations.direct", **{"with": "x' OR 1=1 --"})),
    Request("direct-with-myself", command("conversations.direct", **{"with": "mallory"}), ANY),
    Request("members-not-a-list", command("conversations.create", title="x", members="alice")),
    Request("members-of-lists", command("conversations.create", title="x", members=[["alice"]])),
    Request("members-unknown-20000", command("conversations.create", title="x", members=["nobody"] * 20_000)),
    Request("members-same-10000", command("conversations.create", title="x", members=["carol"] * 10_000), ANY),
    Request("title-number", command("conversations.create", title=5, members=[])),
    Request("title-of-200000", command("conversations.create", title="x" * 200_000, members=[])),
    Request("title-nul", command("conversations.create", title="a\0b", members=[]), ANY),
    Request("visibility-unknown", command("conversations.create", title="x", members=[], visibility="cow")),
    Request("remove-a-stranger", command("conversations.members.remove", conversation=HERE, member="bob")),
    Request("add-nobody", command("conversations.members.add", conversation=HERE, member="nobody-at-all")),
    Request("inbox-after-garbage", command("inbox.list", after="\xff\0garbage"), ANY),
    Request("inbox-after-base64", command("inbox.list", after="AAAA////"), ANY),
    Request("inbox-limit-2^63", command("inbox.list", limit=1 << 63)),
]

SEARCHES = [
    Request(f"search-{name}", command("search.messages", query=query), ANY)
    for name, query in {
        "empty": "",
        "quote": '"',
        "quotes-odd": '"a" "b',
        "star": "*",
        "caret": "^",
        "minus": "-",
        "column": "text:x",
        "braces": "{text} : x",
        "near": "NEAR(",
        "operators": "AND OR NOT",
        "parentheses-10000": "(" * 10_000,
        "words-20000": "a " * 20_000,
        "word-of-200000": "a" * 200_000,
        "nul": "a\0b",
        "sql": "x'); DROP TABLE messages; --",
        "percent": "%_%",
    }.items()
]

BEFORE_HELLO = [
    Request("command-before-hello", command("inbox.list"), REFUSED),
    Request("post-before-hello", message(16, "x"), REFUSED),
    Request("garbage-before-hello", b"garbage", REFUSED),
    Request("deep-before-hello", b"[" * 100_000, REFUSED),
    Request("token-missing", command("hello"), REFUSED),
    Request("token-wrong", command("hello", token="nonsense"), REFUSED),
    Request("token-empty", command("hello", token=""), REFUSED),
    Request("token-null", command("hello", token=None), REFUSED),
    Request("token-number", command("hello", token=7), REFUSED),
    Request("token-list", command("hello", token=["%TOKEN%"]), REFUSED),
    Request("token-not-ascii", command("hello", token="žluťoučký"), REFUSED),
    Request("token-nul", command("hello", token="%TOKEN%\0"), REFUSED),
    Request("token-surrogate", command("hello", token="\ud800"), REFUSED),
    Request("token-of-200000", command("hello", token="x" * 200_000), REFUSED),
    Request("token-and-more", command("hello", token="%TOKEN%x"), REFUSED),
    Request("device-number", command("hello", token="%TOKEN%", device=7), REFUSED),
    Request("device-of-100000", command("hello", token="%TOKEN%", device="d" * 100_000), REFUSED),
    Request("device-nul", command("hello", token="%TOKEN%", device="a\0b"), ANY),
    Request("cursor-text", command("hello", token="%TOKEN%", cursor="start"), REFUSED),
    Request("cursor-empty", command("hello", token="%TOKEN%", cursor={}), REFUSED),
    *(
        Request(f"cursor-{name}", command("hello", token="%TOKEN%", cursor={"epoch": epoch, "gid": gid}), ANY)
        for name, epoch, gid in [
            ("of-another-epoch", "elsewhere", 1),
            ("epoch-number", 12345, 1),
            ("epoch-null", None, 1),
            ("gid-negative", "%EPOCH%", -1),
            ("gid-in-the-future", "%EPOCH%", 10**12),
            ("gid-2^63", "%EPOCH%", 1 << 63),
            ("gid-2^70", "%EPOCH%", 1 << 70),
            ("gid-text", "%EPOCH%", "1"),
            ("gid-1.5", "%EPOCH%", 1.5),
        ]
    ),
]

AFTER_HELLO = [*SYNTAX, *ENVELOPE, *ARGUMENTS, *SEARCHES]
