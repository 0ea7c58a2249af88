"""Joining, leaving and coming back: what somebody may see, and what they are replayed. Each as a short story."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chatnode.config import Config, Limits
from chatnode.errors import Refusal
from chatnode.model.commands.messages import Posted
from chatnode.model.events import ConversationUpdated, Event, MemberChanged, MessagePosted
from chatnode.model.people import Account
from chatnode.node import open_node
from chatnode.storage.conversations import conversations, members, opening
from chatnode.storage.engine.transaction import Write
from chatnode.storage.log import log
from chatnode.storage.messages import inbox, posting
from chatnode.storage.messages.posting import Draft
from chatnode.storage.people import people
from chatnode.storage.upkeep import checks
from chatnode.testing import User
from tests.storage.harness import Store

ALL = 2**62


class Village:
    """A store with people in it; every method is one write or one read."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.ann, self.bob, self.cay = (self.write(partial(_create, handle=handle)) for handle in ("ann", "bob", "cay"))

    def write(self, function: Write[Any]) -> Any:
        return self.store.write(function)[0]

    def group(self, owner: Account, *members: Account, public: bool = False, history: Any = "all") -> str:
        return self.write(
            lambda tx: opening.open_group(
                tx, owner, title="plans", description="", visibility="public" if public else "private",
                history=history, others=list(members), most_members=0,
            )
        )  # fmt: skip

    def post(
        self, sender: Account, group: str, text: str, cid: str | None = None, reply_to: str | None = None
    ) -> Posted:
        return self.write(lambda tx: posting.post(tx, sender, Draft(group, cid or text, text, reply_to)))

    def rename(self, by: Account, group: str, title: str) -> None:
        self.write(lambda tx: conversations.update(tx, by, group, title=title, description=None, visibility=None))

    def remove(self, by: Account, group: str, member: Account) -> None:
        self.write(lambda tx: members.remove(tx, by, group, member))

    def add(self, by: Account, group: str, member: Account) -> None:
        self.write(lambda tx: members.add(tx, by, group, member, 0))

    @property
    def head(self) -> int:
        return self.store.read(log.head)

    def replay(self, person: Account, since: int) -> list[Event]:
        """What somebody is given who comes back with a cursor."""
        gids = self.store.read(lambda reader: log.gids_since(reader, person, since, ALL)) or []
        return [event for _, event in self.store.read(lambda reader: list(log.events_of(reader, person, gids)))]


def _create(tx: Any, handle: str) -> Account:
    return people.create(tx, handle, role="member")


@pytest.fixture
def village(tmp_path: Path) -> Iterator[Village]:
    store = Store(tmp_path)
    yield Village(store)
    store.close()


# ---- being out


def test_who_was_removed_while_away_is_not_told_the_new_title(village: Village) -> None:
    """An event that is rendered anew must not show those who are out how things are now."""
    group = village.group(village.ann, village.bob)
    away = village.head
    village.rename(village.ann, group, "picnic")
    village.remove(village.ann, group, village.bob)
    village.rename(village.ann, group, "present for bob")
    given = village.replay(village.bob, away)
    titles = [event.details.title for event in given if isinstance(event, ConversationUpdated)]
    assert "present for bob" not in titles, "invariant 5: nothing reaches a non-member by any way"


def test_who_was_removed_while_away_does_not_learn_how_much_was_said_since(village: Village) -> None:
    group = village.group(village.ann, village.bob)
    away = village.head
    village.rename(village.ann, group, "picnic")
    village.remove(village.ann, group, village.bob)
    for number in range(3):
        village.post(village.ann, group, f"secret {number}")
    given = village.replay(village.bob, away)
    assert [event.details.head for event in given if isinstance(event, ConversationUpdated) if event.details.head] == []


def test_who_was_removed_while_away_is_not_told_of_later_roles(village: Village) -> None:
    group = village.group(village.ann, village.bob, village.cay)
    away = village.head

    def set_role(role: Any) -> None:
        village.write(lambda tx: members.set_role(tx, village.ann, group, village.cay, role))

    set_role("admin")
    village.remove(village.ann, group, village.bob)
    set_role("owner")
    given = village.replay(village.bob, away)
    assert "owner" not in [event.role for event in given if isinstance(event, MemberChanged)]


def test_who_was_removed_while_away_is_given_what_was_said_until_then(village: Village) -> None:
    group = village.group(village.ann, village.bob)
    away = village.head
    village.post(village.ann, group, "before")
    village.remove(village.ann, group, village.bob)
    village.post(village.ann, group, "after")
    given = village.replay(village.bob, away)
    assert [event.message.text for event in given if isinstance(event, MessagePosted)] == ["before"]
    assert village.replay(village.bob, village.head) == []


