"""When `prepare_draft` is asked, and for what: only what may be posted there, and once for what is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
import trio

from chatnode.api import Context, Draft, Location, Media, Notice, Refusal
from chatnode.config import Config, Limits
from chatnode.testing import User, refused
from tests.plugins.surface.making import made, node_with
from tests.services.dialogue import outcome


class Strikes:
    """A plugin that keeps what it was asked: an effect of a draft, by what names the message."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []

    def plugin(self) -> Any:
        async def prepare_draft(ctx: Context, draft: Draft) -> None:
            await trio.lowlevel.checkpoint()
            self.asked.append((draft.sender, draft.cid, draft.text))
            if draft.text == "rude":
                raise Refusal("invalid", "say it otherwise", path="text")
            draft.text += "!"

        return made("demo", prepare_draft)


async def test_nothing_is_prepared_that_may_not_be_posted_there(tmp_path: Path) -> None:
    strikes = Strikes()
    async with node_with(tmp_path, strikes.plugin()) as node:
        ann, bob, eve = [await User.new(node, handle) for handle in ("ann", "bob", "eve")]
        talk, room = await ann.direct(bob), await ann.group(bob)
        first = await ann.posts(talk, "hello")
        reply = await ann.posts(room, "elsewhere", thread=await ann.says(room, "root"))
        await ann.call("conversations.members.remove", conversation=room, member="bob")
        closed = await ann.group()
        late = await ann.posts(closed, "in time")
        await ann.call("conversations.close", conversation=closed)
        strikes.asked.clear()
        attempts = (
            (eve, {"conversation": talk}, "not_found"),
            (eve, {"conversation": "0" * 32}, "not_found"),
            (bob, {"conversation": room}, "not_member"),
            (ann, {"conversation": closed}, "closed"),
            (ann, {"conversation": talk, "reply_to": reply["message"]}, "not_found"),
            (ann, {"conversation": talk, "thread": reply["message"]}, "not_found"),
            (ann, {"conversation": room, "thread": reply["message"]}, "invalid"),
            (ann, {"conversation": talk, "kind": "system", "system": {"type": "x"}}, "forbidden"),
        )
        for number, (who, fields, code) in enumerate(attempts):
            asked = who.call("messages.post", cid=f"c{number}", text="rude", **fields)
            assert await outcome(asked) == code, fields
        for who, message, code in (
            (eve, first, "not_found"), (bob, first, "forbidden"), (bob, reply, "not_member"), (ann, late, "closed"),
        ):  # fmt: skip
            assert await outcome(who.call("messages.edit", message=message["message"], text="rude")) == code
        assert strikes.asked == []


async def test_what_is_stored_is_not_prepared_again_however_often_and_at_once_it_is_sent(tmp_path: Path) -> None:
    strikes = Strikes()
    async with node_with(tmp_path, strikes.plugin()) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        talk = await ann.direct(bob)
        answers: list[dict[str, Any]] = []

        async def post() -> None:
            answers.append(await ann.call("messages.post", conversation=talk, cid="one", text="hello"))

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(post)
        await post()
        assert strikes.asked == [(ann.id, "one", "hello")]
        assert [answer["dup"] for answer in answers].count(False) == 1
        assert len({answer["message"] for answer in answers}) == 1
        await bob.call("messages.post", conversation=talk, cid="one", text="hello")  # another message of somebody else
        assert strikes.asked == [(ann.id, "one", "hello"), (bob.id, "one", "hello")]
        assert await bob.reads(talk) == ["hello!", "hello!"]


async def test_a_repeat_has_the_same_answer_where_its_sender_may_post_no_longer(tmp_path: Path) -> None:
    async with node_with(tmp_path, Strikes().plugin()) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        sent = {"conversation": await ann.group(bob), "cid": "one", "text": "hello"}
        posted = await bob.call("messages.post", **sent)
        await bob.call("conversations.leave", conversation=sent["conversation"])
        assert await bob.call("messages.post", **sent) == posted | {"dup": True}


