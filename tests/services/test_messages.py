"""Posting and reading, as dialogues between people."""

from __future__ import annotations

import pytest

from chatnode.errors import Refusal
from tests.conftest import Somebody


async def test_both_sides_of_a_direct_conversation_compute_the_same_id(ann: Somebody, bob: Somebody) -> None:
    from_ann = await ann.call("conversations.direct", **{"with": "bob"})
    from_bob = await bob.call("conversations.direct", **{"with": ann.id})
    assert from_ann == from_bob


async def test_a_repeated_cid_returns_the_first_answer(ann: Somebody, bob: Somebody) -> None:
    talk = (await ann.call("conversations.direct", **{"with": "bob"}))["conversation"]
    first = await ann.call("messages.post", conversation=talk, cid="one", text="hello")
    again = await ann.call("messages.post", conversation=talk, cid="one", text="hello")
    assert again == first | {"dup": True}
    assert len((await bob.call("messages.list", conversation=talk))["messages"]) == 1


async def test_a_cid_used_for_something_else_is_a_conflict(ann: Somebody, bob: Somebody) -> None:
    talk = (await ann.call("conversations.direct", **{"with": "bob"}))["conversation"]
    await ann.call("messages.post", conversation=talk, cid="one", text="hello")
    with pytest.raises(Refusal, match="conflict"):
        await ann.call("messages.post", conversation=talk, cid="one", text="good bye")
