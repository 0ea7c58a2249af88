"""What hooks can do, in the order of the plugins' names, and what becomes of one that fails or takes its time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from chatnode.api import (
    Allow,
    Change,
    Context,
    Deny,
    Draft,
    Event,
    EventKind,
    MessagePosted,
    PersonBlocked,
    PersonUpdated,
    Reader,
    Refusal,
    Row,
    Step,
    Table,
    find_person,
    hookimpl,
    hookspec,
    only_for,
    person_by_key,
)
from chatnode.config import Config, Plugins
from chatnode.node import Node
from chatnode.storage.log import log
from chatnode.testing import LiveSession, User, refused
from tests.plugins.surface.making import made, node_with

ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
QUICK = Config(plugins=Plugins(hook_seconds=0.05, transaction_seconds=0.02))


def failures(node: Node, plugin: str = "demo") -> tuple[int, str | None]:
    (status,) = [each for each in node.plugins.statuses() if each.name == plugin]
    return status.failures, status.last_failure


# ---- check_command


async def test_the_first_deny_wins_and_says_why(tmp_path: Path) -> None:
    asked: list[str] = []

    def deciding(plugin: str, verdict: Any) -> Any:
        async def check_command(ctx: Context, name: str, command: Any) -> Any:
            if name == "messages.post":
                asked.append(plugin)
                return verdict
            return Allow()

        return check_command

    plugins = [
        made("c", deciding("c", Deny("c says no"))),
        made("b", deciding("b", Deny("no talking today", "closed"))),
        made("a", deciding("a", Allow())),
    ]
    async with node_with(tmp_path, *plugins) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        talk = await ann.direct(bob)
        with refused("closed") as caught:
            await ann.says(talk, "hello")
        assert caught.value.message == "no talking today"
        assert asked == ["a", "b"]
        assert await bob.reads(talk) == []


@pytest.mark.parametrize("gives", [None, True, "allow", 0])
async def test_a_verdict_that_is_none_refuses(tmp_path: Path, gives: Any) -> None:
    async def check_command(name: str) -> Any:
        return gives if name == "people.list" else Allow()

    async with node_with(tmp_path, made("demo", check_command)) as node:
        with refused("internal"):
            await node.call("people.list")
        assert failures(node) == (1, "check_command returned something other than Allow or Deny")


async def test_a_check_that_raises_refuses_and_is_reported_without_its_words(tmp_path: Path, caplog: Any) -> None:
    async def check_command(name: str) -> Any:
        raise RuntimeError("secret words")

    async with node_with(tmp_path, made("demo", check_command)) as node:
        with refused("internal") as caught:
            await node.call("people.list")
        assert "the plugin demo failed" in caught.value.message
        assert failures(node)[0] == 1
    assert "raised RuntimeError at plugins/surface/test_hooks.py:" in caplog.text
    assert "secret words" not in caplog.text


async def test_a_check_over_its_budget_is_cut_and_reported(tmp_path: Path, caplog: Any) -> None:
    ended: list[str] = []

    async def check_command(name: str) -> Any:
        try:
            await trio.sleep_forever()
        finally:
            ended.append(name)

    async with node_with(tmp_path, made("demo", check_command), config=QUICK) as node:
        with refused("unavailable"):
            await node.call("people.list")
        assert ended == ["people.list"]
        assert failures(node) == (1, "check_command took longer than 0.05 s and was cancelled")
    assert "the plugin demo: check_command took longer" in caplog.text


async def test_a_check_that_blocks_cannot_be_cut_and_is_reported(tmp_path: Path) -> None:
    async def check_command(name: str) -> Any:
        time.sleep(0.06)  # noqa: ASYNC251 - it holds up the whole node
        return Allow()

    async with node_with(tmp_path, made("demo", check_command), config=QUICK) as node:
        await node.call("people.list")
        number, last = failures(node)
        assert number == 1
        assert (last or "").endswith("it blocked its thread, or waited for the database")


# ---- prepare_draft


async def test_a_draft_is_changed_by_each_in_turn_and_an_edit_too(tmp_path: Path) -> None:
    def adding(sign: str) -> Any:
        async def prepare_draft(ctx: Context, draft: Draft) -> None:
            draft.text += sign
            draft.conversation = draft.cid = "elsewhere"

        return prepare_draft

    async with node_with(tmp_path, made("a", adding("!")), made("b", adding("?"))) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        talk = await ann.direct(bob)
        posted = await ann.call("messages.post", conversation=talk, cid="one", text="hello")
        assert await bob.reads(talk) == ["hello!?"]
        again = await ann.call("messages.post", conversation=talk, cid="one", text="hello")
        assert (again["message"], again["dup"]) == (posted["message"], True)
        await ann.call("messages.edit", message=posted["message"], text="good day")
        assert await bob.reads(talk) == ["good day!?"]


async def test_a_message_that_comes_out_otherwise_each_time_is_still_posted_once(tmp_path: Path) -> None:
    numbers = iter(range(100))

    async def prepare_draft(draft: Draft) -> None:
        draft.text += f" #{next(numbers)}"

    async with node_with(tmp_path, made("demo", prepare_draft)) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        talk = await ann.direct(bob)
        for _ in range(3):
            await ann.call("messages.post", conversation=talk, cid="one", text="hello")
        assert await bob.reads(talk) == ["hello #0"]


async def test_a_draft_can_be_refused_and_bounds_hold_for_what_is_made_of_it(tmp_path: Path) -> None:
    async def prepare_draft(draft: Draft) -> None:
        if draft.text == "rude":
            raise Refusal("invalid", "say it otherwise", path="text")
        draft.text *= 20_000

    async with node_with(tmp_path, made("demo", prepare_draft)) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        talk = await ann.direct(bob)
        with refused("invalid", "text"):
            await ann.says(talk, "rude")
        with refused("too_large", "text"):
            await ann.says(talk, "x")


# ---- in the transaction


COUNTED = Step("1", "CREATE TABLE demo_counted (conversation INTEGER PRIMARY KEY, messages INTEGER NOT NULL);")


def count_messages(tx: Any, change: Change) -> None:
    if isinstance(change.event, MessagePosted):
        tx.execute(
            "INSERT INTO demo_counted VALUES (?, 1) ON CONFLICT DO UPDATE SET messages = messages + 1",
            (change.conversation,),
        )
        if change.event.message.text == "too much":
            raise Refusal("too_large", "that was one too many")
        if change.event.message.text == "fault":
            raise ValueError("a fault of the plugin's")


async def counted(node: Node) -> list[int]:
    rows = await node.core.db.read(lambda reader: reader.execute("SELECT messages FROM demo_counted").fetchall())
    return [number for (number,) in rows]


def as_hook(name: str, function: Any) -> Any:
    """The same function, under the name of its hook."""

    def implementation(tx: Any, change: Change) -> Any:
        return function(tx, change)

    implementation.__name__ = name
    return implementation


async def test_what_is_done_in_the_transaction_holds_together_with_the_message_or_not_at_all(tmp_path: Path) -> None:
    plugin = made("demo", as_hook("in_transaction", count_messages), steps=(COUNTED,))
    async with node_with(tmp_path, plugin) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        talk = await ann.direct(bob)
        await ann.says(talk, "one")
        with refused("too_large"):
            await ann.says(talk, "too much")
        with refused("internal"):
            await ann.says(talk, "fault")
        async with trio.open_nursery() as nursery:  # in one group commit, most likely
            for _ in range(5):
                nursery.start_soon(ann.says, talk, "more")
        assert await counted(node) == [6]
        assert await bob.reads(talk) == ["one", *["more"] * 5]
        assert failures(node)[0] >= 1


async def test_sql_without_end_in_a_transaction_is_cut_and_only_its_own_write_is_refused(tmp_path: Path) -> None:
    def in_transaction(tx: Any, change: Change) -> None:
        if isinstance(change.event, MessagePosted) and change.event.message.text == "slow":
            tx.execute(
                "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
            ).fetchall()

    async with node_with(tmp_path, made("demo", in_transaction), config=QUICK) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        talk = await ann.direct(bob)
        outcomes: list[str] = []

        async def try_to_say(text: str) -> None:
            try:
                await ann.says(talk, text)
                outcomes.append(text)
            except Refusal as refusal:
                outcomes.append(refusal.code)

        async with trio.open_nursery() as nursery:
            for text in ("one", "slow", "two"):
                nursery.start_soon(try_to_say, text)
        assert sorted(outcomes) == ["one", "two", "unavailable"]
        assert sorted(await bob.reads(talk)) == ["one", "two"]
        assert failures(node)[1] == "in_transaction took longer than 0.02 s and was cancelled"


async def test_a_hook_that_sleeps_in_a_transaction_is_reported(tmp_path: Path) -> None:
    def in_transaction(tx: Any, change: Change) -> None:
        if isinstance(change.event, MessagePosted):
            time.sleep(0.05)

    async with node_with(tmp_path, made("demo", in_transaction), config=QUICK) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        await ann.says(await ann.direct(bob), "hello")
        number, last = failures(node)
        assert number == 1
        assert "of at most 0.02" in (last or "")


async def test_a_hook_is_called_for_the_events_that_it_asks_for(tmp_path: Path) -> None:
    """And each plugin's for its own."""
    called: list[tuple[str, str]] = []

    def noting(plugin: str) -> Any:
        def in_transaction(tx: Any, change: Change) -> None:
            called.append((plugin, change.event.name))

        return in_transaction

    @only_for(MessagePosted)
    def audience(tx: Any, change: Change) -> list[int]:
        called.append(("audience", change.event.name))
        return []

    some, more = only_for(PersonUpdated)(noting("some")), only_for(PersonUpdated, PersonBlocked)(noting("more"))
    plugins = [made("all", noting("all")), made("some", some, audience), made("more", more)]
    async with node_with(tmp_path, *plugins) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        talk = await ann.direct(bob)
        for event, change in (
            ("message.posted", ann.says(talk, "hello")),
            ("person.updated", ann.call("people.update", name="Ann")),
            ("person.blocked", ann.call("people.block", person="bob")),
        ):
            called.clear()
            await change
            names = sorted(name for name, about in called if about == event)
            assert (
                names
                == {
                    "message.posted": ["all", "audience"],
                    "person.updated": ["all", "more", "some"],
                    "person.blocked": ["all", "more"],
                }[event]
            )


