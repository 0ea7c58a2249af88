"""Who acts in the program that the node is embedded in: the operator, users, bots."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import trio
import trio.testing

from chatnode.config import Config
from chatnode.dispatch.accounts import KnownAccounts
from chatnode.embed.callers import EmbeddedCaller
from chatnode.errors import NodeGone, Refusal, WrongThread
from chatnode.model.commands.messages import Posted
from chatnode.model.conversations import ConversationContext
from chatnode.model.messages import Location
from chatnode.node import Node, open_node
from chatnode.storage.engine.database import Database
from chatnode.storage.people import people
from chatnode.testing import configured


async def talk_of(node: Node, *handles: str) -> str:
    """New users, the first of whom opens a conversation with the second."""
    for handle in handles:
        await node.operator.people.create(handle=handle)
    return (await node.person(handles[0]).conversations.direct(with_=handles[1])).conversation


async def refused(run: Awaitable[object]) -> str:
    with pytest.raises(Refusal) as error:
        await run
    return error.value.code


# ---- what they do


async def test_a_program_posts_as_a_user(node: Node) -> None:
    talk = await talk_of(node, "ann", "bob")
    posted = await node.person("ann").messages.post(conversation=talk, text="hello")
    assert isinstance(posted, Posted)
    (message,) = (await node.person("bob").messages.list(conversation=talk)).messages
    assert (message.message, message.sender.handle, message.text) == (posted.message, "ann", "hello")


async def test_a_user_is_named_by_handle_or_id(node: Node) -> None:
    ann = (await node.operator.people.create(handle="ann")).person
    assert (await node.person(ann.id).people.me()).person == (await node.person("ann").people.me()).person == ann


async def test_a_post_with_the_same_cid_is_the_same_post(node: Node) -> None:
    ann = node.person("ann")
    talk = await talk_of(node, "ann", "bob")
    first, again = [await ann.messages.post(conversation=talk, text="paid", cid="paid-7") for _ in range(2)]
    other, another = [await ann.messages.post(conversation=talk, text="paid") for _ in range(2)]
    assert (again.message, again.dup) == (first.message, True)
    assert len({first.message, other.message, another.message}) == 3


async def test_a_command_is_also_run_by_its_name(node: Node) -> None:
    talk = await talk_of(node, "ann", "bob")
    fields = {"conversation": talk, "cid": "1", "text": "hello"}
    posted = await node.person("ann").run("messages.post", fields)
    assert await node.person("ann").call("messages.post", **fields) == {
        "gid": posted.gid, "seq": posted.seq, "message": posted.message, "dup": True,
    }  # fmt: skip


async def test_a_group_of_commands_may_be_a_command_itself(node: Node) -> None:
    talk = await talk_of(node, "ann", "bob")
    await node.person("ann").typing(conversation=talk)
    assert [each.person.handle for each in (await node.person("bob").typing.list(conversation=talk)).typing] == ["ann"]


@pytest.mark.parametrize(
    "context", [("order", "7"), ConversationContext("order", "7"), {"type": "order", "id": "7"}], ids=repr
)
async def test_an_object_is_given_as_itself_as_a_dict_or_as_its_values(node: Node, context: Any) -> None:
    await node.operator.people.create(handle="ann")
    made = await node.person("ann").conversations.create(title="order 7", context=context)
    (found,) = (await node.person("ann").conversations.context(type="order", context_id="7")).conversations
    assert (found.conversation, found.context) == (made.conversation, ConversationContext("order", "7"))


async def test_a_tuple_of_the_wrong_length_names_the_values(node: Node) -> None:
    with pytest.raises(TypeError, match="expected 2 values, type, id, not 1"):
        await node.operator.conversations.find_or_create(context=cast("Any", ("order",)), members=["ann"])


async def test_objects_of_the_model_are_fields(node: Node) -> None:
    talk = await talk_of(node, "ann", "bob")
    here = Location(52.5, 13.4)
    await node.person("ann").messages.post(conversation=talk, kind="location", location=here)
    (message,) = (await node.person("bob").messages.list(conversation=talk)).messages
    assert message.location == here


async def test_a_cancelled_post_is_carried_out_all_the_same(node: Node) -> None:
    talk = await talk_of(node, "ann", "bob")
    ann = node.person("ann")
    await ann.people.me()  # from here on the account is known, and the post is queued at once
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: ann.messages.post(conversation=talk, text="hello"))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    await ann.messages.post(conversation=talk, text="there")  # behind the first, which nobody waits for
    assert [each.text for each in (await ann.messages.list(conversation=talk)).messages] == ["hello", "there"]


async def test_a_post_that_was_cancelled_before_does_nothing(node: Node) -> None:
    talk = await talk_of(node, "ann", "bob")
    await node.person("ann").people.me()
    with trio.CancelScope() as scope:
        scope.cancel()
        await node.person("ann").messages.post(conversation=talk, text="hello")
    assert scope.cancelled_caught
    assert (await node.person("ann").messages.list(conversation=talk)).messages == []


# ---- what they may


async def test_the_operator_may_everything_and_takes_part_in_nothing(node: Node) -> None:
    talk = await talk_of(node, "ann", "bob")
    assert await refused(node.operator.messages.post(conversation=talk, text="hello")) == "forbidden"
    with pytest.raises(Refusal, match=r"node\.consumer\(name, kinds\)"):
        node.operator.events()


async def test_a_user_may_what_their_client_may(node: Node) -> None:
    talk = await talk_of(node, "ann", "bob")
    await node.operator.people.create(handle="eve")
    assert await refused(node.person("eve").messages.post(conversation=talk, text="hello")) == "not_found"
    assert await refused(node.person("eve").people.create(handle="mallory")) == "forbidden"


async def test_what_an_administrator_does_is_in_the_audit_log(node: Node) -> None:
    await node.operator.people.create(handle="root", admin=True)
    await node.operator.people.create(handle="bob")
    await node.person("root").people.deactivate(person="bob")
    entry = next(each for each in (await node.operator.audit.list()).entries if each.action == "people.deactivate")
    assert entry.actor is not None
    assert entry.actor.handle == "root"


@pytest.mark.parametrize("config", [configured(limits={"posts_per_minute": 2})], ids=[""])
async def test_rates_are_limited_unless_the_program_says_otherwise(node: Node) -> None:
    talk = await talk_of(node, "ann", "bob")

    async def post(ann: EmbeddedCaller) -> None:
        await ann.messages.post(conversation=talk, text="hello")

    for _ in range(5):
        await post(node.person("ann", limits=False))
    for _ in range(2):
        await post(node.person("ann"))
    assert await refused(post(node.person("ann"))) == "rate_limited"
    await post(node.person("ann", limits=False))


# ---- who they are


async def test_nobody_is_looked_up_before_a_call(node: Node) -> None:
    ann = node.person("ann")
    assert await refused(ann.people.me()) == "not_found"
    await node.operator.people.create(handle="ann")
    assert (await ann.people.me()).person.handle == "ann"


async def test_a_deactivation_applies_at_once(node: Node) -> None:
    talk = await talk_of(node, "ann", "bob")
    ann = node.person("ann")
    for _ in range(3):
        await ann.messages.post(conversation=talk, text="hello")
        await node.operator.people.deactivate(person="ann")
        assert await refused(ann.messages.post(conversation=talk, text="hello")) == "forbidden"
        await node.operator.people.reactivate(person="ann")


async def test_a_role_applies_at_once(node: Node) -> None:
    await talk_of(node, "ann", "bob")
    ann = node.person("ann")
    assert await refused(ann.reports.list()) == "forbidden"
    await node.operator.people.role(person="ann", role="moderator")
    assert (await ann.reports.list()).reports == []
    await node.operator.people.role(person="ann", role="member")
    assert await refused(ann.reports.list()) == "forbidden"


async def imported(node: Node) -> None:
    """Ann is the author of an imported message."""
    room = await node.operator.import_.conversation(source="irc", key="#x", title="#x")
    item = {"cid": "1", "author": "ann", "at": 921_000_000_000, "text": "hello"}
    await node.operator.import_.messages(conversation=room.conversation, source="irc", items=[item])


CHANGES: dict[str, Callable[[Node], Awaitable[object]]] = {
    "renamed": lambda node: node.person("ann").people.update(name="Ann A"),
    "given another role": lambda node: node.operator.people.role(person="ann", role="moderator"),
    "deactivated": lambda node: node.operator.people.deactivate(person="ann"),
    "reactivated": lambda node: node.operator.people.reactivate(person="ann"),
    "erased": lambda node: node.operator.people.erase(person="ann", handle="ann"),
    "adopted": lambda node: node.operator.people.adopt(author="ann"),
    "handed over": lambda node: node.operator.people.adopt(author="ann", person="bob"),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_an_account_is_known_as_it_is_now(node: Node, change: str) -> None:
    await node.operator.people.create(handle="bob")
    if change in ("adopted", "handed over"):
        await imported(node)
    else:
        await node.operator.people.create(handle="ann")
    if change == "reactivated":
        await node.operator.people.deactivate(person="ann")
    accounts = node.core.part(KnownAccounts)
    before = await accounts.find("ann")
    assert await accounts.find("ann") is before, "it is kept"
    await CHANGES[change](node)
    now = await node.core.db.read(lambda reader: people.by_key(reader, before.key))
    assert now != before, "something of it changed"
    assert await accounts.find(before.id) == now


class HeldUp:
    """Reads of a database, whose results come when `let_go` is set."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.read_it, self.let_go = trio.Event(), trio.Event()

    async def read(self, function: Any) -> Any:
        result = await self.db.read(function)
        self.read_it.set()
        await self.let_go.wait()
        return result


