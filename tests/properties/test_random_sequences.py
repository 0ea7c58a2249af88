"""Three people do anything at all, and come and go: what their clients show is what the node has."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import orjson
import pytest
import trio
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st

from chatnode.api import Transaction, access_message, change_files
from chatnode.config import Config, Limits
from chatnode.dispatch.core import Core
from chatnode.errors import Refusal
from chatnode.model.commands.resume import Cursor
from chatnode.model.events import Event
from chatnode.model.people import Account
from chatnode.node import Node, open_node
from chatnode.routing import resume
from chatnode.routing.sessions import OpenSession, SessionRegistry
from chatnode.storage.engine.additions import EventKind
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.row import Row
from chatnode.storage.log import log
from chatnode.storage.people import people
from tests.properties.client_model import Client
from tests.properties.scenarios import item
from tests.properties.world import Connection, SignedIn, apply, connect, fresh, head, replayed, without_flushing
from tests.quick import examples
from tests.without_attachments import PLUGINS

HANDLES = ("ann", "bob", "cay")


@attrs.define
class Step:
    """Somebody does something: the numbers choose among what there is."""

    who: int
    what: str
    one: int
    other: int


@attrs.define
class Player:
    """A person with a client that is connected at times. Its cursor is the client's."""

    somebody: SignedIn
    client: Client
    connection: Connection | None = None

    async def come(self) -> None:
        if self.connection is not None:
            return
        self.connection = await connect(self.somebody, self.client.gid)
        if self.connection.welcome["mode"] == "reset":
            await self.client.begin(self.connection.welcome["inbox"])
            self.client.gid = self.connection.welcome["head"]
        apply(self.client, self.connection.take())
        await self.client.settle()

    def go(self) -> None:
        if self.connection is not None:
            self.somebody.node.sessions.detach(self.connection.session)
            self.connection = None

    async def check_pushed(self, since: int) -> None:
        """What was pushed since is what somebody is replayed who was away; the client takes it in."""
        if self.connection is None:
            return
        pushed = self.connection.take()
        assert pushed == await replayed(self.somebody, since)
        apply(self.client, pushed)
        if self.connection.session.ended is not None:
            self.go()


@attrs.define
class Game:
    node: Node
    players: list[Player]
    talks: list[str] = attrs.field(factory=list[str])
    number: int = 0

    async def step(self, step: Step) -> None:
        since = await head(self.node)
        with contextlib.suppress(Refusal):
            await WHAT[step.what](self, self.players[step.who], step.one, step.other)
        for player in self.players:
            await player.check_pushed(since)
        if step.other % 2:  # else what is to be fetched is fetched later, and events come in between
            for player in self.players:
                if player.connection is not None:  # who is away would fetch more than the cursor says
                    await player.client.settle()

    async def run(self, player: Player, name: str, /, **fields: Any) -> Any:
        return await player.somebody.call(name, **fields)

    async def in_talk(self, player: Player, one: int, name: str, **fields: Any) -> Any:
        """Run a command on a conversation, mostly one that the player takes part in."""
        known = [talk for talk in self.talks if talk in player.client.talks]
        talks = known if known and one < 6 else self.talks
        if talks:
            return await self.run(player, name, conversation=talks[one % len(talks)], **fields)

    def fresh_number(self) -> int:
        self.number += 1
        return self.number


Action = Callable[[Game, Player, int, int], Awaitable[Any]]


async def direct(game: Game, player: Player, one: int, other: int) -> None:
    talk = await game.run(player, "conversations.direct", **{"with": HANDLES[other % 3]})
    if talk["conversation"] not in game.talks:
        game.talks.append(talk["conversation"])


async def group(game: Game, player: Player, one: int, other: int) -> None:
    members = [handle for bit, handle in enumerate(HANDLES) if one >> bit & 1]
    talk = await game.run(
        player, "conversations.create", title=f"group {game.fresh_number()}", members=members,
        visibility=("private", "public")[other & 1], history=("all", "since_joining")[other >> 1 & 1],
    )  # fmt: skip
    game.talks.append(talk["conversation"])


async def post(game: Game, player: Player, one: int, other: int) -> None:
    texts = ("hello", "@ann?", "@bob and @cay", "@eve!")
    await game.in_talk(player, one, "messages.post", cid=f"c{game.fresh_number()}", text=texts[other % 4])


async def post_again(game: Game, player: Player, one: int, other: int) -> None:
    await game.in_talk(player, one, "messages.post", cid=f"again{other % 2}", text="once")


FILE = {"name": "plan.pdf", "type": "application/pdf", "bytes": 900}


async def post_files(game: Game, player: Player, one: int, other: int) -> None:
    cid, texts = f"c{game.fresh_number()}", ("", "look, @bob")
    files = [FILE | {"file": f"{cid}/{number}"} for number in range(1 + other % 3)]
    await game.in_talk(player, one, "messages.post", cid=cid, text=texts[other % 2], kind="file", files=files)