# ---- audience, and events of a plugin


@attrs.define
class Counted(Event):
    """So many messages were posted."""

    name = "demo.counted"
    messages: int


def make_counted(reader: Reader, row: Row) -> Event | None:
    found = reader.execute("SELECT messages FROM demo_counted WHERE conversation = ?", (row.conversation_key,))
    number = found.fetchone()
    return Counted(number[0]) if number else None


async def test_an_event_recorded_within_another_comes_after_it_live_and_when_replayed(tmp_path: Path) -> None:
    def in_transaction(tx: Any, change: Change) -> None:
        if isinstance(change.event, MessagePosted):
            count_messages(tx, change)
            tx.record(Counted(1), conversation=change.conversation, subject=change.subject, actor=change.actor)

    kind = EventKind(Counted, make_counted, of_message=True)
    async with node_with(tmp_path, made("demo", in_transaction, steps=(COUNTED,), events=(kind,))) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        talk = await ann.direct(bob)
        listening = await LiveSession.of(node, bob)
        before = listening.gid
        posted = await ann.posts(talk, "one")
        live = [(each["event"], each["gid"]) for each in listening.pushes]
        assert live == [("message.posted", posted["gid"]), ("demo.counted", posted["gid"] + 1)]
        assert [event.name for _, event in await replayed(node, bob, before)] == ["message.posted", "demo.counted"]