async def test_what_was_read_before_a_change_is_not_kept_after_it(node: Node) -> None:
    await node.operator.people.create(handle="ann")
    held_up = HeldUp(node.core.db)
    accounts = KnownAccounts(cast("Database", held_up))
    publish = node.core.db.on_commit

    def also(recorded: Any) -> None:
        accounts.committed(recorded)
        publish(recorded)

    node.core.db.on_commit = also
    async with trio.open_nursery() as nursery:
        nursery.start_soon(accounts.find, "ann")
        await held_up.read_it.wait()
        await node.operator.people.deactivate(person="ann")
        held_up.let_go.set()
    assert (await accounts.find("ann")).deactivated_at is not None


# ---- bots


async def test_a_bot_is_created_with_its_first_call(node: Node) -> None:
    shop = node.bot("shop")
    assert (await node.operator.people.list()).people == []
    first = await shop.people.me()
    assert first.person.bot
    assert (await node.bot("shop").people.me()).person == (await node.bot("shop", create=False).people.me()).person
    assert [each.handle for each in (await node.operator.people.list()).people] == ["shop"]


async def test_of_a_bot_that_two_tasks_create_there_is_one(node: Node) -> None:
    found: list[str] = []

    async def ask() -> None:
        found.append((await node.bot("shop").people.me()).person.id)

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(ask)
    assert len(found) == 10
    assert len(set(found)) == 1