async def lose_file(game: Game, player: Player, one: int, other: int) -> None:
    """As a plugin takes the first file of a message away."""

    def change(tx: Transaction) -> None:
        account = people.by_key(tx, player.somebody.key)
        ids = [id for (id,) in tx.execute("SELECT id FROM messages WHERE content IS NOT NULL ORDER BY key DESC")]
        if ids:
            place, message = access_message(tx, account, ids[other % len(ids)])
            change_files(tx, place, message.seq, (message.files or [])[1:], account)

    await game.node.core.db.write(change)


async def mark(game: Game, player: Player, one: int, other: int, kind: str) -> None:
    found = await game.in_talk(player, one, "conversations.get")
    if found is not None:
        await game.in_talk(player, one, f"receipts.{kind}", seq=max(0, found["conversation"]["head"] - other % 3))


async def member(game: Game, player: Player, one: int, other: int, name: str) -> None:
    await game.in_talk(player, one, f"conversations.members.{name}", member=HANDLES[other % 3])


async def role(game: Game, player: Player, one: int, other: int) -> None:
    fields = {"member": HANDLES[other % 3], "role": ("admin", "member", "owner")[other // 3 % 3]}
    await game.in_talk(player, one, "conversations.members.role", **fields)


async def join(game: Game, player: Player, one: int, other: int) -> None:
    await game.in_talk(player, one, "conversations.join")


async def leave(game: Game, player: Player, one: int, other: int) -> None:
    await game.in_talk(player, one, "conversations.leave")


async def update(game: Game, player: Player, one: int, other: int) -> None:
    fields = ({"title": f"title {game.fresh_number()}"}, {"visibility": "public"}, {"visibility": "private"})
    await game.in_talk(player, one, "conversations.update", **fields[other % 3])


async def rename(game: Game, player: Player, one: int, other: int) -> None:
    await game.run(player, "people.update", name=f"Name {game.fresh_number()}")


async def import_conversation(game: Game, player: Player, one: int, other: int) -> None:
    fields = {"source": "zulip", "key": f"key {one % 2}", "title": f"imported {one}", "join": False}
    talk = (await game.node.call("import.conversation", **fields))["conversation"]
    if talk not in game.talks:
        game.talks.append(talk)


async def import_messages(game: Game, player: Player, one: int, other: int) -> None:
    if game.talks:
        items = [item(number, f"Author {number % 3}") for number in range(other, other + 3)]
        talk = game.talks[one % len(game.talks)]
        await game.node.call("import.messages", conversation=talk, source="zulip", items=items)


async def node_role(game: Game, player: Player, one: int, other: int) -> None:
    await game.node.call("people.role", person=player.somebody.handle, role=("member", "admin")[other & 1])


async def come(game: Game, player: Player, one: int, other: int) -> None:
    await player.come()


async def go(game: Game, player: Player, one: int, other: int) -> None:
    player.go()


async def at_message(game: Game, player: Player, one: int, other: int, name: str, **fields: Any) -> None:
    """Run a command on one of the latest messages of a conversation."""
    found = await game.in_talk(player, one, "messages.list", limit=3)
    if found is not None and found["messages"]:
        message = found["messages"][other % len(found["messages"])]["message"]
        await game.run(player, name, message=message, **fields)


async def edit(game: Game, player: Player, one: int, other: int) -> None:
    await at_message(game, player, one, other, "messages.edit", text=f"rather {other} @bob")


async def delete(game: Game, player: Player, one: int, other: int) -> None:
    for reason in ("user_request", "spam"):  # one's own, or somebody else's
        with contextlib.suppress(Refusal):
            await at_message(game, player, one, other, "messages.delete", reason=reason)


async def post_in_thread(game: Game, player: Player, one: int, other: int) -> None:
    found = await game.in_talk(player, one, "messages.list", limit=3)
    if found is not None and found["messages"]:
        root = found["messages"][other % len(found["messages"])]["message"]
        fields = {"cid": f"t{game.fresh_number()}", "text": "@everyone, see above", "thread": root}
        await game.in_talk(player, one, "messages.post", **fields)


async def close(game: Game, player: Player, one: int, other: int) -> None:
    await game.in_talk(player, one, f"conversations.{('close', 'reopen')[other & 1]}")


async def change_settings(game: Game, player: Player, one: int, other: int) -> None:
    await game.in_talk(player, one, "conversations.settings", receipts=other & 1 == 0, starred=other & 2 == 0)


async def block(game: Game, player: Player, one: int, other: int) -> None:
    await game.run(player, f"people.{('block', 'unblock')[one & 1]}", person=HANDLES[other % 3])


WHAT: dict[str, Action] = {
    "edit": edit,
    "delete": delete,
    "pin": partial(at_message, name="messages.pin"),
    "unpin": partial(at_message, name="messages.unpin"),
    "post in thread": post_in_thread,
    "close": close,
    "settings": change_settings,
    "block": block,
    "direct": direct,
    "group": group,
    "post": post,
    "post again": post_again,
    "post files": post_files,
    "lose a file": lose_file,
    "read": partial(mark, kind="read"),
    "deliver": partial(mark, kind="delivered"),
    "add": partial(member, name="add"),
    "remove": partial(member, name="remove"),
    "role": role,
    "join": join,
    "leave": leave,
    "update": update,
    "rename": rename,
    "import conversation": import_conversation,
    "import messages": import_messages,
    "node role": node_role,
    "come": come,
    "go": go,
}
OFTEN = ("post", "post in thread", "read", "edit", "come", "go", "add", "remove")


async def play(steps: list[Step], most_replayed: int) -> None:
    config = Config(limits=Limits(replay_events=most_replayed))
    with TemporaryDirectory() as folder:
        async with open_node(folder, config, inline=True, only=PLUGINS) as node:
            await without_flushing(node)
            everybody = [await SignedIn.new(node, handle) for handle in (*HANDLES, "eve")]
            players = [Player(somebody, Client(somebody)) for somebody in everybody]
            for player in players:
                await player.client.begin()
                await player.come()
            stranger = players.pop()
            game = Game(node, players)
            await game.step(Step(0, "group", 7, 0))  # a private one of all three
            await game.step(Step(1, "group", 0, 1))  # a public one of Bob's
            for number in range(3):
                await game.step(Step(number, "post", 0, number))
            for step in steps:
                await game.step(step)
            for player in players:
                await player.come()
                await player.client.settle()
                assert player.client.state() == (await fresh(player.somebody)).state(), player.somebody.handle
            assert stranger.connection is not None
            assert [orjson.loads(frame) for frame in stranger.connection.take()] == []
            assert (await node.call("node.check"))["clean"]


steps = st.builds(
    Step, st.integers(0, 2), st.sampled_from([*WHAT, *OFTEN, *OFTEN]), st.integers(0, 7), st.integers(0, 8)
)
SETTINGS = settings(deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])


@settings(SETTINGS, max_examples=examples(40))
@given(st.lists(steps, min_size=10, max_size=40), st.sampled_from([0, 7]))
def test_clients_show_what_the_node_has(steps: list[Step], most_replayed: int) -> None:
    trio.run(play, steps, most_replayed)


@pytest.mark.slow
@settings(SETTINGS, max_examples=250)
@given(st.lists(steps, min_size=10, max_size=80), st.sampled_from([0, 7, 20]))
def test_clients_show_what_the_node_has_for_long(steps: list[Step], most_replayed: int) -> None:
    trio.run(play, steps, most_replayed)


# ---- able to fail


def replay_without_receipts(patch: pytest.MonkeyPatch) -> None:
    made_again = log._made_again

    def but_for_receipts(reader: Reader, account: Account, kind: EventKind, row: Row) -> Event | None:
        return made_again(reader, account, kind, row) if row.kind != "receipt.read" else None

    patch.setattr(log, "_made_again", but_for_receipts)


def who_left_goes_on_hearing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SessionRegistry, "left", lambda self, gid, conversation, person: None)


