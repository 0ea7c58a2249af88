"""Whom one talked with last, and with whom one talks most."""

from __future__ import annotations

import math

import pytest
import trio
from chatnode_contacts.interactions import rank_after, weight_of
from hypothesis import given
from hypothesis import strategies as st

from chatnode.api import DAY_MS
from chatnode.node import Node
from chatnode.testing import User
from tests.plugins.contacts.keeping import become_contacts, catch_up, contact, listed, set_back, with_settings
from tests.services.dialogue import assert_sound

HALF_LIFE = 30.0 * DAY_MS
NOW = 1_763_752_926_042


async def test_a_message_counts_for_both(node: Node, ann: User, bob: User, cay: User) -> None:
    talks = {who.handle: await become_contacts(ann, who) for who in (bob, cay)}
    for _ in range(3):
        await ann.says(talks["bob"], "hello")
    await trio.sleep(0.002)  # in a later millisecond: within one, nobody talked last
    last = await cay.posts(talks["cay"], "hello yourself")
    await catch_up(node)
    assert (await listed(ann, sort="recent"), await listed(ann, sort="most_used")) == (["cay", "bob"], ["bob", "cay"])
    for one, other, weight in ((ann, bob, 3.0), (bob, ann, 3.0), (ann, cay, 1.0), (cay, ann, 1.0)):
        assert (await contact(one, other))["weight"] == pytest.approx(weight, abs=0.01)
    message = (await ann.call("messages.get", message=last["message"]))["message"]
    assert (await contact(ann, cay))["last_interacted_at"] == message["at"]
    await assert_sound(node)


async def test_what_is_said_in_groups_counts_for_nobody(node: Node, ann: User, bob: User) -> None:
    await become_contacts(ann, bob)
    room = await ann.group(bob)
    await bob.says(room, "hello @ann", reply_to=await ann.says(room, "hello"))
    await ann.says(await ann.direct(ann), "a note to myself")
    await catch_up(node)
    assert not {"last_interacted_at", "weight"} & (set(await contact(ann, bob)) | set(await contact(bob, ann)))


async def test_what_was_said_before_counts_as_one(node: Node, ann: User, bob: User) -> None:
    """And is not counted once more by whoever reads the log, however late."""
    talk = await ann.direct(bob)
    for _ in range(5):
        await bob.says(talk, "hello")
    await become_contacts(ann, bob)
    await catch_up(node)
    assert (await contact(ann, bob))["weight"] == pytest.approx(1.0, abs=0.01)
    await bob.says(talk, "hello")
    await catch_up(node)
    assert (await contact(ann, bob))["weight"] == pytest.approx(2.0, abs=0.01)


async def test_who_is_added_again_begins_anew(node: Node, ann: User, bob: User) -> None:
    talk = await become_contacts(ann, bob)
    for _ in range(4):
        await ann.says(talk, "hello")
    await ann.call("contacts.remove", person="bob")  # before anything was counted
    await ann.call("contacts.add", person="bob")
    await catch_up(node)
    assert (await contact(ann, bob))["weight"] == pytest.approx(1.0, abs=0.01)
    assert (await contact(bob, ann))["weight"] == pytest.approx(4.0, abs=0.01)


async def test_reading_the_log_once_more_changes_nothing(node: Node, ann: User, bob: User) -> None:
    talk = await become_contacts(ann, bob)
    for _ in range(3):
        await ann.says(talk, "hello")
    await catch_up(node)
    await node.core.db.write(lambda tx: tx.execute("UPDATE consumers SET cursor = 0"))
    node.consumers.moved("contacts", "interactions")
    await catch_up(node)
    assert (await contact(ann, bob))["weight"] == pytest.approx(3.0, abs=0.01)


@with_settings(half_life_days=1)
async def test_what_is_long_ago_counts_less(node: Node, ann: User, bob: User, cay: User) -> None:
    talks = {who.handle: await become_contacts(ann, who) for who in (bob, cay)}
    for _ in range(4):
        await ann.says(talks["bob"], "hello")
    await ann.says(talks["cay"], "hello")
    await catch_up(node)
    assert await listed(ann, sort="most_used") == ["bob", "cay"]
    await set_back(node, "contacts_entries", "rank", 3)  # all of it
    assert [(await contact(ann, who))["weight"] for who in (bob, cay)] == pytest.approx([0.5, 0.125], abs=0.01)
    for _ in range(2):
        await ann.says(talks["cay"], "hello again")
    await catch_up(node)
    assert await listed(ann, sort="most_used") == ["cay", "bob"]
    assert (await contact(ann, cay))["weight"] == pytest.approx(2.125, abs=0.01)


# ---- the arithmetic


@given(
    st.lists(st.lists(st.integers(NOW - 3 * 365 * DAY_MS, NOW), min_size=1, max_size=8), min_size=1, max_size=8),
    st.floats(0.5, 400),
)
def test_the_rank_is_worth_the_sum_of_what_is_left_of_each(batches: list[list[int]], half_life_days: float) -> None:
    half_life = half_life_days * DAY_MS
    rank = 0
    for batch in batches:
        rank = rank_after(rank, batch, half_life)
    times = [at for batch in batches for at in batch]
    wanted = sum(2.0 ** ((at - NOW) / half_life) for at in times)
    assert weight_of(rank, NOW, half_life) == pytest.approx(wanted, rel=1e-3, abs=1e-3)


def test_a_rank_from_before_the_half_life_was_shortened_has_a_weight() -> None:
    rank = rank_after(0, [NOW] * 1_000, 30.0 * DAY_MS)
    assert weight_of(rank, NOW, 0.1 * DAY_MS) == 2.0**40


@given(
    st.lists(st.integers(NOW - 100 * DAY_MS, NOW), min_size=1, max_size=10),
    st.lists(st.integers(NOW - 100 * DAY_MS, NOW), min_size=1, max_size=10),
)
def test_the_order_of_two_does_not_change_while_nobody_talks(one: list[int], other: list[int]) -> None:
    ranks = [0, 0]
    for place, times in enumerate((one, other)):
        for at in times:
            ranks[place] = rank_after(ranks[place], [at], HALF_LIFE)
    for later in (NOW, NOW + 5 * DAY_MS, NOW + 50 * DAY_MS):
        weights = [sum(2.0 ** ((at - later) / HALF_LIFE) for at in times) for times in (one, other)]
        if not math.isclose(*weights, rel_tol=1e-6):
            assert (weights[0] > weights[1]) == (ranks[0] > ranks[1])
