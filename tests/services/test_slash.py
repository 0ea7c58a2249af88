"""Slash commands of bots: who may run which, what the bot hears, and the answers."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from chatnode.model.slash import SlashText, parse_slash
from chatnode.node import Node
from chatnode.protocol.envelopes import push_of
from chatnode.services.invocations import Invocations
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.log import log
from chatnode.testing import LiveUser, User, configured, refused
from tests.bots import APPROVE, DEPLOY, exported, invoked, make_bot
from tests.services.dialogue import assert_sound, outcome


@pytest.fixture
def only_plugins() -> tuple[()]:
    """A node without plugins opens faster."""
    return ()


MINUTE_MS = 60_000


async def missed(node: Node, person: User, since: int) -> list[dict[str, Any]]:
    """What a session that was away since then is sent when it resumes."""

    def read(reader: Reader) -> list[dict[str, Any]]:
        gids = log.gids_since(reader, person.account, since, 1_000)
        return [
            orjson.loads(push_of(gid, event).json) for gid, event in log.events_of(reader, person.account, gids or [])
        ]

    return await node.core.db.read(read)


async def age(node: Node, minutes: float) -> None:
    """Let all invocations and notices be older."""

    def write(tx: Transaction) -> None:
        by = (int(minutes * MINUTE_MS),)
        tx.execute("UPDATE bots_notices SET at = at - ?", by)
        for column in ("at", "fresh_until", "answers_until", "due_at"):
            tx.execute(f"UPDATE bots_invocations SET {column} = {column} - ?", by)

    await node.core.db.write(write)


async def tell_overdue(node: Node, ahead_seconds: float = 0.0) -> None:
    await node.core.part(Invocations).tell_overdue(ahead_seconds)


def notices(who: LiveUser) -> list[str]:
    return [each["notice"]["text"] for each in who.heard("notice.private")]


async def commands(who: User, room: str) -> list[str]:
    return [each["command"] for each in (await who.does("slash.list", conversation=room))["commands"]]


# ---- what a user types


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("/deploy", SlashText("deploy", None, None, "")),
        ("/deploy  main now ", SlashText("deploy", None, None, "main now")),
        ("/deploy\nmain\nnow", SlashText("deploy", None, None, "main\nnow")),
        ("/Deploy@CI main", SlashText("deploy", None, "ci", "main")),
        ("/deploy@ci.build-2 x", SlashText("deploy", None, "ci.build-2", "x")),
        ("/polls:poll a; b", SlashText("poll", "polls", None, "a; b")),
        ("/a_b-c", SlashText("a_b-c", None, None, "")),
        *((text, None) for text in ("deploy", "//deploy", "/", "/ deploy", "/etc/hosts", "/1", "/a@", "/a@ci. x")),
        *((text, None) for text in ("/p:a@b", "/déploy", "/" + "x" * 33, "", "/ﬁle", "/deploy.")),
    ],
)
def test_what_is_a_slash_command(text: str, meant: SlashText | None) -> None:
    assert parse_slash(text) == meant


# ---- a dialogue


async def test_a_user_asks_a_bot_and_it_answers(node: Node, ann: LiveUser, bob: LiveUser, eve: LiveUser) -> None:
    room = await ann.group(bob)
    ci = await make_bot(node, "ci", DEPLOY, room=room, by=ann)
    assert await commands(bob, room) == ["/deploy"]
    ran = await bob.does("slash.run", conversation=room, text="/deploy main --force", cid="1")
    assert (ran["dup"], ran["bot"]["handle"]) == (False, "ci")
    heard = await ci.hears("slash.invoked", conversation=room, command="deploy", text="main --force")
    assert (heard["invocation"], heard["person"]["handle"], heard["bot"]["handle"]) == (ran["invocation"], "bob", "ci")

    private = await ci.does("slash.reply", invocation=ran["invocation"], text="on it")
    notice = (await bob.hears("notice.private"))["notice"]
    assert (notice["notice"], notice["text"], notice["bot"]["handle"]) == (private["notice"], "on it", "ci")
    assert (notice["conversation"], notice["invocation"]) == (room, ran["invocation"])

    await ci.does("slash.reply", invocation=ran["invocation"], text="deployed main", visible="all")
    assert await ann.reads(room) == ["deployed main"]
    assert (await ann.sees(room))[0]["sender"]["handle"] == "ci"
    for other in (ann, eve):
        assert other.heard("slash.invoked") == other.heard("notice.private") == []
    assert bob.heard("slash.invoked") == []
    await assert_sound(node)


async def test_the_same_cid_has_the_same_answer_and_asks_once(node: Node, ann: LiveUser, bob: LiveUser) -> None:
    room = await ann.group(bob)
    ci = await make_bot(node, "ci", DEPLOY, room=room, by=ann)
    first = await ann.does("slash.run", conversation=room, text="/deploy main", cid="1")
    assert await ann.does("slash.run", conversation=room, text="/deploy main", cid="1") == first | {"dup": True}
    assert len(ci.heard("slash.invoked")) == 1
    with refused("conflict", "cid"):
        await ann.does("slash.run", conversation=room, text="/deploy other", cid="1")
    assert await invoked(node, bob, room, cid="1") != first["invocation"]  # of another user it is another
    await ann.does("conversations.leave", conversation=room)
    assert await ann.does("slash.run", conversation=room, text="/deploy main", cid="1") == first | {"dup": True}


async def test_a_repeat_is_answered_while_one_is_limited(node: Node, ann: LiveUser) -> None:
    room = await ann.group()
    await make_bot(node, "ci", DEPLOY, room=room, by=ann)
    node.core.rates["invocations"].per_minute = 1
    await invoked(node, ann, room, cid="1")
    assert await outcome(ann.does("slash.run", conversation=room, text="/deploy", cid="2")) == "rate_limited"
    assert (await ann.does("slash.run", conversation=room, text="/deploy main", cid="1"))["dup"]


async def test_commands_of_the_same_name_have_long_forms(node: Node, ann: LiveUser) -> None:
    room = await ann.group()
    ci = await make_bot(node, "ci", DEPLOY, {"name": "abort", "about": "Stop"}, room=room, by=ann)
    cd = await make_bot(node, "cd", DEPLOY, room=room, by=ann)
    assert await commands(ann, room) == ["/abort", "/deploy@cd", "/deploy@ci"]
    with refused("conflict", "text") as caught:
        await ann.does("slash.run", conversation=room, text="/deploy main", cid="1")
    assert "/deploy@cd, /deploy@ci" in caught.value.message
    await invoked(node, ann, room, "/deploy@cd main", cid="2")
    await cd.hears("slash.invoked", command="deploy", text="main")
    await invoked(node, ann, room, "/abort@ci", cid="3")
    await ci.hears("slash.invoked", command="abort", text="")
    assert await outcome(ann.does("slash.run", conversation=room, text="/abort@cd", cid="4")) == "not_found"


async def test_a_bot_offers_where_it_takes_part_and_can_act(node: Node, ann: LiveUser, bob: LiveUser) -> None:
    room, other = await ann.group(bob), await ann.group()
    ci = await make_bot(node, "ci", DEPLOY, room=room, by=ann)
    talk = await bob.direct(ci)
    assert [await commands(ann, room), await commands(ann, other), await commands(bob, talk)] == [
        ["/deploy"],
        [],
        ["/deploy"],
    ]
    assert await outcome(ann.does("slash.run", conversation=other, text="/deploy", cid="1")) == "not_found"
    await ann.does("conversations.members.remove", conversation=room, member="ci")
    assert await commands(ann, room) == []
    assert await outcome(ann.does("slash.run", conversation=room, text="/deploy", cid="2")) == "not_found"
    await node.call("people.deactivate", person="ci")
    assert await outcome(bob.does("slash.run", conversation=talk, text="/deploy", cid="3")) in (
        "forbidden",
        "not_found",
    )


@pytest.mark.parametrize("text", ["deploy", "//deploy", "/", "x"])
async def test_what_is_no_command_is_refused(node: Node, ann: LiveUser, text: str) -> None:
    room = await ann.group()
    with refused("invalid", "text"):
        await ann.does("slash.run", conversation=room, text=text, cid="1")


async def test_messages_are_posted_whatever_they_begin_with(node: Node, ann: LiveUser) -> None:
    room = await ann.group()
    ci = await make_bot(node, "ci", DEPLOY, room=room, by=ann)
    await ann.says(room, "/deploy main")
    assert await ann.reads(room) == ["/deploy main"]
    assert ci.heard("slash.invoked") == []


async def test_strangers_and_bots_run_nothing(node: Node, ann: LiveUser, bob: LiveUser, eve: LiveUser) -> None:
    room = await ann.group(bob)
    ci = await make_bot(node, "ci", DEPLOY, room=room, by=ann)
    await ann.does("conversations.members.remove", conversation=room, member="bob")
    found = {
        who.handle: [
            await outcome(who.does("slash.list", conversation=room)),
            await outcome(who.does("slash.run", conversation=room, text="/deploy", cid="1")),
        ]
        for who in (ann, bob, eve, ci)
    }
    assert found == {
        "ann": ["ok", "ok"],
        "bob": ["not_member", "not_member"],
        "eve": ["not_found", "not_found"],
        "ci": ["ok", "forbidden"],
    }
    await ann.does("conversations.close", conversation=room)
    assert await outcome(ann.does("slash.run", conversation=room, text="/deploy", cid="2")) == "closed"


# ---- answers


async def test_only_the_bot_that_was_asked_answers(node: Node, ann: LiveUser, bob: LiveUser) -> None:
    room = await ann.group(bob)
    await make_bot(node, "ci", DEPLOY, room=room, by=ann)
    other = await make_bot(node, "cd", room=room, by=ann)
    invocation = await invoked(node, ann, room)
    for who in (other, ann, bob):
        with refused("not_found", "invocation"):
            await who.does("slash.reply", invocation=invocation, text="me")


async def test_an_answer_with_a_cid_is_given_once(node: Node, ann: LiveUser) -> None:
    room = await ann.group()
    ci = await make_bot(node, "ci", DEPLOY, room=room, by=ann)
    asked = {"invocation": await invoked(node, ann, room), "text": "done"}
    for visible in ("only_you", "all"):
        first = await ci.does("slash.reply", **asked, visible=visible, cid=visible)
        assert await ci.does("slash.reply", **asked, visible=visible, cid=visible) == first | {"dup": True}
    assert (notices(ann), await ann.reads(room)) == (["done"], ["done"])
    await ci.does("slash.reply", **asked)
    await ci.does("slash.reply", **asked)
    assert notices(ann) == ["done"] * 3


async def test_there_are_five_answers_for_half_an_hour(node: Node, ann: LiveUser) -> None:
    room = await ann.group()
    ci = await make_bot(node, "ci", DEPLOY, room=room, by=ann)
    first, second = await invoked(node, ann, room, cid="1"), await invoked(node, ann, room, cid="2")
    for number in range(5):
        await ci.does("slash.reply", invocation=first, text=f"step {number}", visible=("all", "only_you")[number % 2])
    with refused("too_large", "invocation"):
        await ci.does("slash.reply", invocation=first, text="one more")
    await age(node, 29)
    await ci.does("slash.reply", invocation=second, text="late")
    await age(node, 2)
    with refused("gone", "invocation"):
        await ci.does("slash.reply", invocation=second, text="too late")


async def test_an_answer_that_cannot_be_posted_does_not_count(node: Node, ann: LiveUser, bob: LiveUser) -> None:
    room = await ann.group(bob)
    ci = await make_bot(node, "ci", DEPLOY, room=room, by=ann)
    invocation = await invoked(node, ann, room)
    await ann.does("conversations.close", conversation=room)
    for _ in range(6):
        assert await outcome(ci.does("slash.reply", invocation=invocation, text="x", visible="all")) == "closed"
    await tell_overdue(node, 31 * 60)
    assert [each["notice"]["status"] for each in ann.heard("notice.private")] == ["unanswered"]
    await ann.does("conversations.reopen", conversation=room)
    assert await outcome(ci.does("slash.reply", invocation=invocation, text="x", visible="all")) == "ok"


async def test_an_answer_to_all_may_have_buttons(node: Node, ann: LiveUser) -> None:
    room = await ann.group()
    ci = await make_bot(node, "ci", DEPLOY, room=room, by=ann)
    invocation = await invoked(node, ann, room)
    await ci.does("slash.reply", invocation=invocation, text="Sure?", visible="all", actions=[APPROVE])
    assert (await ann.sees(room))[0]["actions"] == [APPROVE]
    with refused("invalid", "actions"):
        await ci.does("slash.reply", invocation=invocation, text="Sure?", actions=[APPROVE])


async def test_who_has_left_is_told_nothing(node: Node, ann: LiveUser, bob: LiveUser) -> None:
    room = await ann.group(bob)
    ci = await make_bot(node, "ci", DEPLOY, room=room, by=ann)
    invocation = await invoked(node, bob, room)
    await bob.does("conversations.leave", conversation=room)
    with refused("gone", "invocation"):
        await ci.does("slash.reply", invocation=invocation, text="the key is 4711")
    await tell_overdue(node, 31 * 60)
    assert notices(bob) == []


async def test_a_bot_that_was_removed_tells_nothing(node: Node, ann: LiveUser, bob: LiveUser) -> None:
    room = await ann.group(bob)
    ci = await make_bot(node, "ci", DEPLOY, room=room, by=ann)
    invocation = await invoked(node, bob, room)
    await ann.does("conversations.members.remove", conversation=room, member="ci")
    with refused("gone", "invocation"):
        await ci.does("slash.reply", invocation=invocation, text="come to my own group")
    assert notices(bob) == []


async def test_a_bot_tells_nothing_to_who_has_blocked_it(node: Node, ann: LiveUser, bob: LiveUser) -> None:
    room = await ann.group(bob)
    ci = await make_bot(node, "ci", DEPLOY, room=room, by=ann)
    invocation = await invoked(node, bob, room)
    await bob.does("people.block", person="ci")
    with refused("forbidden", "invocation"):
        await ci.does("slash.reply", invocation=invocation, text="unblock me")
    assert notices(bob) == []


# ---- no answer


async def test_the_user_is_told_when_there_is_no_answer(node: Node, ann: LiveUser, bob: LiveUser) -> None:
    room = await ann.group(bob)
    await make_bot(node, "ci", DEPLOY, room=room, by=ann)
    since = await node.core.db.read(log.head)
    await invoked(node, ann, room)
    await tell_overdue(node)
    assert notices(ann) == []
    for _ in range(2):  # each once
        await tell_overdue(node, 4)
    await tell_overdue(node, 31 * 60)
    await tell_overdue(node, 100 * 60)
    assert notices(ann) == ["ci is still working on /deploy", "ci did not answer /deploy"]
    statuses = [each["notice"]["status"] for each in ann.heard("notice.private")]
    assert statuses == ["working", "unanswered"]
    assert notices(bob) == []
    replayed = [each for each in await missed(node, ann, since) if each["event"] == "notice.private"]
    assert replayed == ann.heard("notice.private")


async def test_after_an_answer_nothing_is_overdue(node: Node, ann: LiveUser) -> None:
    room = await ann.group()
    ci = await make_bot(node, "ci", DEPLOY, room=room, by=ann)
    await ci.does("slash.reply", invocation=await invoked(node, ann, room), text="done")
    await tell_overdue(node, 100 * 60)
    assert notices(ann) == ["done"]


@pytest.mark.parametrize("config", [configured(bots={"working_seconds": 0.1})], ids=["soon"])
async def test_a_node_that_serves_tells_by_itself(node: Node, ann: LiveUser, url: str) -> None:
    room = await ann.group()
    await make_bot(node, "ci", DEPLOY, room=room, by=ann)
    await invoked(node, ann, room)
    assert (await ann.hears("notice.private"))["notice"]["status"] == "working"


# ---- a bot that was away


async def test_a_bot_that_was_away_hears_what_is_fresh(node: Node, ann: LiveUser) -> None:
    room = await ann.group()
    ci = await make_bot(node, "ci", DEPLOY, room=room, by=ann)
    since = await node.core.db.read(log.head)
    await invoked(node, ann, room, "/deploy old", cid="1")
    await age(node, 14)
    await invoked(node, ann, room, "/deploy new", cid="2")
    heard = [each for each in await missed(node, ci, since) if each["event"] == "slash.invoked"]
    assert [each["text"] for each in heard] == ["old", "new"]
    assert heard[1] == ci.heard("slash.invoked")[1]
    await age(node, 2)
    heard = [each for each in await missed(node, ci, since) if each["event"] == "slash.invoked"]
    assert [each["text"] for each in heard] == ["new"]


async def test_a_bot_that_was_removed_hears_nothing_more(node: Node, ann: LiveUser) -> None:
    room = await ann.group()
    ci = await make_bot(node, "ci", DEPLOY, room=room, by=ann)
    since = await node.core.db.read(log.head)
    await invoked(node, ann, room, "/deploy secret")
    await ann.does("conversations.members.remove", conversation=room, member="ci")
    assert [each["event"] for each in await missed(node, ci, since)] == ["member.left"]


# ---- keeping, erasing


async def test_after_a_day_it_is_forgotten(node: Node, ann: LiveUser) -> None:
    room = await ann.group()
    ci = await make_bot(node, "ci", DEPLOY, room=room, by=ann)
    since = await node.core.db.read(log.head)
    old = await invoked(node, ann, room, cid="1")
    await ci.does("slash.reply", invocation=old, text="done")
    await age(node, 25 * 60)
    await invoked(node, ann, room, cid="2")
    assert (await node.call("jobs.run", job="old invocations"))["job"]["result"] == "2 removed"
    assert (await ann.does("slash.run", conversation=room, text="/deploy main", cid="2"))["dup"]
    assert not (await ann.does("slash.run", conversation=room, text="/deploy main", cid="1"))["dup"]
    assert "notice.private" not in [each["event"] for each in await missed(node, ann, since)]


@pytest.mark.parametrize("who", ["bob", "ci"])
async def test_with_either_of_them_it_is_erased(node: Node, ann: LiveUser, bob: LiveUser, who: str) -> None:
    room = await ann.group(bob)
    ci = await make_bot(node, "ci", DEPLOY, room=room, by=ann)
    invocation = await invoked(node, bob, room, "/deploy nightjar")
    await ci.does("slash.reply", invocation=invocation, text="nightjar it is")
    done = await node.call("people.erase", person=who, handle=who)
    assert (done["removed"]["bots_invocations"], done["removed"]["bots_notices"]) == (1, 1)

    def left(reader: Reader) -> list[int]:
        tables = ("bots_invocations", "bots_notices")
        return [reader.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]

    assert await node.core.db.read(left) == [0, 0]
    assert await missed(node, ci, 0) is not None  # what is left of the log can be told
    await assert_sound(node)


async def test_it_is_in_the_export_of_who_asked(node: Node, ann: LiveUser, bob: LiveUser) -> None:
    room = await ann.group(bob)
    ci = await make_bot(node, "ci", DEPLOY, room=room, by=ann)
    await ci.does("slash.reply", invocation=await invoked(node, ann, room), text="done")
    found = {each["kind"]: each["data"] for each in await exported(ann, "invocation", "notice")}
    assert (found["invocation"]["command"], found["invocation"]["said"]) == ("deploy", "/deploy main")
    assert found["notice"]["text"] == "done"
    assert await exported(bob, "invocation", "notice") == []
