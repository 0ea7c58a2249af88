"""Whatever three people do with files: each message has the files that a dict says, and who may see them does.

After every step the tables must agree with themselves, and at the end everybody is asked for every file.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import chatnode_attachments
import pytest
import trio
from chatnode_attachments.messages import changing, posting
from chatnode_attachments.scanning import notifying
from chatnode_attachments.state import Attachments
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatnode.config import Config
from chatnode.errors import Refusal
from chatnode.node import Node, open_node
from chatnode.storage.messages.messages import at_seq
from tests.plugins.attachments.messages.uploaded import Sender, Uploads
from tests.properties.world import without_flushing
from tests.quick import examples

HANDLES = ("ann", "bob", "eve")


@attrs.define
class Step:
    """Somebody does something: the numbers choose among what there is."""

    who: int
    what: str
    one: int
    other: int


@attrs.define
class File:
    """What a file must be: `message` is None until it is posted, and of those that were removed stays."""

    owner: str
    content: str
    message: str | None = None
    removed: bool = False


@attrs.define
class Said:
    """A message that must be there, with these files in their order."""

    cid: str
    sender: str
    talk: str
    text: str
    sent: list[str]
    files: list[str]


@attrs.define
class Game:
    node: Node
    uploads: Uploads
    people: dict[str, Sender]
    talks: dict[str, set[str]]
    group: str
    files: dict[str, File] = attrs.field(factory=dict[str, File])
    messages: dict[str, Said] = attrs.field(factory=dict[str, Said])
    unsafe: set[str] = attrs.field(factory=set[str])
    number: int = 0

    def file(self, one: int) -> str | None:
        return [*self.files][-1 - one % len(self.files)] if self.files else None

    def message(self, one: int) -> str | None:
        return [*self.messages][-1 - one % len(self.messages)] if self.messages else None

    def sees(self, who: str, id: str) -> bool:
        """Whether they may know of the file."""
        file = self.files[id]
        if file.message is None:
            return file.owner == who
        return who in self.talks[self.messages[file.message].talk]

    def postable(self, who: str, ids: list[str]) -> bool:
        files = [self.files[id] for id in ids]
        mine = all(each.owner == who and each.message is None and each.content not in self.unsafe for each in files)
        return mine and len({*ids}) == len(ids)

    async def does(self, who: str, name: str, expected: bool, /, **fields: Any) -> Any:
        """Run a command that must succeed just if it is `expected`; None if it was refused."""
        done: Any = None
        refused: Refusal | None = None
        try:
            done = await self.people[who].call(name, **fields)
        except Refusal as refusal:
            refused = refusal
        assert expected == (refused is None), f"{who}: {name} {fields}: {refused}"
        return done

    # ---- what must hold

    async def check(self) -> None:
        """That the tables say what the dict does, and agree with themselves."""
        rows = await self.uploads.rows(
            "SELECT f.id, p.handle, m.id, f.removed_at IS NOT NULL FROM attachments_files f "
            "JOIN people p ON p.key = f.uploader LEFT JOIN messages m ON m.key = f.message"
        )
        found = {id: (owner, message, bool(removed)) for id, owner, message, removed in rows}
        assert found == {id: (each.owner, each.message, each.removed) for id, each in self.files.items()}
        wrong = await self.uploads.rows(
            "SELECT u.person, u.bytes FROM attachments_usage u WHERE u.bytes <> (SELECT coalesce(sum(b.bytes), 0) "
            "FROM attachments_files f JOIN attachments_blobs b ON b.key = f.blob "
            "WHERE f.uploader = u.person AND f.removed_at IS NULL)"
        )
        assert wrong == []
        for id, said in self.messages.items():
            shown = (await self.people[said.sender].call("messages.get", message=id))["message"]
            assert [each["file"] for each in shown.get("files", [])] == said.files
            assert [*shown.get("extra", {}).get("attachments", {})] == said.files
            assert (shown["kind"], shown["text"]) == ("file" if said.files else "text", said.text)

    async def ask_everybody(self) -> None:
        for who, person in self.people.items():
            rows = await person.call("items.query", collection="message_attachments", fields="id", limit=500)
            listed = {each["id"] for each in rows["data"]}
            for id, file in self.files.items():
                sees = self.sees(who, id)
                await self.does(who, "attachments.get", sees and not file.removed, file=id)
                assert (id in listed) == ((sees or file.owner == who) and not file.removed)


Action = Callable[[Game, str, int, int], Awaitable[Any]]


async def upload(game: Game, who: str, one: int, other: int) -> None:
    content = f"content {other % 3}"
    unsafe = content in game.unsafe
    id = await game.uploads.add(game.people[who], content=content, scan="unsafe" if unsafe else "pending")
    game.files[id] = File(who, content)


async def post(game: Game, who: str, one: int, other: int) -> None:
    known = [*game.files][::-1]
    if one < 6:  # mostly what should succeed
        known = [id for id in known if game.postable(who, [id])]
    ids = [known[(one + place) % len(known)] for place in range(1 + other % 3) if known]
    if not ids:
        return
    game.number += 1
    talk = [*game.talks][one % len(game.talks)]
    said = Said(f"c{game.number}", who, talk, ("", "see")[other % 2], ids, [*ids])
    expected = game.postable(who, ids) and who in game.talks[talk]
    sent = {"conversation": talk, "cid": said.cid, "kind": "file", "files": [{"file": id} for id in ids]}
    posted = await game.does(who, "messages.post", expected, text=said.text, **sent)
    if posted is not None:
        game.messages[posted["message"]] = said
        for id in ids:
            game.files[id].message = posted["message"]


async def repeat(game: Game, who: str, one: int, other: int) -> None:
    """A post whose reply was lost, whatever became of the message."""
    message = game.message(one)
    if message is None:
        return
    said = game.messages[message]
    sent = {"conversation": said.talk, "cid": said.cid, "kind": "file", "files": [{"file": id} for id in said.sent]}
    again = await game.does(said.sender, "messages.post", True, text=said.text, **sent)
    assert (again["message"], again["dup"]) == (message, True)


async def remove(game: Game, who: str, one: int, other: int) -> None:
    message, id = game.message(one), game.file(other)
    if message is None or id is None:
        return
    said = game.messages[message]
    if one < 6 and said.files:  # mostly what is there
        who, id = said.sender, said.files[other % len(said.files)]
    file = game.files[id]
    runs_it = said.sender == who or (said.talk == game.group and who == "ann")
    there = file.message == message and (file.removed or len(said.files) > 1 or bool(said.text))
    in_talk = who in game.talks[said.talk]
    removed = await game.does(who, "attachments.remove", runs_it and there and in_talk, message=message, file=id)
    if removed is not None and not file.removed:
        file.removed = True
        said.files.remove(id)


async def delete(game: Game, who: str, one: int, other: int) -> None:
    message = game.message(one)
    if message is None or (one > 1 and len(game.messages) < 4):
        return
    deleted = await game.does(who, "messages.delete", game.messages[message].sender == who, message=message)
    if deleted is not None:
        del game.messages[message]
        game.files = {id: each for id, each in game.files.items() if each.message != message}


async def copy(game: Game, who: str, one: int, other: int) -> None:
    id = game.file(one)
    if id is None:
        return
    file = game.files[id]
    [(scan,)] = await game.uploads.rows(
        "SELECT b.scan FROM attachments_files f JOIN attachments_blobs b ON b.key = f.blob WHERE f.id = ?", id
    )
    expected = game.sees(who, id) and not file.removed and scan == "safe"
    copied = await game.does(who, "attachments.copy", expected, file=id)
    if copied is not None:
        game.files[copied["file"]["file"]] = File(who, file.content)


async def scan(game: Game, who: str, one: int, other: int) -> None:
    """A content is found safe, or rarely not, and those who see it are told."""
    id, verdict = game.file(one), "unsafe" if other == 7 else "safe"
    if id is None or game.files[id].content in game.unsafe:
        return
    await game.uploads.set(id, scan=verdict)
    if verdict == "unsafe":
        game.unsafe.add(game.files[id].content)
    messages = {each.message for each in game.files.values() if each.content == game.files[id].content}

    def tell(tx: Any) -> None:
        for message in sorted(messages - {None}, key=str):
            (key,) = tx.execute("SELECT key FROM messages WHERE id = ?", (message,)).fetchone()
            notifying.notify_changed(tx, key)

    await game.node.core.db.write(tell)


async def collect(game: Game, who: str, one: int, other: int) -> None:
    context = game.node.plugins.loaded["attachments"].context
    await context.state(Attachments).collector.collect(context)
    left = {each.content for each in game.files.values() if not each.removed}
    [(loose,)] = await game.uploads.rows(
        "SELECT count(*) FROM attachments_blobs WHERE scan <> 'unsafe' AND place = 'local'"
    )
    assert loose == len(left - game.unsafe)


WHAT: dict[str, Action] = {
    "upload": upload, "post": post, "repeat": repeat, "remove": remove, "delete": delete, "copy": copy, "scan": scan,
    "collect": collect,
}  # fmt: skip


async def play(steps: list[Step]) -> None:
    with TemporaryDirectory() as folder:
        async with open_node(folder, Config(), only=[chatnode_attachments], inline=True) as node:
            await without_flushing(node)
            people = {handle: await Sender.new(node, handle) for handle in HANDLES}
            ann, bob, eve = people.values()
            talks = {await ann.direct(bob): {"ann", "bob"}}
            group = await ann.group(bob, eve)
            game = Game(node, Uploads(node), people, talks | {group: {*HANDLES}}, group)
            for number, handle in enumerate(HANDLES):
                await upload(game, handle, 0, number)
            for step in steps:
                await WHAT[step.what](game, HANDLES[step.who], step.one, step.other)
                await game.check()
            await game.ask_everybody()
            assert (await node.call("node.check"))["clean"]


steps = st.builds(Step, st.integers(0, 2), st.sampled_from([*WHAT, "upload", "post", "post"]), *[st.integers(0, 7)] * 2)
SETTINGS = settings(deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])


@settings(SETTINGS, max_examples=examples(25))
@given(st.lists(steps, min_size=10, max_size=40))
def test_files_are_where_the_dict_has_them(steps: list[Step]) -> None:
    trio.run(play, steps)


@pytest.mark.slow
@settings(SETTINGS, max_examples=250)
@given(st.lists(steps, min_size=10, max_size=60))
def test_files_are_where_the_dict_has_them_for_long(steps: list[Step]) -> None:
    trio.run(play, steps)


# ---- able to fail


UPLOADED = [Step(0, "upload", 0, 2), Step(0, "scan", 0, 0)]
POST_AGAIN = [*UPLOADED, Step(0, "post", 1, 3), Step(0, "post", 7, 3)]  # the first file of all, twice
REMOVE = [*UPLOADED, Step(0, "post", 1, 3), Step(0, "remove", 0, 0)]


async def test_a_file_in_two_messages_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    await play(POST_AGAIN)
    monkeypatch.setattr(posting, "_refuse_if_posted", lambda *_: None)
    monkeypatch.setattr(posting, "_BIND", posting._BIND.replace("AND message IS NULL", ""))
    with pytest.raises(AssertionError, match=r"ann: messages\.post"):
        await play(POST_AGAIN)


async def test_a_file_that_stays_in_its_message_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    await play(REMOVE)
    monkeypatch.setattr(changing, "change_files", lambda tx, place, seq, files, by: at_seq(tx, place.key, seq))
    with pytest.raises(AssertionError):
        await play(REMOVE)