def who_joins_hears_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SessionRegistry, "joined", lambda self, gid, conversation, person: None)


def the_newest_event_is_lost(patch: pytest.MonkeyPatch) -> None:
    """The newest event that somebody missed."""
    begin = resume.begin

    async def beginning(core: Core, registry: SessionRegistry, session: OpenSession, cursor: Cursor | None) -> Any:
        found = await begin(core, registry, session, cursor)
        if cursor is not None and found.gids:
            found.gids.pop()
        return found

    patch.setattr(resume, "begin", beginning)


def names_are_told_to_nobody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(people, "fellows", lambda reader, person: [person])


@pytest.mark.parametrize(
    "plant",
    [
        replay_without_receipts,
        who_left_goes_on_hearing,
        pytest.param(who_joins_hears_nothing, marks=pytest.mark.slow),
        pytest.param(the_newest_event_is_lost, marks=pytest.mark.slow),
        pytest.param(names_are_told_to_nobody, marks=pytest.mark.slow),
    ],
)
def test_a_planted_bug_is_found(plant: Callable[[pytest.MonkeyPatch], None]) -> None:
    @settings(
        SETTINGS, max_examples=500, phases=[Phase.generate], derandomize=True, database=None, print_blob=False,
        verbosity=Verbosity.quiet, report_multiple_bugs=False,
    )  # fmt: skip
    @given(st.lists(steps, min_size=10, max_size=40))
    def search(steps: list[Step]) -> None:
        trio.run(play, steps, 0)

    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        with pytest.raises((AssertionError, KeyError)):
            search()
