"""The core is the sum of its subjects: one in a module of its own is live, replayed, exported, erased and trimmed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import orjson
import pytest

from chatnode import node as composition
from chatnode.api import Consumer, EventKind
from chatnode.config import Config
from chatnode.dispatch.subject import additions_of
from chatnode.model.ephemeral import EPHEMERAL
from chatnode.model.events import EVENTS
from chatnode.node import Node, open_node
from chatnode.protocol.envelopes import push_of
from chatnode.services import SUBJECTS
from chatnode.storage.engine.additions import CoreTable
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.log import log
from chatnode.storage.upkeep.exporting import lines
from chatnode.testing import LiveSession, User
from tests.plugins.surface.making import made, states
from tests.services import keepsakes

from .dialogue import assert_sound

WITH_KEEPSAKES = (*SUBJECTS, keepsakes.SUBJECT)


@pytest.fixture
async def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Node]:
    monkeypatch.setattr(composition, "SUBJECTS", WITH_KEEPSAKES)
    async with open_node(tmp_path / "data", Config(), only=[]) as node:
        await node.core.db.write(lambda tx: [tx.execute(statement) for statement in keepsakes.SCHEMA])
        yield node


async def resumed(node: Node, person: User, since: int) -> list[dict[str, Any]]:
    """What a session that was away since then is sent when it resumes."""

    def read(reader: Reader) -> list[dict[str, Any]]:
        gids = log.gids_since(reader, person.account, since, 1_000)
        missed = log.events_of(reader, person.account, gids or [])
        return [orjson.loads(push_of(gid, event).json) for gid, event in missed]

    return await node.core.db.read(read)


async def rows(node: Node, table: str) -> int:
    (count,) = await node.core.db.read(lambda reader: reader.execute(f"SELECT count(*) FROM {table}").fetchone())
    return count


async def test_its_event_is_live_and_replayed_for_the_conversation(node: Node, ann: User, bob: User, eve: User) -> None:
    room = await ann.group(bob, eve)
    message = await bob.says(room, "remember this")
    listening = await LiveSession.of(node, bob)
    since = listening.gid
    await ann.call("keepsakes.add", message=message, note="so good")
    heard = await listening.next("keepsake.added")
    assert (heard["conversation"], heard["person"]["handle"], heard["seq"]) == (room, "ann", 1)
    assert await resumed(node, bob, since) == [heard]
    await eve.call("conversations.leave", conversation=room)
    assert [each["event"] for each in await resumed(node, eve, since)] == ["member.left"]


async def test_its_event_with_an_audience_reaches_just_those_people(
    node: Node, ann: User, bob: User, eve: User
) -> None:
    message = await ann.says(await ann.direct(ann), "mine")
    kept = await ann.call("keepsakes.add", message=message, note="look")
    listening, other = await LiveSession.of(node, bob), await LiveSession.of(node, eve)
    since = listening.gid
    await ann.call("keepsakes.share", keepsake=kept["keepsake"], people=["bob"])
    heard = await listening.next("keepsake.shared")
    assert (heard["keepsake"], heard["note"]) == (kept["keepsake"], "look")
    assert await resumed(node, bob, since) == await resumed(node, ann, since) == [heard]
    assert (other.heard(), await resumed(node, eve, since)) == ([], [])


async def test_its_ephemeral_event_is_heard_and_not_replayed(node: Node, ann: User) -> None:
    listening = await LiveSession.of(node, ann)
    await ann.call("keepsakes.look")
    assert (await listening.next("keepsake.seen"))["person"]["handle"] == "ann"
    assert await resumed(node, ann, listening.gid) == []


async def test_its_rows_are_exported(node: Node, ann: User, bob: User) -> None:
    message = await bob.says(await ann.direct(bob), "remember this")
    kept = await ann.call("keepsakes.add", message=message, note="so good")
    await ann.call("keepsakes.share", keepsake=kept["keepsake"], people=["bob"])

    tables = additions_of(WITH_KEEPSAKES).tables
    exported = [orjson.loads(line) for line in await node.core.db.read(lambda reader: list(lines(reader, tables)))]
    assert exported[0]["counts"]["keepsake"] == 1
    assert [each for each in exported if each["type"] == "keepsake"] == [
        {"type": "keepsake", "person": ann.id, "message": message, "note": "so good", "shared": [1]}
    ]
    assert await of_person(ann) == [{"message": message, "note": "so good", "shared": True}]
    assert await of_person(bob) == []
    asked = await ann.call("items.query", collection="keepsakes")
    assert asked["data"] == [{"keepsake": kept["keepsake"], "note": "so good"}]
    assert (await bob.call("items.query", collection="keepsakes"))["data"] == []


async def of_person(person: User) -> list[Any]:
    found: list[Any] = []
    after: dict[str, str] = {}
    while True:
        page = await person.call("people.export", limit=2, **after)
        found += [each["data"] for each in page["entries"] if each["kind"] == "keepsake"]
        if page.get("next") is None:
            return found
        after = {"after": page["next"]}


@pytest.mark.parametrize("erased", ["ann", "bob"])
async def test_its_rows_are_erased(node: Node, ann: User, bob: User, erased: str) -> None:
    """Ann keeps what Bob said and shares it with him: with either of them it goes."""
    message = await bob.says(await ann.direct(bob), "remember this")
    kept = await ann.call("keepsakes.add", message=message, note="so good")
    await ann.call("keepsakes.share", keepsake=kept["keepsake"], people=["bob"])
    done = await node.call("people.erase", person=erased, handle=erased)
    assert (await rows(node, "keepsakes"), await rows(node, "keepsake_shares")) == (0, 0)
    assert await rows(node, "keepsake_marks") == (0 if erased == "ann" else 1)
    assert done["removed"]["keepsake_shares"] == 1
    await assert_sound(node)


async def test_its_rows_go_with_a_message_that_is_deleted_or_removed(node: Node, ann: User) -> None:
    room = await ann.group(retention_days=1)
    for text in ("one", "two"):
        message = await ann.says(room, text)
        await ann.call("keepsakes.add", message=message)
    await ann.call("messages.delete", message=message)
    assert (await rows(node, "keepsakes"), await rows(node, "keepsake_marks")) == (1, 2)
    await node.core.db.write(lambda tx: tx.execute("UPDATE messages SET at = at - 172800000"))
    assert (await node.call("jobs.run", job="retention"))["job"]["ok"]
    (receipt,) = (await node.call("retention.list"))["removals"]
    assert (receipt["counts"]["keepsakes"], receipt["counts"]["keepsake_marks"]) == (1, 2)
    assert (await rows(node, "keepsakes"), await rows(node, "keepsake_marks")) == (0, 0)


async def test_it_is_checked_and_repaired_and_its_job_runs(node: Node, ann: User) -> None:
    message = await ann.says(await ann.direct(ann), "mine")
    await ann.call("keepsakes.add", message=message, note="broken")

    def spoil(tx: Transaction) -> None:
        tx.execute("UPDATE keepsakes SET shared = 7")

    await node.core.db.write(spoil)
    found = {each["name"]: each["problems"] for each in (await node.call("node.check"))["checks"] if each["problems"]}
    assert set(found) == {"keepsakes", "shares"}
    repaired = await node.call("node.repair")
    assert [each["name"] for each in repaired["repairs"]] == ["shares"]
    assert (await node.call("jobs.run", job="count keepsakes"))["job"]["result"] == "1 kept"


@attrs.define
class Again(keepsakes.MessageKept):
    """What a plugin calls like an event of the core."""


async def test_plugins_follow_its_events_and_cannot_take_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def consume(ctx: Any, rows: Any) -> None:
        return None

    monkeypatch.setattr(composition, "SUBJECTS", WITH_KEEPSAKES)
    follower = made("follower", consumers=(Consumer("kept", consume, frozenset({"keepsake.added"})),))
    watcher = made("watcher", consumers=(Consumer("seen", consume, frozenset({"keepsake.seen"})),))
    thief = made("thief", events=(EventKind(Again, lambda reader, row: None),))
    async with open_node(tmp_path / "data", Config(), only=[follower, watcher, thief]) as node:
        assert states(node) == {
            "follower": "running",
            "watcher": "the consumer seen wants events keepsake.seen, which are not in the log",
            "thief": (
                "the event keepsake.added already exists: the node or another plugin declares it; choose another name"
            ),
        }


# ---- the sums


def test_the_subjects_declare_every_event_of_the_core() -> None:
    declared = {kind.event.name: kind.event for subject in SUBJECTS for kind in subject.events}
    ephemeral = {kind.name: kind for subject in SUBJECTS for kind in subject.ephemeral}
    assert (declared, ephemeral) == (EVENTS, EPHEMERAL)


def test_two_subjects_declare_no_name_twice() -> None:
    for part in ("events", "ephemeral", "tables", "checks", "derived"):
        again = attrs.evolve(type(keepsakes.SUBJECT)(), **{part: getattr(keepsakes.SUBJECT, part)})
        with pytest.raises(ValueError, match="is declared twice"):
            additions_of((keepsakes.SUBJECT, again))


def test_a_table_is_exported_or_left_out_for_a_reason() -> None:
    for said in ({}, {"lines": ("one", "SELECT 1"), "left_out": "no"}):
        with pytest.raises(ValueError, match="needs either lines or left_out"):
            CoreTable("forgotten", **said)