async def test_a_bot_is_neither_made_unasked_nor_out_of_a_user(node: Node) -> None:
    await node.operator.people.create(handle="ann")
    assert await refused(node.bot("shop", create=False).people.me()) == "not_found"
    assert await refused(node.bot("ann").people.me()) == "conflict"
    assert await refused(node.bot("everyone").people.me()) == "conflict"
    assert await refused(node.bot("not a handle").people.me()) == "invalid"


async def test_a_bot_that_was_deactivated_is_refused(node: Node) -> None:
    await node.bot("shop").people.me()
    await node.operator.people.deactivate(person="shop")
    assert await refused(node.bot("shop").people.me()) == "forbidden"


async def test_a_node_that_was_closed_is_gone(tmp_path: Path) -> None:
    """Nothing says `temporary`: who repeats the call would do so for ever."""
    async with open_node(tmp_path / "data", Config(), only=()) as node:
        await talk_of(node, "ann", "bob")
        ann = node.person("ann")
    uses: list[Callable[[], Awaitable[object]]] = [
        ann.inbox.list,
        node.operator.people.list,
        ann.events().__aenter__,
        node.consumer("orders", {"message.posted"}).__aenter__,
    ]
    for use in uses:
        with pytest.raises(NodeGone, match="the node was closed"):
            await use()