async def test_an_event_says_who_is_shown_it_once_they_were_away(tmp_path: Path) -> None:
    """`show` is a rule of its own, `after_leaving` is for users who have left too; a rule that fails shows nothing."""

    def in_transaction(tx: Any, change: Change) -> None:
        if isinstance(change.event, MessagePosted):
            count_messages(tx, change)
            for event in (Counted(1), Shown(1), Faulty(1), Kept(1)):
                tx.record(event, conversation=change.conversation, subject=change.subject, actor=change.actor)

    def by_key(reader: Reader, person: int, row: Row, event: Event) -> Event | None:
        return event if person == keys["bob"] else None

    def faulty(reader: Reader, person: int, row: Row, event: Event) -> Event | None:
        raise ValueError("a fault of the plugin's")

    kinds = (
        EventKind(Counted, make_counted),
        EventKind(Shown, lambda reader, row: Shown(1), show=by_key),
        EventKind(Faulty, lambda reader, row: Faulty(1), show=faulty),
        EventKind(Kept, lambda reader, row: Kept(1), after_leaving=True),
    )
    async with node_with(tmp_path, made("demo", in_transaction, steps=(COUNTED,), events=kinds)) as node:
        people = [await User.new(node, handle) for handle in ("ann", "bob", "eve")]
        keys = {each.account.handle: each.account.key for each in people}
        ann, bob, eve = people
        room = await ann.group(bob, eve)
        since = await node.core.db.read(log.head)
        await ann.says(room, "one")
        await eve.call("conversations.leave", conversation=room)
        assert await names_replayed(node, bob, since) == ["demo.counted", "demo.shown", "demo.kept"]
        assert await names_replayed(node, eve, since) == ["demo.kept"]
        (status,) = node.plugins.statuses()
        assert status.last_failure is not None
        assert "event demo.faulty raised ValueError" in status.last_failure