async def test_what_was_refused_is_prepared_again_under_the_same_name(tmp_path: Path) -> None:
    strikes = Strikes()
    async with node_with(tmp_path, strikes.plugin()) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        talk = await ann.direct(bob)
        for _ in range(2):
            with refused("invalid", "text"):
                await ann.call("messages.post", conversation=talk, cid="one", text="rude")
        assert strikes.asked == [(ann.id, "one", "rude")] * 2


async def test_the_same_cid_for_something_else_is_a_conflict_also_where_plugins_change_texts(tmp_path: Path) -> None:
    async with node_with(tmp_path, Strikes().plugin()) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        talk, other = await ann.direct(bob), await ann.group()
        sent = {"conversation": talk, "cid": "one", "text": "hello"}
        message = (await ann.call("messages.post", **sent))["message"]
        for fields in ({"text": "hello!"}, {"text": "good bye"}, {"conversation": other}, {"reply_to": message}):
            with refused("conflict", "cid"):
                await ann.call("messages.post", **(sent | fields))
        await ann.call("messages.edit", message=message, text="changed since")
        assert (await ann.call("messages.post", **sent))["dup"]
        await ann.call("messages.delete", message=message)
        assert (await ann.call("messages.post", **sent))["dup"]
        rows = await node.core.db.read(lambda reader: reader.execute("SELECT sent FROM messages").fetchall())
        assert rows == [(None,)]  # nothing is kept of what a deleted message said


async def test_a_plugin_changes_text_and_metadata_and_nothing_that_access_was_checked_for(tmp_path: Path) -> None:
    async def prepare_draft(draft: Draft) -> None:
        draft.metadata = {"seen": "yes"}
        draft.kind, draft.content, draft.sender, draft.edits = "system", None, "somebody", "another"
        draft.reply_to, draft.thread = "0" * 32, "0" * 32

    async with node_with(tmp_path, made("demo", prepare_draft)) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        talk = await ann.direct(bob)
        await ann.says(talk, "hello")
        (message,) = (await bob.call("messages.list", conversation=talk))["messages"]
        assert (message["kind"], message["metadata"]) == ("text", {"seen": "yes"})
        assert "reply_to" not in message
        assert "thread" not in message


async def test_an_edit_is_prepared_with_what_names_the_message(tmp_path: Path) -> None:
    drafts: list[Draft] = []

    async def prepare_draft(draft: Draft) -> None:
        drafts.append(draft)
        draft.text += "!"

    async with node_with(tmp_path, made("demo", prepare_draft)) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        talk = await ann.direct(bob)
        posted = await ann.call("messages.post", conversation=talk, cid="one", text="hello")
        await ann.call("messages.edit", message=posted["message"], text="hello there")
        draft = drafts[-1]
        assert (draft.conversation, draft.sender, draft.cid) == (talk, ann.id, "one")
        assert (draft.edits, draft.kind, draft.text) == (posted["message"], "text", "hello there!")
        assert await bob.reads(talk) == ["hello there!"]


async def test_bounds_hold_for_what_is_made_of_an_edit(tmp_path: Path) -> None:
    async def prepare_draft(draft: Draft) -> None:
        if draft.edits is not None:
            draft.text *= 20_000

    async with node_with(tmp_path, made("demo", prepare_draft)) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        talk = await ann.direct(bob)
        posted = await ann.posts(talk, "hello")
        with refused("too_large", "text"):
            await ann.call("messages.edit", message=posted["message"], text="x")
        assert await bob.reads(talk) == ["hello"]


async def test_what_is_too_late_or_too_often_is_not_prepared(tmp_path: Path) -> None:
    strikes = Strikes()
    async with node_with(tmp_path, strikes.plugin(), config=Config(limits=Limits(edits=1))) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        posted = await ann.posts(await ann.direct(bob), "one")
        await ann.call("messages.edit", message=posted["message"], text="two")
        with refused("too_large", "message"):
            await ann.call("messages.edit", message=posted["message"], text="rude")
        assert [text for *_, text in strikes.asked] == ["one", "two"]