def test_who_comes_back_is_given_what_was_said_in_the_time_before(village: Village) -> None:
    """Invariant 3: a member's stream has no gap within their membership, also when they were out in between."""
    group = village.group(village.ann, village.bob, history="since_joining")
    away = village.head
    village.post(village.ann, group, "while bob was in")
    village.remove(village.ann, group, village.bob)
    village.post(village.ann, group, "while bob was out")
    village.add(village.ann, group, village.bob)
    village.post(village.ann, group, "while bob was in again")
    given = village.replay(village.bob, away)
    texts = [event.message.text for event in given if isinstance(event, MessagePosted)]
    assert texts == ["while bob was in", "while bob was in again"]


def test_who_comes_into_a_group_that_everybody_has_left_owns_it(village: Village) -> None:
    """A group with people in it has one owner; `checks.run` says so too."""
    group = village.group(village.ann, public=True)
    village.write(lambda tx: members.leave(tx, village.ann, group))
    village.write(lambda tx: members.join(tx, village.bob, group, 0))
    assert [check for check in village.store.read(checks.run).checks if check.problems] == []
    assert village.store.read(lambda reader: conversations.access(reader, village.bob, group)).role == "owner"


# ---- sending again


def test_a_post_that_is_sent_again_after_leaving_and_coming_back_gets_its_first_answer(village: Village) -> None:
    """Without an answer, sending again with the same cid is safe, whatever has happened since."""
    group = village.group(village.bob, village.ann, public=True, history="since_joining")
    original = village.post(village.bob, group, "shall we?")
    first = village.post(village.ann, group, "yes", "one", reply_to=original.message)
    village.write(lambda tx: members.leave(tx, village.ann, group))
    village.write(lambda tx: members.join(tx, village.ann, group, 0))  # what was said before is hidden now
    again = village.post(village.ann, group, "yes", "one", reply_to=original.message)
    assert (again.gid, again.seq, again.message, again.dup) == (first.gid, first.seq, first.message, True)


def test_a_post_that_is_sent_again_by_somebody_who_is_out_gets_its_first_answer(village: Village) -> None:
    group = village.group(village.bob, village.ann)
    first = village.post(village.ann, group, "yes", "one")
    village.remove(village.bob, group, village.ann)
    assert village.post(village.ann, group, "yes", "one").gid == first.gid
    with pytest.raises(Refusal, match="conflict"):
        village.post(village.ann, group, "no", "one")
    with pytest.raises(Refusal, match="not_member"):
        village.post(village.ann, group, "no", "two")


def test_the_same_cid_of_two_people_is_two_messages(village: Village) -> None:
    group = village.group(village.bob, village.ann)
    assert [village.post(who, group, "yes", "one").dup for who in (village.ann, village.bob)] == [False, False]


# ---- bounds


@pytest.mark.parametrize("in_a_group", [False, True])
def test_who_missed_more_than_the_most_is_told_so(village: Village, in_a_group: bool) -> None:
    """`gids_since` gives None when there are more, whatever kind of events they are."""
    if in_a_group:
        village.group(village.ann)
    since = village.head
    for number in range(3):
        village.write(lambda tx, number=number: people.update_profile(tx, village.ann, f"Ann {number}", None))
    given = [
        village.store.read(lambda reader, most=most: log.gids_since(reader, village.ann, since, most))
        for most in (2, 3)
    ]
    assert given == [None, [since + 1, since + 2, since + 3]]


def test_a_full_group_takes_nobody(village: Village) -> None:
    group = village.group(village.ann, village.bob, public=True)
    ways: dict[str, Callable[[Any], Any]] = {
        "added": lambda tx: members.add(tx, village.ann, group, village.cay, 2),
        "joined": lambda tx: members.join(tx, village.cay, group, 2),
    }
    for write in ways.values():
        with pytest.raises(Refusal, match="too_large"):
            village.write(write)
    assert len(village.store.read(lambda reader: inbox.page(reader, village.cay, None, 9)).conversations) == 0


async def test_a_full_group_takes_nobody_by_invite_either(tmp_path: Path) -> None:
    config = Config(limits=Limits(group_members=2))
    async with open_node(tmp_path, config) as node:
        ann = await User.new(node, "ann", admin=True)
        bob = await User.new(node, "bob")
        group = (await ann.call("conversations.create", title="pair", members=["bob"]))["conversation"]
        invite = await ann.call("invites.create", conversations=[group])
        made = await node.call("invites.accept", code=invite["code"], handle="cay", password="correct horse battery")
        assert [(each["conversation"], each["code"]) for each in made["not_joined"]] == [(group, "too_large")]
        assert (await bob.call("conversations.get", conversation=group))["you"]["members"] == 2