@attrs.define
class Shown(Counted):
    """An event with a rule of its own."""

    name = "demo.shown"


@attrs.define
class Faulty(Counted):
    """An event with a rule that fails."""

    name = "demo.faulty"


@attrs.define
class Kept(Counted):
    """An event of what happened then."""

    name = "demo.kept"


async def names_replayed(node: Node, somebody: Any, since: int) -> list[str]:
    return [event.name for _, event in await replayed(node, somebody, since) if event.name.startswith("demo.")]


async def replayed(node: Node, somebody: Any, since: int) -> list[tuple[int, Event]]:
    def read(reader: Reader) -> list[tuple[int, Event]]:
        gids = log.gids_since(reader, somebody.account, since, 1_000)
        assert gids is not None
        return list(log.events_of(reader, somebody.account, gids))

    return await node.core.db.read(read)


@attrs.define
class Odd(Event):
    """Something that perhaps cannot be encoded."""

    name = "demo.odd"
    what: Any = 1


@pytest.mark.parametrize(
    "what", [b"bytes", "\ud800", {1, 2}, object(), 2**70], ids=["bytes", "half", "set", "any", "big"]
)
async def test_an_event_that_cannot_be_sent_ends_no_node_and_is_left_out(tmp_path: Path, what: Any) -> None:
    def in_transaction(tx: Any, change: Change) -> None:
        if isinstance(change.event, MessagePosted):
            tx.record(Odd(what), conversation=change.conversation, subject=change.subject, actor=change.actor)

    kind = EventKind(Odd, lambda reader, row: Odd(what))
    async with node_with(tmp_path, made("demo", in_transaction, events=(kind,))) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        talk = await ann.direct(bob)
        listening = await LiveSession.of(node, bob)
        before = listening.gid
        await ann.says(talk, "one")
        await ann.says(talk, "two")
        assert [each["event"] for each in listening.pushes] == ["message.posted"] * 2
        assert [event.name for _, event in await replayed(node, bob, before)] == ["message.posted"] * 2


@pytest.mark.parametrize("fault", ["raises", "exits", "cannot be encoded"])
async def test_who_was_away_comes_back_also_past_an_event_that_cannot_be_made_again(tmp_path: Path, fault: str) -> None:
    def make(reader: Reader, row: Row) -> Event | None:
        if fault == "cannot be encoded":
            return Odd(object())
        raise SystemExit(1) if fault == "exits" else ValueError

    def in_transaction(tx: Any, change: Change) -> None:
        if isinstance(change.event, MessagePosted):
            tx.record(Odd(), conversation=change.conversation, subject=change.subject, actor=change.actor)

    async with node_with(tmp_path, made("demo", in_transaction, events=(EventKind(Odd, make),))) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        talk = await ann.direct(bob)
        before = (await LiveSession.of(node, bob)).gid
        await ann.says(talk, "one")
        await ann.says(talk, "two")
        assert [event.name for _, event in await replayed(node, bob, before)] == ["message.posted"] * 2
        (status,) = node.plugins.statuses()
        assert (status.failures, "event demo.odd" in (status.last_failure or "")) == (2, True)