async def test_without_such_a_plugin_nothing_is_read_before_a_message_is_written(tmp_path: Path) -> None:
    async with node_with(tmp_path) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        talk = await ann.direct(bob)
        reads = 0
        read = node.core.db.read

        async def counted(function: Any) -> Any:
            nonlocal reads
            reads += 1
            return await read(function)

        node.core.db.read = counted  # type: ignore[method-assign]
        await ann.says(talk, "hello")
        assert reads == 1  # the kit's, of the role that ann has now


# ---- files and other content

UPLOADED = {"file": "a" * 32}
NAMED = {"name": "cat.png", "type": "image/png", "bytes": 900}


async def test_a_plugin_knows_more_of_a_file_than_the_client(tmp_path: Path) -> None:
    """Whatever the client says of it; a repeat is recognized by the ids, and not prepared."""
    prepared: list[str] = []

    async def prepare_draft(draft: Draft) -> None:
        prepared.append(draft.cid)
        draft.files = [Media(each.file, "cat.png", "image/png", 900, category="image") for each in draft.files]

    async with node_with(tmp_path, made("demo", prepare_draft)) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        talk = await ann.direct(bob)
        sent = {"conversation": talk, "cid": "one", "kind": "image", "files": [UPLOADED | {"name": "dog.gif"}]}
        await ann.call("messages.post", **sent)
        [message] = await bob.sees(talk)
        assert message["files"] == [UPLOADED | NAMED | {"category": "image"}]
        assert (await ann.call("messages.post", **sent | {"files": [UPLOADED]}))["dup"]
        with refused("conflict", "cid"):
            await ann.call("messages.post", **sent | {"files": [{"file": "b" * 32}]})
        assert prepared == ["one"]


async def test_a_file_that_no_plugin_knows_needs_a_name(tmp_path: Path) -> None:
    async def prepare_draft(draft: Draft) -> None:
        pass

    async with node_with(tmp_path, made("demo", prepare_draft)) as node:
        ann = await User.new(node, "ann")
        notes = await ann.direct(ann)
        for fields, path in (({"files": [UPLOADED]}, "files.0.name"), ({"media": UPLOADED}, "media.name")):
            with refused("invalid", path):
                await ann.says(notes, "", kind="image", **fields)


async def test_a_plugin_moves_a_place_and_cannot_turn_it_into_something_else(tmp_path: Path) -> None:
    content: list[Any] = [Location(1, 2, "somewhere")]

    async def prepare_draft(draft: Draft) -> None:
        draft.content = content[-1]

    async with node_with(tmp_path, made("demo", prepare_draft)) as node:
        ann = await User.new(node, "ann")
        notes = await ann.direct(ann)
        sent = {"conversation": notes, "cid": "one", "kind": "location", "location": {"latitude": 5, "longitude": 6}}
        await ann.call("messages.post", **sent)
        assert (await ann.call("messages.post", **sent))["dup"]
        [message] = await ann.sees(notes)
        assert message["location"] == {"latitude": 1, "longitude": 2, "name": "somewhere"}
        for wrong in (None, Notice("order.sent")):
            content.append(wrong)
            with refused("internal"):
                await ann.call("messages.post", **sent | {"cid": "two"})
        with refused("internal"):
            await ann.says(notes, "hello")


@pytest.mark.parametrize("files", [[], ["a.png"]])
async def test_files_that_a_plugin_leaves_must_be_files(tmp_path: Path, files: list[Any]) -> None:
    async def prepare_draft(draft: Draft) -> None:
        draft.files[:] = files

    async with node_with(tmp_path, made("demo", prepare_draft)) as node:
        ann = await User.new(node, "ann")
        notes = await ann.direct(ann)
        with refused("internal"):
            await ann.says(notes, "", kind="image", files=[UPLOADED | NAMED])
        assert await ann.sees(notes) == []


async def test_more_files_than_allowed_are_not_posted_either_if_a_plugin_adds_them(tmp_path: Path) -> None:
    async def prepare_draft(draft: Draft) -> None:
        draft.files *= 11

    async with node_with(tmp_path, made("demo", prepare_draft)) as node:
        ann = await User.new(node, "ann")
        notes = await ann.direct(ann)
        with refused("too_large", "files"):
            await ann.says(notes, "", kind="image", files=[UPLOADED | NAMED])


