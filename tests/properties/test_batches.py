"""Requests that come together over a socket do what they do one by one: same replies, pushes and tables.

Ann sends a mix of commands to one node in batches, each in one segment, and to another node one at a time, each after
the reply to the one before. The two nodes may differ in ids and times, and in nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from tempfile import TemporaryDirectory

import attrs
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatnode.config import Config, Limits
from chatnode.node import open_node
from chatnode.storage.engine.connection import Reader
from chatnode.testing import User
from chatnode.transport.turns import BatchTurn
from tests.quick import examples
from tests.transport.clients import ChatSocket, Json, serving
from tests.without_attachments import PLUGINS

GROUPS = 3
NOWHERE = "0" * 32
FILE = {"name": "cat.png", "type": "image/png", "bytes": 5_000}
TABLES = (
    "conversations", "members", "messages", "mentions", "receipts", "log", "log_audience", "message_edits",
    "conversation_settings", "blocks",
)  # fmt: skip
UNLIMITED = Limits(posts_per_minute=0, changes_per_minute=0, requests_per_minute=0, statuses_per_minute=0)
TIMES = re.compile(r'("(?:\w+_)?at": )("[^"]*"|\d+)')


@attrs.frozen
class Request:
    """What Ann asks for: the numbers choose among the conversations, and the messages known before the batch."""

    what: str
    one: int
    other: int


Batches = list[list[Request]]


@attrs.frozen
class Seen:
    """What the two nodes must agree on: ids are replaced by names, and times left out."""

    replies: list[str]
    anns: list[str]
    bobs: list[str]
    tables: dict[str, list[str]]


class Talker:
    """Ann's socket, and what she knows from the replies to earlier batches."""

    def __init__(self, chat: ChatSocket, talks: Sequence[str]) -> None:
        self.chat = chat
        self.talks = talks
        self.replies: list[Json] = []
        self._messages: list[Json] = []
        self._cids: list[Json] = []

    async def run(self, batch: list[Request], *, together: bool) -> None:
        first = len(self.replies)
        asked = [{"id": number} | self._request(each, number) for number, each in enumerate(batch, first)]
        for segment in [asked] if together else [[each] for each in asked]:
            await self.chat.ask(*segment)
            for each in segment:
                self.replies.append(await self.chat.reply(each["id"]))
        for request, reply in zip(asked, self.replies[first:], strict=True):
            if request["op"] == "messages.post" and "ok" in reply:
                self._messages.append({"conversation": request["conversation"], "message": reply["ok"]["message"]})
        self._cids += [each for each in asked if each["op"] == "messages.post"]

    def _request(self, request: Request, number: int) -> Json:
        fields = WHAT[request.what](self, request, number)
        if fields["op"] in WITHOUT_CONVERSATION:
            return fields
        return {"conversation": self.talks[request.one % len(self.talks)]} | fields

    def message(self, request: Request) -> Json:
        """One of the latest messages, and its conversation."""
        if not self._messages:
            return {"conversation": self.talks[0], "message": NOWHERE}
        return self._messages[-1 - request.other % min(4, len(self._messages))]

    def earlier(self, request: Request) -> Json:
        """A post of an earlier batch, to be sent again."""
        if not self._cids:
            return {"op": "messages.post", "cid": "never-before", "text": "first"}
        again = self._cids[-1 - request.other % len(self._cids)]
        return {key: value for key, value in again.items() if key != "id"}


Ask = Callable[[Talker, Request, int], Json]


def post(talker: Talker, request: Request, number: int) -> Json:
    texts = ("hello", "@bob?", "@everyone", "@eve and @ann")
    return {"op": "messages.post", "cid": f"cid-{number}", "text": texts[request.other % 4]}


def same_cid(talker: Talker, request: Request, number: int) -> Json:
    """Repeated within one batch, too."""
    return {"op": "messages.post", "cid": f"same-{request.other % 2}", "text": "again and again"}