async def test_events_of_a_message_are_only_for_who_may_see_it(tmp_path: Path) -> None:
    def in_transaction(tx: Any, change: Change) -> None:
        if isinstance(change.event, MessagePosted):
            count_messages(tx, change)
            tx.record(Counted(1), conversation=change.conversation, subject=change.subject, actor=change.actor)

    kind = EventKind(Counted, make_counted, of_message=True)
    async with node_with(tmp_path, made("demo", in_transaction, steps=(COUNTED,), events=(kind,))) as node:
        ann, bob, late = [await User.new(node, handle) for handle in ("ann", "bob", "late")]
        room = await ann.group(bob)
        await ann.says(room, "one")
        await ann.call("conversations.members.add", conversation=room, member="late")
        await ann.call("conversations.members.remove", conversation=room, member="bob")
        await ann.says(room, "two")
        names = {who.handle: [event.name for _, event in await replayed(node, who, 0)] for who in (ann, bob, late)}
        assert (names["ann"].count("demo.counted"), names["late"].count("demo.counted")) == (2, 1)
        assert "demo.counted" not in names["bob"]  # it would say how things are now


async def test_who_is_added_to_an_audience_hears_it_live_and_later(tmp_path: Path) -> None:
    watchers: list[int] = []

    def audience(tx: Any, change: Change) -> list[int]:
        return watchers if isinstance(change.event, MessagePosted) else []

    async with node_with(tmp_path, made("demo", audience)) as node:
        ann, bob, eve = [await User.new(node, handle) for handle in ("ann", "bob", "eve")]
        talk = await ann.direct(bob)
        watchers.append(eve.account.key)
        listening = await LiveSession.of(node, eve)
        posted = await ann.posts(talk, "hello")
        assert [each["gid"] for each in listening.heard("message.posted")] == [posted["gid"]]
        assert [gid for gid, _ in await replayed(node, eve, 0)] == [posted["gid"]]
        with refused("not_found"):
            await eve.call("messages.get", message=posted["message"])


@pytest.mark.parametrize("gives", [["ann"], "ann", [1.5], [None], [True], 5])
async def test_an_audience_of_anything_but_keys_refuses_and_says_so(tmp_path: Path, gives: Any) -> None:
    def audience(tx: Any, change: Change) -> Any:
        return gives if isinstance(change.event, MessagePosted) else []

    async with node_with(tmp_path, made("demo", audience)) as node:
        ann = await User.new(node, "ann")
        notes = await ann.direct(ann)
        with pytest.raises(Refusal, match="internal: the plugin demo failed"):
            await ann.says(notes, "hello")
        assert await ann.sees(notes) == []
        assert "audience must return keys of users" in (failures(node)[1] or "")


# ---- enrichment


async def test_messages_are_enriched_once_for_all_that_are_shown(tmp_path: Path) -> None:
    calls: list[int] = []

    def enrich_messages(reader: Reader, ids: Any) -> dict[str, Any]:
        calls.append(len(ids))
        texts = {id: reader.execute("SELECT text FROM messages WHERE id = ?", (id,)).fetchone()[0] for id in ids}
        return {id: {"length": len(text)} for id, text in texts.items() if text != "plain"}

    def failing(reader: Reader, ids: Any) -> Any:
        raise ValueError

    failing.__name__ = "enrich_messages"
    plugins = made("demo", enrich_messages), made("fails", failing)
    async with node_with(tmp_path, *plugins) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        talk = await ann.direct(bob)
        for text in ("one", "plain", "three"):
            await ann.says(talk, text)
        assert calls == []
        page = (await bob.call("messages.list", conversation=talk))["messages"]
        assert [each.get("extra") for each in page] == [{"demo": {"length": 3}}, None, {"demo": {"length": 5}}]
        assert calls == [3]
        for index in range(3):
            await ann.says(await ann.group(bob, title=f"room {index}"), "x")
        calls.clear()
        inbox = (await bob.call("inbox.list"))["conversations"]
        assert [each["last"]["extra"]["demo"]["length"] for each in inbox] == [1, 1, 1, 5]
        assert calls == [4]
        assert failures(node, "fails")[0] == 2


async def test_people_are_enriched_where_they_are_listed_or_asked_for(tmp_path: Path) -> None:
    def enrich_people(reader: Reader, ids: Any) -> dict[str, Any]:
        people = [find_person(reader, id) for id in ids]
        return {each.id: each.handle.upper() for each in people if each.handle != "bob"}

    async with node_with(tmp_path, made("demo", enrich_people)) as node:
        ann = await User.new(node, "ann")
        await User.new(node, "bob")
        listed = (await ann.call("people.list"))["people"]
        assert [each.get("extra") for each in listed] == [{"demo": "ANN"}, None]
        assert (await ann.call("people.get", person="ann"))["person"]["extra"] == {"demo": "ANN"}
        assert (await ann.call("people.me"))["person"]["extra"] == {"demo": "ANN"}