def writes(**changed: Any) -> Any:
    """A plugin that leaves this in each draft."""

    async def prepare_draft(draft: Draft) -> None:
        for name, value in changed.items():
            setattr(draft, name, value)

    return made("demo", prepare_draft)


UNFIT: dict[str, tuple[dict[str, Any], str]] = {
    "value of metadata": ({"metadata": {"demo.a": 3}}, "metadata.demo.a must be a string"),
    "no value of metadata": ({"metadata": {"demo.a": None}}, "metadata.demo.a must be a string"),
    "key of metadata": ({"metadata": {3: "a"}}, "a value that cannot be encoded"),
    "a list for metadata": ({"metadata": ["a"]}, "metadata must be an object"),
    "something in metadata": ({"metadata": {"demo.a": object()}}, "a value that cannot be encoded"),
    "long metadata": ({"metadata": {"demo.a": "y" * 5_000}}, "metadata has 5000 characters at 'demo.a'"),
    "much metadata": ({"metadata": {f"demo.{n}": "y" for n in range(51)}}, "metadata has 51 entries"),
    "no text": ({"text": None}, "text must be a string"),
    "bytes": ({"text": b"abc"}, "a value that cannot be encoded"),
    "empty text": ({"text": ""}, "text has 0 characters; the minimum is 1"),
    "NUL": ({"text": "a\0b"}, "text contains a NUL character"),
    "half a character": ({"text": "a\ud800b"}, "a value that cannot be encoded"),
}


@pytest.mark.parametrize("what", UNFIT)
async def test_what_no_client_could_post_is_not_stored_and_is_the_plugins_failure(tmp_path: Path, what: str) -> None:
    changed, said = UNFIT[what]
    async with node_with(tmp_path, writes(**changed)) as node:
        ann = await User.new(node, "ann")
        notes = await ann.direct(ann)
        with pytest.raises(Refusal, match="internal: the plugin demo failed"):
            await ann.says(notes, "hello")
        assert await ann.sees(notes) == []
        (status,) = node.plugins.statuses()
        assert status.failures == 1
        assert said in (status.last_failure or "")


async def test_a_place_that_is_on_no_map_is_not_stored(tmp_path: Path) -> None:
    async def prepare_draft(draft: Draft) -> None:
        assert isinstance(draft.content, Location)
        draft.content.latitude += 100

    async with node_with(tmp_path, made("demo", prepare_draft)) as node:
        ann = await User.new(node, "ann")
        notes = await ann.direct(ann)
        sent = {"conversation": notes, "kind": "location", "location": {"latitude": -80, "longitude": 6}}
        await ann.call("messages.post", cid="one", **sent)
        assert (await ann.call("messages.post", cid="one", **sent))["dup"]  # though it was moved in place
        sent["location"] = {"latitude": 0, "longitude": 6}
        with refused("internal"):
            await ann.call("messages.post", cid="two", **sent)
        (status,) = node.plugins.statuses()
        assert "location.latitude is 100.0; expected -90 to 90" in (status.last_failure or "")


async def test_what_a_plugin_leaves_as_it_was_is_not_its_failure(tmp_path: Path) -> None:
    """A message that was imported may have more metadata than can be posted."""

    async def prepare_draft(draft: Draft) -> None:
        draft.text += "!"

    async with node_with(tmp_path, made("demo", prepare_draft)) as node:
        ann = await User.new(node, "ann")
        notes = await ann.direct(ann)
        posted = await ann.posts(notes, "hello")
        metadata = orjson.dumps({"from": "y" * 5_000}).decode()
        await node.core.db.write(lambda tx: tx.execute("UPDATE messages SET metadata = ?", (metadata,)).rowcount)
        await ann.call("messages.edit", message=posted["message"], text="hi")
        assert await ann.reads(notes) == ["hi!"]