def files(talker: Talker, request: Request, number: int) -> Json:
    """Of the same message or of another one; a repeat may name more or fewer of them."""
    named = [FILE | {"file": f"https://files.example/{name}"} for name in ("a", "b", "c")[: 1 + request.other % 3]]
    cid = (f"cid-{number}", "same-0", "same-files")[request.other // 3]
    return {"op": "messages.post", "cid": cid, "text": "look, @bob", "kind": "image", "files": named}


def reply_to(talker: Talker, request: Request, number: int) -> Json:
    to, field = talker.message(request), ("reply_to", "thread")[request.other % 2]
    fields = {"conversation": to["conversation"], "cid": f"cid-{number}", "text": "as I said", field: to["message"]}
    return {"op": "messages.post"} | fields


def on_message(op: str, **fields: object) -> Ask:
    return lambda talker, request, number: {"op": op, "message": talker.message(request)["message"], **fields}


def member(talker: Talker, request: Request, number: int) -> Json:
    op = ("conversations.members.add", "conversations.members.remove")[request.other % 2]
    return {"op": op, "member": ("cay", "eve")[request.other // 2 % 2]}


def mark(talker: Talker, request: Request, number: int) -> Json:
    return {"op": ("receipts.read", "receipts.delivered")[request.other % 2], "seq": request.other // 2}


def always(op: str, **fields: object) -> Ask:
    return lambda talker, request, number: {"op": op, **fields}


WHAT: dict[str, Ask] = {
    "post": post,
    "post again": lambda talker, request, number: talker.earlier(request),
    "same cid": same_cid,
    "files": files,
    "reply": reply_to,
    "empty post": always("messages.post", cid="empty", text=""),
    "post nowhere": always("messages.post", cid="nowhere", text="x", conversation=NOWHERE),
    "mark": mark,
    "read all": always("receipts.read_all"),
    "edit": on_message("messages.edit", text="rather @bob"),
    "pin": on_message("messages.pin"),
    "delete": on_message("messages.delete", reason="user_request"),
    "member": member,
    "rename": lambda talker, request, number: {"op": "conversations.update", "title": f"title {number}"},
    "settings": lambda talker, request, number: {"op": "conversations.settings", "starred": request.other % 2 == 0},
    "list": always("messages.list", limit=5),
    "look": always("conversations.get"),
    "no such command": always("messages.shout"),
}
WITHOUT_CONVERSATION = ("messages.edit", "messages.delete", "messages.pin", "receipts.read_all", "messages.shout")
OFTEN = ("post", "post", "post", "same cid", "post again", "mark", "mark", "reply", "list")


async def play(batches: Batches, *, together: bool) -> Seen:
    """Run the batches on a new node."""
    with TemporaryDirectory() as folder:
        async with open_node(folder, Config(limits=UNLIMITED), only=PLUGINS) as node:
            everybody = [await User.new(node, handle) for handle in ("ann", "bob", "cay", "eve")]
            ann, bob, *_ = everybody
            talks = [await ann.group(bob, title=f"group {number}") for number in range(GROUPS)]
            for number, talk in enumerate(talks * 3):
                await bob.call("messages.post", conversation=talk, cid=f"bob-{number}", text="hello ann")
            anns, bobs = await ann.token(), await bob.token()
            async with serving(node) as address:
                async with (
                    await ChatSocket.signed_in(address, anns) as chat,
                    await ChatSocket.signed_in(address, bobs) as listening,
                ):
                    talker = Talker(chat, talks)
                    for batch in batches:
                        await talker.run(batch, together=together)
                    for each in (chat, listening):  # what was pushed before the answer to this has come by then
                        await each.call("people.me")
                    assert (await node.call("node.check"))["clean"]
                    plain = await node.core.db.read(names_for_ids)
                    return Seen(
                        [plain(reply) for reply in talker.replies],
                        [plain(push) for push in chat.pushes if "gid" in push],
                        [plain(push) for push in listening.pushes if "gid" in push],
                        await node.core.db.read(lambda reader: {name: rows(reader, name, plain) for name in TABLES}),
                    )


def names_for_ids(reader: Reader) -> Callable[[object], str]:
    """A function that returns a value as JSON, with a name in place of each id and without times."""
    names: dict[str, str] = {}
    for table in ("people", "conversations", "messages"):
        names |= {id: f"{table} {key}" for key, id in reader.execute(f"SELECT key, id FROM {table}")}
    ids = re.compile("|".join(map(re.escape, names)))

    def plain(value: object) -> str:
        return TIMES.sub(
            r"\1-", ids.sub(lambda found: names[found[0]], json.dumps(value, sort_keys=True, default=_hash))
        )

    return plain


def _hash(value: object) -> str:
    """A hash of what was sent is there or not; it is another one on each node, as ids are part of it."""
    assert isinstance(value, bytes)
    return "a hash"


def rows(reader: Reader, table: str, plain: Callable[[object], str]) -> list[str]:
    found = reader.execute(f"SELECT * FROM {table}")
    columns = [column[0] for column in found.description]
    return sorted(plain(dict(zip(columns, row, strict=True))) for row in found)


requests = st.builds(Request, st.sampled_from([*WHAT, *OFTEN, *OFTEN]), st.integers(0, 2), st.integers(0, 7))
scripts = st.lists(st.lists(requests, min_size=1, max_size=40), min_size=1, max_size=4)
SETTINGS = settings(deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
EVERYTHING = [[Request(what, number, other) for what in WHAT for number in range(2)] for other in range(8)]


async def compare(batches: Batches) -> None:
    assert await play(batches, together=True) == await play(batches, together=False)


async def test_every_command_together_is_as_one_by_one() -> None:
    together, one_by_one = await play(EVERYTHING, together=True), await play(EVERYTHING, together=False)
    assert together == one_by_one
    whats = [each.what for batch in EVERYTHING for each in batch]
    done = {what for what, reply in zip(whats, together.replies, strict=True) if '"ok": {' in reply}
    assert done == {*WHAT} - {"empty post", "post nowhere", "no such command"}


@settings(SETTINGS, max_examples=examples(12))
@given(scripts)
def test_together_is_as_one_by_one(batches: Batches) -> None:
    trio.run(compare, batches)


@pytest.mark.slow
@settings(SETTINGS, max_examples=100)
@given(scripts)
def test_together_is_as_one_by_one_for_long(batches: Batches) -> None:
    trio.run(compare, batches)


# ---- able to fail


async def reads_do_not_wait(turn: BatchTurn) -> None:
    """For the writes of the same batch that came before."""


async def test_a_read_that_overtakes_a_write_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BatchTurn, "wait_for_writes", reads_do_not_wait)

    async def compare_often() -> None:
        for _ in range(20):  # a busy machine may let the writes go first
            await compare([[Request("post", 0, 0), Request("list", 0, 0)] * 15])

    with pytest.raises(AssertionError):
        await compare_often()