async def test_an_enrichment_over_its_budget_is_left_out(tmp_path: Path) -> None:
    def enrich_messages(reader: Reader, ids: Any) -> dict[str, Any]:
        reader.execute(
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
        ).fetchall()
        return {}

    async with node_with(tmp_path, made("demo", enrich_messages), config=QUICK) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        talk = await ann.direct(bob)
        await ann.says(talk, "hello")
        assert await bob.reads(talk) == ["hello"]
        assert failures(node) == (1, "enrich_messages took longer than 0.05 s and was cancelled")


@pytest.mark.parametrize("gives", [[1], {"x": {1, 2}}, {"x": object()}, {1: 2}, None])
async def test_an_enrichment_that_cannot_be_sent_is_left_out(tmp_path: Path, gives: Any) -> None:
    def enrich_people(ids: Any) -> Any:
        return gives

    async with node_with(tmp_path, made("demo", enrich_people)) as node:
        ann = await User.new(node, "ann")
        assert "extra" not in (await ann.call("people.get", person="ann"))["person"]
        assert failures(node) == (1, "enrich_people returned something other than a mapping of JSON values")


async def test_a_sync_hook_can_be_wrapped(tmp_path: Path) -> None:
    def enrich_messages(ids: Any) -> dict[str, Any]:
        return dict.fromkeys(ids, 1)

    def wrapping(ids: Any) -> Iterator[Any]:
        enriched = yield
        return [(plugin, {**known, ids[0]: 2}) for plugin, known in enriched]

    wrapping.__name__ = "enrich_messages"
    wrapper = hookimpl(wrapper=True)(wrapping)
    async with node_with(tmp_path, made("demo", enrich_messages), made("wraps", wrapper)) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        talk = await ann.direct(bob)
        await ann.says(talk, "one")
        await ann.says(talk, "two")
        page = (await bob.call("messages.list", conversation=talk))["messages"]
        assert [each["extra"]["demo"] for each in page] == [2, 1]


async def test_a_wrapper_that_fails_takes_nothing_but_the_enrichment(tmp_path: Path) -> None:
    def enrich_messages(ids: Any) -> dict[str, Any]:
        return dict.fromkeys(ids, 1)

    def wrapping(ids: Any) -> Iterator[Any]:
        yield
        raise ValueError

    wrapping.__name__ = "enrich_messages"
    wrapper = hookimpl(wrapper=True)(wrapping)
    async with node_with(tmp_path, made("demo", enrich_messages), made("wraps", wrapper)) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        talk = await ann.direct(bob)
        await ann.says(talk, "one")
        assert await bob.reads(talk) == ["one"]


# ---- hooks of a plugin's own


class Offered:
    @staticmethod
    @hookspec
    async def poll_closed(title: str) -> str:
        """A poll was closed."""
        raise AssertionError

    @staticmethod
    @hookspec
    def name_poll(title: str) -> str:
        """What a poll is called."""
        raise AssertionError


async def test_a_plugin_offers_hooks_and_another_implements_them(tmp_path: Path) -> None:
    def add_hookspecs(add: Any) -> None:
        add(Offered)

    async def poll_closed(title: str) -> str:
        return f"heard of {title}"

    async def fails(title: str) -> str:
        raise ValueError

    fails.__name__ = "poll_closed"

    def name_poll(title: str) -> str:
        return title.upper()

    def wrong(title: str) -> str:
        return title

    wrong.__name__ = "poll_closed"
    plugins = (
        made("a", poll_closed, name_poll), made("b", fails), made("polls", add_hookspecs), made("z", wrong),
    )  # fmt: skip
    async with node_with(tmp_path, *plugins) as node:
        context = node.plugins.loaded["polls"].context
        assert await context.ask("poll_closed", title="lunch") == ["heard of lunch"]
        assert await context.ask("name_poll", title="lunch") == ["LUNCH"]
        assert failures(node, "b")[0] == 1
        (z,) = [each for each in node.plugins.statuses() if each.name == "z"]
        assert (z.state, z.reason) == ("broken", "poll_closed must be async def, not def")
        with pytest.raises(LookupError, match="no plugin offers the hook poll_opened"):
            await context.ask("poll_opened", title="x")