async def test_another_thread_is_told_so_and_the_run_of_the_node_goes_on(node: Node) -> None:
    """Results that went back to another trio run would end that of the node."""
    events = node.person("ann").events()
    uses: list[Callable[[], Awaitable[object]]] = [
        node.operator.people.list,
        partial(node.operator.people.create, handle="bob"),
        partial(node.bot("shop").call, "people.me"),
        partial(node.call, "people.list"),
        node.health,
        partial(node.admit, "app:42"),
        events.__anext__,
        node.consumer("orders").__anext__,
    ]

    async def in_asyncio(use: Callable[[], Awaitable[object]]) -> None:
        await use()

    await node.operator.people.create(handle="ann")
    for use in uses:
        with pytest.raises(WrongThread, match="the trio run that opened it, in another thread: call it with trio"):
            await trio.to_thread.run_sync(trio.run, use)
    for use in uses[:6]:
        with pytest.raises(WrongThread):
            await trio.to_thread.run_sync(asyncio.run, in_asyncio(use))
    with pytest.raises(WrongThread):
        await trio.to_thread.run_sync(node.person("ann").events)
    found = await trio.to_thread.run_sync(trio.from_thread.run, node.operator.people.list)
    assert [each.handle for each in found.people] == ["ann"]
    await events.aclose()


async def test_half_of_a_surrogate_pair_is_refused(node: Node) -> None:
    """The `json` of Python reads one, so a program may have it from its own users."""
    half = json.loads('"half of \\ud83d"')
    talk = await talk_of(node, "ann", "bob")
    ann = node.person("ann")
    with pytest.raises(Refusal, match="text contains half of a surrogate pair"):
        await ann.messages.post(conversation=talk, text=half)
    with pytest.raises(Refusal, match="metadata contains half of a surrogate pair at 'order'"):
        await ann.messages.post(conversation=talk, text="paid", metadata={"order": half})
    with pytest.raises(Refusal, match="metadata has the name"):
        await ann.messages.post(conversation=talk, text="paid", metadata={half: "7"})
    assert await refused(node.person(half).people.me()) == "not_found"


async def test_what_is_given_for_a_name_or_a_cursor_is_told_from_it(node: Node) -> None:
    for who in (None, 42, cast("Any", object())):
        with pytest.raises(TypeError, match="a user is named by handle or id, a string, not"):
            node.person(cast("Any", who))
        with pytest.raises(TypeError, match="a user is named by handle or id"):
            node.bot(cast("Any", who))
    with pytest.raises(TypeError, match="expected the `cursor` of an item, not str"):
        node.person("ann").events(cast("Any", "x"))
    for identity in (cast("Any", 42), "42", "My-App:42", "app:"):
        with pytest.raises(ValueError, match="expected PROGRAM:USER, such as app:42: PROGRAM is a letter"):
            await node.admit(identity)
    with pytest.raises(ValueError, match="3 cannot name a consumer"):
        node.consumer(cast("Any", 3))


async def test_settings_are_a_config(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"config must be a chatnode\.config\.Config, not dict"):
        async with open_node(tmp_path / "data", cast("Any", {})):
            pass
    assert not (tmp_path / "data").exists()