@pytest.mark.parametrize(
    ("failure", "code"),
    [(ValueError(), "internal"), (Refusal("closed", "not today"), "closed"), (None, "unavailable")],
)
async def test_a_plugins_hook_may_refuse_what_it_cannot_decide(
    tmp_path: Path, failure: Exception | None, code: str
) -> None:
    class Offered:
        @staticmethod
        @hookspec(failure="refuse")
        async def may_enter(who: str) -> bool:
            """Whether somebody may enter."""
            raise AssertionError

    def add_hookspecs(add: Any) -> None:
        add(Offered)

    async def may_enter(who: str) -> bool:
        if who == "ann":
            return True
        if failure is None:
            await trio.sleep_forever()
        raise failure or AssertionError

    config = Config(plugins=Plugins(hook_seconds=0.05))
    async with node_with(tmp_path, made("a", may_enter), made("doors", add_hookspecs), config=config) as node:
        context = node.plugins.loaded["doors"].context
        assert await context.ask("may_enter", who="ann") == [True]
        with pytest.raises(Refusal) as refused:
            await context.ask("may_enter", who="bob")
        assert refused.value.code == code
        assert failures(node, "a")[0] == (0 if code == "closed" else 1)


# ---- tables that name people and messages


KEPT = Step(
    "1",
    "CREATE TABLE demo_kept (key INTEGER PRIMARY KEY, person INTEGER NOT NULL REFERENCES people (key), "
    "message INTEGER NOT NULL REFERENCES messages (key), note TEXT);"
    "CREATE INDEX demo_kept_person ON demo_kept (person); CREATE INDEX demo_kept_message ON demo_kept (message);",
)
TABLE = Table(
    "demo_kept", people=("person",), message="message",
    export="SELECT key, note FROM demo_kept WHERE person = :person AND key > :after ORDER BY key LIMIT :limit",
)  # fmt: skip


def keep(tx: Any, change: Change) -> None:
    if isinstance(change.event, MessagePosted):
        tx.execute(
            "INSERT INTO demo_kept (person, message, note) "
            "SELECT sender, key, 'kept ' || text FROM messages WHERE id = ?",
            (change.event.message.message,),
        )


async def kept(node: Node) -> list[str]:
    rows = await node.core.db.read(lambda reader: reader.execute("SELECT note FROM demo_kept ORDER BY key").fetchall())
    return [note for (note,) in rows]


@pytest.mark.parametrize("running", [True, False])
async def test_what_a_table_says_of_a_message_or_a_person_goes_with_them(tmp_path: Path, running: bool) -> None:
    """Also while the plugin is disabled: what it declared is known."""
    plugin = made("demo", as_hook("in_transaction", keep), steps=(KEPT,), tables=(TABLE,))
    async with node_with(tmp_path, plugin) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        room = await ann.group(bob)
        first = await ann.posts(room, "one")
        for who, text in ((ann, "two"), (bob, "three"), (ann, "four")):
            await who.says(room, text)
    config = Config(plugins=Plugins(disabled=() if running else ("demo",)))
    async with node_with(tmp_path, plugin, config=config) as node:
        exported: list[Any] = []
        after: str | None = ""
        while after is not None:
            page = await node.call("people.export", person="ann", **({"after": after} if after else {}))
            exported += page["entries"]
            after = page.get("next")
        notes = {each["data"]["note"] for each in exported if each["kind"] == "demo_kept"}
        assert notes == {"kept one", "kept two", "kept four"}
        ann = await User.of(node, "ann")
        await ann.call("messages.delete", message=first["message"])
        assert await kept(node) == ["kept two", "kept three", "kept four"]
        erased = await node.call("people.erase", person="ann", handle="ann")
        assert await kept(node) == ["kept three"]
        assert erased["removed"]["demo_kept"] == 2


def test_who_reads_a_key_of_a_person_gets_the_account(tmp_path: Path) -> None:
    """`person_by_key` is what turns the keys of tables into people."""

    async def main() -> None:
        async with node_with(tmp_path) as node:
            ann = await User.new(node, "ann")
            found = await node.core.db.read(lambda reader: person_by_key(reader, ann.account.key))
            assert found.handle == "ann"

    trio.run(main)
